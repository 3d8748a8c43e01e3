package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Set puts a value at the JSON pointer of a document, behind the last entry of
// the map it belongs to, and makes the maps that are missing on the way; null on
// the way counts as missing. ErrExists if the key exists, or if something on the
// way is a scalar.
func (f *File) Set(doc int, pointer string, value Node) ([]byte, Edit, error) {
	way, rest, err := f.reach(doc, pointer, value)
	if err != nil {
		return nil, Edit{}, err
	}
	if len(rest) == 0 {
		return nil, Edit{}, fmt.Errorf("%w: %s", ErrExists, pointer)
	}
	return f.put(way, rest, value)
}

// Append adds an item at the end of the list at a JSON pointer. The list, and
// the maps on the way, are made where they are missing or null. ErrExists if
// something else stands there.
func (f *File) Append(doc int, pointer string, item Node) ([]byte, Edit, error) {
	way, rest, err := f.reach(doc, pointer, item)
	if err != nil {
		return nil, Edit{}, err
	}
	if len(rest) > 0 {
		return f.put(way, rest, List(item))
	}
	n := way[len(way)-1].node
	switch {
	case n.Kind == yaml.SequenceNode:
	case isNull(n):
	case n.Kind == yaml.AliasNode:
		return nil, Edit{}, fmt.Errorf("%w: %s is the alias *%s", ErrShape, pointer, n.Value)
	default:
		return nil, Edit{}, fmt.Errorf("%w: %s is no list", ErrExists, pointer)
	}
	return f.insert(way, List(item))
}

// reach is walk for an insertion: it refuses values that cannot be written, and
// ways that are shared.
func (f *File) reach(doc int, pointer string, value Node) (way []hop, rest []string, err error) {
	if err := value.valid(); err != nil {
		return nil, nil, err
	}
	if way, rest, err = f.walk(doc, pointer); err != nil {
		return nil, nil, err
	}
	if err := f.shared(way); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", pointer, err)
	}
	return way, rest, nil
}

// put inserts a value at the end of steps that are all missing.
func (f *File) put(way []hop, rest []string, value Node) ([]byte, Edit, error) {
	for _, step := range slices.Backward(rest) {
		if err := validKey(step); err != nil {
			return nil, Edit{}, err
		}
		value = Map(Pair{step, value})
	}
	switch n := way[len(way)-1].node; {
	case n.Kind == yaml.MappingNode:
		if merges(n) {
			return nil, Edit{}, fmt.Errorf("%w: line %d merges another map", ErrShape, n.Line)
		}
	case isNull(n):
	case n.Kind == yaml.SequenceNode:
		return nil, Edit{}, fmt.Errorf("%w: the list at line %d has no item %q", ErrMissing, n.Line, rest[0])
	case n.Kind == yaml.AliasNode:
		return nil, Edit{}, fmt.Errorf("%w: line %d is the alias *%s", ErrShape, n.Line, n.Value)
	default:
		return nil, Edit{}, fmt.Errorf("%w: the value of line %d is in the way", ErrExists, n.Line)
	}
	return f.insert(way, value)
}

// insert adds the entries of more, of which there is one, to the map or list
// that the way leads to; that may be null as well.
func (f *File) insert(way []hop, more Node) ([]byte, Edit, error) {
	n := way[len(way)-1].node
	var splices []splice
	var err error
	switch {
	case len(n.Content) == 0:
		splices, err = f.fill(way, more)
	case isFlow(n):
		splices, err = f.insertFlow(way, more)
	default:
		splices, err = f.insertBlock(way, more)
	}
	if err != nil {
		return nil, Edit{}, fmt.Errorf("line %d: %w", n.Line, err)
	}
	return f.finish(splices, func(w wanted) {
		target, data := w.change(n), more.data()
		target.Kind, target.Tag, target.Value = data.Kind, data.Tag, ""
		target.Content = append(target.Content, data.Content...)
	})
}

// insertBlock puts an entry below the last one of a block.
func (f *File) insertBlock(way []hop, more Node) ([]splice, error) {
	n := way[len(way)-1].node
	column, err := f.blockColumn(n)
	if err != nil {
		return nil, err
	}
	end, ok := f.lastEnd(n)
	if ok {
		end, ok = f.tail(end)
	}
	if !ok {
		return nil, fmt.Errorf("%w: its end is not found", ErrShape)
	}
	st := f.styleAt(way)
	var lines []string
	if n.Kind == yaml.SequenceNode {
		lines = st.item(column, f.step(n, column), more.items[0])
	} else {
		lines = st.block(column, more)
	}
	s, err := f.below(f.afterComments(f.nextLine(end), column, true), lines, more)
	return []splice{s}, err
}

// step is how far behind its dash the content of a list's last item stands.
func (f *File) step(list *yaml.Node, column int) int {
	last := list.Content[len(list.Content)-1]
	if last.Kind != yaml.MappingNode || isFlow(last) || len(last.Content) == 0 {
		return 2
	}
	at, ok := f.at(last.Content[0])
	if !ok {
		return 2
	}
	inner, own, ok := f.column(at)
	if !ok || own {
		return 2
	}
	return inner - column
}

