package snapshot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// Root is the folder at which a View shows the repository. It is not "/", so
// that a path which climbs out of the repository leads nowhere, as on Flux's
// disk.
const Root = "/repo"

// maxFile is more than any manifest: larger files are not read.
const maxFile = 16 << 20

var errReadOnly = errors.New("the view is read-only")

// View shows a tree as an artifact of Flux. One view serves one build: it notes
// what is read, and is not safe for concurrent use.
type View struct {
	ctx     context.Context //nolint:containedctx // kustomize's file system knows none; a view lives as long as one build
	tree    *Tree
	blobs   *Blobs
	hidden  Hidden
	overlay map[string][]byte
	notes   Notes
	failed  error
}

var _ filesys.FileSystem = (*View)(nil)

// NewView returns a view of a tree with some files replaced, added or, where
// their contents are nil, taken away.
func NewView(ctx context.Context, tree *Tree, blobs *Blobs, hidden Hidden, overlay map[string][]byte) *View {
	return &View{ctx: ctx, tree: tree, blobs: blobs, hidden: hidden, overlay: overlay, notes: Notes{}}
}

// Notes returns what was asked of the view until now.
func (v *View) Notes() Notes { return v.notes }

// Err returns why contents could not be fetched, if so: then nothing that was
// built on the view means anything.
func (v *View) Err() error { return v.failed }

// Inner turns a path of the file system into one of the repository; ok is false
// outside of it.
func Inner(p string) (inner string, ok bool) {
	p = path.Clean(filepath.ToSlash(p))
	if p == Root {
		return "", true
	}
	return strings.CutPrefix(p, Root+"/")
}

// File returns a file's contents.
func (v *View) File(p string) ([]byte, error) {
	data, replaced := v.overlay[p]
	if data != nil {
		v.notes.read(p, HashBlob(data))
		return data, nil
	}
	e, ok := v.visible(p)
	ok = ok && !replaced
	if !ok {
		v.notes.look(p, v.kind(p))
		if e, there := v.tree.Entry(p); there && e.Mode == ModeLink {
			return nil, fmt.Errorf("%s is a symbolic link, which Flux leaves out: %w", p, fs.ErrNotExist)
		}
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	}
	v.notes.read(p, e.SHA)
	if e.Size > maxFile {
		return nil, fmt.Errorf("%s has %d bytes: too many for a manifest", p, e.Size)
	}
	data, err := v.blobs.Get(v.ctx, e.SHA)
	if err != nil {
		v.failed = errors.Join(v.failed, err)
		return nil, err
	}
	return data, nil
}

// visible returns the entry of a regular file that the artifact holds.
func (v *View) visible(p string) (Entry, bool) {
	e, ok := v.tree.Entry(p)
	if !ok || (e.Mode != ModeFile && e.Mode != ModeExecutable) || v.hidden.match(p, false) {
		return Entry{}, false
	}
	return e, true
}

// kind says what stands at a path: "file", "folder" or "".
func (v *View) kind(p string) string {
	if data, replaced := v.overlay[p]; replaced {
		if data == nil {
			return ""
		}
		return "file"
	}
	if _, ok := v.visible(p); ok {
		return "file"
	}
	if v.tree.HasFolder(p) && (p == "" || !v.hidden.match(p, true)) {
		return "folder"
	}
	return ""
}

// list returns the names in a folder.
func (v *View) list(p string) []string {
	var names []string
	for _, name := range v.tree.Names(p) {
		if v.kind(path.Join(p, name)) != "" {
			names = append(names, name)
		}
	}
	for f, data := range v.overlay {
		if data != nil && parent(f) == p && !slices.Contains(names, path.Base(f)) {
			names = append(names, path.Base(f))
		}
	}
	slices.Sort(names)
	return names
}

// List returns the names in a folder and notes that it was listed.
func (v *View) List(p string) []string {
	names := v.list(p)
	v.notes.list(p, names)
	return names
}

