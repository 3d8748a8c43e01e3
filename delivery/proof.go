package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// moved is an object whose rendering an edit changes.
type moved struct {
	cluster       deploy.Cluster
	before, after *flux.Object // nil where it is not there
}

func (m moved) object() *flux.Object {
	if m.after != nil {
		return m.after
	}
	return m.before
}

func (m moved) ref() deploy.Ref { return m.object().Ref }

// proof is what an edit does to all clusters.
type proof struct {
	all    []moved
	others []deploy.Affected // what moves beyond the target
	after  *flux.World
}

// prove compares everything that is rendered before and after edits. It refuses
// where a rendering is missing that an edit may matter to; what moves beyond
// the target is in the proof's others.
func (e *engine) prove(ctx context.Context, s *scene, f field, after *flux.World, files []string) (proof, error) {
	p := proof{after: after}
	for _, c := range s.world.Clusters() {
		if err := e.comparable(ctx, s, after, c, files); err != nil {
			return p, err
		}
		p.all = append(p.all, movedOn(c, s.world, after)...)
	}
	slices.SortStableFunc(p.all, func(a, b moved) int {
		return strings.Compare(string(a.cluster)+" "+a.ref().String(), string(b.cluster)+" "+b.ref().String())
	})
	p.others = s.others(f, p)
	return p, nil
}

// movedOn lists what two worlds render differently for a cluster.
func movedOn(c deploy.Cluster, before, after *flux.World) []moved {
	if after.Unchanged(before, c) {
		return nil
	}
	var out []moved
	for _, root := range before.Roots(c) {
		out = append(out, difference(root, after.Find(c, root.Ref))...)
	}
	for _, root := range after.Roots(c) { // Kustomizations that only the edit brings
		if before.Find(c, root.Ref) == nil {
			out = append(out, difference(nil, root)...)
		}
	}
	return out
}

// comparable refuses where a rendering of a cluster is missing that an edit of
// files may matter to.
func (e *engine) comparable(ctx context.Context, s *scene, after *flux.World, c deploy.Cluster, files []string) error {
	for _, before := range s.world.Roots(c) {
		if before.Rendering == nil {
			continue
		}
		name := fmt.Sprintf("%s on %s", before.Ref, c)
		if before.Rendering.Err != nil {
			may, err := e.mayRead(ctx, s, before, files)
			if err != nil {
				return err
			}
			if may == "" {
				continue
			}
			why, mend, _ := trouble(ctx, s.world.Files(), before)
			return fault.Newf(fault.Refused, "%s may read `%s` too, but cannot be built from Git as it is", name, may).
				WithHelp("%s\nferry changes nothing whose reach it cannot see: %s, then ask again", why, mend).
				Because(before.Rendering.Err).WithCode(Unreadable)
		}
		if now := after.Find(c, before.Ref); now != nil && now.Rendering != nil && now.Rendering.Err != nil {
			return fault.Newf(fault.Refused, "%s could not be rendered any more after the edit of `%s`", name, strings.Join(files, "`, `")).
				Because(now.Rendering.Err).WithCode(Unreadable)
		}
	}
	return nil
}

// mayRead names a file that a Kustomization which cannot be rendered may read.
func (e *engine) mayRead(ctx context.Context, s *scene, root *flux.Root, files []string) (string, error) {
	reach, err := e.flux.ReachOf(ctx, s.world.Files(), []flux.Kustomization{root.Kustomization})
	if err != nil {
		return "", err
	}
	for _, file := range files {
		read := false
		root.Rendering.Reads(func(f string) { read = read || f == file })
		if read || reach.May(file) {
			return file, nil
		}
	}
	return "", nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	if len(line) > 300 {
		line = line[:300] + "…"
	}
	return line
}

// difference lists what differs between two renderings of one Kustomization.
func difference(before, after *flux.Root) []moved {
	if before != nil && after != nil && before.Rendering == after.Rendering {
		return nil
	}
	old, now := objects(before), objects(after)
	var out []moved
	for id, o := range old {
		if n := now[id]; !o.Same(n) {
			out = append(out, moved{before.Cluster, o, n})
		}
	}
	for id, n := range now {
		if old[id] == nil {
			out = append(out, moved{after.Cluster, nil, n})
		}
	}
	return out
}

func objects(r *flux.Root) map[flux.ID]*flux.Object {
	if r == nil || r.Rendering == nil {
		return nil
	}
	out := make(map[flux.ID]*flux.Object, len(r.Rendering.Objects))
	for _, o := range r.Rendering.Objects {
		out[o.ID()] = o
	}
	return out
}

