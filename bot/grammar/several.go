package grammar

import (
	"slices"
	"strings"

	"ferry/internal/chat"
)

// several reports whether a node takes more than one word.
func (n node) several() bool {
	return len(n.parts) == 1 && (n.listed() || n.parts[0] == "option" || n.parts[0] == "matchers")
}

// listed reports whether what a node takes may be joined by commas.
func (n node) listed() bool { return n.parts[0] == "targets" || n.parts[0] == "clusters" }

// pieces are what a word of the node holds.
func (n node) pieces(word string) []string {
	if !n.listed() {
		return []string{word}
	}
	return strings.FieldsFunc(word, func(r rune) bool { return r == ',' })
}

// words returns the words from at on that fit a node which takes several, and
// remembers why the next one does not.
func (m *matcher) words(n node, at int) (out []string) {
	var args chat.Args
	for i := at; i < len(m.in.words); i++ {
		word := m.in.words[i].text
		if i > at && m.cmd.reserved[word] {
			return out // what follows them says whether it is the right one
		}
		pieces := n.pieces(word)
		if len(pieces) == 0 && i == at {
			pieces = []string{word} // it begins with a comma
		}
		for _, p := range pieces {
			if !m.take(n, p, i, &args) {
				return out
			}
		}
		out = append(out, word)
	}
	if len(out) == 0 {
		m.fail(at, shapeless, m.missing(n, at), "")
	}
	return out
}

// spread gives a node as many of its words as leave a match of what follows.
func (m *matcher) spread(n node, words []string, after []node, at int, args *chat.Args) bool {
	for taken := len(words); taken > 0; taken-- {
		with := *args
		sign := " "
		if n.listed() {
			sign = ","
		}
		var all []string
		for _, w := range words[:taken] {
			for _, piece := range n.pieces(w) {
				if !slices.Contains(all, piece) {
					all = append(all, piece)
				}
			}
		}
		*field(&with, n.parts[0]) = chat.Word(strings.Join(all, sign))
		if m.match(after, at+taken, &with) {
			*args = with
			return true
		}
	}
	return false
}

// checkTarget reports what is wrong with a further target: a cluster, or an app on
// one.
func (g *Grammar) checkTarget(word string) (says, help string) {
	cluster, app, named := strings.Cut(word, "/")
	if says, help := g.checkCluster(cluster); says != "" {
		return says, help
	}
	if named && !isApp(app) {
		return quote(word) + " is no app on a cluster", "write `cluster`, `cluster/app` or `cluster/namespace/app`"
	}
	return "", ""
}
