package yamledit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Node is what an insertion puts into a file: a scalar, a map in its order, or
// a list. How it is written is the file's matter.
type Node struct {
	kind  kind
	text  string
	pairs []Pair
	items []Node
}

// Pair is an entry of a map.
type Pair struct {
	Key   string
	Value Node
}

type kind int

const (
	isString  kind = iota // also the zero Node: an empty string
	isLiteral             // a string
	isWord                // a number, true, false or null, as written
	isMap
	isList
)

// Str is a string, in quotes where it needs them.
func Str(s string) Node { return Node{text: s} }

// Literal is a string written as a block ("|") wherever a block can say it, as
// inline patches are; elsewhere it is as Str.
func Literal(text string) Node { return Node{kind: isLiteral, text: text} }

// Int is a number.
func Int(n int) Node { return Node{kind: isWord, text: strconv.Itoa(n)} }

// Bool is true or false.
func Bool(b bool) Node { return Node{kind: isWord, text: strconv.FormatBool(b)} }

// Null is null, which in a merge patch takes a value away.
func Null() Node { return Node{kind: isWord, text: "null"} }

// Map is a map with its entries in their order.
func Map(pairs ...Pair) Node { return Node{kind: isMap, pairs: pairs} }

// List is a list.
func List(items ...Node) Node { return Node{kind: isList, items: items} }

// valid refuses what no file can say, or not every reader would read alike.
func (n Node) valid() error {
	if !utf8.ValidString(n.text) || strings.ContainsRune(n.text, 0) {
		return fmt.Errorf("%w: %q is no text", ErrShape, n.text)
	}
	seen := map[string]bool{}
	for _, p := range n.pairs {
		if seen[p.Key] {
			return fmt.Errorf("%w: %q", ErrAmbiguous, p.Key)
		}
		seen[p.Key] = true
		if err := validKey(p.Key); err != nil {
			return err
		}
		if err := p.Value.valid(); err != nil {
			return err
		}
	}
	for _, item := range n.items {
		if err := item.valid(); err != nil {
			return err
		}
	}
	return nil
}

// validKey refuses keys that are not written on one line as they are, and the
// one that merges.
func validKey(key string) error {
	if key == "<<" || len(key) > 900 || !utf8.ValidString(key) || !printable(key) {
		return fmt.Errorf("%w: %q as a key", ErrShape, key)
	}
	return nil
}

// data is the node as a parser must read it.
func (n Node) data() *yaml.Node {
	switch n.kind {
	case isMap:
		m := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, p := range n.pairs {
			m.Content = append(m.Content, Str(p.Key).data(), p.Value.data())
		}
		return m
	case isList:
		l := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, item := range n.items {
			l.Content = append(l.Content, item.data())
		}
		return l
	case isWord:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: n.text} // the tag is that of the word
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: n.text}
}

// empty reports a map or list without entries.
func (n Node) empty() bool {
	return (n.kind == isMap || n.kind == isList) && len(n.pairs)+len(n.items) == 0
}

// asBlock reports whether a literal can be written as a block: it has text, its
// first line does not start with a blank, it ends with one line break at most,
// and every character stands for itself.
func (n Node) asBlock() bool {
	text := strings.TrimSuffix(n.text, "\n")
	return n.kind == isLiteral && text != "" && text[0] != ' ' && text[0] != '\n' && text[0] != '\t' &&
		!strings.HasSuffix(text, "\n") && !blankLines(text) &&
		printable(strings.NewReplacer("\n", "", "\t", "").Replace(text))
}

// hasBlock reports text that is to be a block.
func (n Node) hasBlock() bool {
	return n.asBlock() || slices.ContainsFunc(n.items, Node.hasBlock) ||
		slices.ContainsFunc(n.pairs, func(p Pair) bool { return p.Value.hasBlock() })
}

// blankLines reports a line of blanks alone, which editors like to strip.
func blankLines(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" && strings.Trim(line, " \t") == "" {
			return true
		}
	}
	return false
}
