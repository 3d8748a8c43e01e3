package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// Versioned is an item that knows its own resource version, and not who manages its
// fields. Of others the version is read from the line, which costs as much as the item.
type Versioned interface{ Version() string }

// versionIn finds the resource version in a line of a watch.
func versionIn(text []byte) (string, error) {
	var read struct {
		Object page `json:"object"`
	}
	err := json.Unmarshal(text, &read)
	return read.Object.Metadata.ResourceVersion, err
}

// withoutManagers takes metadata.managedFields out of an object's JSON, in place. They
// are a third of an Event and nobody who is Versioned asks for them. The key cannot
// stand inside of a text, where its quotes would be escaped.
func withoutManagers(text []byte) []byte {
	const key = `"managedFields":[`
	from := bytes.Index(text, []byte(key))
	if from < 0 {
		return text
	}
	to := from + len(key)
	for depth := 1; depth > 0; to++ {
		if to == len(text) {
			return text // it ends in the middle: whoever decodes it says so
		}
		switch text[to] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '"':
			for to++; to < len(text) && text[to] != '"'; to++ {
				if text[to] == '\\' {
					to++
				}
			}
			if to >= len(text) {
				return text
			}
		}
	}
	switch { // one comma goes with it
	case to < len(text) && text[to] == ',':
		to++
	case from > 0 && text[from-1] == ',':
		from--
	}
	return append(text[:from], text[to:]...)
}

// lines reads a watch, which API servers write one object to a line.
type lines struct {
	in   *bufio.Reader
	long []byte
}

func newLines(in io.Reader) *lines { return &lines{in: bufio.NewReaderSize(in, 16<<10)} }

// next returns a line that is not empty. It is good until the next one is read. The
// last one may lack its end.
func (l *lines) next() ([]byte, error) {
	for {
		text, err := l.in.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = append(l.long[:0], text...)
			for errors.Is(err, bufio.ErrBufferFull) {
				text, err = l.in.ReadSlice('\n')
				l.long = append(l.long, text...)
			}
			text = l.long
		}
		if text = bytes.TrimSpace(text); len(text) > 0 && (err == nil || errors.Is(err, io.EOF)) {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
