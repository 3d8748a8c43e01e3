// Package yamledit changes one thing in a YAML file and not a byte besides: a
// scalar, an entry that is put in or taken out, a document that is added.
//
// A parser that writes what it read cannot do that: of the usual ones every
// round trip loses blank lines, quotes, comments or line ends. So nothing is
// ever written back here. A file is parsed only to learn where its values
// stand; an edit is a splice at a place that was proven twice: what stands there
// is read again before the splice, and after it the whole file is parsed again
// and compared as data with what the edit was to make of the first reading.
// One value may differ, and it must be the wanted one; anything else is an error
// and no bytes come back.
//
// What is put in follows the file: its indentation, its way with lists and
// quotes, its line ends and encoding. Comment lines behind the last entry of a
// block belong to it if they are indented deeper, or if they touch it and are
// indented as deep, unless what they touch below stands as deep too; all others
// belong to what follows. A place that several readers see differently is
// refused: where a key stands twice, behind an alias, in a map with a merge key,
// or in one that has aliases elsewhere.
//
// A scalar may itself be YAML, such as an inline patch in a block scalar. The
// edit inside it is made by the same rules on its text, and is then one edit of
// the outer scalar.
//
// A file in UTF-16 with its byte order mark is read as UTF-8 text and written
// back as it came, which changes nothing else as long as every one of its bytes
// survives that way; where they would not, the file is refused.
//
// The offsets come from gopkg.in/yaml.v3, which counts lines by YAML's own
// breaks (LF, CRLF, CR, NEL, LS, PS) and columns in characters, not bytes, and
// points at an anchor or tag where one stands before the value.
package yamledit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// Errors that an edit is refused with; they are wrapped with the place.
var (
	// ErrEncoding is for a file that is neither UTF-8 nor UTF-16 with its mark.
	ErrEncoding = errors.New("the file's encoding cannot be edited")
	// ErrShape is for a value whose bytes cannot be changed one for one: in a
	// folded block of several lines, written with escapes that do not map, reached
	// through an alias, or in a block that is not laid out with spaces.
	ErrShape = errors.New("the value is written in a way that cannot be changed in place")
	// ErrAmbiguous is for a path on which a key stands twice.
	ErrAmbiguous = errors.New("a key stands twice on the way to the value")
	// ErrExists is for an insertion where something stands already.
	ErrExists = errors.New("something stands there already")
	// ErrMissing is for a place that is not in the file.
	ErrMissing = errors.New("there is no such place in the file")
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
	inFlow     bool
	ambiguous  bool
}

// Marker returns the comment on the scalar's line, without the "#"s.
func (s Scalar) Marker() string {
	return strings.TrimSpace(strings.TrimLeft(s.node.LineComment, "#"))
}

// Multiline reports whether the scalar is a block, or text of several lines: the
// ones that may hold YAML themselves.
func (s Scalar) Multiline() bool { return strings.Contains(s.Value, "\n") }

// Edit is one splice: Before stood at a line and column (as a Scalar counts
// them) and After stands there now. For a replaced scalar they are its token,
// quotes included; for an insertion or a removal the bytes put in or taken out,
// with those between them where there are two places.
type Edit struct {
	Line, Column  int
	Before, After string
}

// File is a parsed file. It is not changed by edits: the next one starts with
// parsing what the last one returned.
type File struct {
	src     []byte // in UTF-8, the byte order mark included
	text    []byte // src with template lines as comments; as long as src
	enc     encoding
	lines   []int // the offset of each line's first byte
	narrow  bool  // every character is one byte
	docs    []*yaml.Node
	scalars []Scalar
}

// Parse reads all documents of a file. Lines that hold nothing but a template
// action ("{{ … }}") are taken as comments where the file is not YAML otherwise.
func Parse(raw []byte) (*File, error) {
	src, enc, err := decodeText(raw)
	if err != nil {
		return nil, err
	}
	f := &File{src: src, text: src, enc: enc}
	if f.docs, err = decode(src); err != nil {
		masked, ok := maskTemplates(src)
		if !ok {
			return nil, err
		}
		if f.docs, err = decode(masked); err != nil {
			return nil, err
		}
		f.text = masked
	}
	f.lines, f.narrow = lineStarts(src)
	for i, d := range f.docs {
		f.collect(Scalar{Doc: i}, d)
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
// not counted, and whether all characters behind that are of one byte.
func lineStarts(src []byte) (starts []int, narrow bool) {
	at := 0
	if bytes.HasPrefix(src, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	starts, narrow = []int{at}, true
	for at < len(src) {
		r, n := rune(src[at]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(src[at:])
			narrow = false
		}
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
	return starts, narrow
}

// collect gathers the scalars below a node; s holds what is known of the way.
func (f *File) collect(s Scalar, n *yaml.Node) {
	way := s.Path
	s.inFlow = s.inFlow || isFlow(n)
	switch n.Kind {
	case yaml.DocumentNode:
		for _, c := range n.Content {
			f.collect(s, c)
		}
	case yaml.MappingNode:
		outside := s.ambiguous
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, ok := keyOf(n.Content[i])
			if !ok {
				continue // no pointer leads there
			}
			s.Path, s.Key = way+"/"+EscapePointer(k), k
			s.ambiguous = outside || count(n, k) > 1
			f.collect(s, n.Content[i+1])
		}
	case yaml.SequenceNode:
		for i, c := range n.Content {
			s.Path = way + "/" + strconv.Itoa(i)
			f.collect(s, c)
		}
	case yaml.ScalarNode:
		start, end, ok := f.token(n)
		if !ok {
			return
		}
		s.Value, s.node, s.start, s.end = n.Value, n, start, end
		s.Line, s.Column = f.place(start)
		f.scalars = append(f.scalars, s)
	}
}

// keyOf is the text of a map's key; ok is false for a map or list as a key.
func keyOf(k *yaml.Node) (string, bool) {
	if k.Kind == yaml.AliasNode {
		k = k.Alias
	}
	return k.Value, k.Kind == yaml.ScalarNode
}

// count is how often a key stands in a map.
func count(m *yaml.Node, key string) int {
	n := 0
	for i := 0; i < len(m.Content); i += 2 {
		if k, ok := keyOf(m.Content[i]); ok && k == key {
			n++
		}
	}
	return n
}

// place is the line of an offset and its byte in that line, from 1.
func (f *File) place(at int) (line, column int) {
	line, found := slices.BinarySearch(f.lines, at)
	if found {
		return line + 1, 1
	}
	return line, at - f.lines[max(line-1, 0)] + 1
}

// EscapePointer escapes one step of a JSON pointer (RFC 6901).
func EscapePointer(step string) string {
	if !strings.ContainsAny(step, "~/") {
		return step
	}
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(step)
}