// Kind says what stands at a path of the repository ("file", "folder" or ""),
// and notes the question.
func (v *View) Kind(p string) string {
	k := v.kind(p)
	v.notes.look(p, k)
	return k
}

// Holds reports whether everything noted elsewhere is answered alike here.
func (v *View) Holds(n Notes) bool {
	for q, answer := range n {
		if v.answer(q) != answer {
			return false
		}
	}
	return true
}

// HoldsAfter is Holds for notes that hold on files which differ from the view's
// by some changes and no others: only what those may alter is answered again.
func (v *View) HoldsAfter(n Notes, changes []Change) bool {
	for _, c := range changes {
		for q, answer := range n.about(c) {
			if v.answer(q) != answer {
				return false
			}
		}
	}
	return true
}

// Since lists how the view differs from one of the same tree and the same hidden
// paths in which other files are replaced.
func (v *View) Since(overlay map[string][]byte) []Change {
	var out []Change
	for p, data := range v.overlay {
		before, was := overlay[p]
		if was && bytes.Equal(before, data) && (before == nil) == (data == nil) {
			continue
		}
		_, there := v.visible(p)
		if was {
			there = before != nil
		}
		out = append(out, Change{p, there != (data != nil)})
	}
	for p, before := range overlay {
		if _, is := v.overlay[p]; !is {
			_, there := v.visible(p)
			out = append(out, Change{p, there != (before != nil)})
		}
	}
	return out
}

func (v *View) answer(q Question) string {
	switch q.Op {
	case Read:
		if data, ok := v.overlay[q.Path]; ok {
			if data == nil {
				return ""
			}
			return HashBlob(data)
		}
		e, _ := v.visible(q.Path)
		return e.SHA
	case Listed:
		return strings.Join(v.list(q.Path), "/")
	default:
		return v.kind(q.Path)
	}
}

// The methods below are kustomize's.

// IsDir reports whether a path is a folder.
func (v *View) IsDir(p string) bool {
	inner, ok := Inner(p)
	return ok && v.Kind(inner) == "folder"
}

// Exists reports whether anything stands at a path.
func (v *View) Exists(p string) bool {
	inner, ok := Inner(p)
	return ok && v.Kind(inner) != ""
}

// ReadFile returns a file's contents.
func (v *View) ReadFile(p string) ([]byte, error) {
	inner, ok := Inner(p)
	if !ok {
		return nil, fmt.Errorf("%s is outside of the repository: %w", p, fs.ErrNotExist)
	}
	return v.File(inner)
}

// ReadDir lists a folder.
func (v *View) ReadDir(p string) ([]string, error) {
	if !v.IsDir(p) {
		return nil, &fs.PathError{Op: "readdir", Path: p, Err: fs.ErrNotExist}
	}
	inner, _ := Inner(p)
	return v.List(inner), nil
}

// CleanedAbs splits a path into a folder and a file name.
func (v *View) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	p = path.Clean(filepath.ToSlash(p))
	switch {
	case v.IsDir(p):
		return filesys.ConfirmedDir(p), "", nil
	case v.Exists(p):
		return filesys.ConfirmedDir(path.Dir(p)), path.Base(p), nil
	}
	return "", "", &fs.PathError{Op: "lstat", Path: p, Err: fs.ErrNotExist}
}

// Open is not needed by a build.
func (v *View) Open(string) (filesys.File, error) { return nil, errReadOnly }

// Glob is not needed by a build.
func (v *View) Glob(string) ([]string, error) { return nil, errReadOnly }

// Walk is not needed by a build.
func (v *View) Walk(string, filepath.WalkFunc) error { return errReadOnly }

// Create is refused.
func (v *View) Create(string) (filesys.File, error) { return nil, errReadOnly }

// Mkdir is refused.
func (v *View) Mkdir(string) error { return errReadOnly }

// MkdirAll is refused.
func (v *View) MkdirAll(string) error { return errReadOnly }

// RemoveAll is refused.
func (v *View) RemoveAll(string) error { return errReadOnly }

// WriteFile is refused.
func (v *View) WriteFile(string, []byte) error { return errReadOnly }
