package delivery

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
)

// engine plans on trees, wherever they come from. It is safe for concurrent
// use.
type engine struct {
	flux *flux.Renderer
	// ours tells the repository and branch at hand from others.
	ours flux.Ours
	// paths are the configured folders of clusters.
	paths map[deploy.Cluster]string
	// artifacts are the configured folders of sources that are pushed from the
	// repository; with detect they are looked for as well.
	artifacts map[deploy.Ref]string
	detect    bool
	// fields says which of an app's versions is meant, where that is configured.
	fields func(deploy.App) deploy.FieldKind
	// require refuses what could not be looked up.
	require bool
	// warnAutomated only warns of image automation in charge.
	warnAutomated bool

	mu    sync.Mutex
	last  *rendered
	auto  *automations    // of the world that was looked at last
	hints map[hint]string // where versions were found: the first place to try
}

// rendered is the world that was asked for last.
type rendered struct {
	declared []deploy.Declared
	world    *flux.World
}

// world renders what clusters declare. The world of the last time is the start:
// what did not change since is taken over.
func (e *engine) world(ctx context.Context, f flux.Files, declared []deploy.Declared) (*flux.World, error) {
	declared, err := e.resolve(ctx, f, declared)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	last := e.last
	e.mu.Unlock()
	var w *flux.World
	switch {
	case last == nil || len(f.Overlay) > 0 || !sameDeclared(last.declared, declared):
		w, err = e.flux.World(ctx, f, e.ours, declared)
	case last.world.Files().Tree == f.Tree:
		return last.world, nil
	default:
		w, err = e.next(ctx, last.world, f)
	}
	if err != nil {
		return nil, err
	}
	if len(f.Overlay) == 0 {
		e.mu.Lock()
		e.last = &rendered{declared, w}
		e.mu.Unlock()
	}
	return w, nil
}

// next takes a world to another tree.
func (e *engine) next(ctx context.Context, w *flux.World, f flux.Files) (*flux.World, error) {
	changes := w.Files().Tree.Changes(f.Tree)
	e.flux.Advance(w.Files().Tree, f.Tree, changes)
	var shas []string
	for _, c := range changes {
		if entry, ok := f.Tree.Entry(c.Path); ok && manifest(c.Path) {
			shas = append(shas, entry.SHA)
		}
	}
	if len(shas) < smallTree { // else what is read is fetched as it is read
		if err := f.Blobs.Prefetch(ctx, shas); err != nil {
			return nil, err
		}
	}
	return e.flux.Next(ctx, w, f, changes)
}

// sameDeclared reports whether clusters declare the same.
func sameDeclared(a, b []deploy.Declared) bool {
	return slices.EqualFunc(a, b, func(x, y deploy.Declared) bool {
		return x.Cluster == y.Cluster && maps.Equal(x.Artifacts, y.Artifacts) && x.Known == y.Known && slices.EqualFunc(x.Kustomizations, y.Kustomizations, sameKustomization)
	})
}

func sameKustomization(a, b deploy.Kustomization) bool {
	return a.Ref == b.Ref && a.SourceRef == b.SourceRef && a.Source == b.Source && a.SourceIgnore == b.SourceIgnore &&
		bytes.Equal(a.Object, b.Object) && slices.EqualFunc(a.Substitutes, b.Substitutes, sameSubstitute)
}

func sameSubstitute(a, b deploy.Substitute) bool {
	if a.Ref != b.Ref || a.Missing != b.Missing || a.Problem != b.Problem || len(a.Values) != len(b.Values) {
		return false
	}
	for k, v := range a.Values {
		if w, ok := b.Values[k]; !ok || w != v {
			return false
		}
	}
	return true
}

// hint names a field of a target whose place was found.
type hint struct {
	target deploy.Target
	path   string
}

const keepHints = 1 << 14

func (e *engine) remember(h hint, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.hints == nil || len(e.hints) >= keepHints {
		e.hints = map[hint]string{}
	}
	e.hints[h] = name
}

func (e *engine) remembered(h hint) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.hints[h]
}

// read returns the contents of a file, its replacement if it has one.
func read(ctx context.Context, f flux.Files, file string) ([]byte, error) {
	data, replaced := f.Overlay[file]
	if data != nil {
		return data, nil
	}
	e, ok := f.Tree.Entry(file)
	if !ok || replaced {
		return nil, errNoFile(file)
	}
	return f.Blobs.Get(ctx, e.SHA)
}
