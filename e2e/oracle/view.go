package oracle

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// errReadOnly is what writing into a view comes to.
var errReadOnly = errors.New("a view is read-only")

// view is an artifact as kustomize sees it, under "/": the tree's text with a change over it, and what was generated.
// It records which files of the tree were read.
type view struct {
	*Artifact
	tree      Tree
	change    Change
	generated map[string][]byte // by path in the artifact
	read      map[string]bool   // paths in the tree
	gone      *remotes
}

// newView shows an artifact of tree with a change over it.
func newView(tree Tree, a *Artifact, change Change) *view {
	added := map[string]string{}
	for from := range change {
		if _, old := tree[from]; old {
			continue
		}
		if to, ok := a.place(from); ok {
			added[to] = from
		}
	}
	if len(added) > 0 {
		for name, from := range a.files {
			added[name] = from
		}
		a = newArtifact(a.name, added) // not whole: what it holds is what it shows
	}
	return &view{Artifact: a, tree: tree, change: change, generated: map[string][]byte{}, read: map[string]bool{}, gone: &remotes{}}
}

// place is where in the artifact a new file of the tree comes: beside those of its folder.
func (a *Artifact) place(file string) (string, bool) {
	if a.whole {
		return file, !a.skip(file)
	}
	for dir := parent(file); ; dir = parent(dir) {
		rest := strings.TrimPrefix(strings.TrimPrefix(file, dir), "/")
		if dir == "" {
			return rest, false
		}
		for name, from := range a.files {
			if parent(from) == dir {
				return path.Join(parent(name), rest), true
			}
		}
	}
}

func (v *view) clean(p string) string { return clamp(p) }

func (v *view) isFile(p string) bool {
	_, made := v.generated[p]
	_, ok := v.files[p]
	return ok || made
}

// raw is the text of a file without what kustomize must not see taken out.
func (v *view) raw(p string) ([]byte, bool) {
	if text, ok := v.generated[p]; ok {
		return text, true
	}
	from, ok := v.files[p]
	if !ok {
		return nil, false
	}
	v.read[from] = true
	if text, ok := v.change[from]; ok {
		return text, true
	}
	return v.tree[from], true
}

// ReadFile returns the text, without remote bases and without the CRDs of long files, which hold no version and take
// most of the time.
func (v *view) ReadFile(p string) ([]byte, error) {
	name := v.clean(p)
	text, ok := v.raw(name)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: p, Err: fs.ErrNotExist}
	}
	if isKustomization(name) {
		return v.localOnly(name, text)
	}
	return withoutCRDs(text), nil
}

func (v *view) Exists(p string) bool { return v.isFile(v.clean(p)) || v.IsDir(p) }
func (v *view) IsDir(p string) bool  { return v.isDir(v.clean(p)) }

func (v *view) ReadDir(p string) ([]string, error) {
	names, ok := v.dirs[v.clean(p)]
	if !ok {
		return nil, &fs.PathError{Op: "readdir", Path: p, Err: fs.ErrNotExist}
	}
	return slices.Clone(names), nil
}

func (v *view) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	name := v.clean(p)
	switch {
	case v.isDir(name):
		return filesys.ConfirmedDir("/" + name), "", nil
	case v.isFile(name):
		return filesys.ConfirmedDir("/" + parent(name)), path.Base(name), nil
	}
	return "", "", &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
}

func (v *view) Glob(pattern string) ([]string, error) {
	var out []string
	for name := range v.files {
		if ok, err := path.Match(pattern, "/"+name); err != nil {
			return nil, err
		} else if ok {
			out = append(out, "/"+name)
		}
	}
	slices.Sort(out)
	return out, nil
}

func (v *view) Walk(string, filepath.WalkFunc) error { return errReadOnly }
func (v *view) Open(string) (filesys.File, error)    { return nil, errReadOnly }
func (v *view) Create(string) (filesys.File, error)  { return nil, errReadOnly }
func (v *view) Mkdir(string) error                   { return errReadOnly }
func (v *view) MkdirAll(string) error                { return errReadOnly }
func (v *view) RemoveAll(string) error               { return errReadOnly }
func (v *view) WriteFile(string, []byte) error       { return errReadOnly }

// beneath writes to disk what Flux's generator looks at in a folder: its kustomization, or each manifest beneath it.
// The generator reads disks alone.
func (v *view) beneath(dir, disk string) error {
	for _, name := range kustomizationNames {
		file := path.Join(dir, name)
		if text, ok := v.raw(file); ok {
			return os.WriteFile(filepath.Join(disk, name), text, 0o600)
		}
	}
	return v.scatter(dir, disk)
}

func (v *view) scatter(dir, disk string) error {
	for _, name := range v.dirs[dir] {
		from, to := path.Join(dir, name), filepath.Join(disk, name)
		switch ext := path.Ext(name); {
		case v.isDir(from):
			if err := os.Mkdir(to, 0o700); err != nil {
				return err
			}
			if k := v.kustomizationIn(from); k != "" {
				if err := os.WriteFile(filepath.Join(to, path.Base(k)), nil, 0o600); err != nil {
					return err
				}
				continue
			}
			if err := v.scatter(from, to); err != nil {
				return err
			}
		case ext == ".yaml" || ext == ".yml":
			text, _ := v.raw(from)
			if err := os.WriteFile(to, withoutCRDs(text), 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// kustomizationIn is the kustomization file of a folder, "" if it has none.
func (v *view) kustomizationIn(dir string) string {
	for _, name := range kustomizationNames {
		if file := path.Join(dir, name); v.isFile(file) {
			return file
		}
	}
	return ""
}
