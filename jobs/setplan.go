package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// draft is a set that is planned.
type draft struct {
	waves []wave
	left  []leftOut
	hash  string
}

// draftSet plans what was picked. What cannot be planned is left out, with the reason;
// apps that share a version go together where all of them come to it in one wave.
func (c changer) draftSet(ctx context.Context, cmd chat.Command, found []candidate, left []leftOut) (*draft, error) {
	if err := c.direct(ctx, found); err != nil {
		return nil, err
	}
	found, left, err := c.asInGit(ctx, found, left)
	if err != nil {
		return nil, err
	}
	var changes []deploy.Change
	var at []int // the wave of each
	waves := c.split(found)
	for i, w := range waves {
		for _, f := range found {
			if slices.Contains(w.Clusters, f.Target.Cluster) {
				changes = append(changes, deploy.Change{Target: f.Target, Version: f.Version, Field: f.Field, Owner: f.Owner})
				at = append(at, i)
			}
		}
	}
	tried, err := c.Sets.PlanSet(ctx, changes, c.Fleet.Declared())
	if err != nil {
		return nil, err
	}
	if merged, mergedAt, ok := together(tried, at); ok {
		changes, at = merged, mergedAt
		if tried, err = c.Sets.PlanSet(ctx, changes, c.Fleet.Declared()); err != nil {
			return nil, err
		}
	}
	d := &draft{left: left}
	for i, one := range tried {
		if why, same := c.refused(one); why != "" {
			for _, t := range append([]deploy.Target{changes[i].Target}, changes[i].With...) {
				d.left = append(d.left, leftOut{Target: t, Why: why, Same: same})
			}
			continue
		}
		m := move{Change: changes[i], Plan: slim(one.Plan)}
		if m.Owners, err = (&change{changer: c}).owners(m.Change.With); err != nil {
			return nil, err
		}
		waves[at[i]].Moves = append(waves[at[i]].Moves, m)
	}
	d.waves = slices.DeleteFunc(waves, func(w wave) bool { return len(w.Moves) == 0 })
	if len(d.waves) == 0 {
		return nil, nothingLeft(cmd, d.left)
	}
	var hashes []string
	for i := range d.waves {
		d.waves[i].narrow()
		hashes = append(hashes, d.waves[i].hash())
	}
	d.hash = digest(hashes)
	return d, nil
}

// direct refuses clusters whose changes are proposed: people merge those one by one,
// when they like.
func (c changer) direct(ctx context.Context, found []candidate) error {
	if c.Proposer == nil {
		return nil
	}
	var asked []deploy.Cluster
	for _, f := range found {
		if slices.Contains(asked, f.Target.Cluster) {
			continue
		}
		asked = append(asked, f.Target.Cluster)
		pull, why, err := c.Proposer.Way(ctx, f.Target.Cluster)
		if err != nil {
			return err
		}
		if pull {
			help := "nothing was changed\na wave is one commit, and nobody knows when people merge: promote each app there by itself, or name other clusters"
			if why != "" {
				help = why + "\n" + help
			}
			return fault.Newf(fault.Refused, "changes of %s are pull requests, which a set cannot be", f.Target.Cluster).WithHelp("%s", help)
		}
	}
	return nil
}

// asInGit leaves out the apps of which Git wants something else on the cluster they
// are taken from than runs there: nobody knows then which of the two is meant.
func (c changer) asInGit(ctx context.Context, found []candidate, left []leftOut) ([]candidate, []leftOut, error) {
	if c.Git == nil || !slices.ContainsFunc(found, func(f candidate) bool { return f.From.Version != "" }) {
		return found, left, nil
	}
	wanted, err := c.Git.Wanted(ctx, c.Fleet.Declared())
	if err != nil {
		return nil, nil, err
	}
	of := map[deploy.Target]deploy.Wanted{}
	for _, w := range wanted {
		of[w.Target] = w
	}
	var out []candidate
	for _, f := range found {
		w, known := of[f.From.Target]
		held := slices.IndexFunc(w.Versions, func(v deploy.WantedVersion) bool { return v.Field == f.Field })
		why := ""
		switch {
		case f.From.Version == "":
		case !known:
			why = "is not in Git as it runs on " + string(f.From.Cluster)
		case held < 0:
			why = fmt.Sprintf("has no version in Git for %s that ferry can read", f.From.Cluster)
			if w.Why != "" {
				why += ": " + clip(w.Why)
			}
		case !w.Versions[held].Ranged && !slices.ContainsFunc(w.Versions, func(v deploy.WantedVersion) bool { return v.Field == f.Field && runs(f.From, v.Field, v.Version) }):
			why = fmt.Sprintf("runs `%s` on %s, where Git wants `%s`", f.From.Version, f.From.Cluster, w.Versions[held].Version)
		}
		if why == "" {
			out = append(out, f)
		} else {
			left = append(left, leftOut{Target: f.Target, Why: why})
		}
	}
	return out, left, nil
}

