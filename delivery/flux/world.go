package flux

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
)

// Root is one Kustomization of a cluster and what it renders to.
type Root struct {
	Cluster deploy.Cluster
	Kustomization
	// Elsewhere says which other source it reads, for one that is not rendered
	// because no commit on this branch can change it.
	Elsewhere string
	// Rendering is nil for one that reads elsewhere.
	Rendering *Rendering
}

// World is what Git wants of some clusters. It is not changed once it exists.
type World struct {
	files  Files
	graphs []*graph
	by     map[deploy.Cluster]*graph
}

// Ours decides whether a source is the repository and branch at hand.
type Ours func(deploy.Source) bool

// World renders everything that the clusters declare.
func (r *Renderer) World(ctx context.Context, f Files, ours Ours, clusters []deploy.Declared) (*World, error) {
	if err := r.prefetch(ctx, f, ours, clusters); err != nil {
		return nil, err
	}
	w := newWorld(f)
	for _, c := range clusters {
		g := newGraph(r, f, ours, c)
		if err := g.run(ctx); err != nil {
			return nil, fmt.Errorf("render %s: %w", c.Cluster, err)
		}
		w.add(g)
	}
	return w, nil
}

// Next renders a world on other files that differ by some changes. What they do
// not touch is taken over.
func (r *Renderer) Next(ctx context.Context, w *World, f Files, changes []snapshot.Change) (*World, error) {
	out := newWorld(f)
	for _, g := range w.graphs {
		next, err := g.next(ctx, f, changes)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", g.declared.Cluster, err)
		}
		out.add(next)
	}
	return out, nil
}

// With renders a world with one more file replaced; nil takes it away.
func (r *Renderer) With(ctx context.Context, w *World, file string, data []byte) (*World, error) {
	f := w.files.With(file, data)
	_, there := w.files.Tree.Entry(file)
	if before, replaced := w.files.Overlay[file]; replaced {
		there = before != nil
	}
	return r.Next(ctx, w, f, []snapshot.Change{{Path: file, Structural: there != (data != nil)}})
}

func newWorld(f Files) *World { return &World{files: f, by: map[deploy.Cluster]*graph{}} }

func (w *World) add(g *graph) {
	w.graphs = append(w.graphs, g)
	w.by[g.declared.Cluster] = g
}

// Files are the files that the world was rendered from.
func (w *World) Files() Files { return w.files }

// Clusters lists the clusters in the order in which they were given.
func (w *World) Clusters() []deploy.Cluster {
	out := make([]deploy.Cluster, 0, len(w.graphs))
	for _, g := range w.graphs {
		out = append(out, g.declared.Cluster)
	}
	return out
}

// Roots lists a cluster's Kustomizations in the order of their names.
func (w *World) Roots(c deploy.Cluster) []*Root {
	if g := w.by[c]; g != nil {
		return g.sorted
	}
	return nil
}

// Unchanged reports whether a cluster was taken over from another world as it
// is.
func (w *World) Unchanged(other *World, c deploy.Cluster) bool { return w.by[c] == other.by[c] }

// Find returns the root of a cluster with a reference.
func (w *World) Find(c deploy.Cluster, ref deploy.Ref) *Root {
	if g := w.by[c]; g != nil {
		return g.roots[nameOf(ref)]
	}
	return nil
}

// Placed is an object and the Kustomization that renders it.
type Placed struct {
	*Object
	Root *Root
}

// Lookup returns an object of a cluster by its group, kind and name; the zero
// Placed if Git does not declare it there.
func (w *World) Lookup(c deploy.Cluster, group string, ref deploy.Ref) Placed {
	g := w.by[c]
	if g == nil {
		return Placed{}
	}
	return g.objects()[ID{group, ref}]
}

// Each calls f for every object of a cluster.
func (w *World) Each(c deploy.Cluster, f func(Placed)) {
	for _, root := range w.Roots(c) {
		if root.Rendering != nil {
			for _, o := range root.Rendering.Objects {
				f(Placed{o, root})
			}
		}
	}
}

// prefetch gets what the declared Kustomizations read, in a few requests; only
// for a tree on which nothing was rendered yet.
func (r *Renderer) prefetch(ctx context.Context, f Files, ours Ours, clusters []deploy.Declared) error {
	r.mu.Lock()
	fresh := r.reached != f.Tree
	r.reached = f.Tree
	r.mu.Unlock()
	if !fresh {
		return nil
	}
	var ks []Kustomization
	for _, c := range clusters {
		for _, d := range c.Kustomizations {
			if k, err := ParseKustomization(d.Object); err == nil && (d.Source == (deploy.Source{}) || ours(d.Source)) {
				ks = append(ks, k)
			}
		}
	}
	_, err := r.ReachOf(ctx, f, ks)
	return err
}

// Dependencies are the objects in Git that decide on how a Kustomization is
// rendered: those that declare it, and those that its variables come from.
func (w *World) Dependencies(k *Root) []Placed {
	g := w.by[k.Cluster]
	var out []Placed
	for _, root := range g.sorted {
		if root.Rendering == nil {
			continue
		}
		for _, o := range root.Rendering.Objects {
			if o.Group == Group && nameOf(o.Ref) == nameOf(k.Ref) {
				out = append(out, Placed{o, root})
			}
		}
	}
	for _, ref := range k.substitutes() {
		if placed, ok := g.values[ref]; ok {
			out = append(out, placed)
		}
	}
	return out
}

// Substitutes reports whether a Kustomization takes variables from an object.
func (r *Root) Substitutes(ref deploy.Ref) bool { return slices.Contains(r.substitutes(), ref) }

// Secrets lists what a Kustomization takes variables from without Git saying
// what is in it.
func (r *Root) Secrets() []string {
	var out []string
	for _, ref := range r.substitutes() {
		out = append(out, ref.String())
	}
	return out
}

func (r *Root) substitutes() []deploy.Ref {
	if r == nil || r.Spec.PostBuild == nil {
		return nil
	}
	var out []deploy.Ref
	for _, raw := range r.Spec.PostBuild.SubstituteFrom {
		var f from
		if json.Unmarshal(raw, &f) == nil {
			out = append(out, deploy.Ref{Kind: f.Kind, Namespace: r.Ref.Namespace, Name: f.Name})
		}
	}
	return out
}
