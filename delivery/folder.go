package delivery

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Folder plans on the files of a folder, such as a checkout, without a cluster
// or GitHub: clusters are what their folders declare. It is not safe for
// concurrent use.
type Folder struct {
	engine
	dir      string
	files    flux.Files
	clusters []deploy.Cluster
	empty    map[deploy.Cluster]error // clusters of which Git declares nothing
}

// OpenFolder reads a folder. Clusters are called like the paths of their own
// folders; without any they are looked for: where Flux was bootstrapped, else
// below clusters/.
func OpenFolder(ctx context.Context, dir string, clusters []string) (*Folder, error) {
	tree, disk, err := readFolder(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, files: flux.Files{Tree: tree, Blobs: snapshot.NewBlobs(disk, 0)}}
	f.flux, f.paths, f.detect = flux.NewRenderer(), map[deploy.Cluster]string{}, true
	if len(clusters) == 0 {
		clusters = discover(tree)
	}
	if len(clusters) == 0 {
		return nil, fault.Newf(fault.Invalid, "no clusters are found in %s", dir).
			WithHelp("name the folders of the clusters, as Flux was bootstrapped with: --cluster clusters/prod --cluster clusters/stage")
	}
	for _, c := range clusters {
		p := strings.Trim(path.Clean("/"+filepath.ToSlash(c)), "/")
		if !tree.HasFolder(p) {
			return nil, fault.Newf(fault.Invalid, "%s has no folder %q", dir, c).WithHelp("clusters are given as paths below the repository's root")
		}
		f.paths[deploy.Cluster(p)] = p
		if !slices.Contains(f.clusters, deploy.Cluster(p)) {
			f.clusters = append(f.clusters, deploy.Cluster(p))
		}
	}
	return f, f.learnSources(ctx)
}

// Clusters lists the clusters.
func (f *Folder) Clusters() []deploy.Cluster { return f.clusters }

// Inventory tells of every app on every cluster where its version stands; with
// pins, for shared ones also where an override would.
func (f *Folder) Inventory(ctx context.Context, pins bool) ([]Item, error) {
	w, err := f.render(ctx)
	if err != nil {
		return nil, err
	}
	return f.inventory(ctx, w, f.clusters, pins)
}

