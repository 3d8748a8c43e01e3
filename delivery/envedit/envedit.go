// Package envedit changes one value in a file of KEY=value lines, as kustomize's
// generators read them (envs), and nothing else in it.
//
// Kustomize takes such a file line by line: blank lines and those that begin with
// "#" are nothing, everything behind the first "=" is the value as it stands,
// quotes, blanks and comments included; line breaks are LF or CRLF, and a byte
// order mark may come first. A value that is put into YAML later loses its quotes
// and what looks like a comment there, so that what people mean by the value is
// the text within: Replace changes that text and leaves what is around it.
//
// Nothing is believed of an edit: before and after are read again as kustomize
// does, and exactly one value must differ.
package envedit

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors that are wrapped with the line.
var (
	// ErrFormat is for a file that is not made of KEY=value lines.
	ErrFormat = errors.New("it is not made of KEY=value lines")
	// ErrProof is for an edit after which the file would not read as wanted.
	ErrProof = errors.New("the file would not read as intended after the edit")
)

// Value is the value of one line.
type Value struct {
	Key string
	// Text is the value without what YAML would not take as part of it: quotes
	// around it, blanks and a comment behind it.
	Text string
	// Line and Column are where Text starts; from 1, Column in bytes.
	Line, Column int

	start, end int // offsets of Text
}

// File is a parsed file.
type File struct {
	src    []byte
	pairs  []pair
	values []Value
}

// pair is what kustomize reads from a line.
type pair struct{ key, value string }

var (
	bom     = []byte("\ufeff")
	envName = regexp.MustCompile(`^[-._a-zA-Z][-._a-zA-Z0-9]*$`)
)

// Parse reads a file. One without any value is an error.
func Parse(src []byte) (*File, error) {
	f := &File{src: src}
	number, at := 0, 0
	for at < len(src) {
		number++
		line, next := src[at:], len(src)
		if i := bytes.IndexByte(line, '\n'); i >= 0 {
			line, next = line[:i], at+i+1
		}
		if err := f.line(number, at, bytes.TrimSuffix(line, []byte("\r"))); err != nil {
			return nil, err
		}
		at = next
	}
	if len(f.pairs) == 0 {
		return nil, ErrFormat
	}
	return f, nil
}

func (f *File) line(number, at int, line []byte) error {
	if !utf8.Valid(line) {
		return fmt.Errorf("line %d: %w", number, ErrFormat)
	}
	begin := at
	if number == 1 && bytes.HasPrefix(line, bom) {
		line, at = line[len(bom):], at+len(bom)
	}
	text := bytes.TrimLeftFunc(line, unicode.IsSpace)
	at += len(line) - len(text)
	if len(text) == 0 || text[0] == '#' {
		return nil
	}
	key, value, ok := strings.Cut(string(text), "=")
	if !ok || !envName.MatchString(key) { // without "=" the value is that of the builder's environment
		return fmt.Errorf("line %d: %w", number, ErrFormat)
	}
	from, to := meant(value)
	start := at + len(key) + 1
	f.pairs = append(f.pairs, pair{key, value})
	f.values = append(f.values, Value{Key: key, Text: value[from:to], Line: number, Column: start + from - begin + 1, start: start + from, end: start + to})
	return nil
}

// meant finds the text of a value that YAML would take for it.
func meant(value string) (from, to int) {
	from = len(value) - len(strings.TrimLeft(value, " \t"))
	if from < len(value) && (value[from] == '"' || value[from] == '\'') {
		if i := strings.IndexByte(value[from+1:], value[from]); i >= 0 {
			if rest := strings.TrimLeft(value[from+i+2:], " \t"); rest == "" || rest[0] == '#' {
				return from + 1, from + 1 + i
			}
		}
	}
	to = len(value)
	for _, sign := range []string{" #", "\t#"} {
		if i := strings.Index(value[from:to], sign); i >= 0 {
			to = from + i
		}
	}
	return from, from + len(strings.TrimRight(value[from:to], " \t"))
}

// Values lists the values in the order of their lines.
func (f *File) Values() []Value { return f.values }

// Encrypted reports whether the file has the seal of SOPS.
func (f *File) Encrypted() bool {
	for _, p := range f.pairs {
		if p.key == "sops_mac" {
			return true
		}
	}
	return false
}

// Replace returns the file with another text of one value.
func (f *File) Replace(v Value, text string) ([]byte, error) {
	if f.src == nil || v.start < 0 || v.end > len(f.src) || v.start > v.end {
		return nil, fmt.Errorf("line %d: %w", v.Line, ErrProof)
	}
	out := make([]byte, 0, len(f.src)+len(text))
	out = append(append(append(out, f.src[:v.start]...), text...), f.src[v.end:]...)
	after, err := Parse(out)
	if err != nil || !after.differsIn(f, v, text) {
		return nil, fmt.Errorf("line %d: %w", v.Line, ErrProof)
	}
	return out, nil
}

// differsIn reports whether a file is another but for one value, which is text.
func (f *File) differsIn(before *File, v Value, text string) bool {
	if len(f.pairs) != len(before.pairs) {
		return false
	}
	changed := 0
	for i, now := range f.values {
		was := before.values[i]
		switch {
		case now.Key != was.Key || now.Line != was.Line:
			return false
		case was.Line == v.Line:
			if changed++; now.Text != text || now.Column != was.Column {
				return false
			}
		case f.pairs[i] != before.pairs[i]:
			return false
		}
	}
	return changed == 1
}
