// Package yamledit changes one scalar of a YAML file and not a byte besides.
//
// A parser that writes what it read cannot do that: of the usual ones every
// round trip loses blank lines, quotes, comments or line ends. So nothing is
// ever written back here. A file is parsed only to learn where its scalars
// stand; an edit is a splice at a place that was proven twice: the token is
// read again at its offset before the splice, and after it the whole file is
// parsed again and compared with the first reading as data. Exactly one scalar
// may differ, and it must be the wanted one; anything else is an error and no
// bytes come back.
//
// A scalar may itself be YAML, such as an inline patch in a block scalar. The
// edit inside it is made by the same rules on its text, and is then one edit of
// the outer scalar.
//
// The offsets come from gopkg.in/yaml.v3, which counts lines by YAML's own
// breaks (LF, CRLF, CR, NEL, LS, PS) and columns in characters, not bytes, and
// points at an anchor or tag where one stands before the scalar.
package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Errors that an edit is refused with; they are wrapped with the place.
var (
	// ErrEncoding is for a file that is not UTF-8.
	ErrEncoding = errors.New("the file is not UTF-8")
	// ErrShape is for a scalar whose bytes cannot be changed one for one: folded
	// over several lines, or written with escapes that do not map.
	ErrShape = errors.New("the value is written in a way that cannot be changed in place")
	// ErrProof is for an edit after which the file would not read as wanted.
	ErrProof = errors.New("the file would not read as intended after the edit")
)

// Scalar is one scalar value of a file, never a key or an alias.
type Scalar struct {
	Doc   int    // index of its document, from 0
	Path  string // JSON pointer within the document
	Key   string // the key it stands under; that of its list, for an item
	Value string // as YAML reads it
	// Line and Column are where its token starts, after an anchor or tag;
	// from 1, Column in bytes.
	Line, Column int

	node       *yaml.Node
	start, end int // offsets of the token
}

// Marker returns the comment on the scalar's line, without the "#"s.
func (s Scalar) Marker() string {
	return strings.TrimSpace(strings.TrimLeft(s.node.LineComment, "#"))
}

// Multiline reports whether the scalar is a block, or text of several lines: the
// ones that may hold YAML themselves.
func (s Scalar) Multiline() bool { return strings.Contains(s.Value, "\n") }

// Edit is one splice. Before and After are the scalar's token as it stands in
// the file, quotes included.
type Edit struct {
	Line, Column  int
	Before, After string
}

// File is a parsed file. It is not changed by edits.
type File struct {
	src     []byte
	docs    []*yaml.Node
	scalars []Scalar
}

// Parse reads all documents of a file. Lines that hold nothing but a template
// action ("{{ … }}") are taken as comments where the file is not YAML otherwise.
func Parse(src []byte) (*File, error) {
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil, ErrEncoding
	}
	docs, err := decode(src)
	if err != nil {
		masked, ok := maskTemplates(src)
		if !ok {
			return nil, err
		}
		if docs, err = decode(masked); err != nil {
			return nil, err
		}
	}
	f := &File{src: src, docs: docs}
	lines := lineStarts(src)
	for i, d := range docs {
		f.collect(i, "", "", d, lines)
	}
	return f, nil
}

// Scalars returns every scalar value of the file in its order. Those whose
// bytes could not be found again are left out: nothing can edit them.
func (f *File) Scalars() []Scalar { return f.scalars }

// decode reads all documents.
func decode(src []byte) ([]*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var docs []*yaml.Node
	for {
		n := new(yaml.Node)
		err := decodeOne(dec, n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, n)
	}
}

// decodeOne keeps a panic of the parser from ending the process: its input is
// whatever people push.
func decodeOne(dec *yaml.Decoder, n *yaml.Node) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("parse YAML: %v", r)
		}
	}()
	return dec.Decode(n)
}

// maskTemplates turns lines that are only a template action into comments of
// the same length.
func maskTemplates(src []byte) ([]byte, bool) {
	out := bytes.Clone(src)
	found := false
	for rest, at := src, 0; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		trimmed := bytes.TrimSpace(line)
		if bytes.HasPrefix(trimmed, []byte("{{")) && bytes.HasSuffix(trimmed, []byte("}}")) {
			out[at+bytes.IndexByte(line, '{')] = '#'
			found = true
		}
		at += len(rest) - len(after)
		rest = after
	}
	return out, found
}

// lineStarts returns the offset of each line's first byte, a byte order mark
// not counted.
func lineStarts(src []byte) []int {
	at := 0
	if bytes.HasPrefix(src, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	starts := []int{at}
	for at < len(src) {
		r, n := utf8.DecodeRune(src[at:])
		at += n
		switch r {
		case '\r':
			if at < len(src) && src[at] == '\n' {
				at++
			}
			starts = append(starts, at)
		case '\n', '\u0085', '\u2028', '\u2029':
			starts = append(starts, at)
		}
	}
	return starts
}

// collect gathers the scalars below a node.
func (f *File) collect(doc int, path, key string, n *yaml.Node, lines []int) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			f.collect(doc, path, key, c, lines)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k := n.Content[i].Value
			f.collect(doc, path+"/"+EscapePointer(k), k, n.Content[i+1], lines)
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			f.collect(doc, path+"/"+strconv.Itoa(i), key, c, lines)
		}
	case yaml.ScalarNode:
		start, end, ok := f.token(n, lines)
		if !ok {
			return
		}
		s := Scalar{Doc: doc, Path: path, Key: key, Value: n.Value, node: n, start: start, end: end}
		s.Line = n.Line
		s.Column = start - lines[n.Line-1] + 1
		for s.Line < len(lines) && start >= lines[s.Line] { // a property on a line before
			s.Line++
			s.Column = start - lines[s.Line-1] + 1
		}
		f.scalars = append(f.scalars, s)
	}
}

// EscapePointer escapes one step of a JSON pointer (RFC 6901).
func EscapePointer(step string) string {
	if !strings.ContainsAny(step, "~/") {
		return step
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
}
