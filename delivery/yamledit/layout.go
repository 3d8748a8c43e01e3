package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// end is the offset behind a node's last byte. ok is false for what has no
// bytes of its own, and for what is laid out in a way that is not known here.
func (f *File) end(n *yaml.Node) (end int, ok bool) {
	start, ok := f.at(n)
	if !ok {
		return 0, false
	}
	switch {
	case n.Kind == yaml.AliasNode:
		return start + 1 + len(n.Value), bytes.HasPrefix(f.text[start:], []byte("*"+n.Value))
	case n.Kind == yaml.ScalarNode:
		return f.scalarEnd(f.skipProperties(start, n), n)
	case n.Style&yaml.FlowStyle != 0:
		return f.flowEnd(f.skipProperties(start, n), n)
	}
	return f.lastEnd(n)
}

// scalarEnd is tokenEnd, with text over several lines, and with the blank lines
// that a block keeps.
func (f *File) scalarEnd(at int, n *yaml.Node) (int, bool) {
	switch {
	case isPlain(n):
		return plainEnd(f.text, at, n.Value)
	case n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) == 0:
		return f.tokenEnd(at, n)
	}
	end, ok := f.tokenEnd(at, n)
	if !ok {
		return end, false
	}
	header := f.text[at:lineEnd(f.text, at)]
	if end == at+len(header) { // a block without text
		end = at + len(bytes.TrimRight(header, "\r\n"))
	}
	for keeps(f.text, at) {
		next := f.nextLine(end)
		line := bytes.Trim(f.text[next:f.nextLine(next)], " \r\n")
		if next == len(f.text) || len(line) > 0 {
			break
		}
		end = next + len(bytes.TrimRight(f.text[next:f.nextLine(next)], "\r\n"))
	}
	return end, true
}

// keeps reports the header of a block to which all blank lines behind it belong.
func keeps(text []byte, at int) bool {
	indicators, _, _ := bytes.Cut(text[at:lineEnd(text, at)], []byte("#"))
	return bytes.IndexByte(indicators, '+') >= 0
}

// plainEnd finds the end of a plain scalar, in which each run of blanks and line
// breaks stands for one in its value.
func plainEnd(text []byte, at int, value string) (int, bool) {
	if value == "" {
		return at, false
	}
	i := 0
	for i < len(value) {
		if !isBlank(value[i]) {
			if at >= len(text) || text[at] != value[i] {
				return at, false
			}
			at, i = at+1, i+1
			continue
		}
		from := at
		for i < len(value) && isBlank(value[i]) {
			i++
		}
		for at < len(text) && isBlank(text[at]) {
			at++
		}
		if at == from {
			return at, false
		}
	}
	return at, true
}

// lastEnd is the end of a map's or list's last entry.
func (f *File) lastEnd(n *yaml.Node) (int, bool) {
	last := len(n.Content) - 1
	switch {
	case last < 0:
		return 0, false
	case n.Kind == yaml.MappingNode:
		return f.pairEnd(n.Content[last-1], n.Content[last])
	}
	return f.itemEnd(n.Content[last])
}

// pairEnd is the end of an entry, whose value may be nothing.
func (f *File) pairEnd(k, v *yaml.Node) (int, bool) {
	colon, ok := f.colon(k)
	if !ok {
		return 0, false
	}
	if nothing(v) {
		return colon + 1, true
	}
	return f.end(v)
}

// colon is the offset of the colon behind a key.
func (f *File) colon(k *yaml.Node) (int, bool) {
	at, ok := f.end(k)
	for ok && at < len(f.text) && (f.text[at] == ' ' || f.text[at] == '\t') {
		at++
	}
	return at, ok && at < len(f.text) && f.text[at] == ':'
}

// itemEnd is the end of a list's item; that of its dash if it is nothing.
func (f *File) itemEnd(n *yaml.Node) (int, bool) {
	if nothing(n) {
		at, ok := f.at(n)
		return at, ok && at > 0 && f.text[at-1] == '-'
	}
	return f.end(n)
}

// nothing reports a value without a byte: null because nothing is written.
func nothing(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && isPlain(n) && n.Anchor == "" && n.Style&yaml.TaggedStyle == 0
}

// dash is the offset of the dash before a list's item.
func (f *File) dash(n *yaml.Node) (int, bool) {
	at, ok := f.at(n)
	if !ok {
		return 0, false
	}
	for at > 0 {
		c := f.text[at-1]
		start := f.lineStart(at - 1)
		line := f.text[start:at]
		comment := bytes.IndexByte(line, '#')
		switch {
		case isBlank(c):
			at--
		case c == '-':
			return at - 1, true
		case comment >= 0 && len(bytes.Trim(line[:comment], " -\t")) == 0:
			at = start + comment
		default:
			return 0, false
		}
	}
	return 0, false
}

// column is how far a block's entry is indented. ok is false unless there is
// nothing but spaces before it, and the dashes of lists that begin there.
func (f *File) column(at int) (column int, own, ok bool) {
	before := f.text[f.lineStart(at):at]
	for i, c := range before {
		if c != ' ' && (c != '-' || i+1 == len(before) || before[i+1] != ' ') {
			return 0, false, false
		}
	}
	return len(before), bytes.IndexByte(before, '-') < 0, true
}

