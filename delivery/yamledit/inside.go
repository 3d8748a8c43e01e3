package yamledit

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Inside parses the YAML text that a scalar holds.
func (f *File) Inside(s Scalar) (*File, error) { return Parse([]byte(s.Value)) }

// ReplaceInside is Replace for an inner scalar of sub, which is the text of the
// outer scalar as Inside returned it. The edit is that of f, of the inner token.
func (f *File) ReplaceInside(outer Scalar, sub *File, inner Scalar, value string) ([]byte, Edit, error) {
	text, _, err := sub.Replace(inner, value)
	s, read, err := f.rewriting(outer, sub, string(text), err)
	if err != nil {
		return nil, Edit{}, inText(outer, err)
	}
	out, _, err := f.finish([]splice{s}, func(w wanted) { w.change(outer.node).Value = read })
	if err != nil {
		return nil, Edit{}, inText(outer, err)
	}
	pos, err := f.positions(outer)
	if err != nil {
		return nil, Edit{}, inText(outer, err)
	}
	from, to := outer.start+pos[inner.start], outer.start+pos[inner.end]
	now := slices.Concat(f.src[:s.start], []byte(s.text), f.src[s.end:])
	edit := Edit{Before: string(f.src[from:to]), After: string(now[from : to+len(now)-len(f.src)])}
	edit.Line, edit.Column = f.place(from)
	return out, edit, nil
}

// SetInside is Set within the text of a scalar, which sub is as Inside returned
// it. A block keeps its indentation, quotes theirs. The edit is that of f.
func (f *File) SetInside(outer Scalar, sub *File, doc int, pointer string, value Node) ([]byte, Edit, error) {
	text, _, err := sub.Set(doc, pointer, value)
	return f.rewrite(outer, sub, text, err)
}

// AppendInside is Append within the text of a scalar, as SetInside is Set.
func (f *File) AppendInside(outer Scalar, sub *File, doc int, pointer string, item Node) ([]byte, Edit, error) {
	text, _, err := sub.Append(doc, pointer, item)
	return f.rewrite(outer, sub, text, err)
}

// AddDocumentInside is AddDocument within the text of a scalar.
func (f *File) AddDocumentInside(outer Scalar, sub *File, value Node) ([]byte, Edit, error) {
	text, _, err := sub.AddDocument(value)
	return f.rewrite(outer, sub, text, err)
}

// RemoveInside is Remove within the text of a scalar, as SetInside is Set.
func (f *File) RemoveInside(outer Scalar, sub *File, doc int, pointer, keep string) ([]byte, Edit, error) {
	text, _, err := sub.Remove(doc, pointer, keep)
	return f.rewrite(outer, sub, text, err)
}

func inText(outer Scalar, err error) error {
	return fmt.Errorf("in the text of line %d: %w", outer.Line, err)
}

// rewrite gives a scalar the text that an edit of sub made, unless that failed.
func (f *File) rewrite(outer Scalar, sub *File, text []byte, err error) ([]byte, Edit, error) {
	s, read, err := f.rewriting(outer, sub, string(text), err)
	if err != nil {
		return nil, Edit{}, inText(outer, err)
	}
	return f.finish([]splice{s}, func(w wanted) { w.change(outer.node).Value = read })
}

// rewriting is the splice that rewrite makes, and how the scalar then reads:
// as text, but for blank lines at the end that the block does not keep.
func (f *File) rewriting(outer Scalar, sub *File, text string, err error) (s splice, read string, _ error) {
	switch {
	case err != nil:
		return splice{}, "", err
	case string(sub.src) != outer.Value:
		return splice{}, "", fmt.Errorf("%w: it is not the text of this scalar", ErrProof)
	case outer.ambiguous:
		return splice{}, "", fmt.Errorf("%w: %s", ErrAmbiguous, outer.Path)
	}
	pos, err := f.positions(outer)
	if err != nil {
		return splice{}, "", err
	}
	switch style := outer.node.Style; {
	case style&yaml.LiteralStyle != 0:
		return f.rewriteBlock(outer, text)
	case style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		s, err = rewriteQuoted(outer, pos, text)
		return s, text, err
	}
	token, err := f.spell(outer, text)
	return splice{outer.start, outer.end, string(token)}, text, err
}

