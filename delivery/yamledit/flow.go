package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// flowEnd is the offset behind the bracket that closes a map or list. A map of
// one pair may have none within a list.
func (f *File) flowEnd(at int, n *yaml.Node) (int, bool) {
	if at >= len(f.text) || (f.text[at] != '{' && f.text[at] != '[') {
		return f.lastEnd(n)
	}
	bracket := byte('}')
	if f.text[at] == '[' {
		bracket = ']'
	}
	at++
	if len(n.Content) > 0 {
		last := n.Content[len(n.Content)-1]
		end, ok := f.lastEnd(n)
		if !ok && n.Kind == yaml.MappingNode && nothing(last) {
			end, ok = f.end(n.Content[len(n.Content)-2]) // a key alone
		}
		if !ok {
			return 0, false
		}
		at = end
	}
	at = f.skipInFlow(at, ",")
	return at + 1, at < len(f.text) && f.text[at] == bracket
}

// skipInFlow goes over blanks, line breaks, comments and the given marks.
func (f *File) skipInFlow(at int, marks string) int {
	for at < len(f.text) {
		c := f.text[at]
		switch {
		case isBlank(c), strings.IndexByte(marks, c) >= 0:
			at++
		case c == '#' && at > 0 && isBlank(f.text[at-1]):
			at = f.nextLine(at)
		default:
			return at
		}
	}
	return at
}

// insertFlow puts an entry behind the last one within brackets.
func (f *File) insertFlow(way []hop, more Node) ([]splice, error) {
	if more.hasBlock() {
		return nil, fmt.Errorf("%w: a block of text within brackets", ErrShape)
	}
	n := way[len(way)-1].node
	end, ok := f.lastEnd(n)
	start, _ := f.at(n)
	start = f.skipProperties(start, n)
	_, closed := f.flowEnd(start, n)
	if !ok || !closed || (f.text[start] != '{' && f.text[start] != '[') {
		return nil, fmt.Errorf("%w: its end is not found", ErrShape)
	}
	st := f.flowStyle(way)
	text := st.inside(more)
	comma := f.skipInFlow(end, "")
	trailing := f.text[comma] == ','
	last, ok := f.at(n.Content[len(n.Content)-stride(n)])
	if !ok {
		return nil, fmt.Errorf("%w: its last entry is not found", ErrShape)
	}
	before := f.text[f.lineStart(last):last]
	if len(bytes.Trim(before, " \t")) > 0 || f.lineStart(last) <= start {
		if trailing {
			return []splice{{comma + 1, comma + 1, strings.TrimLeft(st.comma, ",") + text + ","}}, nil
		}
		return []splice{{end, end, st.comma + text}}, nil
	}
	eol, known := f.eol(last)
	if !known {
		return nil, fmt.Errorf("%w: by its line breaks", ErrShape)
	}
	text = eol + string(before) + text
	if trailing {
		end, text = comma+1, text+","
	}
	tail, ok := f.tail(end)
	switch {
	case !ok && trailing:
		return []splice{{end, end, text}}, nil
	case !ok: // the bracket stands on the same line
		return []splice{{end, end, "," + text}}, nil
	case trailing:
		return []splice{{tail, tail, text}}, nil
	}
	return []splice{{end, end, ","}, {tail, tail, text}}, nil
}

// fillFlow puts an entry into "{}" or "[]", or in the place of null.
func (f *File) fillFlow(way []hop, from, to int, more Node) ([]splice, error) {
	n := way[len(way)-1].node
	switch {
	case more.hasBlock():
		return nil, fmt.Errorf("%w: a block of text within brackets", ErrShape)
	case from == to:
		return nil, fmt.Errorf("%w: nothing stands where a value is to be", ErrShape)
	case n.Kind == yaml.ScalarNode:
		return []splice{{from, to, f.flowStyle(way).flow(more)}}, nil
	}
	padding := string(f.text[from+1 : to-1])
	return []splice{{from + 1, from + 1, padding + f.flowStyle(way).inside(more)}}, nil
}

// inside is a map or list in flow without its brackets.
func (st style) inside(n Node) string {
	text := st.flow(n)
	return text[1 : len(text)-1]
}

// flowStyle is how the outermost map or list in flow around a place is written.
func (f *File) flowStyle(way []hop) style {
	st := f.styleAt(way)
	i := slices.IndexFunc(way, func(h hop) bool { return isFlow(h.node) })
	if i < 0 {
		return st
	}
	outer := way[i].node
	var keys, strs quotes
	keys.gather(outer, true)
	strs.gather(outer, false)
	st.keys, st.strings = keys.all(), strs.all()
	if keys.total == 0 {
		st.keys = st.strings
	}
	if strs.total == 0 {
		st.strings = st.keys
	}
	if colon, ok := f.firstColon(outer); ok && st.keys != 0 && !isBlank(f.text[colon+1]) {
		st.colon, st.comma = ":", ","
	}
	for _, h := range slices.Backward(way[i:]) {
		if gap, ok := f.gap(h.node); ok {
			st.comma = "," + gap
			break
		}
	}
	return st
}

// quotes counts how keys or strings are quoted.
type quotes struct{ total, single, double int }

func (q *quotes) gather(n *yaml.Node, keys bool) {
	for i, c := range n.Content {
		isKey := n.Kind == yaml.MappingNode && i%2 == 0
		if c.Kind == yaml.ScalarNode && isKey == keys && (isKey || c.ShortTag() == "!!str") {
			q.total++
			switch {
			case c.Style&yaml.SingleQuotedStyle != 0:
				q.single++
			case c.Style&yaml.DoubleQuotedStyle != 0:
				q.double++
			}
		}
		q.gather(c, keys)
	}
}

// all is the kind of quotes that every one has, or 0.
func (q *quotes) all() byte {
	switch q.total {
	case 0:
		return 0
	case q.double:
		return '"'
	case q.single:
		return '\''
	}
	return 0
}

// firstColon is the offset of the first colon behind a key below a node.
func (f *File) firstColon(n *yaml.Node) (int, bool) {
	if n.Kind == yaml.MappingNode && len(n.Content) > 0 {
		if at, ok := f.colon(n.Content[0]); ok && at+1 < len(f.text) {
			return at, true
		}
	}
	for _, c := range n.Content {
		if at, ok := f.firstColon(c); ok {
			return at, true
		}
	}
	return 0, false
}

// gap is what stands behind the comma between the first two entries, if that is
// blanks.
func (f *File) gap(n *yaml.Node) (string, bool) {
	first, second := 0, 1
	if n.Kind == yaml.MappingNode {
		first, second = 1, 2
	}
	if second >= len(n.Content) {
		return "", false
	}
	end, ok := f.end(n.Content[first])
	at, found := f.at(n.Content[second])
	if !ok || !found || end >= at || f.text[end] != ',' {
		return "", false
	}
	gap := string(f.text[end+1 : at])
	return gap, strings.Trim(gap, " ") == ""
}