// Broken lists the Kustomizations that cannot be rendered, or not all of them, and
// why.
func (f *Folder) Broken(ctx context.Context) ([]string, error) {
	w, err := f.render(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, c := range f.clusters {
		if err := f.empty[c]; err != nil {
			out = append(out, says(err))
		}
		for _, root := range w.Roots(c) {
			if root.Rendering != nil && root.Rendering.Err != nil {
				out = append(out, fmt.Sprintf("%s on %s: %s", root.Ref, c, firstLine(root.Rendering.Err)))
			}
			for _, gap := range gapsOf(root) {
				out = append(out, fmt.Sprintf("%s on %s: left out is %s", root.Ref, c, gap))
			}
		}
	}
	return out, nil
}

// Find returns the app of a cluster by its name, or "namespace/name".
func (f *Folder) Find(ctx context.Context, c deploy.Cluster, app string) (Item, error) {
	w, err := f.render(ctx)
	if err != nil {
		return Item{}, err
	}
	ns, name, qualified := strings.Cut(app, "/")
	if !qualified {
		name = app
	}
	var found []Item
	var names []string
	for _, item := range apps(w, c) {
		a := item.Target.App
		names = append(names, a.String())
		if a.Name == name && (!qualified || ns == a.Namespace || ns == item.Object.Namespace) {
			found = append(found, item)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return Item{}, fault.Newf(fault.NotFound, "Git declares no app %s on %s", app, c).
			WithHelp("it declares %s", strings.Join(names[:min(len(names), 12)], ", "))
	}
	e := fault.Newf(fault.Ambiguous, "there are %d apps called %s on %s", len(found), name, c).WithCode(Ambiguous)
	for _, item := range found {
		e.Choices = append(e.Choices, item.Target.App.String())
	}
	return Item{}, e
}

// Plan makes a change concrete. Nothing is written.
func (f *Folder) Plan(ctx context.Context, c deploy.Change) (deploy.Plan, error) {
	for _, err := range f.empty { // what it shares with others is not known
		return deploy.Plan{}, err
	}
	w, err := f.render(ctx)
	if err != nil {
		return deploy.Plan{}, err
	}
	p, _, err := f.plan(ctx, w, c, nil)
	return p, err
}

// Write writes a plan's files into the folder.
func (f *Folder) Write(p deploy.Plan) error {
	for file, data := range p.Files {
		full := filepath.Join(f.dir, filepath.FromSlash(file))
		if data == nil {
			if err := os.Remove(full); err != nil {
				return fmt.Errorf("remove %s: %w", file, err)
			}
			continue
		}
		mode := fs.FileMode(0o644)
		if info, err := os.Stat(full); err == nil {
			mode = info.Mode().Perm()
		}
		if err := os.WriteFile(full, data, mode); err != nil {
			return fmt.Errorf("write %s: %w", file, err)
		}
	}
	return nil
}

func (f *Folder) render(ctx context.Context) (*flux.World, error) {
	var declared []deploy.Declared
	for _, c := range f.clusters {
		declared = append(declared, deploy.Declared{Cluster: c, Known: f.empty[c] != nil})
	}
	return f.world(ctx, f.files, declared)
}

// learnSources finds out which of the sources in Git are this repository: the
// one that applies a cluster's own folder, and what `flux bootstrap` calls
// flux-system. Sources that Git does not declare count as this repository too.
func (f *Folder) learnSources(ctx context.Context) error {
	own := map[deploy.Source]bool{}
	f.ours = func(s deploy.Source) bool { return own[normal(s)] }
	for _, c := range f.clusters {
		ks, err := f.entry(ctx, f.files, c)
		if fault.Is(err, fault.Refused) {
			if f.empty == nil {
				f.empty = map[deploy.Cluster]error{}
			}
			f.empty[c] = err
			continue
		}
		if err != nil {
			return err
		}
		for _, k := range ks {
			applies := strings.Trim(path.Clean("/"+k.Path), "/") == string(c)
			if k.Source != (deploy.Source{}) && (applies || k.SourceRef.Name == fluxNamespace) {
				own[normal(k.Source)] = true
			}
		}
	}
	return nil
}

func normal(s deploy.Source) deploy.Source {
	return deploy.Source{URL: flux.NormalURL(s.URL), Branch: s.Branch, Pinned: s.Pinned}
}

// discover finds the folders of clusters.
func discover(tree *snapshot.Tree) []string {
	var out []string
	tree.Files("", func(e snapshot.Entry) {
		if path.Base(e.Path) == "gotk-sync.yaml" {
			out = append(out, path.Dir(path.Dir(e.Path)))
		}
	})
	if len(out) > 0 {
		return slices.Compact(out)
	}
	for _, name := range tree.Names("clusters") {
		if p := path.Join("clusters", name); tree.HasFolder(p) {
			out = append(out, p)
		}
	}
	return out
}

// disk fetches contents from files by their hash.
type disk struct {
	dir   string
	paths map[string]string
}

// Blobs implements snapshot.Fetcher.
func (d disk) Blobs(_ context.Context, shas []string) (map[string][]byte, error) {
	out := make(map[string][]byte, len(shas))
	for _, sha := range shas {
		full := filepath.Join(d.dir, filepath.FromSlash(d.paths[sha]))
		if to, err := os.Readlink(full); err == nil { // as in Git, its content is where it leads
			out[sha] = []byte(to)
			continue
		}
		data, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		out[sha] = data
	}
	return out, nil
}

// readFolder lists a folder as git would. Files of no interest to Flux are not
// opened.
func readFolder(dir string) (*snapshot.Tree, disk, error) {
	d := disk{dir: dir, paths: map[string]string{}}
	var entries []snapshot.Entry
	err := filepath.WalkDir(dir, func(full string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, full)
		if err != nil {
			return err
		}
		p := filepath.ToSlash(rel)
		if e.IsDir() {
			if e.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		}
		entry, err := fileEntry(full, p, e)
		if err == nil {
			entries = append(entries, entry)
			d.paths[entry.SHA] = p
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, d, fault.Newf(fault.Invalid, "there is no folder %s", dir).WithHelp("give the root of a checkout of the Flux repository")
	}
	if err != nil {
		return nil, d, fmt.Errorf("read %s: %w", dir, err)
	}
	return snapshot.NewTree("", entries), d, nil
}

// maxHashed is up to which size files are read for their hash; larger ones are
// told apart by where they stand.
const maxHashed = 4 << 20

func fileEntry(full, p string, e fs.DirEntry) (snapshot.Entry, error) {
	info, err := e.Info()
	if err != nil {
		return snapshot.Entry{}, err
	}
	out := snapshot.Entry{Path: p, Mode: snapshot.ModeFile, Size: int(info.Size()), SHA: "file:" + p}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		out.Mode = snapshot.ModeLink
		return out, nil
	case info.Mode().Perm()&0o100 != 0:
		out.Mode = snapshot.ModeExecutable
	}
	if info.Size() > maxHashed || !info.Mode().IsRegular() {
		return out, nil
	}
	data, err := os.ReadFile(full)
	if err != nil {
		return out, err
	}
	out.SHA = snapshot.HashBlob(data)
	return out, nil
}
