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

func (m moved) ref() deploy.Ref {
	if m.after != nil {
		return m.after.Ref
	}
	return m.before.Ref
}

// prove renders every cluster with a site's edit, and refuses unless only the
// target differs.
func (d *Delivery) prove(ctx context.Context, s *scene, at site) ([]moved, error) {
	files := s.files
	files.Overlay = map[string][]byte{at.file: at.data}
	world, err := d.flux.World(ctx, files, d.ours, s.declared)
	if err != nil {
		return nil, err
	}
	var all []moved
	for _, root := range s.world.Roots {
		after := world.Find(root.Cluster, root.Ref)
		if err := d.comparable(ctx, s, root, after, at.file); err != nil {
			return nil, err
		}
		all = append(all, difference(root, after)...)
	}
	for _, root := range world.Roots { // Kustomizations that only the edit brings
		if s.world.Find(root.Cluster, root.Ref) == nil {
			all = append(all, difference(nil, root)...)
		}
	}
	slices.SortStableFunc(all, func(a, b moved) int {
		return strings.Compare(string(a.cluster)+" "+a.ref().String(), string(b.cluster)+" "+b.ref().String())
	})
	return all, s.within(all, at)
}

// comparable refuses where a rendering is missing that the edit may matter to.
func (d *Delivery) comparable(ctx context.Context, s *scene, before, after *flux.Root, file string) error {
	if before.Rendering == nil {
		return nil
	}
	name := fmt.Sprintf("%s on %s", before.Ref, before.Cluster)
	if before.Rendering.Err != nil {
		reach, err := d.flux.ReachOf(ctx, s.files, []flux.Kustomization{before.Kustomization})
		if err != nil {
			return err
		}
		if !before.Rendering.Notes.Touches(file) && !reach.May(file) {
			return nil
		}
		return fault.Newf(fault.Refused, "%s may read `%s` too, but cannot be rendered", name, file).
			WithHelp("ferry changes nothing whose reach it cannot see; Flux reports the same error there: %s", firstLine(before.Rendering.Err)).
			Because(before.Rendering.Err)
	}
	if after != nil && after.Rendering != nil && after.Rendering.Err != nil {
		return fault.Newf(fault.Refused, "%s could not be rendered any more after the edit of `%s`", name, file).Because(after.Rendering.Err)
	}
	return nil
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
	old, now := objects(before), objects(after)
	if before != nil && after != nil && before.Rendering == after.Rendering {
		return nil
	}
	var out []moved
	for id, o := range old {
		if n := now[id]; n == nil || n.Sum != o.Sum {
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

func objects(r *flux.Root) map[string]*flux.Object {
	out := map[string]*flux.Object{}
	if r != nil && r.Rendering != nil {
		for _, o := range r.Rendering.Objects {
			out[o.ID()] = o
		}
	}
	return out
}

// within refuses what moves anything beyond the target.
func (s *scene) within(all []moved, at site) error {
	target := s.change.Target
	var others []string
	for _, m := range all {
		own := m.cluster == target.Cluster && m.ref() == s.object.Ref
		// The owner itself differs where the version stands in its own spec; what
		// that changes is rendered and compared like everything else.
		owner := m.cluster == target.Cluster && m.ref() == s.root.Ref
		if !own && !owner {
			others = append(others, fmt.Sprintf("%s on %s", m.ref(), m.cluster))
		}
	}
	if len(others) == 0 {
		return nil
	}
	others = slices.Compact(others)
	shown := strings.Join(others[:min(len(others), 5)], ", ")
	if len(others) > 5 {
		shown += fmt.Sprintf(" and %d more", len(others)-5)
	}
	return fault.Newf(fault.Refused, "`%s:%d` is shared: changing it for %s on %s would also change %s", at.file, at.edit.Line, target.App.Name, target.Cluster, shown).
		WithHelp("give %s on %s a version of its own in its overlay (a patch or an images: entry), then ask again", target.App.Name, target.Cluster)
}
