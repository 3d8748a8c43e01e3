package delivery

import (
	"context"
	"path"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// A digest beside a tag decides on its own: with a new tag it would be stale. Where
// nobody knows the new one it can go, when that is told.

// moveAll is move, after the digests beside the tags have been taken away where the
// change wants that.
func (e *engine) moveAll(ctx context.Context, s *scene, goal []aim, p *deploy.Plan) ([]site, error) {
	if !s.change.TagOnly {
		return e.move(ctx, s, goal)
	}
	if _, digest := splitVersion(string(s.change.Version)); digest != "" {
		return nil, fault.Newf(fault.Invalid, "`%s` names a digest, and `tag-only` wants none", s.change.Version).WithHelp("leave out one of them")
	}
	now := *s
	var sites []site
	left := make([]aim, 0, len(goal))
	for _, a := range goal {
		cuts, notes, err := e.dropDigest(ctx, &now, a.field)
		if err != nil {
			return nil, err
		}
		if len(cuts) > 0 {
			sites = append(sites, cuts...)
			now.world = cuts[len(cuts)-1].world
		}
		p.Warnings = append(p.Warnings, notes...)
		value := show(now.world, s.change.Target.Cluster, a.field)
		a.value, a.version, a.pairedDigest = value, versionOf(a.field, value), ""
		left = append(left, a)
	}
	more, err := e.move(ctx, &now, left)
	return append(sites, more...), err
}

// dropDigest takes away the digest beside a tag, if it stands in a scalar of its
// own. One that is joined with the tag goes when that is written.
func (e *engine) dropDigest(ctx context.Context, s *scene, f field) ([]site, []string, error) {
	if digestOf(s.world, s.change.Target.Cluster, f) == "" {
		return nil, nil, nil
	}
	probe, zeros := f, "sha256:"+strings.Repeat("0", 64)
	if f.pairedDigest != "" {
		probe = pairOf(f)
	} else if tag, _ := splitVersion(f.version); tag == "" {
		return nil, nil, nil // there is nothing else: the swap says so
	} else {
		zeros = tag + "@" + zeros
	}
	found, err := e.locate(ctx, s, probe, zeros)
	if err != nil {
		return nil, nil, err
	}
	var pure []site
	for _, at := range found {
		if isDigest(strings.Trim(at.before, `"'`)) {
			pure = append(pure, at)
		}
	}
	if len(pure) == 0 {
		return nil, nil, nil
	}
	cuts, left, err := e.cuts(ctx, s, f, pure, wholeEntries)
	if err != nil {
		return nil, nil, fault.Newf(fault.Refused, "the digest of %s is written in a way that ferry cannot take away safely", s.change.Target.App.Name).
			WithHelp("it stands in `%s:%d`: take it away by hand", pure[0].file, pure[0].line).WithCode(Shaped).Because(err)
	}
	w := s.world
	for i := range cuts {
		if w, err = e.flux.With(ctx, w, cuts[i].file, cuts[i].data); err != nil {
			return nil, nil, err
		}
		cuts[i].world = w
	}
	return cuts, left, nil
}

// pairOf is the field of the digest that stands beside a tag.
func pairOf(f field) field {
	pair := f
	pair.path, pair.value, pair.version, pair.pairedDigest = path.Dir(f.path)+"/digest", f.pairedDigest, f.pairedDigest, ""
	return pair
}

// digestOf is the digest that stands beside a field's tag in a world, or with it.
func digestOf(w *flux.World, c deploy.Cluster, f field) string {
	if f.pairedDigest != "" {
		return show(w, c, pairOf(f))
	}
	_, digest := splitVersion(versionOf(f, show(w, c, f)))
	return digest
}

// digestsGone refuses what leaves a digest beside a tag that was to stand alone.
func digestsGone(s *scene, after *flux.World, goal []aim) error {
	for _, a := range goal {
		if digest := digestOf(after, s.change.Target.Cluster, a.field); digest != "" {
			return fault.Newf(fault.Refused, "the digest of %s would stay beside the new tag", s.change.Target.App.Name).
				WithHelp("`%s` stands where ferry cannot take it away for %s alone, or twice: do it by hand", digest, s.change.Target.Cluster).WithCode(Digested)
		}
	}
	return nil
}
