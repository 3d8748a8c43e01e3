package yamledit

import (
	"bytes"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// New writes a new file of one document.
func New(value Node) []byte {
	return []byte(strings.Join(plainStyle().document(value), "\n") + "\n")
}

// AddDocument adds a document at the end of the file. If the last document holds
// nothing, as behind a last line "---", the new one takes its place.
func (f *File) AddDocument(value Node) ([]byte, Edit, error) {
	if err := value.valid(); err != nil {
		return nil, Edit{}, err
	}
	last := len(f.docs) - 1
	place := last >= 0 && nothing(f.docs[last].Content[0]) && !f.trailed()
	lines := f.styleAt(nil).document(value)
	if last >= 0 && !place {
		lines = slices.Concat(f.separator(), lines)
		if f.trailed() {
			lines = append(lines, "...")
		}
	}
	s, err := f.below(len(f.text), lines, value)
	if err != nil {
		return nil, Edit{}, err
	}
	return f.finish([]splice{s}, func(w wanted) {
		root := w.change(w.root)
		if place {
			root.Content = root.Content[:last]
		}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{value.data()}})
	})
}

// document returns the lines of a whole document.
func (st style) document(n Node) []string {
	if n.empty() || n.kind != isMap && n.kind != isList {
		return []string{st.scalar(n)}
	}
	return st.block(0, n)
}

// separator is the line between two documents, with blank lines around it where
// the file has them.
func (f *File) separator() []string {
	line := func(i int) []byte {
		if i < 0 || i >= len(f.lines) {
			return []byte("-")
		}
		return bytes.TrimSpace(f.text[f.lines[i]:f.nextLine(f.lines[i])])
	}
	for i := len(f.lines) - 1; i > 0; i-- {
		if !isStart(line(i)) || f.text[f.lines[i]] != '-' {
			continue
		}
		out := []string{"---"}
		if len(line(i-1)) == 0 && len(line(len(f.lines)-2)) > 0 && !endsInBlock(f.docs[len(f.docs)-1]) {
			out = slices.Insert(out, 0, "")
		}
		if len(line(i+1)) == 0 {
			out = append(out, "")
		}
		return out
	}
	return []string{"---"}
}

// endsInBlock reports a document whose last value is a block of text, to which
// blank lines behind it may belong.
func endsInBlock(n *yaml.Node) bool {
	for len(n.Content) > 0 {
		n = n.Content[len(n.Content)-1]
	}
	return n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0
}
