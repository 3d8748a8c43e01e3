package grammar

import (
	"fmt"
	"strings"
	"unicode"

	"ferry/internal/chat"
)

// token is a word of the input and where it begins.
type token struct {
	text string
	at   int
}

// input is what follows the verb: its words, and the text for <line>.
type input struct {
	text  string
	words []token
}

func split(rest string) input {
	in := input{text: rest}
	for i := 0; i < len(rest); {
		if rest[i] == ' ' {
			i++
			continue
		}
		end := i + wordLength(rest[i:])
		in.words = append(in.words, token{unmark(rest[i:end]), i})
		i = end
	}
	return in
}

// matcher tries a form against an input, optional groups first with and then
// without, and remembers the farthest word that did not fit.
type matcher struct {
	g    *Grammar
	cmd  *command
	in   input
	miss miss
	// optional is set while the first word of an optional group is tried: what
	// fails there may still fit what follows the group.
	optional bool
}

// match reports whether nodes take all words from at on, and fills args.
func (m *matcher) match(nodes []node, at int, args *chat.Args) bool {
	if len(nodes) == 0 {
		if at < len(m.in.words) {
			m.fail(at, surplus, fmt.Sprintf("%s is too much", quote(m.rest(at))), "")
			return false
		}
		return true
	}
	n, after := nodes[0], nodes[1:]
	if n.group != nil {
		with := *args
		if at < len(m.in.words) && m.enter(n.group, after, at, &with) {
			*args = with
			return true
		}
		return m.match(after, at, args)
	}
	if n.several() {
		return m.spread(n, m.words(n, at), after, at, args)
	}
	return m.one(n, at, args) && m.match(after, at+1, args)
}

// enter tries an optional group and what follows it.
func (m *matcher) enter(group, after []node, at int, args *chat.Args) bool {
	if group[0].several() {
		m.optional = true
		words := m.words(group[0], at)
		m.optional = false
		return m.spread(group[0], words, append(append([]node{}, group[1:]...), after...), at, args)
	}
	if group[0].group == nil {
		m.optional = true
		ok := m.one(group[0], at, args)
		m.optional = false
		if !ok {
			return false
		}
		group, at = group[1:], at+1
	}
	return m.match(append(append([]node{}, group...), after...), at, args)
}

// one matches a node that is a word with the word at a place.
func (m *matcher) one(n node, at int, args *chat.Args) bool {
	if at >= len(m.in.words) {
		m.fail(at, shapeless, m.missing(n, at), "")
		return false
	}
	if n.free() {
		if text := m.rest(at); n.parts[0] == "reason" && !strings.ContainsFunc(text, unicode.IsLetter) {
			m.fail(at, shaped, fmt.Sprintf("%s is no reason", quote(text)), "say why, in words")
			return false
		}
		*field(args, n.parts[0]) = chat.Word(strings.TrimRight(m.rest(at), " "))
		m.in.words = m.in.words[:at+1]
		return true
	}
	word := m.in.words[at].text
	if n.literal != "" {
		if word != n.literal {
			m.fail(at, shapeless, fmt.Sprintf("%s stands where %s was expected", quote(word), quote(n.literal)), "")
			return false
		}
		return true
	}
	return m.take(n, word, at, args)
}

// take splits a word at the node's signs and checks the shape of each part.
func (m *matcher) take(n node, word string, at int, args *chat.Args) bool {
	if m.cmd.reserved[word] {
		m.fail(at, shapeless, m.missing(n, at), "")
		return false
	}
	if says, help := strange(word); says != "" {
		m.fail(at, shaped, says, help)
		return false
	}
	rest := word
	for i, part := range n.parts {
		piece := rest
		if i < len(n.signs) {
			var ok bool
			if piece, rest, ok = strings.Cut(rest, n.signs[i]); !ok {
				m.fail(at, shapeless, fmt.Sprintf("%s is not %s", quote(word), quote(describe(n))), "")
				return false
			}
		}
		if says, help := m.g.check(part, piece); says != "" {
			m.fail(at, shaped, says, help)
			return false
		}
		*field(args, part) = chat.Word(piece)
	}
	return true
}

// missing says what should stand at a place, and after which word.
func (m *matcher) missing(n node, at int) string {
	what := quote(n.literal)
	if n.literal == "" {
		what = naming(n)
	}
	before := string(m.cmd.syntax.Verb)
	if at > 0 {
		before = m.in.words[at-1].text
	}
	return fmt.Sprintf("%s is missing after %s", what, quote(before))
}

// How well a failure explains that a word did not fit, the best last.
const (
	shapelessOptional = iota // not the word that a skipped group begins with
	surplus                  // nothing was expected any more
	shapedOptional           // almost what a skipped group begins with
	shapeless                // not what must stand here
	shaped                   // what must stand here, spelled wrongly
)

// fail keeps the farthest failure, of several at the same word the one that
// explains best, and of equal ones the first.
func (m *matcher) fail(at, rank int, says, help string) {
	if m.optional {
		rank = map[int]int{shapeless: shapelessOptional, shaped: shapedOptional}[rank]
	}
	if m.miss.says == "" || at > m.miss.word || at == m.miss.word && rank > m.miss.rank {
		m.miss = miss{word: at, rank: rank, says: says, help: help}
	}
}

func (m *matcher) rest(at int) string { return m.in.text[m.in.words[at].at:] }

// describe writes a node as it stands in the form.
func describe(n node) string {
	var b strings.Builder
	for i, part := range n.parts {
		if i > 0 {
			b.WriteString(n.signs[i-1])
		}
		b.WriteString(part)
	}
	return b.String()
}

// naming is describe in words.
func naming(n node) string {
	if len(n.parts) > 1 {
		return quote(describe(n))
	}
	switch n.parts[0] {
	case "app":
		return "the name of an app"
	case "other", "cluster", "from":
		return "the name of a cluster"
	case "targets":
		return "the name of another cluster"
	case "clusters":
		return "the name of a cluster, or a pattern over them,"
	case "matchers":
		return "what is to be chosen, such as `cluster=prod`,"
	case "id":
		return "the ID"
	case "switch":
		return "`on` or `off`"
	case "line":
		return "the command itself"
	case "topic":
		return "the name of a command"
	default:
		return "a " + n.parts[0]
	}
}
