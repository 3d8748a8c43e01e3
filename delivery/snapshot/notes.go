package snapshot

import (
	"context"
	"iter"
	"strings"
	"sync"

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
	for range n.about(c) {
		return true
	}
	return false
}

// about goes through the questions whose answers a change may alter.
func (n Notes) about(c Change) iter.Seq2[Question, string] {
	return func(yield func(Question, string) bool) {
		if q := (Question{Read, c.Path}); !n.each(q, yield) || !c.Structural {
			return
		}
		for p := c.Path; ; p = parent(p) {
			if !n.each(Question{Looked, p}, yield) || !n.each(Question{Listed, p}, yield) || p == "" {
				return
			}
		}
	}
}

func (n Notes) each(q Question, yield func(Question, string) bool) (more bool) {
	answer, asked := n[q]
	return !asked || yield(q, answer)
}

// Reads calls f for each file whose contents were read.
func (n Notes) Reads(f func(file string)) {
	for q := range n {
		if q.Op == Read {
			f(q.Path)
		}
	}
}

// Missed calls f for each path at which nothing was found.
func (n Notes) Missed(f func(path string)) {
	for q, kind := range n {
		if q.Op == Looked && kind == "" {
			f(q.Path)
		}
	}
}

// Hidden says which paths an artifact leaves out. The zero value hides nothing.
// Its copies share what was matched.
type Hidden struct {
	matcher gitignore.Matcher
	matched *matched
	// Key is equal for two of them made of the same rules.
	Key string
}

// matched keeps what the rules say of paths: every build asks for the same ones
// again. It depends on the rules alone, and so holds on every tree that has them.
type matched struct {
	mu     sync.RWMutex
	hidden map[place]bool
}

type place struct {
	path   string
	folder bool
}

// keepMatched is more than a tree has paths as a rule; what is more is forgotten.
const keepMatched = 1 << 16

func (h Hidden) match(p string, folder bool) bool {
	if h.matcher == nil {
		return false
	}
	at := place{p, folder}
	h.matched.mu.RLock()
	hidden, known := h.matched.hidden[at]
	h.matched.mu.RUnlock()
	if known {
		return hidden
	}
	hidden = h.matcher.Match(strings.Split(p, "/"), folder)
	h.matched.mu.Lock()
	defer h.matched.mu.Unlock()
	if len(h.matched.hidden) >= keepMatched {
		clear(h.matched.hidden)
	}
	h.matched.hidden[at] = hidden
	return hidden
}

// HiddenKey is the Key of what HiddenIn returns.
func HiddenKey(tree *Tree, specIgnore string) string {
	var key strings.Builder
	for _, e := range tree.ignores {
		key.WriteString(e.Path + "\x00" + e.SHA + "\x00")
	}
	return key.String() + specIgnore
}

// HiddenIn reads the rules of a tree as source-controller does: every
// .sourceignore, then the GitRepository's spec.ignore; where there is none of
// either, its defaults.
func HiddenIn(ctx context.Context, tree *Tree, blobs *Blobs, specIgnore string) (Hidden, error) {
	var patterns []gitignore.Pattern
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
	}
	patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(specIgnore), nil)...)
	h := Hidden{Key: HiddenKey(tree, specIgnore), matched: &matched{hidden: map[place]bool{}}}
	if len(patterns) == 0 {
		h.matcher = sourceignore.NewDefaultMatcher(nil, nil)
	} else {
		h.matcher = sourceignore.NewMatcher(append(sourceignore.VCSPatterns(nil), patterns...))
	}
	return h, nil
}