// rewriteQuoted splices the part that differs, with the escapes of its quotes.
func rewriteQuoted(outer Scalar, pos []int, text string) (splice, error) {
	i, j, part := differing(outer.Value, text)
	if outer.node.Style&yaml.DoubleQuotedStyle != 0 {
		part = escapedBytes(part)
	} else {
		if strings.ContainsAny(part, "\r\n") {
			return splice{}, fmt.Errorf("%w: single quotes hold no line break", ErrShape)
		}
		part = strings.ReplaceAll(part, "'", "''")
	}
	return splice{outer.start + pos[i], outer.start + pos[j], part}, nil
}

// escapedBytes is escaped for a part that may start or end within a character.
func escapedBytes(part string) string {
	return strings.NewReplacer(`"`, `\"`, `\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(part)
}

// rewriteBlock splices the lines of a literal block that differ.
func (f *File) rewriteBlock(outer Scalar, text string) (splice, string, error) {
	before := strings.TrimRight(outer.Value, "\n")
	tail := outer.Value[len(before):]
	body, ok := strings.CutSuffix(text, tail)
	if !ok || strings.TrimRight(body, "\n") == "" {
		return splice{}, "", fmt.Errorf("%w: the block's end would change", ErrShape)
	}
	read := text
	if !keeps(f.text, outer.start) { // blank lines at the end stand there and are not read
		read = strings.TrimRight(body, "\n") + tail
		after, err := Parse([]byte(text))
		if err == nil {
			err = wanted{root: &yaml.Node{Content: after.docs}}.prove([]byte(read))
		}
		if err != nil {
			return splice{}, "", fmt.Errorf("%w: the block's end would change", ErrShape)
		}
	}
	s, err := f.rewriteLines(outer, strings.Split(before, "\n"), strings.Split(body, "\n"))
	return s, read, err
}

// rewriteLines splices the lines of a literal block by which was and now differ.
func (f *File) rewriteLines(outer Scalar, was, now []string) (splice, error) {
	starts := f.blockLines(outer)
	if len(starts) != len(was) {
		return splice{}, fmt.Errorf("%w: the lines of the block are not found", ErrShape)
	}
	eol, ok := f.eol(outer.end)
	if !ok {
		return splice{}, fmt.Errorf("%w: by its line breaks", ErrShape)
	}
	head := 0
	for head < len(was) && head < len(now) && was[head] == now[head] {
		head++
	}
	tail := 0
	for tail < len(was)-head && tail < len(now)-head && was[len(was)-1-tail] == now[len(now)-1-tail] {
		tail++
	}
	indent := f.blockIndent(starts)
	fresh := slices.Clone(now[head : len(now)-tail])
	for i, line := range fresh {
		if line != "" {
			fresh[i] = indent + line
		}
	}
	lines := strings.Join(fresh, eol)
	switch {
	case tail > 0 && len(fresh) > 0:
		return splice{starts[head], starts[len(was)-tail], lines + eol}, nil
	case tail > 0:
		return splice{starts[head], starts[len(was)-tail], ""}, nil
	case head == len(was) && len(fresh) == 0: // nothing differs
		return splice{outer.end, outer.end, ""}, nil
	case head == len(was):
		return splice{outer.end, outer.end, eol + lines}, nil
	case len(fresh) == 0:
		return splice{starts[head] - len(eol), outer.end, ""}, nil
	}
	return splice{starts[head], outer.end, lines}, nil
}

// blockLines is where the lines of a block's text start.
func (f *File) blockLines(s Scalar) []int {
	var starts []int
	for at := lineEnd(f.src, s.start); at < s.end; at = lineEnd(f.src, at) {
		starts = append(starts, at)
	}
	return starts
}

// blockIndent is the indentation of the first line that has text.
func (f *File) blockIndent(starts []int) string {
	for _, at := range starts {
		line := bytes.TrimRight(f.src[at:lineEnd(f.src, at)], "\r\n")
		if text := bytes.TrimLeft(line, " "); len(text) > 0 {
			return string(line[:len(line)-len(text)])
		}
	}
	return ""
}
