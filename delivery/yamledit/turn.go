package yamledit

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Turn is Replace for a scalar that is false or true, and stays one; null that is
// written out may become one. ErrExists if it is as wanted already, ErrShape for
// anything else, such as text in quotes or a variable.
func (f *File) Turn(s Scalar, on bool) ([]byte, Edit, error) {
	value := strconv.FormatBool(on)
	tag := s.node.ShortTag()
	switch {
	case s.ambiguous:
		return nil, Edit{}, fmt.Errorf("line %d: %w: %s", s.Line, ErrAmbiguous, s.Path)
	case tag == "!!bool" && strings.EqualFold(s.Value, value):
		return nil, Edit{}, fmt.Errorf("line %d: %w: %s is %s", s.Line, ErrExists, s.Path, s.Value)
	case !isPlain(s.node), tag != "!!bool" && tag != "!!null":
		return nil, Edit{}, fmt.Errorf("line %d: %w: %s is neither true nor false", s.Line, ErrShape, s.Path)
	case s.node.Anchor != "" && slices.ContainsFunc(f.docs, func(d *yaml.Node) bool { return isKey(d, s.node) }):
		return nil, Edit{}, fmt.Errorf("line %d: %w: it is a key elsewhere, as *%s", s.Line, ErrShape, s.node.Anchor)
	}
	return f.finish([]splice{{s.start, s.end, value}}, func(w wanted) {
		n := w.change(s.node)
		n.Value, n.Tag = value, "!!bool"
	})
}

// TurnInside is Turn within the text of a scalar, as SetInside is Set.
func (f *File) TurnInside(outer Scalar, sub *File, inner Scalar, on bool) ([]byte, Edit, error) {
	text, _, err := sub.Turn(inner, on)
	return f.rewrite(outer, sub, text, err)
}