// split puts the clusters of candidates into waves: those that are configured in
// their order, then all others together.
func (c changer) split(found []candidate) []wave {
	var clusters, placed []deploy.Cluster
	for _, f := range found {
		if !slices.Contains(clusters, f.Target.Cluster) {
			clusters = append(clusters, f.Target.Cluster)
		}
	}
	var out []wave
	add := func(group []deploy.Cluster, soak bool, w Waves) {
		var mine []deploy.Cluster
		for _, name := range group {
			if slices.Contains(clusters, name) && !slices.Contains(placed, name) {
				mine, placed = append(mine, name), append(placed, name)
			}
		}
		if len(mine) > 0 {
			out = append(out, wave{Clusters: mine})
			if soak {
				out[len(out)-1].Soak = w.Soak
			}
		}
	}
	for _, w := range c.Waves {
		for _, group := range w.Groups {
			add(group, true, w)
		}
	}
	add(clusters, false, Waves{})
	return out
}

// narrow keeps the clusters that something is to change on.
func (w *wave) narrow() {
	w.Clusters = slices.DeleteFunc(w.Clusters, func(c deploy.Cluster) bool {
		return !slices.ContainsFunc(w.targets(), func(t deploy.Target) bool { return t.Cluster == c })
	})
}

// together makes one change of those that share a version, where all of them are in
// the set, in one wave and to get the same version.
func together(tried []deploy.Tried, at []int) (changes []deploy.Change, waves []int, ok bool) {
	index := map[deploy.Target]int{}
	for i, one := range tried {
		index[one.Plan.Change.Target] = i
	}
	gone := map[int]bool{}
	for i, one := range tried {
		if gone[i] {
			continue
		}
		c := one.Plan.Change
		if one.Err != nil && len(one.Plan.Sharing) > 0 && !slices.ContainsFunc(one.Plan.Sharing, func(t deploy.Target) bool {
			j, there := index[t]
			return !there || gone[j] || at[j] != at[i] || tried[j].Plan.Change.Version != c.Version
		}) {
			c.With, ok = one.Plan.Sharing, true
			for _, t := range c.With {
				gone[index[t]] = true
			}
		}
		changes, waves = append(changes, c), append(waves, at[i])
	}
	if !ok {
		return nil, nil, false
	}
	var out []deploy.Change
	var outAt []int
	for i, c := range changes { // a sharer may stand before the one that names it
		if !slices.ContainsFunc(changes, func(o deploy.Change) bool { return slices.Contains(o.With, c.Target) }) {
			out, outAt = append(out, c), append(outAt, waves[i])
		}
	}
	return out, outAt, true
}

// refused says why a change is not in the set; empty if it is.
func (c changer) refused(one deploy.Tried) (why string, same bool) {
	if e, ok := errors.AsType[*fault.Error](one.Err); ok {
		if len(one.Plan.Sharing) > 0 {
			var others []string
			for _, t := range one.Plan.Sharing {
				others = append(others, place(one.Plan.Change.Target, t))
			}
			return "shares its version with " + spoken(others[:min(len(others), 4)]) + ", which would have to come along in the same wave", false
		}
		return "is refused: " + e.Says, false
	}
	if one.Err != nil {
		return "cannot be planned", false
	}
	settled := !slices.ContainsFunc(parts(one.Plan), func(p deploy.Part) bool {
		now, err := find(c.Fleet, p.Target.Cluster, p.Target.App.String())
		return err != nil || !runs(now, p.Site.Field, one.Plan.Change.Version) || now.Health != deploy.Healthy
	})
	if one.Plan.Already && settled {
		return "is the same already", true
	}
	return "", false
}

// slim is a plan as it stands in a row: without what only people read.
func slim(p deploy.Plan) deploy.Plan {
	p.Diff, p.RenderedDiff, p.Edits, p.Files, p.Automation = "", "", nil, nil, nil
	return p
}

// targets are all that a wave changes.
func (w *wave) targets() []deploy.Target {
	var out []deploy.Target
	for i := range w.Moves {
		out = append(append(out, w.Moves[i].Change.Target), w.Moves[i].Change.With...)
	}
	return out
}

// hash covers all plans of a wave.
func (w *wave) hash() string {
	var all []string
	for i := range w.Moves {
		all = append(all, w.Moves[i].Plan.Hash)
	}
	return digest(all)
}

func digest(parts []string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(parts, "\n"))))[:32]
}

// changes are those of a wave.
func (w *wave) changes() []deploy.Change {
	var out []deploy.Change
	for i := range w.Moves {
		out = append(out, w.Moves[i].Change)
	}
	return out
}

// whole is one plan that stands for all of a wave, for the gates.
func (w *wave) whole() deploy.Plan {
	targets := w.targets()
	p := deploy.Plan{Change: w.Moves[0].Change, Base: w.Moves[0].Plan.Base, From: w.Moves[0].Plan.From, Hash: w.hash()}
	p.Change.Target, p.Change.With = targets[0], targets[1:]
	for i := range w.Moves {
		p.Affected = append(p.Affected, w.Moves[i].Plan.Affected...)
	}
	return p
}

// of is the part of whole that brings one version: holds may be of a version.
func (w *wave) of(v deploy.Version) deploy.Plan {
	mine := wave{}
	for i := range w.Moves {
		if w.Moves[i].Change.Version == v {
			mine.Moves = append(mine.Moves, w.Moves[i])
		}
	}
	p := mine.whole()
	p.Change.Version, p.Hash = v, w.hash()
	return p
}

// versions are those that a wave brings.
func (w *wave) versions() []deploy.Version {
	var out []deploy.Version
	for i := range w.Moves {
		if v := w.Moves[i].Change.Version; !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out
}