// lineStart is the offset at which the line of an offset starts.
func (f *File) lineStart(at int) int {
	i, found := slices.BinarySearch(f.lines, at)
	if !found {
		i--
	}
	return f.lines[max(i, 0)]
}

// nextLine is the offset at which the next line starts, or the file's end.
func (f *File) nextLine(at int) int {
	i, found := slices.BinarySearch(f.lines, at)
	if found {
		i++
	}
	if i >= len(f.lines) {
		return len(f.text)
	}
	return f.lines[i]
}

// tail goes from the end of an entry to that of its line's text. ok is false if
// anything but a comment stands between.
func (f *File) tail(at int) (int, bool) {
	line := bytes.TrimRight(f.text[at:f.nextLine(at)], "\r\n")
	rest := bytes.TrimLeft(line, " \t")
	if len(rest) > 0 && (rest[0] != '#' || len(rest) == len(line)) {
		return at, false
	}
	return at + len(line), true
}

// afterComments goes from the line below a block's last entry over the comments
// that belong to it: deeper ones always; those at its column if level is set,
// they touch the block, and what they touch below does not stand at that column
// too.
func (f *File) afterComments(at, column int, level bool) int {
	touching, pending := true, -1
	settle := func() {
		if pending >= 0 {
			at, pending = pending, -1
		}
	}
	for pos := at; pos < len(f.text); pos = f.nextLine(pos) {
		next := f.nextLine(pos)
		line := bytes.TrimRight(f.text[pos:next], " \t\r\n")
		body := bytes.TrimLeft(line, " \t")
		indent := len(line) - len(bytes.TrimLeft(line, " "))
		switch {
		case len(body) == 0:
			settle()
			touching = false
		case body[0] == '#' && indent > column:
			at, pending, touching = next, -1, true
		case body[0] == '#' && indent == column && level && touching:
			pending = next
		case body[0] == '#':
			return at
		default:
			if indent != column || isMarker(line) {
				settle()
			}
			return at
		}
	}
	settle()
	return at
}

// isMarker reports the line that starts or ends a document.
func isMarker(line []byte) bool {
	return isStart(line) || string(line) == "..." || bytes.HasPrefix(line, []byte("... "))
}

func isStart(line []byte) bool {
	return bytes.HasPrefix(line, []byte("---")) && (len(line) == 3 || isBlank(line[3]))
}

// eol is the line break that the file has before an offset, or else anywhere.
// ok is false for one that only YAML 1.1 takes for a break.
func (f *File) eol(at int) (string, bool) {
	for i := len(f.lines) - 1; i > 0; i-- {
		if f.lines[i] > at && i > 1 {
			continue
		}
		for _, eol := range []string{"\r\n", "\n", "\r"} {
			if bytes.HasSuffix(f.text[:f.lines[i]], []byte(eol)) {
				return eol, true
			}
		}
		return "", false
	}
	return "\n", true
}

// below puts the lines of a node at an offset where a line starts, or where the
// file ends.
func (f *File) below(at int, lines []string, n Node) (splice, error) {
	for pos := at; n.lastBlock() && pos < len(f.text); { // blanks would be its text
		next := f.nextLine(pos)
		line := bytes.TrimRight(f.text[pos:next], "\r\n")
		if len(bytes.Trim(line, " ")) > 0 {
			break
		}
		if pos = next; len(line) > 0 {
			at = next
		}
	}
	eol, ok := f.eol(at)
	if !ok {
		return splice{}, fmt.Errorf("%w: by its line breaks", ErrShape)
	}
	text := strings.Join(lines, eol)
	if at < len(f.text) || at == f.lines[len(f.lines)-1] {
		return splice{at, at, text + eol}, nil
	}
	if f.endsOpen() {
		return splice{}, fmt.Errorf("%w: the block of text above would get a line break", ErrShape)
	}
	text = eol + text
	if n.open() {
		text += eol
	}
	return splice{at, at, text}, nil
}

// endsOpen reports a file that ends within a block of text, without the line
// break that the block has if one follows.
func (f *File) endsOpen() bool {
	return slices.ContainsFunc(f.scalars, func(s Scalar) bool {
		header := f.text[s.start:lineEnd(f.text, s.start)]
		indicators, _, _ := bytes.Cut(header, []byte("#"))
		return s.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && s.end == len(f.text) && bytes.IndexByte(indicators, '-') < 0
	})
}

// last is the value that a node's last line belongs to.
func (n Node) last() Node {
	for {
		switch {
		case len(n.pairs) > 0:
			n = n.pairs[len(n.pairs)-1].Value
		case len(n.items) > 0:
			n = n.items[len(n.items)-1]
		default:
			return n
		}
	}
}

// lastBlock reports whether the last line of a node is that of a block of text.
func (n Node) lastBlock() bool { return n.last().asBlock() }

// open reports a node whose last line is that of a block of text which has a
// line break.
func (n Node) open() bool { return n.lastBlock() && strings.HasSuffix(n.last().text, "\n") }
