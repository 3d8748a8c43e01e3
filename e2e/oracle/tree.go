package oracle

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/fluxcd/pkg/sourceignore"
	"github.com/fluxcd/pkg/sourceignore/gitignore"
)

// largest is the size above which a file is no manifest.
const largest = 8 << 20

// Tree is a repository's files by their slash path, without a leading slash. It is never changed.
type Tree map[string][]byte

// Load reads a folder. Symlinks and what lies in .git are left out.
func Load(dir string) (Tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	defer func() { _ = root.Close() }()
	tree := Tree{}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Size() > largest {
			return err
		}
		tree[name], err = root.ReadFile(name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", dir, err)
	}
	return tree, nil
}

// Change is new text of files, by path.
type Change map[string][]byte

// Artifact is what a Flux source makes of a tree: paths within the artifact, each with the file of the tree that it
// comes from.
type Artifact struct {
	name  string // distinguishes artifacts of one tree
	whole bool   // takes files as they are, but for what skip says
	skip  func(file string) bool
	files map[string]string
	dirs  map[string][]string // folder → sorted names within; the root is ""
}

func newArtifact(name string, files map[string]string) *Artifact {
	a := &Artifact{name: name, files: files, dirs: map[string][]string{"": nil}}
	seen := map[string]bool{}
	for file := range files {
		for p := file; p != "" && !seen[p]; p = parent(p) {
			seen[p] = true
			a.dirs[parent(p)] = append(a.dirs[parent(p)], path.Base(p))
		}
	}
	for _, names := range a.dirs {
		slices.Sort(names)
	}
	return a
}

func parent(p string) string {
	if dir := path.Dir(p); dir != "." && dir != "/" {
		return dir
	}
	return ""
}

// isDir says whether the artifact has that folder.
func (a *Artifact) isDir(dir string) bool {
	_, ok := a.dirs[dir]
	return ok
}

// sub is the artifact that was pushed from a folder.
func (a *Artifact) sub(dir string) *Artifact {
	files := map[string]string{}
	for name, from := range a.files {
		if rest, ok := strings.CutPrefix(name, dir+"/"); ok {
			files[rest] = from
		}
	}
	return newArtifact(a.name+"//"+dir, files)
}

// artifact is what source-controller packs: everything that the .sourceignore files and the source's own spec.ignore
// leave; where there is none of either, what its default excludes leave (SourceIgnoreFilter in fluxcd/pkg/artifact).
func (t Tree) artifact(name string, ignore *string) *Artifact {
	var patterns []gitignore.Pattern
	var ignoreFiles []string
	for file := range t {
		if path.Base(file) == sourceignore.IgnoreFile {
			ignoreFiles = append(ignoreFiles, file)
		}
	}
	slices.Sort(ignoreFiles)
	for _, file := range ignoreFiles {
		var domain []string
		if dir := parent(file); dir != "" {
			domain = strings.Split(dir, "/")
		}
		patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(string(t[file])), domain)...)
	}
	if ignore != nil {
		patterns = append(patterns, sourceignore.ReadPatterns(strings.NewReader(*ignore), nil)...)
	}
	if len(patterns) == 0 {
		patterns = sourceignore.DefaultPatterns(nil)
	}
	matcher := gitignore.NewMatcher(append(sourceignore.VCSPatterns(nil), patterns...))
	skip := func(file string) bool { return matcher.Match(strings.Split(file, "/"), false) }
	files := map[string]string{}
	for file := range t {
		if !skip(file) {
			files[file] = file
		}
	}
	a := newArtifact(name, files)
	a.whole, a.skip = true, skip
	return a
}

// clamp is how Flux reads spec.path: from the artifact's root, and never above it.
func clamp(p string) string {
	return strings.TrimPrefix(path.Clean("/"+p), "/")
}
