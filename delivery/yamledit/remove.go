package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Remove takes the key or list item at a JSON pointer away with its lines, the
// comment on the last of them, and comments indented deeper below it; and so
// those of its parents that this leaves empty, up to but not including the one
// at the pointer keep. That one becomes "{}" or "[]" if it had nothing else.
func (f *File) Remove(doc int, pointer, keep string) ([]byte, Edit, error) {
	steps, err := split(keep)
	if err != nil {
		return nil, Edit{}, err
	}
	way, rest, err := f.walk(doc, pointer)
	switch {
	case err != nil:
		return nil, Edit{}, err
	case len(rest) > 0:
		return nil, Edit{}, fmt.Errorf("%w: %s", ErrMissing, pointer)
	case !strings.HasPrefix(pointer, keep+"/"):
		return nil, Edit{}, fmt.Errorf("%w: %s is not below %q, which is to stay", ErrMissing, pointer, keep)
	}
	for len(way)-2 > len(steps) && len(way[len(way)-2].node.Content) == stride(way[len(way)-2].node) {
		way = way[:len(way)-1]
	}
	above, gone := way[:len(way)-1], way[len(way)-1]
	parent := above[len(above)-1].node
	if err := f.severed(above, gone); err != nil {
		return nil, Edit{}, fmt.Errorf("%s: %w", pointer, err)
	}
	i := gone.index - gone.index%stride(parent)
	var splices []splice
	switch {
	case isFlow(parent):
		splices, err = f.removeFlow(parent, i)
	case len(parent.Content) == stride(parent):
		splices, err = f.removeOnly(above, i)
	default:
		splices, err = f.removeBlock(parent, i)
	}
	if err != nil {
		return nil, Edit{}, fmt.Errorf("line %d: %w", gone.node.Line, err)
	}
	return f.finish(splices, func(w wanted) {
		p := w.change(parent)
		p.Content = slices.Delete(p.Content, i, i+stride(p))
	})
}

// severed refuses a removal that shows elsewhere: below something with aliases,
// or of something that an alias needs.
func (f *File) severed(above []hop, gone hop) error {
	if err := f.shared(above); err != nil {
		return err
	}
	var needed func(n *yaml.Node) error
	needed = func(n *yaml.Node) error {
		if n == nil {
			return nil
		}
		if n.Anchor != "" && slices.ContainsFunc(f.docs, func(d *yaml.Node) bool { return refers(d, n, gone.node) }) {
			return fmt.Errorf("%w: line %d stands elsewhere as *%s", ErrShape, n.Line, n.Anchor)
		}
		for _, c := range n.Content {
			if err := needed(c); err != nil {
				return err
			}
		}
		return nil
	}
	if err := needed(gone.key); err != nil {
		return err
	}
	return needed(gone.node)
}

// extent is what belongs to an entry of a block: from its key or dash to the end
// of its bytes, to that of its line's text, and to the line behind its own.
type extent struct {
	start, end, tail, next int
	column                 int
	own                    bool // nothing stands before it on its line
}

func (f *File) extent(parent *yaml.Node, i int) (extent, error) {
	start, ok := f.entry(parent, i)
	column, own, spaced := f.column(start)
	if !ok || !spaced {
		return extent{}, fmt.Errorf("%w: it is not indented by spaces alone", ErrShape)
	}
	var end int
	if parent.Kind == yaml.MappingNode {
		end, ok = f.pairEnd(parent.Content[i], parent.Content[i+1])
	} else {
		end, ok = f.itemEnd(parent.Content[i])
	}
	if !ok {
		return extent{}, fmt.Errorf("%w: its end is not found", ErrShape)
	}
	tail, ok := f.tail(end)
	if !ok {
		return extent{}, fmt.Errorf("%w: more stands on its line", ErrShape)
	}
	next := f.afterComments(f.nextLine(tail), column, false)
	return extent{start, end, tail, next, column, own}, nil
}

// removeBlock takes one of several entries of a block.
func (f *File) removeBlock(parent *yaml.Node, i int) ([]splice, error) {
	x, err := f.extent(parent, i)
	if err != nil {
		return nil, err
	}
	if x.own {
		return []splice{f.cutLines(f.lineStart(x.start), x.next)}, nil
	}
	// The first entry of an item stands behind its dash; the second moves there.
	second, ok := f.entry(parent, i+stride(parent))
	if !ok || second < x.tail { // an empty block of text ends where the next entry begins, or within its indentation
		return nil, fmt.Errorf("%w: the entry behind it is not found", ErrShape)
	}
	if between := f.text[x.tail:second]; len(bytes.TrimSpace(between)) > 0 {
		start := x.start
		for start > 0 && f.text[start-1] == ' ' {
			start--
		}
		return []splice{{start, x.tail, ""}}, nil
	}
	return []splice{{x.start, second, ""}}, nil
}

