package flux

import (
	"context"
	"encoding/json"
	"maps"
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
	// gaps are what is left out.
	gaps []gap
	// on are the latest files on which all notes, those of the parts too, are known
	// to hold.
	on atomic.Pointer[standing]
}

// standing names files: a tree, which it does not keep in memory, and what is
// replaced in it. It is not changed once it exists.
type standing struct {
	tree    *snapshot.Mark
	overlay map[string][]byte
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
// builder's files. Where it held on the same tree before, only what was replaced
// since is looked at.
func (r *Rendering) holds(b *builder, v *snapshot.View) bool {
	if on := r.on.Load(); on != nil && on.tree == b.at.tree {
		return r.holdsAfter(v, b.since(v, on))
	}
	if !v.Holds(r.notes) {
		return false
	}
	for _, p := range r.parts {
		if !p.holds(b, v) {
			return false
		}
	}
	r.on.Store(b.at)
	return true
}

func (r *Rendering) holdsAfter(v *snapshot.View, changes []snapshot.Change) bool {
	if !v.HoldsAfter(r.notes, changes) {
		return false
	}
	for _, p := range r.parts {
		if !p.holdsAfter(v, changes) {
			return false
		}
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

// Files are a tree with some files replaced, added or, where their contents are
// nil, taken away.
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
	hidden map[string]snapshot.Hidden // by their keys
	plain  *standing                  // the latest tree with nothing replaced
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
	b := &builder{Renderer: r, ctx: ctx, files: f, hidden: hidden, k: k, key: k.key(hidden.Key), at: r.stand(f)}
	return b.root()
}

// stand names files. Renderings on one tree share what names it.
func (r *Renderer) stand(f Files) *standing {
	if len(f.Overlay) > 0 {
		return &standing{f.Tree.Mark(), maps.Clone(f.Overlay)} // a caller may add to its own
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.plain == nil || r.plain.tree != f.Tree.Mark() {
		r.plain = &standing{tree: f.Tree.Mark()}
	}
	return r.plain
}

// Advance tells that one tree became another by some changes: what they do not
// touch holds on both.
func (r *Renderer) Advance(from, to *snapshot.Tree, changes []snapshot.Change) {
	plain := r.stand(Files{Tree: to})
	r.mu.Lock()
	defer r.mu.Unlock()
	moved := map[*standing]*standing{}
	for _, list := range r.kept {
		for _, k := range list {
			on := k.on.Load()
			if on == nil || on.tree != from.Mark() || k.touchesAny(changes) {
				continue
			}
			if moved[on] == nil {
				moved[on] = plain
				if len(on.overlay) > 0 {
					moved[on] = &standing{to.Mark(), on.overlay}
				}
			}
			k.on.Store(moved[on])
		}
	}
}

// hiddenIn reads a tree's ignore rules; the same rules are read once.
func (r *Renderer) hiddenIn(ctx context.Context, f Files, ignore string) (snapshot.Hidden, error) {
	key := snapshot.HiddenKey(f.Tree, ignore)
	r.mu.Lock()
	h, ok := r.hidden[key]
	r.mu.Unlock()
	if ok {
		return h, nil
	}
	h, err := snapshot.HiddenIn(ctx, f.Tree, f.Blobs, ignore)
	if err != nil {
		return h, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hidden) >= keepHidden {
		clear(r.hidden)
	}
	r.hidden[key] = h
	return h, nil
}

// keepHidden bounds the sets of rules that are kept.
const keepHidden = 32

// tried marks the key of renderings with an edit in them, which must not push
// out those of what Git holds.
const tried = "\x00tried"

// lookup finds a rendering whose notes hold on the builder's files.
func (b *builder) lookup(key string, v *snapshot.View) *Rendering {
	b.mu.Lock()
	lists := [2][]*Rendering{b.kept[key], b.kept[key+tried]}
	b.mu.Unlock()
	if len(b.files.Overlay) > 0 {
		lists[0], lists[1] = lists[1], lists[0]
	}
	for _, list := range lists {
		for _, k := range list {
			if k.holds(b, v) {
				return k
			}
		}
	}
	return nil
}

// since lists how the view differs from files of the same tree.
func (b *builder) since(v *snapshot.View, on *standing) []snapshot.Change {
	changes, known := b.changes[on]
	if !known {
		changes = v.Since(on.overlay)
		if b.changes == nil {
			b.changes = map[*standing][]snapshot.Change{}
		}
		b.changes[on] = changes
	}
	return changes
}

func (b *builder) keep(key string, v *snapshot.View, out *Rendering) {
	out.on.Store(b.at)
	if out.touchesAny(v.Since(nil)) {
		key += tried
	}
	b.Renderer.keep(key, out)
}

func (r *Renderer) keep(key string, out *Rendering) {
	r.mu.Lock()
	defer r.mu.Unlock()
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
