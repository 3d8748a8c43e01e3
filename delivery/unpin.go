package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Taking a pin away is the change that moves nothing. Which scalar is the pin is
// found like any version's place: it decides on the version of this app on this
// cluster alone. It may go if everything rendered without it is as it was, which
// is so once the base holds the same version. No mark tells a pin from other
// overrides, whoever made it.

// unpin plans it. p is the plan as far as it is known, own are the fields that
// show the version.
func (e *engine) unpin(ctx context.Context, s *scene, p deploy.Plan, own []field) (deploy.Plan, *flux.World, error) {
	p.Change.Version = p.From
	at, err := e.pins(ctx, s, own)
	if err != nil {
		return p, nil, err
	}
	var last *without
	var written error
	for _, reach := range []reach{wholeFiles, wholeEntries, keysAlone} {
		w, err := e.without(ctx, s, own[0], at, reach)
		if err != nil {
			if _, is := errors.AsType[*fault.Error](err); !is && ctx.Err() != nil {
				return p, nil, err
			}
			written = errors.Join(written, err)
			continue
		}
		if last = w; len(w.moves) > 0 || w.err != nil {
			continue
		}
		p, after, err := e.finish(ctx, s, p, w.sites, w.proof)
		p.Warnings = append(w.left, e.heir(ctx, s, own[0], after)...)
		return p, after, err
	}
	if last == nil {
		t := s.change.Target
		return p, nil, fault.Newf(fault.Refused, "the pin of %s on %s is written in a way that ferry cannot take away safely", t.App.Name, t.Cluster).
			WithHelp("it stands in `%s:%d`: take it away by hand", at[0].file, at[0].line).WithCode(Shaped).Because(written)
	}
	return p, nil, e.refuseUnpin(ctx, s, own[0], at[0], last)
}

// pins are the scalars that decide on the fields of the target, and on nothing
// else.
func (e *engine) pins(ctx context.Context, s *scene, own []field) ([]site, error) {
	var all []site
	for _, f := range halves(own) {
		found, err := e.locate(ctx, s, f, probeVersion(f))
		if err != nil {
			return nil, err
		}
		proof, err := e.prove(ctx, s, f, found[len(found)-1].world, filesOf(found))
		if err != nil {
			return nil, err
		}
		if len(proof.others) > 0 {
			t := s.change.Target
			return nil, fault.Newf(fault.Already, "%s on %s has no pin", t.App.Name, t.Cluster).
				WithHelp("it takes `%s` from `%s:%d`, as %s", f.version, found[0].file, found[0].line, s.sharers(proof.others)).WithCode(NoPin)
		}
		for _, at := range found {
			if !slices.ContainsFunc(all, func(o site) bool { return o.name() == at.name() }) {
				all = append(all, at)
			}
		}
	}
	return all, nil
}

// halves are fields with the digests that stand beside them.
func halves(own []field) []field {
	var out []field
	for _, f := range own {
		if f.pairedDigest != "" {
			out = append(out, pairOf(f))
			f.pairedDigest = ""
		}
		out = append(out, f)
	}
	return out
}

// without is a world without a pin.
type without struct {
	sites []site
	world *flux.World
	proof proof
	moves []moved // what it renders otherwise
	err   error   // or why that cannot be told
	left  []string
}

// without takes scalars away and renders.
func (e *engine) without(ctx context.Context, s *scene, f field, pins []site, r reach) (*without, error) {
	cuts, left, err := e.cuts(ctx, s, f, pins, r)
	if err != nil {
		return nil, err
	}
	w := &without{world: s.world, sites: cuts, left: left}
	for i, c := range cuts {
		if i+1 < len(cuts) && cuts[i+1].file == c.file {
			continue // a later edit of the same file has both
		}
		if w.world, err = e.flux.With(ctx, w.world, c.file, c.data); err != nil {
			return nil, err
		}
	}
	if w.proof, w.err = e.prove(ctx, s, f, w.world, filesOf(cuts)); w.err != nil {
		return w, nil //nolint:nilerr // a wider or narrower cut may do
	}
	declares := s.declaring(f)
	for _, m := range w.proof.all {
		if m.cluster != s.change.Target.Cluster || !declares[m.object().ID()] {
			w.moves = append(w.moves, m)
		}
	}
	return w, nil
}

