package flux

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// treeFS is the file system that kustomize builds from: the files of a commit,
// read only, under the root "/". It notes what a build looked at, so that the
// build need not be repeated for a commit in which none of that changed.
type treeFS struct {
	files map[string][]byte // by slash path without the leading slash
	dirs  map[string]bool
	over  map[string][]byte // written for this build alone: a generated kustomization.yaml
	seen  map[string]string // path to what was found there
}

func newTreeFS(files map[string][]byte) *treeFS {
	dirs := map[string]bool{".": true}
	for name := range files {
		for d := path.Dir(name); !dirs[d]; d = path.Dir(d) {
			dirs[d] = true
		}
	}
	return &treeFS{files: files, dirs: dirs, over: map[string][]byte{}, seen: map[string]string{}}
}

// again says whether everything that an earlier build saw looks the same here.
func (t *treeFS) again(seen map[string]string) bool {
	for p, what := range seen {
		if strings.HasPrefix(p, "list ") {
			if t.listing(strings.TrimPrefix(p, "list ")) != what {
				return false
			}
		} else if t.look(p) != what {
			return false
		}
	}
	return true
}

func (t *treeFS) look(name string) string {
	if content, ok := t.files[name]; ok {
		return digest(content)
	}
	if t.dirs[name] {
		return "dir"
	}
	return "absent"
}

func (t *treeFS) listing(dir string) string { return strings.Join(t.under(dir), "\n") }

// under are the paths of the files below a directory, sorted.
func (t *treeFS) under(dir string) []string {
	var names []string
	for name := range t.files {
		if dir == "." || strings.HasPrefix(name, dir+"/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// local is a path as the maps have it. Nothing is above the root.
func local(p string) string {
	p = strings.TrimPrefix(path.Clean("/"+filepath.ToSlash(p)), "/")
	if p == "" {
		return "."
	}
	return p
}

// noted is the local path, remembered with what is there.
func (t *treeFS) noted(p string) string {
	name := local(p)
	if _, own := t.over[name]; !own {
		if _, known := t.seen[name]; !known {
			t.seen[name] = t.look(name)
		}
	}
	return name
}

// list are the files below a directory, which is remembered as listed.
func (t *treeFS) list(dir string) []string {
	t.seen["list "+dir] = t.listing(dir)
	return t.under(dir)
}

func (t *treeFS) isFile(name string) bool {
	_, own := t.over[name]
	_, ok := t.files[name]
	return own || ok
}

// ReadFile implements filesys.FileSystem.
func (t *treeFS) ReadFile(p string) ([]byte, error) {
	name := t.noted(p)
	if content, ok := t.over[name]; ok {
		return content, nil
	}
	if content, ok := t.files[name]; ok {
		return slices.Clone(content), nil
	}
	return nil, fmt.Errorf("open %s: %w", p, fs.ErrNotExist)
}

// Exists implements filesys.FileSystem.
func (t *treeFS) Exists(p string) bool {
	name := t.noted(p)
	return t.isFile(name) || t.dirs[name]
}

// IsDir implements filesys.FileSystem.
func (t *treeFS) IsDir(p string) bool { return t.dirs[t.noted(p)] }

// CleanedAbs implements filesys.FileSystem.
func (t *treeFS) CleanedAbs(p string) (filesys.ConfirmedDir, string, error) {
	name := t.noted(p)
	switch {
	case t.dirs[name]:
		return confirmed(name), "", nil
	case t.isFile(name):
		return confirmed(path.Dir(name)), path.Base(name), nil
	}
	return "", "", fmt.Errorf("lstat %s: %w", p, fs.ErrNotExist)
}

func confirmed(dir string) filesys.ConfirmedDir { return filesys.ConfirmedDir(path.Join("/", dir)) }

// ReadDir implements filesys.FileSystem.
func (t *treeFS) ReadDir(p string) ([]string, error) {
	dir := t.noted(p)
	if !t.dirs[dir] {
		return nil, fmt.Errorf("open %s: %w", p, fs.ErrNotExist)
	}
	var names []string
	for _, name := range t.list(dir) {
		rest := strings.TrimPrefix(name, dir+"/")
		first, _, _ := strings.Cut(rest, "/")
		names = append(names, first)
	}
	return slices.Compact(names), nil
}

// Glob implements filesys.FileSystem.
func (t *treeFS) Glob(pattern string) ([]string, error) {
	var names []string
	for _, name := range t.list(".") {
		if ok, err := path.Match(local(pattern), name); err != nil {
			return nil, err
		} else if ok {
			names = append(names, "/"+name)
		}
	}
	return names, nil
}

// Walk implements filesys.FileSystem; builds of local files do not need it.
func (t *treeFS) Walk(string, filepath.WalkFunc) error { return errReadOnly() }

// WriteFile implements filesys.FileSystem: not into the commit, but over it.
func (t *treeFS) WriteFile(p string, data []byte) error {
	t.over[local(p)] = data
	return nil
}

func errReadOnly() error { return errors.New("a fetched commit is read only") }

// The rest of filesys.FileSystem is for writers.

func (t *treeFS) Create(string) (filesys.File, error) { return nil, errReadOnly() }
func (t *treeFS) Mkdir(string) error                  { return errReadOnly() }
func (t *treeFS) MkdirAll(string) error               { return errReadOnly() }
func (t *treeFS) RemoveAll(string) error              { return errReadOnly() }
func (t *treeFS) Open(string) (filesys.File, error)   { return nil, errReadOnly() }