// blockColumn is the column at which all entries of a block start.
func (f *File) blockColumn(n *yaml.Node) (int, error) {
	column := -1
	for i := 0; i < len(n.Content); i += stride(n) {
		at, ok := f.entry(n, i)
		if !ok {
			return 0, fmt.Errorf("%w: an entry is not found", ErrShape)
		}
		c, own, ok := f.column(at)
		switch {
		case !ok, i > 0 && (c != column || !own):
			return 0, fmt.Errorf("%w: its entries are not indented by spaces alone", ErrShape)
		}
		column = c
	}
	return column, nil
}

// stride is how many nodes an entry has in Content.
func stride(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode {
		return 2
	}
	return 1
}

// entry is the offset of a block's entry: that of its key, or of its dash.
func (f *File) entry(n *yaml.Node, i int) (int, bool) {
	if n.Kind == yaml.SequenceNode {
		return f.dash(n.Content[i])
	}
	at, ok := f.at(n.Content[i])
	if !ok {
		return 0, false
	}
	_, ok = f.colon(n.Content[i])
	return at, ok
}

// fill puts an entry where null or an empty map or list stands.
func (f *File) fill(way []hop, more Node) ([]splice, error) {
	h := way[len(way)-1]
	n := h.node
	if n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 {
		return nil, fmt.Errorf("%w: it has an anchor or a tag", ErrShape)
	}
	if more.kind == isMap != (n.Kind == yaml.MappingNode) && n.Kind != yaml.ScalarNode {
		return nil, fmt.Errorf("%w: it is of another kind", ErrExists)
	}
	from, to, err := f.emptyToken(n)
	if err != nil {
		return nil, err
	}
	if len(way) == 1 {
		return f.fillRoot(n, from, to, more)
	}
	if h.key == nil || inFlow(way[:len(way)-1]) {
		return f.fillFlow(way, from, to, more)
	}
	return f.fillBelow(way, from, to, more)
}

// fillBelow puts a block below a key that has nothing else.
func (f *File) fillBelow(way []hop, from, to int, more Node) ([]splice, error) {
	key := way[len(way)-1].key
	colon, ok := f.colon(key)
	start, _ := f.at(key)
	column, _, spaced := f.column(start)
	if !ok || !spaced {
		return nil, fmt.Errorf("%w: its key is not indented by spaces alone", ErrShape)
	}
	var cut []splice
	behind, text := colon+1, ""
	switch line := f.lineStart(from); {
	case from == to:
		to = behind
	case line <= colon:
		behind, text = to, string(f.text[colon+1:from])
		cut = []splice{{colon + 1, to, ""}}
	default: // "{}" on a line of its own
		next := f.nextLine(to)
		text = string(f.text[line:from]) + string(f.text[to:next])
		cut = []splice{{line, next, ""}}
		if next == len(f.text) {
			text = "the last"
		}
	}
	end, ok := f.tail(behind)
	if !ok || strings.TrimSpace(text) != "" {
		return nil, fmt.Errorf("%w: more stands on its line", ErrShape)
	}
	s, err := f.below(f.afterComments(f.nextLine(max(end, to)), column, false), f.styleAt(way).children(column, more), more)
	return append(cut, s), err
}

// emptyToken is where null, "{}" or "[]" stands; from and to are the same if
// nothing is written.
func (f *File) emptyToken(n *yaml.Node) (from, to int, err error) {
	at, ok := f.at(n)
	if !ok {
		return 0, 0, fmt.Errorf("%w: it is not found", ErrShape)
	}
	if nothing(n) {
		return at, at, nil
	}
	end, ok := f.end(n)
	if ok && n.Kind != yaml.ScalarNode {
		ok = len(bytes.Trim(f.text[at+1:end-1], " ")) == 0
	}
	if !ok {
		return 0, 0, fmt.Errorf("%w: it is not empty on one line", ErrShape)
	}
	return at, end, nil
}

// fillRoot puts a block in the place of a document that holds nothing, which
// must be the last; of another the end is not known.
func (f *File) fillRoot(n *yaml.Node, from, to int, more Node) ([]splice, error) {
	block := f.styleAt(nil).block(0, more)
	if from == to {
		s, err := f.below(len(f.text), block, more)
		if f.docs[len(f.docs)-1].Content[0] != n || f.trailed() {
			err = fmt.Errorf("%w: an empty document before others", ErrShape)
		}
		return []splice{s}, err
	}
	eol, ok := f.eol(from)
	line := bytes.TrimRight(f.text[f.lineStart(from):f.nextLine(from)], "\r\n")
	if !ok || len(line) != to-from || more.open() && f.nextLine(from) == len(f.text) {
		return nil, fmt.Errorf("%w: more stands on its line", ErrShape)
	}
	return []splice{{from, to, strings.Join(block, eol)}}, nil
}

// trailed reports a file whose last document is ended by "...".
func (f *File) trailed() bool {
	text := bytes.TrimRight(f.text, " \t\r\n")
	last := text[f.lineStart(len(text)):]
	return isMarker(last) && !isStart(last)
}
