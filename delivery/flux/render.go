package flux

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"sync/atomic"

	"ferry/delivery/snapshot"
)

// Rendering is what one Kustomization renders to, or why it does not. It is not
// changed once it exists.
type Rendering struct {
	Objects []*Object
	Err     error

	notes snapshot.Notes
	// parts are the renderings that this one is a list of; their notes count.
	parts []*Rendering
	// whole is true if it brings rules of its own, which may reach beyond it, so
	// that it cannot be part of a list.
	whole bool
	// renamed are the names that objects had before they were changed: what
	// refers to them may stand beside it.
	renamed []oldName
	// moved is true if it puts objects into other namespaces.
	moved bool
	// on is the latest tree on which all notes are known to hold.
	on atomic.Pointer[snapshot.Tree]
}

// Touches reports whether a change of a file may matter to the rendering.
func (r *Rendering) Touches(c snapshot.Change) bool {
	return r.notes.Touches(c) || slices.ContainsFunc(r.parts, func(p *Rendering) bool { return p.Touches(c) })
}

func (r *Rendering) touchesAny(changes []snapshot.Change) bool {
	return slices.ContainsFunc(changes, r.Touches)
}

// Reads calls f for each file whose contents were read, some of them twice.
func (r *Rendering) Reads(f func(file string)) {
	r.notes.Reads(f)
	for _, p := range r.parts {
		p.Reads(f)
	}
}

// ReadsFor is Reads for what may decide on one object, which is less where the
// rendering is a list of others.
func (r *Rendering) ReadsFor(o *Object, f func(file string)) {
	if len(r.parts) == 0 {
		r.Reads(f)
		return
	}
	r.notes.Reads(f)
	for _, p := range r.parts {
		if o == nil || slices.Contains(p.Objects, o) {
			p.ReadsFor(o, f)
		}
	}
}

// holds reports whether everything that was asked is answered alike on the
// files.
func (r *Rendering) holds(f Files, v *snapshot.View) bool {
	if r.on.Load() == f.Tree {
		if !r.touchesAny(f.changes()) {
			return true
		}
	}
	if !v.Holds(r.notes) {
		return false
	}
	for _, p := range r.parts {
		if !p.holds(f, v) {
			return false
		}
	}
	if len(f.Overlay) == 0 {
		r.on.Store(f.Tree)
	}
	return true
}

// size is about how many bytes it keeps by itself.
func (r *Rendering) size() int {
	n := 512 + 160*len(r.notes) + 16*len(r.Objects)
	if len(r.parts) == 0 {
		for _, o := range r.Objects {
			n += 200 + len(o.JSON)
		}
	}
	return n
}

// Files are a tree with some files replaced or added.
type Files struct {
	Tree    *snapshot.Tree
	Blobs   *snapshot.Blobs
	Overlay map[string][]byte
}

// With returns the files with one more replaced.
func (f Files) With(file string, data []byte) Files {
	overlay := make(map[string][]byte, len(f.Overlay)+1)
	for p, d := range f.Overlay {
		overlay[p] = d
	}
	overlay[file] = data
	f.Overlay = overlay
	return f
}

// changes are the differences from the tree.
func (f Files) changes() []snapshot.Change {
	out := make([]snapshot.Change, 0, len(f.Overlay))
	for p := range f.Overlay {
		_, there := f.Tree.Entry(p)
		out = append(out, snapshot.Change{Path: p, Structural: !there})
	}
	return out
}

// Renderer renders, and keeps what it rendered. It is safe for concurrent use;
// builds happen one after the other, because kustomize's schema is one for the
// process: there should be one Renderer in it.
type Renderer struct {
	build sync.Mutex
	limit int // bytes that are kept
	// atOnce builds lists at once, for holding one way against the other.
	atOnce bool

	mu     sync.Mutex
	kept   map[string][]*Rendering
	bytes  int
	hidden map[string]snapshot.Hidden // of the tree "of"
	of     *snapshot.Tree
	// reached is the tree of which everything that is read was fetched lately.
	reached *snapshot.Tree
	builds  int
	parsed  map[*Object]Kustomization
}

