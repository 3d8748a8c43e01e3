package flux

import (
	"slices"

	"ferry/internal/deploy"
)

// On is a world as if it were rendered from other files: nothing is rendered. It is
// for looking into those files, not for what they render to.
func (w *World) On(f Files) *World {
	out := newWorld(f)
	for _, g := range w.graphs {
		out.add(g)
	}
	return out
}

// Single reports whether a Kustomization is built as one thing: each change of what it
// reads builds all of it again.
func (r *Root) Single() bool {
	return r != nil && r.Rendering != nil && r.Rendering.Err == nil && len(r.Rendering.parts) == 0
}

// Ahead is the world that With makes, for whoever knows what will come of it: that of
// all that is rendered one object becomes another one, which its Kustomization
// renders. Nothing is rendered. It is nil where other renderings may depend on the
// object, or where the Kustomization does not render it as one thing.
func (w *World) Ahead(file string, data []byte, c deploy.Cluster, root deploy.Ref, now *Object) *World {
	g := w.by[c]
	if g == nil {
		return nil
	}
	old := g.roots[nameOf(root)]
	if !old.Single() {
		return nil
	}
	at := slices.IndexFunc(old.Rendering.Objects, func(o *Object) bool { return o.ID() == now.ID() })
	if at < 0 {
		return nil
	}
	r := old.Rendering
	swapped := &Rendering{Objects: slices.Clone(r.Objects), notes: r.notes, whole: r.whole, renamed: r.renamed, moved: r.moved, gaps: r.gaps}
	swapped.Objects[at] = now
	if g.decides(r, swapped) {
		return nil
	}
	next := newGraph(g.r, g.files, g.ours, g.declared)
	next.live, next.sources, next.values, next.artifacts = g.live, g.sources, g.values, g.artifacts
	for name, root := range g.roots {
		if root == old {
			c := *root
			c.Rendering = swapped
			root = &c
		}
		next.roots[name] = root
	}
	next.sort()
	out := newWorld(w.files.With(file, data))
	for _, other := range w.graphs {
		if other == g {
			other = next
		}
		out.add(other)
	}
	return out
}
