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

// A change may name further targets that take the version from the same place. They
// then belong to what may change; and each of them has to, or it was named for
// nothing and its job would wait for what never comes.

// fellow is a target that a change names beside its first one.
type fellow struct {
	*scene // of its own
	field  field
}

// fellows finds the further targets of a change, whose versions are of a kind.
func (e *engine) fellows(ctx context.Context, w *flux.World, c deploy.Change, kind deploy.FieldKind) ([]fellow, error) {
	if c.Pin && len(c.With) > 0 {
		return nil, fault.Newf(fault.Invalid, "`pin` gives one cluster a version of its own: it cannot stand together with `with`").
			WithHelp("leave out one of them")
	}
	var out []fellow
	for _, t := range c.With {
		item, ok := declaredApp(w, t)
		if !ok {
			return nil, fault.Newf(fault.Refused, "Git does not declare %s on %s", t.App, t.Cluster).
				WithHelp("it may have been removed or renamed in Git").WithCode(NotInGit)
		}
		s, err := e.stage(ctx, w, deploy.Change{Target: t, Owner: item.Owner, Field: kind, Container: c.Container, Version: c.Version})
		if err != nil {
			return nil, err
		}
		own, more, err := e.pick(s)
		if err != nil {
			return nil, err
		}
		if len(more) > 0 {
			return nil, fault.Newf(fault.Ambiguous, "%s on %s has more than one version in Git", t.App.Name, t.Cluster).
				WithHelp("change it by hand: ferry cannot tell which one is the app's").WithCode(Ambiguous)
		}
		out = append(out, fellow{s, own[0]})
	}
	return out, nil
}

// declaredApp finds an app among those of its cluster: where it runs, or by its
// name, where only one is called so.
func declaredApp(w *flux.World, t deploy.Target) (Item, bool) {
	var named []Item
	for _, item := range apps(w, t.Cluster) {
		if item.Target == t {
			return item, true
		}
		if item.Target.App.Name == t.App.Name {
			named = append(named, item)
		}
	}
	if len(named) == 1 {
		return named[0], true
	}
	return Item{}, false
}

// arrive says where each fellow shows the wanted version in a world; one that does
// not is refused.
func (e *engine) arrive(ctx context.Context, s *scene, after *flux.World, wanted string) ([]deploy.Part, error) {
	var out []deploy.Part
	for _, x := range s.fellows {
		value := show(after, x.change.Target.Cluster, x.field)
		if versionOf(x.field, value) != wanted || (after != s.world && value == x.field.value) {
			return nil, e.refuseFellow(ctx, s, x, value, wanted)
		}
		if d := x.field.pairedDigest; d != "" && after != s.world && digestOf(after, x.change.Target.Cluster, x.field) == d {
			return nil, fault.Newf(fault.Refused, "%s on %s has a digest of its own beside that tag: a new tag alone would change nothing", x.change.Target.App.Name, x.change.Target.Cluster).
				WithHelp("leave it out, and promote it by itself").WithCode(Digested)
		}
		part := deploy.Part{Target: x.change.Target, From: deploy.Version(x.field.version)}
		part.Site = deploy.Site{Field: x.field.kind, Object: x.field.object, Path: x.field.path, Value: value}
		if x.field.from != nil {
			part.Site.Inner = x.field.from.inner
			part.Site.Object, _ = sourceOf(after, x.change.Target.Cluster, x.field)
		}
		out = append(out, part)
	}
	return out, nil
}

// refuseFellow says why a target that was named would not come to the version.
func (e *engine) refuseFellow(ctx context.Context, s *scene, x fellow, value, wanted string) error {
	t := x.change.Target
	if value != x.field.value && value != "" {
		return fault.Newf(fault.Refused, "%s on %s would become `%s` by that", t.App.Name, t.Cluster, value).
			WithHelp("it takes only a part of its version from there: change it by hand").WithCode(Shared)
	}
	where := ""
	if at, err := e.locate(ctx, x.scene, x.field, probeVersion(x.field)); err == nil {
		where = fmt.Sprintf(", from `%s:%d`", at[0].file, at[0].line)
	}
	err := fault.Newf(fault.Refused, "%s on %s would not change by that", t.App.Name, t.Cluster).WithCode(NotShared)
	c := s.change
	c.With = slices.DeleteFunc(slices.Clone(c.With), func(o deploy.Target) bool { return o == t })
	if x.field.version == wanted {
		return err.WithHelp("it is at `%s` already%s: leave it out", wanted, where).WithChoices(promoteText(c, string(c.Version)))
	}
	return err.WithHelp("it does not share that version: it has `%s`%s\nleave it out, and promote it by itself", x.field.version, where).
		WithChoices(promoteText(c, string(c.Version)))
}

// reached are the objects of one cluster that may differ after a change.
type reached struct {
	objects, chain map[flux.ID]bool
	refs           map[deploy.Ref]bool // of objects
}

// reachOf are those of all targets' clusters: the apps themselves, and the objects
// through which they get their versions.
func (s *scene) reachOf(f field, after *flux.World) map[deploy.Cluster]reached {
	out := map[deploy.Cluster]reached{}
	take := func(s *scene, f field) {
		c := s.change.Target.Cluster
		r, ok := out[c]
		if !ok {
			r = reached{map[flux.ID]bool{}, map[flux.ID]bool{}, map[deploy.Ref]bool{}}
			out[c] = r
		}
		r.objects[s.object.ID()], r.refs[s.object.Ref] = true, true
		for id := range s.chain(f, after) {
			r.chain[id] = true
		}
	}
	take(s, f)
	for _, x := range s.fellows {
		take(x.scene, x.field)
	}
	return out
}

// sharing names all apps that would have to be promoted together with the target,
// the ones that were named included; none where that is not all that would move.
func (e *engine) sharing(ctx context.Context, s *scene, f field, wanted string, all proof) []deploy.Target {
	with := slices.Clone(s.change.With)
	for _, o := range all.others {
		for _, item := range apps(s.world, o.Cluster) {
			if item.Object == o.Object && item.Target != s.change.Target && !slices.Contains(with, item.Target) {
				with = append(with, item.Target)
			}
		}
	}
	c := s.change
	c.With, c.Pin = with, false
	more := *s
	more.change = c
	var err error
	if more.fellows, err = e.fellows(ctx, s.world, c, f.kind); err != nil || len(more.others(f, all)) > 0 {
		return nil
	}
	if _, err := e.arrive(ctx, &more, all.after, wanted); err != nil {
		return nil
	}
	return with
}

// withText writes the further targets of a change as people do.
func withText(c deploy.Change) string {
	var out []string
	for _, t := range c.With {
		out = append(out, fellowText(c.Target, t))
	}
	return strings.Join(out, ", ")
}

// fellowText names a target by its cluster, where the app is the same.
func fellowText(first, t deploy.Target) string {
	switch {
	case t.App == first.App:
		return string(t.Cluster)
	case t.App.Namespace == first.App.Namespace:
		return string(t.Cluster) + "/" + t.App.Name
	}
	return t.String()
}