// Bounds of what is kept: renderings of one key, and bytes of all.
const (
	keepPerKey = 4
	keepBytes  = 512 << 20
)

// NewRenderer returns an empty Renderer.
func NewRenderer() *Renderer {
	return &Renderer{kept: map[string][]*Rendering{}, hidden: map[string]snapshot.Hidden{}, limit: keepBytes}
}

// Builds returns how many builds there were until now.
func (r *Renderer) Builds() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.builds
}

// Bytes returns about how much is kept.
func (r *Renderer) Bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// Render renders one Kustomization. The error is of reading the repository; what
// the manifests themselves are to blame for is in the Rendering.
func (r *Renderer) Render(ctx context.Context, f Files, k Kustomization) (*Rendering, error) {
	hidden, err := r.hiddenIn(ctx, f, k.Ignore)
	if err != nil {
		return nil, err
	}
	b := &builder{Renderer: r, ctx: ctx, files: f, hidden: hidden, k: k, key: k.key(hidden.Key)}
	return b.root()
}

// Advance tells that one tree became another by some changes: what they do not
// touch holds on both.
func (r *Renderer) Advance(from, to *snapshot.Tree, changes []snapshot.Change) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, list := range r.kept {
		for _, k := range list {
			if k.on.Load() == from && !k.notesTouched(changes) {
				k.on.Store(to)
			}
		}
	}
}

// notesTouched is touchesAny for what a rendering asked itself. A list whose
// part is touched is found to be so by holds.
func (r *Rendering) notesTouched(changes []snapshot.Change) bool {
	if len(r.parts) > 0 {
		return r.touchesAny(changes)
	}
	return slices.ContainsFunc(changes, r.notes.Touches)
}

// hiddenIn reads a tree's ignore rules once per tree.
func (r *Renderer) hiddenIn(ctx context.Context, f Files, ignore string) (snapshot.Hidden, error) {
	r.mu.Lock()
	h, ok := r.hidden[ignore]
	same := r.of == f.Tree
	r.mu.Unlock()
	if ok && same {
		return h, nil
	}
	h, err := snapshot.HiddenIn(ctx, f.Tree, f.Blobs, ignore)
	if err != nil {
		return h, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of != f.Tree {
		r.of, r.hidden = f.Tree, map[string]snapshot.Hidden{}
	}
	r.hidden[ignore] = h
	return h, nil
}

// tried marks the key of renderings with an edit in them, which must not push
// out those of what Git holds.
const tried = "\x00tried"

// lookup finds a rendering whose notes hold on the files.
func (r *Renderer) lookup(key string, f Files, v *snapshot.View) *Rendering {
	r.mu.Lock()
	lists := [2][]*Rendering{r.kept[key], r.kept[key+tried]}
	r.mu.Unlock()
	for _, list := range lists {
		for _, k := range list {
			if k.holds(f, v) {
				return k
			}
		}
	}
	return nil
}

func (r *Renderer) keep(key string, f Files, out *Rendering) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if out.touchesAny(f.changes()) {
		key += tried
	} else {
		out.on.Store(f.Tree)
	}
	list := append([]*Rendering{out}, r.kept[key]...) // a new slice: lookup reads the old one
	r.bytes += out.size()
	if len(list) > keepPerKey {
		r.bytes -= list[keepPerKey].size()
		list = list[:keepPerKey]
	}
	r.kept[key] = list
	for other, old := range r.kept { // any: what is still needed is rendered again
		if r.bytes <= r.limit {
			break
		}
		if other != key {
			delete(r.kept, other)
			for _, o := range old {
				r.bytes -= o.size()
			}
		}
	}
}

// kustomization reads a Flux Kustomization from a rendered object, once.
func (r *Renderer) kustomization(o *Object) (Kustomization, error) {
	r.mu.Lock()
	k, ok := r.parsed[o]
	r.mu.Unlock()
	if ok {
		return k, nil
	}
	k, err := ParseKustomization(json.RawMessage(o.JSON))
	if err != nil {
		return k, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.parsed == nil || len(r.parsed) > keepParsed {
		r.parsed = map[*Object]Kustomization{}
	}
	r.parsed[o] = k
	return k, nil
}

const keepParsed = 1 << 15
