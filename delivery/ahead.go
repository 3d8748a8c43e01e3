package delivery

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/delivery/snapshot"
	"ferry/internal/deploy"
)

// Where one Kustomization has the versions of many apps, each proof of a change builds
// all of it, and a set's time grows with the square of its apps. A set looks ahead: it
// puts into all scalars at once versions that exist nowhere else, another one for each
// change, and renders that. A scalar is the one of a change if its mark, and no other,
// is rendered in the change's field, and nowhere else; an object that differs in
// anything but one mark, or in which no mark explains what differs, is none that is
// known ahead. Then all real versions are rendered, and have to differ from the marks
// in the marks alone. What is known of a change so is taken for what its edit
// renders; whatever is not is built, as ever. In the end all that was composed is
// rendered once as it will be committed, and has to be what was taken for it.

// fewest is how many changes of one Kustomization are worth looking ahead.
const fewest = 3

// lookingRounds is how often what was found not to be known ahead is left out, before
// it is given up.
const lookingRounds = 3

// outlook is what is known ahead of a change: the scalar that moves its field, and
// what becomes of its object.
type outlook struct {
	scalar string // the candidate's name
	root   deploy.Ref
	now    *flux.Object
}

// looking is a change that may be known ahead.
type looking struct {
	at     int // among the changes
	scene  *scene
	field  field
	wanted string
	mark   string
	scalar string
}

// lookAhead finds out what can be known ahead of changes, by their places among them.
// An error is one of reading the repository.
func (e *engine) lookAhead(ctx context.Context, w *flux.World, changes []deploy.Change, l []*looked) (map[int]*outlook, error) {
	all := e.mayLook(ctx, w, changes, l)
	for round := 0; len(all) > 0 && round < lookingRounds; {
		marked, odd, err := e.editAll(ctx, w, all, func(k *looking) string { return k.mark })
		if err != nil {
			return nil, err
		}
		if odd != nil {
			all = slices.DeleteFunc(all, func(k *looking) bool { return k == odd })
			continue
		}
		round++
		known := attribute(w, marked, all)
		if len(known) == len(all) {
			return e.foresee(ctx, w, marked, all)
		}
		all = known
	}
	return map[int]*outlook{}, nil
}

// mayLook picks the changes of one plain field of an object of their own, where many
// are in one Kustomization.
func (e *engine) mayLook(ctx context.Context, w *flux.World, changes []deploy.Change, l []*looked) []*looking {
	var all []*looking
	roots, objects := map[*flux.Root]int{}, map[*flux.Object]int{}
	for i, c := range changes {
		if c.Unpin || c.Pin || c.TagOnly || c.Suspend || len(c.With) > 0 {
			continue
		}
		s, err := e.stage(ctx, w, c)
		if err != nil {
			continue
		}
		own, more, err := e.pick(s)
		if err != nil || len(own) != 1 || len(more) > 0 {
			continue
		}
		f, goal := own[0], aims(own, string(c.Version), l[i])
		plain := f.from == nil && !f.ranged && f.pairedDigest == "" && f.object == s.object.Ref && s.object.Maker == nil && s.object.Root.Single()
		if !plain || len(goal) != 1 || goal[0].wanted == f.version || strings.Contains(f.version+goal[0].wanted, "@") || strings.Contains(goal[0].wanted, ":") {
			continue
		}
		roots[s.object.Root]++
		objects[s.object.Object]++
		all = append(all, &looking{at: i, scene: s, field: f, wanted: goal[0].wanted, mark: fmt.Sprintf("%s-ferry%dx", goal[0].wanted, i)})
	}
	return slices.DeleteFunc(all, func(k *looking) bool {
		return roots[k.scene.object.Root] < fewest || objects[k.scene.object.Object] > 1
	})
}

// editAll renders a world with the likeliest scalars of all changes edited. Nothing is
// rendered if a change is odd: it has none, or another one than before is the likeliest.
func (e *engine) editAll(ctx context.Context, w *flux.World, all []*looking, version func(*looking) string) (after *flux.World, odd *looking, err error) {
	files, touched := w.Files(), map[string]bool{}
	for _, k := range all {
		s := *k.scene
		s.world = w.On(files)
		found, _, err := e.collect(ctx, &s, k.field, version(k))
		if err != nil {
			return nil, nil, err
		}
		if len(found) == 0 || k.scalar != "" && found[0].name() != k.scalar {
			return nil, k, nil
		}
		k.scalar = found[0].name()
		data, _, err := found[0].edit()
		if err != nil {
			return nil, k, nil //nolint:nilerr // the plan says why
		}
		files = files.With(found[0].file, data)
		touched[found[0].file] = true
	}
	var changes []snapshot.Change
	for _, file := range slices.Sorted(maps.Keys(touched)) {
		changes = append(changes, snapshot.Change{Path: file})
	}
	after, err = e.flux.Next(ctx, w, files, changes)
	return after, nil, err
}

