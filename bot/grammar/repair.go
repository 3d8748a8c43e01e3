package grammar

import (
	"slices"
	"strings"

	"ferry/internal/near"
)

// Bounds of the search for what was meant: it must stay far below the time in
// which anybody notices.
const (
	maxChoices = 3
	maxWords   = 8
	maxCost    = 6
	maxTries   = 600
)

// Costs of a repair: how far it takes a text from what was written.
const (
	costSpelling = 1 // a letter's case, a look-alike, a sign, a near name
	costInsert   = 2 // a literal that was left out
	costMove     = 2 // a word in another place
	costDrop     = 3 // a word too many
)

// candidate is a text on the way to a command.
type candidate struct {
	words []string
	cost  int
}

// repair returns the complete commands that are closest to a text which is
// none: all of the cheapest cost that leads to any, at most three.
func (g *Grammar) repair(text string) []string {
	words := strings.Fields(text)
	for i, w := range words {
		words[i] = unmark(w)
	}
	if len(words) == 0 || len(words) > maxWords {
		return nil
	}
	queues := make([][]candidate, maxCost+1)
	queues[0] = []candidate{{words: words}}
	seen := map[string]bool{text: true}
	spellings := map[spelling][]string{}
	tries := 0
	for cost := range queues {
		var found []string
		for _, c := range queues[cost] {
			if tries >= maxTries {
				break
			}
			for _, next := range g.neighbours(c, spellings) {
				key := strings.Join(next.words, " ")
				if next.cost > maxCost || seen[key] || tries >= maxTries {
					continue
				}
				tries++
				seen[key] = true
				queues[next.cost] = append(queues[next.cost], next)
			}
		}
		for _, c := range queues[cost] {
			key := strings.Join(c.words, " ")
			_, args, miss := g.parse(key)
			free := args.Line+args.Reason != "" && cost > costSpelling // <line> takes any repair
			if miss == nil && !free && len(found) < maxChoices {
				found = append(found, key)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// neighbours are the texts one repair away.
func (g *Grammar) neighbours(c candidate, spellings map[spelling][]string) []candidate {
	var out []candidate
	add := func(cost int, words ...[]string) {
		out = append(out, candidate{slices.Concat(words...), c.cost + cost})
	}
	w := c.words
	for i, word := range w {
		head, tail := w[:i], w[i+1:]
		at := spelling{word, min(i, 2)}
		others, known := spellings[at]
		if !known {
			others = g.respell(at)
			spellings[at] = others
		}
		right := slices.Contains(g.literalsAfter(w[0]), word) // for this verb: no other literal was meant
		for _, other := range others {
			if right && slices.Contains(g.literals, other) {
				continue
			}
			add(costSpelling, head, []string{other}, tail)
		}
		if i+1 < len(w) && !slices.Contains(g.literals, word) && !slices.Contains(g.literals, w[i+1]) {
			add(costSpelling, head, []string{strings.TrimSuffix(word, "@") + "@" + strings.TrimPrefix(w[i+1], "@")}, w[i+2:])
		}
		if len(w) > 1 {
			add(costDrop, head, tail)
			for j := range len(w) {
				if rest := slices.Concat(head, tail); j != i && j <= len(rest) {
					add(costMove, rest[:j], []string{word}, rest[j:])
				}
			}
		}
	}
	for i := 1; i <= len(w); i++ {
		for _, literal := range g.literalsAfter(w[0]) {
			add(costInsert, w[:i], []string{literal}, w[i:])
		}
	}
	return out
}

// literalsAfter are the literals of a verb's form, or all of them while it is
// not known which verb is meant.
func (g *Grammar) literalsAfter(verb string) []string {
	for _, c := range g.commands {
		if string(c.syntax.Verb) == verb {
			return c.literals
		}
	}
	return g.literals
}

// spelling is a word at a place: 0 the verb's, 1 the one after it, 2 any other.
type spelling struct {
	word string
	at   int
}

// respell returns other ways to write the word at a place.
func (g *Grammar) respell(s spelling) []string {
	word, at := s.word, s.at
	var out []string
	add := func(s string) {
		if s != "" && s != word && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	add(strings.ToLower(word))
	add(plain(word))
	add(strings.TrimRight(word, ".,;!?"))
	add(strings.TrimLeft(word, "/@!"))
	if name, version, ok := strings.Cut(word, ":"); ok && !strings.HasPrefix(word, "sha256:") {
		add(name + "@" + version)
	}
	if name, version, ok := strings.Cut(word, "="); ok {
		add(name + "@" + version)
	}
	if at == 0 {
		if slices.Contains(g.verbs, word) {
			return out // it was meant: silence is not unsilence
		}
		for _, v := range g.verbNear(word) {
			add(v)
		}
		return out
	}
	if slices.Contains(g.clusters, word) {
		add("cluster=" + word) // where labels are chosen
	}
	for _, l := range near.Names(word, g.literals, 2) {
		add(l)
	}
	for _, n := range g.clusterNear(word) {
		add(n)
	}
	if near := g.verbNear(word); len(near) > 0 && at == 1 {
		add(near[0])
	}
	return out
}
