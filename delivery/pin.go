package delivery

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"

	"ferry/delivery/flux"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// A pin is an override: a version that a cluster's own files give to one app,
// where its present one stands in files that others read too. Where a person
// would put it is tried first, and like every edit it counts only if rendering
// proves it: the app shows the version, and nothing else moves.

// maxPins is how many places are tried.
const maxPins = 40

// pin finds the overrides that give fields which move together a version.
func (e *engine) pin(ctx context.Context, s *scene, goal []aim) ([]site, error) {
	var sites []site
	now := *s
	for _, a := range goal {
		if versionOf(a.field, show(now.world, s.change.Target.Cluster, a.field)) == a.wanted {
			continue // an earlier override moved it too
		}
		at, err := e.pinField(ctx, s, &now, a.field, a.wanted)
		if err != nil {
			return nil, err
		}
		sites = append(sites, at)
		now.world = at.world
	}
	return sites, nil
}

// pinField tries one place after the other. now is the scene that earlier edits
// made of s.
func (e *engine) pinField(ctx context.Context, s, now *scene, f field, wanted string) (site, error) {
	places, err := e.places(ctx, now, f, wanted)
	if err != nil {
		return site{}, err
	}
	for _, c := range places[:min(len(places), maxPins)] {
		data, edit, err := c.edit()
		if err != nil {
			continue // it cannot be written there: the next place may do
		}
		at := site{candidate: c, before: edit.Before, after: edit.After, line: edit.Line, column: edit.Column, data: data}
		if at.world, err = e.flux.With(ctx, now.world, c.file, data); err != nil {
			return site{}, err
		}
		at.value = show(at.world, s.change.Target.Cluster, f)
		if versionOf(f, at.value) != wanted {
			continue
		}
		all, err := e.prove(ctx, s, f, at.world, []string{c.file})
		if err == nil && len(all.others) == 0 {
			return at, nil
		}
	}
	t := s.change.Target
	return site{}, fault.Newf(fault.Refused, "no file that only %s reads could hold a version of %s: give it a patch or an `images:` entry in an overlay of its own, then ask again", t.Cluster, t.App.Name).WithCode(Shared)
}

// places lists where an override could stand, in the order of a person's
// choice: a patch of the object that is there already, an entry for its image,
// a new patch in the overlay, then the Flux Kustomization itself.
func (e *engine) places(ctx context.Context, s *scene, f field, wanted string) ([]candidate, error) {
	var out []candidate
	for _, file := range s.ownFiles(f) {
		if !manifest(file) {
			continue
		}
		data, err := read(ctx, s.world.Files(), file)
		if err != nil {
			return nil, err
		}
		out = append(out, overrides(s, file, data, f, wanted)...)
	}
	slices.SortStableFunc(out, func(a, b candidate) int { return b.score - a.score })
	return out, nil
}

// ownFiles are the files that decide on a field and that no other cluster
// reads, the likeliest first.
func (s *scene) ownFiles(f field) []string {
	target := s.change.Target
	others := map[string]bool{}
	for _, c := range s.world.Clusters() {
		for _, root := range s.world.Roots(c) {
			if c != target.Cluster && root.Rendering != nil {
				root.Rendering.Reads(func(file string) { others[file] = true })
			}
		}
	}
	own := slices.DeleteFunc(s.candidates(f), func(file string) bool { return others[file] })
	near := func(file string) int {
		score := strings.Count(file, "/")
		if strings.Contains(file, target.App.Name) || (f.repository != "" && strings.Contains(file, path.Base(f.repository))) {
			score += 100
		}
		return score
	}
	slices.SortStableFunc(own, func(a, b string) int { return cmp.Or(near(b)-near(a), strings.Compare(a, b)) })
	return own
}

// refuseShared is for a plan that would move more than its target: it refuses, and
// says what a careful engineer would do instead.
func (e *engine) refuseShared(ctx context.Context, s *scene, goal []aim, sites []site, others []deploy.Affected) error {
	err := s.shared(sites, others)
	alone := *s
	alone.fellows = nil
	pinned, pinErr := e.pin(ctx, &alone, goal)
	if pinErr == nil && s.change.TagOnly {
		pinErr = digestsGone(s, pinned[len(pinned)-1].world, goal)
	}
	if pinErr != nil {
		err.Help += "\n" + says(pinErr)
		return err.Because(pinErr)
	}
	err.Help += "\n`pin` gives it a version of its own there, in `" + pinned[0].file + "`, until `unpin`"
	c := s.change
	c.Pin, c.With = true, nil
	return err.WithChoices(promoteText(c, string(c.Version)))
}

// kustomizationOf returns the Flux Kustomization of the target's cluster that a
// document declares; nil if it is none.
func (s *scene) kustomizationOf(d document) *flux.Root {
	if d.group != flux.Group || d.kind != "Kustomization" {
		return nil
	}
	for _, root := range s.world.Roots(s.change.Target.Cluster) {
		if root.Ref.Name == d.name && (d.namespace == "" || d.namespace == root.Ref.Namespace) {
			return root
		}
	}
	return nil
}
