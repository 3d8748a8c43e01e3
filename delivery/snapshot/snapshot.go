// Package snapshot is a repository at one commit, without a clone: a listing of
// its tree, the contents of the files that somebody reads, and views of both.
//
// A Tree is the listing; it never changes. Contents are addressed by the hash
// git gives them, so Blobs keeps them over all trees, up to a number of bytes,
// and fetches what is missing, many at once where a caller can tell beforehand.
//
// A View is a tree as Flux's artifact shows it: without what source-controller
// leaves out (ignored files, symbolic links and submodules: its archive holds
// regular files and folders only), and with some files replaced in memory. It
// is the file system that kustomize builds on, and it notes everything that was
// asked of it: what was read, what was looked for and not found, which folders
// were listed. Whoever keeps a result keeps those notes, and knows with a few
// look-ups whether the result still holds on another tree.
package snapshot

import (
	"crypto/sha1" //nolint:gosec // git's own content address
	"encoding/hex"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
)

// The modes of entries, as git writes them.
const (
	ModeFile       = "100644"
	ModeExecutable = "100755"
	ModeLink       = "120000"
	ModeSubmodule  = "160000"
)

// Entry is one file (or link, or submodule) of a tree.
type Entry struct {
	Path string // from the root of the repository, with slashes
	Mode string
	SHA  string
	Size int
}

// Mark tells a tree from others without keeping it in memory.
type Mark struct{ _ byte } // not empty: each has an address of its own

// Tree is the listing of a commit.
type Tree struct {
	commit  string
	mark    *Mark
	entries map[string]Entry
	folders map[string][]string // folder → names in order; "" is the root
	ignores []Entry             // the .sourceignore files, in the order of their paths
}

// NewTree makes a tree of its files; folders follow from them.
func NewTree(commit string, entries []Entry) *Tree {
	t := &Tree{commit: commit, mark: &Mark{}, entries: make(map[string]Entry, len(entries)), folders: map[string][]string{"": nil}}
	for _, e := range entries {
		t.entries[e.Path] = e
		if path.Base(e.Path) == sourceignore.IgnoreFile {
			t.ignores = append(t.ignores, e)
		}
		for child := e.Path; child != ""; {
			dir := parent(child)
			_, known := t.folders[dir]
			t.folders[dir] = append(t.folders[dir], path.Base(child))
			if known {
				break
			}
			child = dir
		}
	}
	for dir, names := range t.folders {
		slices.Sort(names)
		t.folders[dir] = slices.Compact(names)
	}
	slices.SortFunc(t.ignores, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return t
}

// parent is path.Dir with "" for the root.
func parent(p string) string {
	dir, _, ok := cutLast(p, '/')
	if !ok {
		return ""
	}
	return dir
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// Commit returns the SHA of the tree's commit.
func (t *Tree) Commit() string { return t.commit }

// Mark returns the tree's own.
func (t *Tree) Mark() *Mark { return t.mark }

// Len returns the number of files.
func (t *Tree) Len() int { return len(t.entries) }

// Entry returns the entry at a path.
func (t *Tree) Entry(p string) (Entry, bool) {
	e, ok := t.entries[p]
	return e, ok
}

// HasFolder reports whether a folder exists; "" is the root.
func (t *Tree) HasFolder(p string) bool {
	_, ok := t.folders[p]
	return ok
}

// Names lists a folder in order.
func (t *Tree) Names(folder string) []string { return t.folders[folder] }

// Files calls f for each file below a folder, in the order of a walk.
func (t *Tree) Files(folder string, f func(Entry)) {
	for _, name := range t.folders[folder] {
		p := path.Join(folder, name)
		if e, ok := t.entries[p]; ok {
			f(e)
		} else {
			t.Files(p, f)
		}
	}
}

// With returns the tree of a commit that replaces or adds files, and takes away
// those whose contents are nil.
func (t *Tree) With(commit string, files map[string][]byte) *Tree {
	entries := make([]Entry, 0, len(t.entries)+len(files))
	for p, e := range t.entries {
		if data, replaced := files[p]; replaced {
			if data == nil {
				continue
			}
			e.SHA, e.Size = HashBlob(data), len(data)
		}
		entries = append(entries, e)
	}
	for p, data := range files {
		if _, there := t.entries[p]; !there && data != nil {
			entries = append(entries, Entry{Path: p, Mode: ModeFile, SHA: HashBlob(data), Size: len(data)})
		}
	}
	return NewTree(commit, entries)
}

// Changes lists what differs between two trees.
func (t *Tree) Changes(to *Tree) []Change {
	var out []Change
	for p, e := range t.entries {
		if now, ok := to.entries[p]; !ok || now.Mode != e.Mode {
			out = append(out, Change{p, true})
		} else if now.SHA != e.SHA {
			out = append(out, Change{p, false})
		}
	}
	for p := range to.entries {
		if _, ok := t.entries[p]; !ok {
			out = append(out, Change{p, true})
		}
	}
	return out
}

// HashBlob returns the SHA that git gives to contents.
func HashBlob(data []byte) string {
	h := sha1.New() //nolint:gosec // git's own content address
	fmt.Fprintf(h, "blob %d\x00", len(data))
	h.Write(data)
	return hex.EncodeToString(h.Sum(nil))
}
