package yamledit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Kind is what a value is. None is null, written out or not.
type Kind string

// The kinds of values.
const (
	KindMap    Kind = "map"
	KindList   Kind = "list"
	KindScalar Kind = "scalar"
	KindAlias  Kind = "alias"
	KindNone   Kind = ""
)

// Docs is the number of documents, those that hold nothing included if a line
// "---" starts them.
func (f *File) Docs() int { return len(f.docs) }

// Lookup returns what a JSON pointer leads to in a document. ok is false where
// nothing stands, where a key on the way stands twice, and behind an alias.
func (f *File) Lookup(doc int, pointer string) (kind Kind, ok bool) {
	way, rest, err := f.walk(doc, pointer)
	if err != nil || len(rest) > 0 {
		return KindNone, false
	}
	switch n := way[len(way)-1].node; {
	case n.Kind == yaml.MappingNode:
		return KindMap, true
	case n.Kind == yaml.SequenceNode:
		return KindList, true
	case n.Kind == yaml.AliasNode:
		return KindAlias, true
	case isNull(n):
		return KindNone, true
	}
	return KindScalar, true
}

// Encrypted reports whether a document is sealed by SOPS: its code over all
// values would not fit after an edit.
func (f *File) Encrypted() bool {
	return slices.ContainsFunc(f.docs, func(d *yaml.Node) bool {
		sops := valueOf(d.Content[0], "sops")
		return sops != nil && valueOf(sops, "mac") != nil
	})
}

// valueOf is the value of a map's key, or nil.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	if m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i < len(m.Content); i += 2 {
		if k, ok := keyOf(m.Content[i]); ok && k == key {
			return m.Content[i+1]
		}
	}
	return nil
}

// isNull reports null, written out or not.
func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

// hop is one node on the way from the root of a document to a place.
type hop struct {
	node  *yaml.Node
	key   *yaml.Node // in a map
	index int        // where the node stands in its parent's Content
}

// walk follows a pointer as far as there is something; the steps that lead
// further are the rest. The way has its root at least.
func (f *File) walk(doc int, pointer string) (way []hop, rest []string, err error) {
	steps, err := split(pointer)
	if err != nil {
		return nil, nil, err
	}
	if doc < 0 || doc >= len(f.docs) {
		return nil, nil, fmt.Errorf("%w: document %d of %d", ErrMissing, doc, len(f.docs))
	}
	way = []hop{{node: f.docs[doc].Content[0]}}
	for i, step := range steps {
		next, found, err := descend(way[len(way)-1].node, step)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", pointer, err)
		}
		if !found {
			return way, steps[i:], nil
		}
		way = append(way, next)
	}
	return way, nil, nil
}

// descend goes one step down.
func descend(n *yaml.Node, step string) (hop, bool, error) {
	switch n.Kind {
	case yaml.AliasNode:
		return hop{}, false, fmt.Errorf("%w: it leads through the alias *%s", ErrShape, n.Value)
	case yaml.MappingNode:
		switch count(n, step) {
		case 0:
			return hop{}, false, nil
		case 1:
		default:
			return hop{}, false, fmt.Errorf("%w: %q", ErrAmbiguous, step)
		}
		for i := 0; i < len(n.Content); i += 2 {
			if k, ok := keyOf(n.Content[i]); ok && k == step {
				return hop{n.Content[i+1], n.Content[i], i + 1}, true, nil
			}
		}
	case yaml.SequenceNode:
		i, err := strconv.Atoi(step)
		if err == nil && i >= 0 && i < len(n.Content) && strconv.Itoa(i) == step {
			return hop{n.Content[i], nil, i}, true, nil
		}
	}
	return hop{}, false, nil
}

// split returns the steps of a JSON pointer (RFC 6901).
func split(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("%w: %q is no JSON pointer", ErrMissing, pointer)
	}
	steps := strings.Split(pointer[1:], "/")
	for i, s := range steps {
		steps[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(s)
	}
	return steps, nil
}

// shared refuses a way through something that stands elsewhere as an alias: an
// edit there would show at several places.
func (f *File) shared(way []hop) error {
	for _, h := range way {
		if h.node.Anchor != "" && slices.ContainsFunc(f.docs, func(d *yaml.Node) bool { return refers(d, h.node, nil) }) {
			return fmt.Errorf("%w: line %d stands elsewhere as *%s", ErrShape, h.node.Line, h.node.Anchor)
		}
	}
	return nil
}

// refers reports an alias of target below a node, and not below without.
func refers(n, target, without *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return n.Alias == target
	}
	return n != without && slices.ContainsFunc(n.Content, func(c *yaml.Node) bool { return refers(c, target, without) })
}

// inFlow reports a way that leads into braces.
func inFlow(way []hop) bool {
	return slices.ContainsFunc(way, func(h hop) bool { return isFlow(h.node) })
}

func isFlow(n *yaml.Node) bool {
	return n.Kind != yaml.ScalarNode && n.Style&yaml.FlowStyle != 0
}

// merges reports a map that takes keys from elsewhere.
func merges(m *yaml.Node) bool {
	for i := 0; i < len(m.Content); i += 2 {
		if k := m.Content[i]; k.Kind == yaml.ScalarNode && k.ShortTag() == "!!merge" {
			return true
		}
	}
	return false
}