// refuseUnpin says what would move.
func (e *engine) refuseUnpin(ctx context.Context, s *scene, f field, pin site, w *without) error {
	t := s.change.Target
	if w.err != nil {
		return fault.Newf(fault.Refused, "without what stands in `%s:%d`, %s on %s cannot be proven to stay as it is", pin.file, pin.line, t.App.Name, t.Cluster).
			WithHelp("%s", says(w.err)).WithCode(NoPin).Because(w.err)
	}
	value := show(w.world, t.Cluster, f)
	version := versionOf(f, value)
	switch {
	case value == "" || version == "":
		return fault.Newf(fault.Refused, "%s on %s has no pin", t.App.Name, t.Cluster).
			WithHelp("`%s:%d` alone says which version it has: without that it would have none", pin.file, pin.line).WithCode(NoPin)
	case version == f.version:
		var names []string
		for _, m := range w.moves {
			names = append(names, fmt.Sprintf("%s on %s", m.ref(), m.cluster))
		}
		return fault.Newf(fault.Refused, "without the pin of %s on %s more than its version would change", t.App.Name, t.Cluster).
			WithHelp("it stands in `%s:%d` and decides on more of %s: take it away by hand", pin.file, pin.line, listed(names)).WithCode(NoPin)
	}
	err := fault.Newf(fault.Refused, "the base holds `%s`, the pin of %s on %s `%s`", version, t.App.Name, t.Cluster, f.version).
		WithHelp("without the pin in `%s:%d` it would go to `%s`\nbring the base to `%s` first, or the pin to `%s`", pin.file, pin.line, version, f.version, version).
		WithCode(Behind)
	var choices []string
	if base, ok := e.baseChange(ctx, s, f, w.world); ok {
		choices = append(choices, promoteText(base, f.version))
	}
	if checkWanted(f.kind, deploy.Version(version)) == nil {
		c := s.change
		c.Unpin = false
		choices = append(choices, promoteText(c, version))
	}
	return err.WithChoices(choices...)
}

// baseChange is the change that would bring the base to another version: of an app
// elsewhere that takes its version from there.
func (e *engine) baseChange(ctx context.Context, s *scene, f field, without *flux.World) (deploy.Change, bool) {
	_, others := e.source(ctx, s, f, without)
	for _, o := range others {
		app := running(s.world, o)
		if o.Cluster != s.change.Target.Cluster && app.Object.Name == s.object.Ref.Name && app.Object.Kind == s.object.Ref.Kind {
			c := s.change
			c.Unpin, c.Target.Cluster = false, o.Cluster
			return c, true
		}
	}
	return deploy.Change{}, false
}

// source is where a field's version stands in a world that edits made, and what
// takes it from there too.
func (e *engine) source(ctx context.Context, s *scene, f field, w *flux.World) (site, []deploy.Affected) {
	now := &scene{change: s.change, world: w, object: s.object}
	value := show(w, s.change.Target.Cluster, f)
	f.value, f.version = value, versionOf(f, value)
	found, err := e.locate(ctx, now, f, probeVersion(f))
	if err != nil {
		return site{}, nil
	}
	proof, err := e.prove(ctx, now, f, found[0].world, filesOf(found))
	if err != nil {
		return found[0], nil
	}
	return found[0], proof.others
}

// heir tells from where the version comes without the pin.
func (e *engine) heir(ctx context.Context, s *scene, f field, w *flux.World) []string {
	at, others := e.source(ctx, s, f, w)
	if at.file == "" {
		return nil
	}
	text := fmt.Sprintf("It takes `%s` from `%s:%d` from now on", f.version, at.file, at.line)
	if len(others) > 0 {
		text += ", as " + s.sharers(others)
	}
	return []string{text + "."}
}

// sharers names who takes something from the same place, with a verb: the other
// clusters, or where there are none the objects of this one.
func (s *scene) sharers(others []deploy.Affected) string {
	var clusters, objects []string
	for _, o := range others {
		if c := string(o.Cluster); o.Cluster != s.change.Target.Cluster && !slices.Contains(clusters, c) {
			clusters = append(clusters, c)
		}
		objects = append(objects, o.Object.String())
	}
	names := clusters
	if len(names) == 0 {
		names = objects
	}
	if len(names) == 1 {
		return names[0] + " does"
	}
	return listed(names) + " do"
}

// listed writes names for a sentence, at most five.
func listed(names []string) string {
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(slices.Clone(names[:most]), fmt.Sprintf("%d more", more))
	}
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
