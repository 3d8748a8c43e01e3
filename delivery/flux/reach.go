package flux

import (
	"context"
	"path"
	"slices"
	"strings"

	"ferry/delivery/snapshot"
)

// Reach is what a Kustomization may read, found from the kustomization files
// alone, without a build.
type Reach struct {
	Files map[string]bool
	// Folders are those whose listing decides what is read.
	Folders map[string]bool
	// Complete is false if something could not be followed.
	Complete bool
}

// May reports whether a file may be read.
func (r Reach) May(file string) bool {
	if !r.Complete || r.Files[file] {
		return true
	}
	for dir := range r.Folders {
		if dir == "" || strings.HasPrefix(file, dir+"/") {
			return true
		}
	}
	return false
}

// walker finds a Reach breadth first, so that each level is one fetch.
type walker struct {
	ctx   context.Context //nolint:containedctx // lives as long as one call
	files Files
	view  *snapshot.View
	seen  map[string]bool
	next  []string
	out   Reach
}

// ReachOf follows Kustomizations and makes everything found present in the
// files' blobs: what is rendered next needs no request of its own.
func (r *Renderer) ReachOf(ctx context.Context, f Files, ks []Kustomization) (Reach, error) {
	w := &walker{ctx: ctx, files: f, seen: map[string]bool{}, out: Reach{Files: map[string]bool{}, Folders: map[string]bool{}, Complete: true}}
	ignore := ""
	for _, k := range ks {
		ignore = k.Ignore
		if strings.Contains(k.Spec.Path, unknownMark) {
			w.out.Complete = false // which folder it is depends on what is not known
		}
		w.enter(k.Dir())
		for _, c := range k.Spec.Components {
			w.enter(path.Join(k.Dir(), c))
		}
	}
	hidden, err := r.hiddenIn(ctx, f, ignore)
	if err != nil {
		return w.out, err
	}
	w.view = snapshot.NewView(ctx, f.Tree, f.Blobs, hidden, f.Overlay)
	for len(w.next) > 0 {
		level := w.next
		w.next = nil
		if err := w.level(level); err != nil {
			return w.out, err
		}
	}
	return w.out, w.fetch(w.out.Files)
}

func (w *walker) enter(dir string) {
	dir = strings.TrimPrefix(path.Clean("/"+dir), "/")
	if !w.seen[dir] {
		w.seen[dir] = true
		w.next = append(w.next, dir)
	}
}

// level follows the kustomization files of some folders.
func (w *walker) level(dirs []string) error {
	found := map[string]bool{}
	for _, dir := range dirs {
		if w.view.Kind(dir) != "folder" {
			continue
		}
		file := kustomizationFile(w.view, dir)
		if file != "" {
			found[file] = true
			w.out.Files[file] = true
			continue
		}
		w.out.Folders[dir] = true
		for _, p := range manifests(w.view, dir, "") {
			w.refer(dir, p)
		}
	}
	if err := w.fetch(found); err != nil {
		return err
	}
	for file := range found {
		data, err := w.view.File(file)
		if err != nil {
			return err
		}
		refs := references(data)
		if refs == nil || refs.plugins {
			w.out.Complete = false
		}
		if refs == nil {
			continue
		}
		for _, p := range refs.all() {
			w.refer(path.Dir(file), p)
		}
	}
	return nil
}

// refer takes in what a kustomization file names.
func (w *walker) refer(dir, ref string) {
	if ref == "" || strings.Contains(ref, "\n") || remote(ref) {
		return
	}
	p := strings.TrimPrefix(path.Clean("/"+path.Join(dir, ref)), "/")
	switch w.view.Kind(p) {
	case "folder":
		w.enter(p)
	case "file":
		w.out.Files[p] = true
	}
}

// fetch makes files present.
func (w *walker) fetch(files map[string]bool) error {
	var shas []string
	for p := range files {
		if _, replaced := w.files.Overlay[p]; replaced {
			continue
		}
		if e, ok := w.files.Tree.Entry(p); ok {
			shas = append(shas, e.SHA)
		}
	}
	slices.Sort(shas)
	return w.files.Blobs.Prefetch(w.ctx, shas)
}