// everywhere is what two worlds render differently, by the places of the objects.
func everywhere(before, after *flux.World) map[place]moved {
	out := map[place]moved{}
	for _, c := range before.Clusters() {
		for _, m := range movedOn(c, before, after) {
			out[place{c, m.object().ID()}] = m
		}
	}
	return out
}

type place struct {
	cluster deploy.Cluster
	id      flux.ID
}

func (k *looking) place() place {
	return place{k.scene.change.Target.Cluster, k.scene.object.ID()}
}

// attribute returns the changes whose mark is in their own field, and nowhere else:
// all that moves is theirs, or they are not among them.
func attribute(w, marked *flux.World, all []*looking) []*looking {
	moves := everywhere(w, marked)
	mine := map[place]*looking{}
	for _, k := range all {
		mine[k.place()] = k
	}
	bad := map[*looking]bool{}
	for at, m := range moves {
		own, explained := mine[at], false
		for _, k := range all {
			if k != own && m.after != nil && bytes.Contains(m.after.JSON, []byte(k.mark)) {
				bad[k], explained = true, true
			}
		}
		switch {
		case own != nil && !explained && own.moves(m, marked):
		case own != nil:
			bad[own] = true
		case !explained:
			return nil // nobody knows whose it is
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(k *looking) bool { _, there := moves[k.place()]; return bad[k] || !there })
}

// moves reports whether an object differs in the change's field alone, which shows its
// mark.
func (k *looking) moves(m moved, marked *flux.World) bool {
	if m.before == nil || m.after == nil {
		return false
	}
	value := show(marked, m.cluster, k.field)
	if versionOf(k.field, value) != k.mark || bytes.Count(m.after.JSON, []byte(k.mark)) != 1 {
		return false
	}
	return bytes.Equal(bytes.Replace(m.after.JSON, []byte(value), []byte(k.field.value), 1), m.before.JSON)
}

// foresee renders the real versions, and holds them against the marks.
func (e *engine) foresee(ctx context.Context, w, marked *flux.World, all []*looking) (map[int]*outlook, error) {
	out := map[int]*outlook{}
	now, odd, err := e.editAll(ctx, w, all, func(k *looking) string { return k.wanted })
	if err != nil || odd != nil {
		return nil, err
	}
	marks, moves := everywhere(w, marked), everywhere(w, now)
	if len(moves) != len(all) || len(marks) != len(all) {
		return out, nil
	}
	for _, k := range all {
		m, there := moves[k.place()]
		if !there || m.after == nil || versionOf(k.field, show(now, m.cluster, k.field)) != k.wanted {
			return map[int]*outlook{}, nil
		}
		value, mark := show(now, m.cluster, k.field), show(marked, m.cluster, k.field)
		if !bytes.Equal(bytes.Replace(marks[k.place()].after.JSON, []byte(mark), []byte(value), 1), m.after.JSON) {
			return map[int]*outlook{}, nil
		}
		out[k.at] = &outlook{scalar: k.scalar, root: k.scene.object.Root.Ref, now: m.after}
	}
	return out, nil
}

// with renders a world after the edit of a candidate, or takes what is known of it.
func (e *engine) with(ctx context.Context, s *scene, c candidate, data []byte) (*flux.World, error) {
	if o := s.ahead; o != nil && o.scalar == c.name() {
		if w := s.world.Ahead(c.file, data, s.change.Target.Cluster, o.root, o.now); w != nil {
			return w, nil
		}
	}
	return e.flux.With(ctx, s.world, c.file, data)
}

// asForeseen renders what was composed on a world, and reports whether it is what was
// taken for it.
func (e *engine) asForeseen(ctx context.Context, base, after *flux.World, files map[string][]byte) (bool, error) {
	f := base.Files()
	var changes []snapshot.Change
	for _, file := range slices.Sorted(maps.Keys(files)) {
		_, there := f.Tree.Entry(file)
		f = f.With(file, files[file])
		changes = append(changes, snapshot.Change{Path: file, Structural: there != (files[file] != nil)})
	}
	now, err := e.flux.Next(ctx, base, f, changes)
	if err != nil {
		return false, err
	}
	return len(everywhere(now, after)) == 0 && len(everywhere(after, now)) == 0, nil
}
