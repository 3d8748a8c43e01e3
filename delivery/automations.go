package delivery

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/delivery/yamledit"
	"ferry/internal/deploy"
)

// automations is what Git says of image automation in one world. What was looked
// up is kept: an inventory asks for every marked field.
type automations struct {
	e     *engine
	world *flux.World

	mu      sync.Mutex // held by whoever calls what follows
	ran     bool
	applied []flux.Placed
	looked  bool
	files   []lyingDoc
	places  map[*flux.Object]deploy.Place
}

// automations are those of a world.
func (e *engine) automations(w *flux.World) *automations {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.auto == nil || e.auto.world != w {
		e.auto = &automations{e: e, world: w}
	}
	return e.auto
}

// lyingDoc is a document of image automation in a file that no known cluster
// applies.
type lyingDoc struct {
	data map[string]any
	at   deploy.Place
}

// running are the automations that clusters apply from Git.
func (a *automations) running() []flux.Placed {
	if !a.ran {
		a.ran = true
		for _, c := range a.world.Clusters() {
			a.world.Each(c, func(o flux.Placed) {
				if o.Group == imageGroup && o.Ref.Kind == imageAutomation {
					a.applied = append(a.applied, o)
				}
			})
		}
	}
	return a.applied
}

// policyAt is where a policy is declared: on the automation's cluster, or any.
func (a *automations) policyAt(ctx context.Context, policy deploy.Ref, c deploy.Cluster) (deploy.Place, error) {
	for _, one := range append([]deploy.Cluster{c}, a.world.Clusters()...) {
		if o := a.world.Lookup(one, imageGroup, policy); o.Object != nil {
			return a.placeOf(ctx, o)
		}
	}
	for _, d := range a.files {
		ns := text(at(d.data, "/metadata/namespace"))
		if text(d.data["kind"]) == imagePolicy && text(at(d.data, "/metadata/name")) == policy.Name && (ns == "" || ns == policy.Namespace) {
			return d.at, nil
		}
	}
	return deploy.Place{}, nil
}

// placeOf is where an object that is rendered stands in Git; zero if it stands
// there under another name.
func (a *automations) placeOf(ctx context.Context, o flux.Placed) (deploy.Place, error) {
	if found, ok := a.places[o.Object]; ok {
		return found, nil
	}
	var files []string
	o.Root.Rendering.ReadsFor(o.Object, func(file string) { files = append(files, file) })
	slices.Sort(files)
	var found deploy.Place
	for _, file := range slices.Compact(files) {
		docs, err := a.documents(ctx, file, o.Ref.Kind)
		if err != nil {
			return deploy.Place{}, err
		}
		for _, d := range docs {
			ns := text(at(d.data, "/metadata/namespace"))
			if text(at(d.data, "/metadata/name")) != o.Ref.Name || (ns != "" && ns != o.Ref.Namespace) {
				continue
			}
			if at(d.data, "/spec/sourceRef") != nil || at(d.data, "/spec/imageRepositoryRef") != nil || found.File == "" { // no mere patch
				found = d.at
			}
		}
	}
	if a.places == nil {
		a.places = map[*flux.Object]deploy.Place{}
	}
	a.places[o.Object] = found
	return found, nil
}

// documents reads the documents of a kind of image automation in a file; of any
// of them for "".
func (a *automations) documents(ctx context.Context, file, kind string) ([]lyingDoc, error) {
	data, err := read(ctx, a.world.Files(), file)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(data, []byte(cmp.Or(kind, imageGroup))) {
		return nil, nil
	}
	docs, _ := documents(data) // those before one that cannot be read
	lines := kindLines(data)
	var out []lyingDoc
	for _, doc := range docs {
		group, _, _ := strings.Cut(text(doc["apiVersion"]), "/")
		k := text(doc["kind"])
		if group != imageGroup || (kind != "" && k != kind) {
			continue
		}
		out = append(out, lyingDoc{doc, deploy.Place{File: file, Line: lines[k+" "+text(at(doc, "/metadata/name"))]}})
	}
	return out, nil
}

// kindLines are the lines on which the objects of a file say their kind, by kind
// and name.
func kindLines(data []byte) map[string]int {
	out := map[string]int{}
	y, err := yamledit.Parse(data)
	if err != nil {
		return out
	}
	type head struct {
		kind string
		line int
	}
	heads := map[int]head{}
	for _, s := range y.Scalars() {
		if s.Path == "/kind" {
			heads[s.Doc] = head{s.Value, s.Line}
		}
	}
	for _, s := range y.Scalars() {
		if h := heads[s.Doc]; s.Path == "/metadata/name" {
			out[h.kind+" "+s.Value] = h.line
		}
	}
	return out
}

// maxLooked is how many files are fetched to look for automation that no known
// cluster applies; what was fetched before is looked into as well.
const maxLooked = smallTree

// lying reads the files that no known cluster applies.
func (a *automations) lying(ctx context.Context) ([]lyingDoc, error) {
	if a.looked {
		return a.files, nil
	}
	f, applied := a.world.Files(), a.world.ReadBy()
	var cached, missing []snapshot.Entry
	f.Tree.Files("", func(e snapshot.Entry) {
		if !manifest(e.Path) || applied[e.Path] || e.Size > maxHashed {
			return
		}
		if _, ok := f.Blobs.Cached(e.SHA); ok {
			cached = append(cached, e)
		} else {
			missing = append(missing, e)
		}
	})
	slices.SortStableFunc(missing, func(x, y snapshot.Entry) int { return likelyAutomation(y.Path) - likelyAutomation(x.Path) })
	if !a.e.detect { // a checkout costs no requests
		missing = missing[:min(len(missing), maxLooked)]
	}
	var shas []string
	for _, e := range missing {
		shas = append(shas, e.SHA)
	}
	if err := f.Blobs.Prefetch(ctx, shas); err != nil {
		return nil, err
	}
	for _, e := range append(cached, missing...) {
		docs, err := a.documents(ctx, e.Path, "")
		if err != nil {
			return nil, err
		}
		a.files = append(a.files, docs...)
	}
	a.looked = true
	return a.files, nil
}

// likelyAutomation is higher for files whose names speak of automation.
func likelyAutomation(file string) int {
	l := strings.ToLower(file)
	if strings.Contains(l, "image") || strings.Contains(l, "automat") {
		return 1
	}
	return 0
}
