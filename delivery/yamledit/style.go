package yamledit

import (
	"fmt"
	"strings"
	"unicode"

	"gopkg.in/yaml.v3"
)

// style is how a file writes what is put into it.
type style struct {
	width  int  // of one level of indentation
	dashes int  // how far a list's dashes stand to the right of its key
	quote  byte // of strings that need quotes

	// In flow: the quotes that keys and strings have without need, or 0, and what
	// stands behind a colon and a comma.
	keys, strings byte
	colon, comma  string
}

// plainStyle is that of a new file.
func plainStyle() style {
	return style{width: 2, dashes: 2, quote: '"', colon: ": ", comma: ", "}
}

// pair returns the lines of a map's entry whose key stands at a column.
func (st style) pair(column int, p Pair) []string {
	head := spaces(column) + st.spell(p.Key, false) + ":"
	switch n := p.Value; {
	case n.asBlock():
		return append([]string{head + " " + literalHead(n.text)}, literalLines(n.text, column+st.width)...)
	case n.empty(), n.kind != isMap && n.kind != isList:
		return []string{head + " " + st.scalar(n)}
	default:
		return append([]string{head}, st.children(column, n)...)
	}
}

// children returns the lines of what stands below a key at a column.
func (st style) children(column int, n Node) []string {
	if n.kind == isList {
		return st.block(column+st.dashes, n)
	}
	return st.block(column+st.width, n)
}

// block returns the lines of a map or list that has entries, at a column.
func (st style) block(column int, n Node) []string {
	var lines []string
	for _, p := range n.pairs {
		lines = append(lines, st.pair(column, p)...)
	}
	for _, item := range n.items {
		lines = append(lines, st.item(column, 2, item)...)
	}
	return lines
}

// item returns the lines of a list's item whose dash stands at a column, its
// content step columns behind that.
func (st style) item(column, step int, n Node) []string {
	dash := spaces(column) + "-" + spaces(step-1)
	switch {
	case n.asBlock():
		return append([]string{dash + literalHead(n.text)}, literalLines(n.text, column+st.width)...)
	case n.empty(), n.kind != isMap && n.kind != isList:
		return []string{dash + st.scalar(n)}
	}
	lines := st.block(column+step, n)
	lines[0] = dash + lines[0][column+step:]
	return lines
}

// scalar is a node on one line in block style.
func (st style) scalar(n Node) string {
	switch {
	case n.kind == isMap:
		return "{}"
	case n.kind == isList:
		return "[]"
	case n.kind == isWord:
		return n.text
	}
	return st.spell(n.text, false)
}

// flow is a node on one line within braces.
func (st style) flow(n Node) string {
	parts := []string{}
	switch n.kind {
	case isMap:
		for _, p := range n.pairs {
			parts = append(parts, st.flowPair(p))
		}
		return "{" + strings.Join(parts, st.comma) + "}"
	case isList:
		for _, item := range n.items {
			parts = append(parts, st.flow(item))
		}
		return "[" + strings.Join(parts, st.comma) + "]"
	case isWord:
		return n.text
	}
	if st.strings != 0 {
		return quoted(n.text, st.strings)
	}
	return st.spell(n.text, true)
}

func (st style) flowPair(p Pair) string {
	key := st.spell(p.Key, true)
	if st.keys != 0 {
		key = quoted(p.Key, st.keys)
	}
	return key + st.colon + st.flow(p.Value)
}

// spell writes a string, in quotes where any reader could need them.
func (st style) spell(s string, inFlow bool) string {
	if readsAsString(s, inFlow) && printable(s) {
		return s
	}
	quote := st.quote
	switch {
	case quote == '\'' && strings.Contains(s, "'") && !strings.ContainsAny(s, `"\`):
		quote = '"'
	case quote == '"' && strings.ContainsAny(s, `"\`) && !strings.Contains(s, "'"):
		quote = '\''
	}
	return quoted(s, quote)
}

// quoted writes a string in quotes of a kind, or in double ones if it needs
// escapes. The escapes are JSON's.
func quoted(s string, quote byte) string {
	if quote == '\'' && printable(s) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + escaped(s) + `"`
}

// escaped is text as it stands within double quotes.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x10000 && !printable(string(r)):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// printable reports whether text stands for itself on one line.
func printable(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == 0xfffe || r == 0xffff {
			return false
		}
	}
	return true
}

func literalHead(text string) string {
	if strings.HasSuffix(text, "\n") {
		return "|"
	}
	return "|-"
}

func literalLines(text string, column int) []string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	for i, line := range lines {
		if line != "" {
			lines[i] = spaces(column) + line
		}
	}
	return lines
}

func spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

// styleAt reads the style of the block around a place, then of larger and
// larger parts of the file.
func (f *File) styleAt(way []hop) style {
	st := plainStyle()
	st.quote = f.quote()[0]
	parts := make([]*yaml.Node, 0, len(way)+len(f.docs))
	for i := len(way) - 1; i >= 0; i-- {
		parts = append(parts, way[i].node)
	}
	parts = append(parts, f.docs...)
	st.width = firstStep(parts, yaml.MappingNode, st.width)
	st.dashes = firstStep(parts, yaml.SequenceNode, st.width)
	return st
}

// firstStep is how many columns a map or list stands to the right of its key,
// in the first part that has one.
func firstStep(parts []*yaml.Node, kind yaml.Kind, otherwise int) int {
	for _, n := range parts {
		if step := stepIn(n, kind); step >= 0 {
			return step
		}
	}
	return otherwise
}

func stepIn(n *yaml.Node, kind yaml.Kind) int {
	if n.Style&yaml.FlowStyle != 0 || n.Kind == yaml.AliasNode {
		return -1
	}
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if v.Kind != kind || v.Style&yaml.FlowStyle != 0 || len(v.Content) == 0 {
				continue
			}
			at := v
			if kind == yaml.MappingNode {
				at = v.Content[0]
			} else if v.Anchor != "" || v.Style&yaml.TaggedStyle != 0 {
				continue // it would be the column of that
			}
			if step := at.Column - k.Column; step > 0 || step == 0 && kind == yaml.SequenceNode {
				return step
			}
		}
	}
	for _, c := range n.Content {
		if step := stepIn(c, kind); step >= 0 {
			return step
		}
	}
	return -1
}