// others lists what moves beyond the target: objects of their own, and apps
// that take something from an object which moves.
func (s *scene) others(f field, p proof) []deploy.Affected {
	mine := s.reachOf(f, p.after)
	var out []deploy.Affected
	add := func(c deploy.Cluster, ref deploy.Ref) {
		if a := (deploy.Affected{Cluster: c, Object: ref}); !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	for _, m := range p.all {
		id := m.object().ID()
		own, named := mine[m.cluster]
		switch {
		case !named:
			// A source of charts or values is told by who takes from it.
			takers := takers(s.world, m.cluster, m.object())
			for _, ref := range takers {
				add(m.cluster, ref)
			}
			if len(takers) == 0 {
				add(m.cluster, m.ref())
			}
		case own.objects[id]:
		case own.chain[id]:
			// What a Kustomization or its variables change is rendered and compared
			// like everything else; what a source of charts or values changes shows
			// in nothing but those who take from it.
			for _, ref := range takers(s.world, m.cluster, m.object()) {
				if !own.refs[ref] {
					add(m.cluster, ref)
				}
			}
		default:
			add(m.cluster, m.ref())
		}
	}
	return out
}

// chain are the objects of the target's cluster through which a field gets its
// value: the source of its chart or values, and what declares Kustomizations
// and their variables.
func (s *scene) chain(f field, after *flux.World) map[flux.ID]bool {
	out := s.declaring(f)
	target := s.change.Target.Cluster
	made := func(o *flux.Object) {
		if o != nil && o.Maker != nil {
			out[o.Maker.ID()] = true
		}
	}
	made(s.object.Object)
	made(s.world.Lookup(target, f.group, f.object).Object)
	if f.object != s.object.Ref {
		out[flux.ID{Group: f.group, Ref: f.object}] = true
	}
	if f.from != nil { // a generated ConfigMap has another name after the edit
		for _, w := range []*flux.World{s.world, after} {
			if ref, ok := sourceOf(w, target, f); ok {
				out[flux.ID{Ref: ref}] = true
			}
		}
	}
	return out
}

// declaring are the objects of the target's cluster that declare the
// Kustomizations of a field and their variables.
func (s *scene) declaring(f field) map[flux.ID]bool {
	out := map[flux.ID]bool{}
	var follow func(root *flux.Root)
	follow = func(root *flux.Root) {
		if root == nil {
			return
		}
		for _, dep := range s.world.Dependencies(root) {
			if !out[dep.ID()] {
				out[dep.ID()] = true
				follow(dep.Root)
			}
		}
	}
	follow(s.object.Root)
	if f.object != s.object.Ref {
		follow(s.world.Find(s.change.Target.Cluster, f.root))
	}
	return out
}

// takers are the releases of a cluster that take their chart or values from an
// object.
func takers(w *flux.World, c deploy.Cluster, o *flux.Object) []deploy.Ref {
	if o.Group != sourceGroup && o.Ref.Kind != "ConfigMap" && o.Ref.Kind != "Secret" {
		return nil
	}
	var out []deploy.Ref
	w.Each(c, func(p flux.Placed) {
		if isRelease(p.Object) && takes(p, o.Ref) {
			out = append(out, p.Ref)
		}
	})
	return out
}

func takes(release flux.Placed, ref deploy.Ref) bool {
	data := release.Data()
	named := func(node any, kind string) bool {
		m, _ := node.(map[string]any)
		ns := text(m["namespace"])
		if ns == "" {
			ns = release.Ref.Namespace
		}
		if kind == "" {
			kind = text(m["kind"])
		}
		return kind == ref.Kind && text(m["name"]) == ref.Name && ns == ref.Namespace
	}
	if named(at(data, "/spec/chartRef"), "") || named(at(data, "/spec/chart/spec/sourceRef"), "") {
		return true
	}
	from, _ := at(data, "/spec/valuesFrom").([]any)
	return slices.ContainsFunc(from, func(entry any) bool { return named(entry, "") })
}

// shared refuses what moves anything beyond the target.
func (s *scene) shared(sites []site, others []deploy.Affected) *fault.Error {
	target := s.change.Target
	var names []string
	for _, o := range others {
		names = append(names, fmt.Sprintf("%s on %s", o.Object, o.Cluster))
	}
	shown := strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		shown += fmt.Sprintf(" and %d more", len(names)-5)
	}
	at := sites[0]
	return fault.Newf(fault.Refused, "%s on %s shares its version with others", target.App.Name, target.Cluster).
		WithHelp("`%s:%d` is what they all read: changing it would also change %s", at.file, at.line, shown).
		WithCode(Shared)
}
