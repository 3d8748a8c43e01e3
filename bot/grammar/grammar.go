// Package grammar reads what people type. It compiles the Syntax of every
// command into one strict parser: a text is a command as a whole or it is none,
// words mean exactly what they say, and nothing is guessed. `prod` is not
// `prod-eu`, and a command with one word too many is refused rather than
// understood in part, because what follows may change a cluster.
//
// Strictness is only bearable with good answers. Clean first takes away what
// chat clients put around a text (links made of names, smart quotes, code marks,
// odd spaces). A text that is still no command is then repaired in every small
// way that people get it wrong, until one of the repairs parses; that one is
// offered as what may have been meant, and never run.
//
// The package is pure: no I/O, no clock, and a Grammar does not change.
package grammar

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/near"
)

// Grammar parses commands. It is safe for concurrent use.
type Grammar struct {
	commands []command
	verbs    []string
	offered  []string // the verbs that are not unlisted
	clusters []string
	literals []string // of all forms, each once
}

type command struct {
	syntax chat.Syntax
	forms  []form
	// reserved are the literals of all forms: no placeholder takes them.
	reserved map[string]bool
	literals []string // the same, in order
}

// New compiles commands for a fleet of clusters. It refuses forms that do not
// follow chat.Syntax, verbs that come twice, and clusters whose names a form
// could confuse with its own words.
func New(commands []chat.Syntax, clusters []string) (*Grammar, error) {
	g := &Grammar{clusters: slices.Clone(clusters)}
	for _, s := range commands {
		if slices.Contains(g.verbs, string(s.Verb)) {
			return nil, fmt.Errorf("command %q is defined twice", s.Verb)
		}
		c := command{syntax: s, reserved: map[string]bool{}}
		for _, text := range append([]string{s.Form}, s.Also...) {
			nodes, err := compile(text)
			if err != nil {
				return nil, fmt.Errorf("form of %q: %w", s.Verb, err)
			}
			c.forms = append(c.forms, form{text, nodes})
			literalsOf(nodes, c.reserved)
		}
		for word := range c.reserved {
			if slices.Contains(clusters, word) {
				return nil, fmt.Errorf("cluster %q is called like a word of the command %q", word, s.Verb)
			}
			if !slices.Contains(g.literals, word) {
				g.literals = append(g.literals, word)
			}
		}
		c.literals = slices.Sorted(maps.Keys(c.reserved))
		g.commands, g.verbs = append(g.commands, c), append(g.verbs, string(s.Verb))
		if !s.Unlisted {
			g.offered = append(g.offered, string(s.Verb))
		}
	}
	slices.Sort(g.literals)
	return g, nil
}

// Parse reads a text as it came from the chat. On failure the error is an
// Invalid fault that says what was wrong and what would work. The cleaned text
// is returned in both cases, as far as cleaning got.
func (g *Grammar) Parse(raw string) (text string, verb chat.Verb, args chat.Args, err error) {
	text, err = Clean(raw)
	if err != nil {
		return "", "", chat.Args{}, err
	}
	verb, args, miss := g.parse(text)
	if miss != nil {
		return text, "", chat.Args{}, g.explain(text, miss)
	}
	return text, verb, args, nil
}

// miss is why a text is no command: the farthest word that did not fit.
type miss struct {
	cmd  *command // nil if the verb is unknown
	form string   // the one of it that explains best
	word int      // index into the words after the verb
	rank int      // how well it explains
	says string   // a sentence about that word
	help string
}

func (g *Grammar) parse(text string) (chat.Verb, chat.Args, *miss) {
	head, rest, _ := strings.Cut(text, " ")
	for i := range g.commands {
		c := &g.commands[i]
		if string(c.syntax.Verb) != head {
			continue
		}
		args, miss := g.fit(c, rest)
		if miss != nil {
			return "", chat.Args{}, miss
		}
		return c.syntax.Verb, args, nil
	}
	return "", chat.Args{}, &miss{says: g.unknownVerb(head)}
}

func (g *Grammar) unknownVerb(head string) string {
	if head == "" {
		return "there is no command in that message"
	}
	return fmt.Sprintf("there is no command %s", quote(head))
}

// explain makes the answer: what was wrong, how it is written, what may have
// been meant.
func (g *Grammar) explain(text string, m *miss) error {
	e := fault.New(fault.Invalid, m.says, m.help).WithChoices(g.repair(text)...)
	switch {
	case m.cmd == nil:
		e.Help = "the commands are " + list(g.offered)
	case len(e.Choices) == 0: // a command that works says more than how one is written
		e.Help = strings.TrimSpace(e.Help + "\nwrite " + quote(m.cmd.syntax.UsageOf(m.form)))
	}
	return e
}

// Changes reports whether a text is a command that changes something.
func (g *Grammar) Changes(text string) bool {
	verb, _, miss := g.parse(text)
	return miss == nil && slices.ContainsFunc(g.commands, func(c command) bool { return c.syntax.Verb == verb && c.syntax.Changes })
}

func (g *Grammar) verbNear(word string) []string { return near.Names(word, g.offered, 3) }

func (g *Grammar) clusterNear(word string) []string { return near.Names(word, g.clusters, 3) }

// Render writes a command so that it parses to the same arguments. It is the
// inverse of Parse for everything that Parse accepts.
func (g *Grammar) Render(verb chat.Verb, args chat.Args) string {
	for i := range g.commands {
		if g.commands[i].syntax.Verb == verb {
			return strings.Join(append([]string{string(verb)}, write(g.commands[i].formOf(&args), &args)...), " ")
		}
	}
	return string(verb)
}

// quote puts a word between code marks; marks within it would end it early.
func quote(word string) string { return "`" + strings.ReplaceAll(clip(word), "`", "'") + "`" }

// clip keeps what an answer repeats short.
func clip(word string) string {
	const most = 120
	r := []rune(word)
	if len(r) <= most {
		return word
	}
	return string(r[:most]) + "…"
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = quote(w)
	}
	return strings.Join(quoted, ", ")
}