// cutLines takes whole lines. At the end of a file without a line break there
// the break before them goes too, so that the file still has none; unless it
// belongs to a block of text.
func (f *File) cutLines(from, to int) splice {
	if to < len(f.text) || f.lines[len(f.lines)-1] == to {
		return splice{from, to, ""}
	}
	eol, ok := f.eol(from)
	if !ok || from == f.lines[0] || !bytes.HasSuffix(f.text[:from], []byte(eol)) {
		return splice{from, to, ""}
	}
	for _, s := range slices.Backward(f.scalars) {
		if s.end == from-len(eol) && s.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && strings.HasSuffix(s.Value, "\n") {
			return splice{from, to, ""}
		}
	}
	return splice{from - len(eol), to, ""}
}

// removeOnly takes the only entry of a block, of which an empty map or list
// stays.
func (f *File) removeOnly(above []hop, i int) ([]splice, error) {
	h := above[len(above)-1]
	x, err := f.extent(h.node, i)
	if err != nil {
		return nil, err
	}
	if h.node.Anchor != "" || h.node.Style&yaml.TaggedStyle != 0 {
		return nil, fmt.Errorf("%w: it has an anchor or a tag", ErrShape)
	}
	empty := "{}"
	if h.node.Kind == yaml.SequenceNode {
		empty = "[]"
	}
	if !x.own || h.key == nil {
		return []splice{{x.start, x.tail, empty}}, nil
	}
	colon, ok := f.colon(h.key)
	if ok {
		_, ok = f.tail(colon + 1)
	}
	if !ok {
		return nil, fmt.Errorf("%w: its key is not found", ErrShape)
	}
	return []splice{{colon + 1, colon + 1, " " + empty}, f.cutLines(f.lineStart(x.start), x.next)}, nil
}

// removeFlow takes an entry from within brackets, and one comma.
func (f *File) removeFlow(parent *yaml.Node, i int) ([]splice, error) {
	start, ok := f.at(parent.Content[i])
	end, found := f.flowEntryEnd(parent, i)
	if !ok || !found {
		return nil, fmt.Errorf("%w: its end is not found", ErrShape)
	}
	comma := f.skipInFlow(end, "")
	trailing := comma < len(f.text) && f.text[comma] == ','
	first, last := i == 0, i+stride(parent) == len(parent.Content)
	own := len(bytes.Trim(f.text[f.lineStart(start):start], " \t")) == 0
	if trailing && own {
		if tail, ok := f.tail(comma + 1); ok {
			return []splice{{f.lineStart(start), f.nextLine(tail), ""}}, nil
		}
	}
	switch {
	case !last:
		next, ok := f.at(parent.Content[i+stride(parent)])
		if !ok || !trailing || len(bytes.TrimSpace(f.text[comma+1:next])) > 0 {
			return nil, fmt.Errorf("%w: comments stand around it", ErrShape)
		}
		return []splice{{start, next, ""}}, nil
	case first && trailing:
		return []splice{{start, comma + 1, ""}}, nil
	case first:
		return []splice{{start, end, ""}}, nil
	}
	before, found := f.flowEntryEnd(parent, i-stride(parent))
	if !found {
		return nil, fmt.Errorf("%w: the entry before it is not found", ErrShape)
	}
	at := f.skipInFlow(before, "")
	switch between := f.text[at+1 : start]; {
	case f.text[at] != ',':
		return nil, fmt.Errorf("%w: the comma before it is not found", ErrShape)
	case trailing && len(bytes.TrimSpace(between)) > 0:
		return nil, fmt.Errorf("%w: comments stand around it", ErrShape)
	case len(bytes.TrimSpace(between)) == 0 && !own:
		return []splice{{before, end, ""}}, nil
	}
	return f.cutLastFlow(at, start, end)
}

// cutLastFlow takes the last entry, on a line of its own, and the comma before.
func (f *File) cutLastFlow(comma, start, end int) ([]splice, error) {
	tail, ok := f.tail(end)
	eol, known := f.eol(start)
	from := f.lineStart(start) - len(eol)
	if !known || from < comma+1 {
		return nil, fmt.Errorf("%w: comments stand around it", ErrShape)
	}
	if !ok { // the bracket stands on its line
		tail = end
	}
	return []splice{{comma, comma + 1, ""}, {from, tail, ""}}, nil
}

func (f *File) flowEntryEnd(parent *yaml.Node, i int) (int, bool) {
	if parent.Kind == yaml.MappingNode {
		end, ok := f.pairEnd(parent.Content[i], parent.Content[i+1])
		if !ok && nothing(parent.Content[i+1]) {
			return f.end(parent.Content[i])
		}
		return end, ok
	}
	return f.end(parent.Content[i])
}
