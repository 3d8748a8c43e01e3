package snapshot

import (
	"context"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
)

// Op is what was asked of a view.
type Op byte

// The operations.
const (
	Read   Op = iota // a file's contents
	Looked           // whether something stands at a path
	Listed           // the names in a folder
)

// Question is one thing that was asked.
type Question struct {
	Op   Op
	Path string
}

// Notes are the questions and their answers.
type Notes map[Question]string

func (n Notes) read(p, sha string)            { n[Question{Read, p}] = sha }
func (n Notes) look(p, kind string)           { n[Question{Looked, p}] = kind }
func (n Notes) list(p string, names []string) { n[Question{Listed, p}] = strings.Join(names, "/") }

// Change is a file that differs between two trees.
type Change struct {
	Path string
	// Structural is true for one that is not in both, or not of the same kind:
	// then questions about its folders may be answered otherwise too.
	Structural bool
}

// Touches reports whether a change may alter an answer.
func (n Notes) Touches(c Change) bool {
	if _, ok := n[Question{Read, c.Path}]; ok {
		return true
	}
	if !c.Structural {
		return false
	}
	for p := c.Path; ; p = parent(p) {
		if _, ok := n[Question{Looked, p}]; ok {
			return true
		}
		if _, ok := n[Question{Listed, p}]; ok {
			return true
		}
		if p == "" {
			return false
		}
	}
}

// Reads calls f for each file whose contents were read.
func (n Notes) Reads(f func(file string)) {
	for q := range n {
		if q.Op == Read {
			f(q.Path)
		}
	}
}

// Hidden says which paths an artifact leaves out. The zero value hides nothing.
type Hidden struct {
	matcher gitignore.Matcher
	// Key is equal for two of them made of the same rules.
	Key string
}

func (h Hidden) match(p string, folder bool) bool {
	return h.matcher != nil && h.matcher.Match(strings.Split(p, "/"), folder)
}

// HiddenIn reads the rules of a tree as source-controller does: every
// .sourceignore, then the GitRepository's spec.ignore; where there is none of
// either, its defaults.
func HiddenIn(ctx context.Context, tree *Tree, blobs *Blobs, specIgnore string) (Hidden, error) {
	var patterns []gitignore.Pattern
	var key strings.Builder
	for _, e := range tree.ignores {
		data, err := blobs.Get(ctx, e.SHA)
		if err != nil {
			return Hidden{}, err
		}
		var domain []string
		if dir := parent(e.Path); dir != "" {
			domain = strings.Split(dir, "/")
		}
		patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(string(data)), domain)...)
		key.WriteString(e.Path + "\x00" + e.SHA + "\x00")
	}
	patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(specIgnore), nil)...)
	key.WriteString(specIgnore)
	if len(patterns) == 0 {
		return Hidden{matcher: sourceignore.NewDefaultMatcher(nil, nil), Key: key.String()}, nil
	}
	return Hidden{matcher: sourceignore.NewMatcher(append(sourceignore.VCSPatterns(nil), patterns...)), Key: key.String()}, nil
}
