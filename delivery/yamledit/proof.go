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
// the file then holds what change makes of a copy of its data.
func (f *File) finish(splices []splice, change func(copies)) ([]byte, Edit, error) {
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
	want := copyOf(f.docs)
	change(want)
	if err := proveData(out, want.docs()); err != nil {
		return nil, Edit{}, fmt.Errorf("line %d: %w: %w", line, ErrProof, err)
	}
	return out, edit, nil
}

// copies is a copy of all documents; of leads from a node to its copy.
type copies struct {
	root *yaml.Node // its Content are the documents
	of   map[*yaml.Node]*yaml.Node
}

func (c copies) docs() []*yaml.Node { return c.root.Content }

func copyOf(docs []*yaml.Node) copies {
	c := copies{of: map[*yaml.Node]*yaml.Node{}}
	c.root = &yaml.Node{}
	for _, d := range docs {
		c.root.Content = append(c.root.Content, c.copy(d))
	}
	return c
}

func (c copies) copy(n *yaml.Node) *yaml.Node {
	m := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Anchor: n.Anchor, Line: n.Line}
	c.of[n] = m
	if n.Alias != nil {
		m.Alias = c.of[n.Alias]
	}
	for _, child := range n.Content {
		m.Content = append(m.Content, c.copy(child))
	}
	return m
}

// proveData parses bytes and compares them with the data that is wanted.
func proveData(out []byte, want []*yaml.Node) error {
	g, err := Parse(out)
	if err != nil {
		return err
	}
	if len(g.docs) != len(want) {
		return errors.New("the number of documents is not as wanted")
	}
	p := pairing{}
	for i := range want {
		if err := p.same(want[i], g.docs[i]); err != nil {
			return err
		}
	}
	return nil
}

// pairing leads from the nodes that were compared to their counterparts, by
// which aliases are compared.
type pairing map[*yaml.Node]*yaml.Node

func (p pairing) same(a, b *yaml.Node) error {
	p[a] = b
	if a.Kind == yaml.AliasNode && b.Kind == yaml.AliasNode {
		if p[a.Alias] != b.Alias {
			return fmt.Errorf("line %d: *%s leads elsewhere", b.Line, b.Value)
		}
		return nil
	}
	if a.Kind != b.Kind || a.ShortTag() != b.ShortTag() || a.Value != b.Value || a.Anchor != b.Anchor || len(a.Content) != len(b.Content) {
		return fmt.Errorf("line %d reads differently", b.Line)
	}
	for i := range a.Content {
		if err := p.same(a.Content[i], b.Content[i]); err != nil {
			return err
		}
	}
	return nil
}
