package flux

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/fluxcd/pkg/sourceignore"

	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
)

// graph follows the Kustomizations of one cluster.
type graph struct {
	r        *Renderer
	files    Files
	ours     Ours
	declared deploy.Declared
	roots    map[deploy.Ref]*Root
	sorted   []*Root
	live     map[deploy.Ref]deploy.Kustomization
	sources  map[deploy.Ref]deploy.Source
	values   map[deploy.Ref]Placed // the ConfigMaps and Secrets that Git declares
	// artifacts are those that are made of the repository.
	artifacts map[deploy.Ref][]Copy
	queue     []deploy.Ref

	indexed sync.Once
	index   map[ID]Placed
}

func newGraph(r *Renderer, f Files, ours Ours, c deploy.Declared) *graph {
	return &graph{
		r: r, files: f, ours: ours, declared: c, roots: map[deploy.Ref]*Root{}, live: map[deploy.Ref]deploy.Kustomization{},
		sources: map[deploy.Ref]deploy.Source{}, values: map[deploy.Ref]Placed{}, artifacts: map[deploy.Ref][]Copy{},
	}
}

// rounds is how often what is rendered may change what is to be rendered.
const rounds = 12

func (g *graph) run(ctx context.Context) error {
	for _, d := range g.declared.Kustomizations {
		g.live[nameOf(d.Ref)] = d
		if d.Source != (deploy.Source{}) {
			g.sources[nameOf(d.SourceRef)] = d.Source
		}
	}
	for _, d := range g.declared.Kustomizations {
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
		g.revise()
		if len(g.queue) == 0 {
			g.sort()
			return nil
		}
	}
	return fmt.Errorf("the Kustomizations of %s change each other without end", g.declared.Cluster)
}

// next is the graph on other files. A graph that the changes do not touch is
// its own next; one whose Kustomizations, sources or variables change is made
// anew.
func (g *graph) next(ctx context.Context, f Files, changes []snapshot.Change) (*graph, error) {
	again := slices.ContainsFunc(changes, func(c snapshot.Change) bool { return path.Base(c.Path) == sourceignore.IgnoreFile })
	replaced := map[*Root]*Rendering{}
	for _, root := range g.sorted {
		if again {
			break
		}
		if root.Rendering == nil || !root.Rendering.touchesAny(changes) {
			continue
		}
		now, err := g.r.Render(ctx, f, root.Kustomization)
		if err != nil {
			return nil, err
		}
		if now != root.Rendering {
			replaced[root] = now
			again = g.decides(root.Rendering, now)
		}
	}
	if again {
		out := newGraph(g.r, f, g.ours, g.declared)
		return out, out.run(ctx)
	}
	if len(replaced) == 0 {
		return g, nil
	}
	out := newGraph(g.r, f, g.ours, g.declared)
	out.live, out.sources, out.values, out.artifacts = g.live, g.sources, g.values, g.artifacts
	for name, root := range g.roots {
		if now := replaced[root]; now != nil {
			c := *root
			c.Rendering = now
			root = &c
		}
		out.roots[name] = root
	}
	out.sort()
	return out, nil
}

// decides reports whether two renderings of a Kustomization differ in something
// that other renderings depend on.
func (g *graph) decides(before, after *Rendering) bool {
	pick := func(r *Rendering) []*Object {
		var out []*Object
		for _, o := range r.Objects {
			if (o.Group == Group && o.Ref.Kind == "Kustomization") || (o.Group == sourceGroup && o.Ref.Kind == "GitRepository") || isGenerator(o) || isValues(o) {
				out = append(out, o)
			}
		}
		return out
	}
	return !slices.EqualFunc(pick(before), pick(after), (*Object).Same)
}

const sourceGroup = "source.toolkit.fluxcd.io"

func isValues(o *Object) bool {
	return o.Group == "" && (o.Ref.Kind == "ConfigMap" || o.Ref.Kind == "Secret")
}

// nameOf is a reference without what may be missing in it.
func nameOf(r deploy.Ref) deploy.Ref { return deploy.Ref{Namespace: r.Namespace, Name: r.Name} }

// want takes a Kustomization in, unless it is there just so.
func (g *graph) want(k Kustomization) {
	name := nameOf(k.Ref)
	if live, ok := g.live[name]; ok {
		k.Ignore = live.SourceIgnore
	}
	k.Vars, k.Unknown = g.variables(k)
	k.Copies = g.copies(k.SourceRef)
	if old := g.roots[name]; old != nil && old.SourceRef == k.SourceRef && len(old.Copies) == len(k.Copies) && old.key("") == k.key("") {
		return
	}
	g.roots[name] = &Root{Cluster: g.declared.Cluster, Kustomization: k}
	if !slices.Contains(g.queue, name) {
		g.queue = append(g.queue, name)
	}
}

// revise takes in again what substitutes from something that was rendered
// meanwhile.
func (g *graph) revise() {
	for _, root := range g.roots {
		if root.SourceRef.Kind == externalArtifact || (root.Spec.PostBuild != nil && len(root.Spec.PostBuild.SubstituteFrom) > 0) {
			g.want(root.Kustomization)
		}
	}
}

// elsewhere says what a Kustomization reads if it is not the repository at
// hand. A GitRepository that nobody knows is taken for it.
func (g *graph) elsewhere(k Kustomization) string {
	if k.SourceRef.Kind != "GitRepository" {
		if len(k.Copies) > 0 {
			return ""
		}
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
		if o.Group == sourceGroup && o.Ref.Kind == "GitRepository" {
			g.learnSource(o)
		}
		if isValues(o) {
			g.values[o.Ref] = Placed{o, root}
		}
		if isGenerator(o) {
			g.learnArtifacts(o)
		}
	}
	for _, o := range root.Rendering.Objects {
		if o.Group == Group && o.Ref.Kind == "Kustomization" {
			if k, err := g.r.kustomization(o); err == nil { // else Flux refuses it too
				g.want(k)
			}
		}
	}
	return nil
}

// learnSource reads a GitRepository that the repository itself declares.
func (g *graph) learnSource(o *Object) {
	if _, known := g.sources[nameOf(o.Ref)]; known {
		return
	}
	if s, ok := SourceOf(o.Data()); ok {
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

func (g *graph) sort() {
	g.sorted = make([]*Root, 0, len(g.roots))
	for _, r := range g.roots {
		g.sorted = append(g.sorted, r)
	}
	slices.SortFunc(g.sorted, func(a, b *Root) int {
		if c := strings.Compare(a.Ref.Namespace, b.Ref.Namespace); c != 0 {
			return c
		}
		return strings.Compare(a.Ref.Name, b.Ref.Name)
	})
}

// objects indexes what the cluster's Kustomizations render.
func (g *graph) objects() map[ID]Placed {
	g.indexed.Do(func() {
		g.index = map[ID]Placed{}
		for _, root := range g.sorted {
			if root.Rendering != nil {
				for _, o := range root.Rendering.Objects {
					g.index[o.ID()] = Placed{o, root}
				}
			}
		}
	})
	return g.index
}
