package yamledit

import (
	"errors"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"
)

// splice puts text in the place of the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

// finish applies splices, which are in order and do not overlap, and proves that
// the file then holds the data that change makes of the old ones.
func (f *File) finish(splices []splice, change func(wanted)) ([]byte, Edit, error) {
	first, last := splices[0].start, splices[len(splices)-1].end
	var after []byte
	at := first
	for _, s := range splices {
		if s.start < at || s.end < s.start || s.end > len(f.src) {
			return nil, Edit{}, fmt.Errorf("%w: the places overlap", ErrProof)
		}
		after = append(append(after, f.src[at:s.start]...), s.text...)
		at = s.end
	}
	line, column := f.place(first)
	edit := Edit{Line: line, Column: column, Before: string(f.src[first:last]), After: string(after)}
	out := f.enc.encode(slices.Concat(f.src[:first], after, f.src[last:]))
	w := wanted{root: &yaml.Node{Content: f.docs}, now: map[*yaml.Node]*yaml.Node{}}
	change(w)
	if err := w.prove(out); err != nil {
		return nil, Edit{}, fmt.Errorf("line %d: %w: %w", line, ErrProof, err)
	}
	return out, edit, nil
}

// wanted is the data of a file after an edit: those of the documents, which are
// root's Content, but for the nodes in now.
type wanted struct {
	root *yaml.Node
	now  map[*yaml.Node]*yaml.Node
}

// change returns what is wanted in the place of a node, at first the same.
func (w wanted) change(n *yaml.Node) *yaml.Node {
	m := *n
	m.Content = slices.Clone(n.Content)
	w.now[n] = &m
	return &m
}

// becomesString is the tag of a wanted scalar that may keep its type or become
// a string.
const becomesString = "!ferry/same-or-string"

// prove parses bytes and compares them with the data that are wanted.
func (w wanted) prove(out []byte) error {
	g, err := Parse(out)
	if err != nil {
		return err
	}
	root := w.root
	if now, ok := w.now[root]; ok {
		root = now
	}
	if len(g.docs) != len(root.Content) {
		return errors.New("the number of documents is not as wanted")
	}
	anchors := map[*yaml.Node]*yaml.Node{}
	for i, doc := range root.Content {
		if err := w.same(doc, g.docs[i], anchors); err != nil {
			return err
		}
	}
	return nil
}

// same compares a wanted node with one that was read. anchors leads from those
// that were compared to their counterparts, by which aliases are compared.
func (w wanted) same(old, b *yaml.Node, anchors map[*yaml.Node]*yaml.Node) error {
	a := old
	if now, ok := w.now[old]; ok {
		a = now
	}
	if a.Anchor != "" {
		anchors[old] = b
	}
	if a.Kind == yaml.AliasNode && b.Kind == yaml.AliasNode {
		if anchors[a.Alias] != b.Alias {
			return fmt.Errorf("line %d: *%s leads elsewhere", b.Line, b.Value)
		}
		return nil
	}
	tag, wantedTag := b.ShortTag(), a.ShortTag()
	if a.Tag == becomesString {
		wantedTag = old.ShortTag()
		if tag == "!!str" {
			wantedTag = tag
		}
	}
	if a.Kind != b.Kind || tag != wantedTag || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return fmt.Errorf("line %d reads differently", b.Line)
	}
	for i := range a.Content {
		if err := w.same(a.Content[i], b.Content[i], anchors); err != nil {
			return err
		}
	}
	return nil
}
