package flux

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

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

// World is what Git wants of some clusters.
type World struct{ Roots []*Root }

// Find returns the root of a cluster with a reference.
func (w *World) Find(c deploy.Cluster, ref deploy.Ref) *Root {
	for _, r := range w.Roots {
		if r.Cluster == c && r.Ref.Namespace == ref.Namespace && r.Ref.Name == ref.Name {
			return r
		}
	}
	return nil
}

// Ours decides whether a source is the repository and branch at hand.
type Ours func(deploy.Source) bool

// World renders everything that the clusters declare.
func (r *Renderer) World(ctx context.Context, f Files, ours Ours, clusters []deploy.Declared) (*World, error) {
	w := &World{}
	if err := r.prefetch(ctx, f, ours, clusters); err != nil {
		return nil, err
	}
	for _, c := range clusters {
		g := &graph{r: r, files: f, ours: ours, cluster: c.Cluster, roots: map[deploy.Ref]*Root{}, live: map[deploy.Ref]deploy.Kustomization{}, sources: map[deploy.Ref]deploy.Source{}}
		if err := g.run(ctx, c); err != nil {
			return nil, fmt.Errorf("render %s: %w", c.Cluster, err)
		}
		w.Roots = append(w.Roots, g.sorted()...)
	}
	return w, nil
}

// prefetch gets what the declared Kustomizations read, in a few requests; only
// for a tree on which nothing was rendered yet.
func (r *Renderer) prefetch(ctx context.Context, f Files, ours Ours, clusters []deploy.Declared) error {
	r.mu.Lock()
	fresh := r.of != f.Tree
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

// graph follows the Kustomizations of one cluster.
type graph struct {
	r       *Renderer
	files   Files
	ours    Ours
	cluster deploy.Cluster
	roots   map[deploy.Ref]*Root
	live    map[deploy.Ref]deploy.Kustomization
	sources map[deploy.Ref]deploy.Source
	queue   []deploy.Ref
}

// rounds is how often what is rendered may change what is to be rendered.
const rounds = 12

func (g *graph) run(ctx context.Context, c deploy.Declared) error {
	for _, d := range c.Kustomizations {
		g.live[nameOf(d.Ref)] = d
		if d.Source != (deploy.Source{}) {
			g.sources[nameOf(d.SourceRef)] = d.Source
		}
	}
	for _, d := range c.Kustomizations {
		k, err := ParseKustomization(d.Object)
		if err != nil {
			return err
		}
		g.want(k)
	}
	for range rounds {
		todo := g.queue
		g.queue = nil
		for _, ref := range todo {
			if err := g.render(ctx, g.roots[ref]); err != nil {
				return err
			}
		}
		if len(g.queue) == 0 {
			return nil
		}
	}
	return fmt.Errorf("the Kustomizations of %s change each other without end", g.cluster)
}

// nameOf is a reference without what may be missing in it.
func nameOf(r deploy.Ref) deploy.Ref { return deploy.Ref{Namespace: r.Namespace, Name: r.Name} }

// want takes a Kustomization in, unless it is there just so.
func (g *graph) want(k Kustomization) {
	name := nameOf(k.Ref)
	if live, ok := g.live[name]; ok {
		k.Vars, k.Unknown, k.Ignore = live.Substitutes, live.SubstituteErr, live.SourceIgnore
	} else if k.Spec.PostBuild != nil && len(k.Spec.PostBuild.SubstituteFrom) > 0 {
		k.Unknown = "the cluster does not have " + k.Ref.String() + " yet"
	}
	if old := g.roots[name]; old != nil && old.SourceRef == k.SourceRef && old.key("") == k.key("") {
		return
	}
	g.roots[name] = &Root{Cluster: g.cluster, Kustomization: k}
	g.queue = append(g.queue, name)
}

// elsewhere says what a Kustomization reads if it is not the repository at
// hand. A GitRepository that nobody knows is taken for it.
func (g *graph) elsewhere(k Kustomization) string {
	if k.SourceRef.Kind != "GitRepository" {
		return k.SourceRef.String()
	}
	source, known := g.sources[nameOf(k.SourceRef)]
	if live, ok := g.live[nameOf(k.Ref)]; ok && nameOf(live.SourceRef) == nameOf(k.SourceRef) && live.Source != (deploy.Source{}) {
		source, known = live.Source, true
	}
	if !known || g.ours(source) {
		return ""
	}
	at := source.Branch
	if at == "" {
		at = source.Pinned
	}
	return source.URL + " at " + at
}

// render renders a root and takes in what it declares.
func (g *graph) render(ctx context.Context, root *Root) error {
	if root.Elsewhere = g.elsewhere(root.Kustomization); root.Elsewhere != "" {
		return nil
	}
	var err error
	if root.Rendering, err = g.r.Render(ctx, g.files, root.Kustomization); err != nil {
		return err
	}
	for _, o := range root.Rendering.Objects {
		switch {
		case o.Group == "source.toolkit.fluxcd.io" && o.Ref.Kind == "GitRepository":
			g.learnSource(o)
		case o.Group == Group && o.Ref.Kind == "Kustomization":
			data, err := json.Marshal(o.Data)
			if err != nil {
				return fmt.Errorf("write %s: %w", o.Ref, err)
			}
			k, err := ParseKustomization(data)
			if err != nil {
				continue // Flux refuses it too
			}
			g.want(k)
		}
	}
	return nil
}

// learnSource reads a GitRepository that the repository itself declares.
func (g *graph) learnSource(o *Object) {
	if _, known := g.sources[nameOf(o.Ref)]; known {
		return
	}
	if s, ok := SourceOf(o.Data); ok {
		g.sources[nameOf(o.Ref)] = s
	}
}

// SourceOf reads a GitRepository object.
func SourceOf(object map[string]any) (deploy.Source, bool) {
	spec, _ := object["spec"].(map[string]any)
	u, _ := spec["url"].(string)
	s := deploy.Source{URL: u}
	ref, _ := spec["ref"].(map[string]any)
	for _, kind := range []string{"commit", "name", "semver", "tag"} {
		if v, _ := ref[kind].(string); v != "" && s.Pinned == "" {
			s.Pinned = kind + " " + v
		}
	}
	if s.Pinned == "" {
		if s.Branch, _ = ref["branch"].(string); s.Branch == "" {
			s.Branch = "master" // source-controller's default
		}
	}
	return s, u != ""
}

func (g *graph) sorted() []*Root {
	out := make([]*Root, 0, len(g.roots))
	for _, r := range g.roots {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *Root) int {
		return slices.Compare([]string{a.Ref.Namespace, a.Ref.Name}, []string{b.Ref.Namespace, b.Ref.Name})
	})
	return out
}
