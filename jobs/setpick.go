package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// candidate is an app on a cluster that a set is to bring a version to.
type candidate struct {
	deploy.AppState
	Target  deploy.Target
	Version deploy.Version
	Field   deploy.FieldKind
	From    deploy.AppState // where the version comes from; zero if it was named
}

// pick finds what a command asks for, as the clusters and the store show it now.
func (c changer) pick(ctx context.Context, cmd chat.Command) (found []candidate, left []leftOut, err error) {
	if c.Sets == nil {
		return nil, nil, fault.New(fault.Invalid, "sets are not possible here", "promote each app by itself")
	}
	clusters := targetClusters(c.Fleet, cmd)
	if len(clusters) == 0 {
		return nil, nil, c.nowhereElse(cmd)
	}
	for _, cluster := range clusters {
		if err := fresh(c.Fleet, cluster); err != nil {
			return nil, nil, err
		}
	}
	if cmd.Args.From == "" {
		found, left, err = c.byVersion(cmd, clusters)
	} else {
		found, left, err = c.bySource(ctx, cmd, clusters)
	}
	if err != nil {
		return nil, nil, err
	}
	if found, left, err = c.unheld(ctx, cmd, found, left); err != nil {
		return nil, nil, err
	}
	found, left = c.allowed(ctx, cmd, found, left)
	if len(found) == 0 {
		return nil, nil, nothingLeft(cmd, left)
	}
	return found, left, nil
}

func (c changer) nowhereElse(cmd chat.Command) error {
	var all []string
	for _, s := range c.Fleet.Clusters() {
		if string(s.Name) != string(cmd.Args.From) {
			all = append(all, string(s.Name))
		}
	}
	return fault.Newf(fault.Invalid, "`%s` names no cluster but the one that the versions come from", cmd.Args.Clusters).
		WithHelp("nothing was done\nthe others are %s", quoted(all))
}

// byVersion are the targets of a command that names a version.
func (c changer) byVersion(cmd chat.Command, clusters []deploy.Cluster) (found []candidate, left []leftOut, err error) {
	for _, cluster := range clusters {
		app, err := find(c.Fleet, cluster, string(cmd.Args.App))
		switch {
		case fault.Is(err, fault.NotFound) && !slices.Contains(strings.Split(string(cmd.Args.Clusters), ","), string(cluster)):
			left = append(left, leftOut{Target: deploy.Target{Cluster: cluster, App: deploy.App{Name: string(cmd.Args.App)}}, Why: "is not there"})
		case err != nil:
			return nil, nil, commands(err, func(app string) string {
				return fmt.Sprintf("promote %s@%s to %s", app, cmd.Args.Version, cmd.Args.Clusters) + endings(cmd.Args)
			})
		default:
			found = append(found, candidate{AppState: app, Target: app.Target, Version: deploy.Version(cmd.Args.Version), Field: deploy.FieldKind(cmd.Args.Field)})
		}
	}
	return found, left, nil
}

// bySource are the targets of a command that takes what runs on a cluster.
func (c changer) bySource(ctx context.Context, cmd chat.Command, clusters []deploy.Cluster) (found []candidate, left []leftOut, err error) {
	from := deploy.Cluster(cmd.Args.From)
	if err := fresh(c.Fleet, from); err != nil {
		return nil, nil, err
	}
	sources := slices.Clone(c.Fleet.Apps(from))
	if cmd.Args.App != "" {
		one, err := c.source(ctx, cmd)
		if err != nil {
			return nil, nil, err
		}
		sources = []deploy.AppState{one}
	}
	slices.SortStableFunc(sources, func(a, b deploy.AppState) int { return byName(a.App, b.App) })
	for _, source := range sources {
		why, err := c.unsettled(ctx, source)
		if err != nil {
			return nil, nil, err
		}
		if why != "" {
			left = append(left, leftOut{Target: source.Target, Why: why})
			continue
		}
		for _, cluster := range clusters {
			t := deploy.Target{Cluster: cluster, App: source.App}
			now, err := find(c.Fleet, cluster, source.App.String())
			switch {
			case err != nil:
				left = append(left, leftOut{Target: t, Why: "is not there"})
			case now.Field != source.Field && now.Field != "":
				left = append(left, leftOut{Target: t, Why: fmt.Sprintf("has the version of its %s there, and on %s that of its %s", now.Field, from, source.Field)})
			case runs(now, source.Field, source.Version):
				left = append(left, leftOut{Target: t, Why: "is the same already", Same: true})
			default:
				found = append(found, candidate{AppState: now, Target: t, Version: source.Version, Field: source.Field, From: source})
			}
		}
	}
	return found, left, nil
}

// unheld leaves out what somebody holds, unless the command passes that.
func (c changer) unheld(ctx context.Context, cmd chat.Command, found []candidate, left []leftOut) ([]candidate, []leftOut, error) {
	if c.Holds == nil || slices.Contains(strings.Split(string(cmd.Args.Gate), ","), "hold") {
		return found, left, nil
	}
	held, err := c.Holds.All(ctx)
	if err != nil {
		return nil, nil, err
	}
	var out []candidate
	for _, f := range found {
		i := slices.IndexFunc(held, func(h deploy.Hold) bool {
			return h.Target == f.Target && (h.Version == "" || h.Version == f.Version) && !h.Over(c.Now())
		})
		if i < 0 {
			out = append(out, f)
			continue
		}
		left = append(left, leftOut{Target: f.Target, Why: fmt.Sprintf("is held by %s: %s", cmp.Or(held[i].Name, held[i].By), clip(held[i].Reason))})
	}
	return out, left, nil
}

// allowed leaves out what whoever asks may not promote; all of it stays where that is
// everything, so that the refusal is the usual one.
func (c changer) allowed(ctx context.Context, cmd chat.Command, found []candidate, left []leftOut) ([]candidate, []leftOut) {
	may := func(of []candidate) bool {
		var targets []deploy.Target
		for _, f := range of {
			targets = append(targets, f.Target)
		}
		return !fault.Is(c.May(ctx, cmd.User, cmd.Verb, targets), fault.Denied)
	}
	if c.May == nil || len(found) == 0 || may(found) {
		return found, left
	}
	var out []candidate
	denied := left
	for i, f := range found {
		if may(found[i : i+1]) {
			out = append(out, f)
		} else {
			denied = append(denied, leftOut{Target: f.Target, Why: "is not yours to promote there"})
		}
	}
	if len(out) == 0 {
		return found, left
	}
	return out, denied
}

// nothingLeft is the answer where nothing is to be done, or nothing can be.
func nothingLeft(cmd chat.Command, left []leftOut) error {
	others := slices.DeleteFunc(slices.Clone(left), func(l leftOut) bool { return l.Same })
	if len(others) == 0 && len(left) > 0 {
		return fault.Newf(fault.Already, "everything is the same already").
			WithHelp("nothing was changed: %s runs %s as %s does", cmd.Args.Clusters, count(len(left), "version"), cmd.Args.From)
	}
	var lines []string
	for _, l := range others[:min(len(others), 10)] {
		lines = append(lines, l.text())
	}
	if more := len(others) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more", more))
	}
	if same := len(left) - len(others); same > 0 {
		lines = append(lines, fmt.Sprintf("%d are the same already", same))
	}
	return fault.New(fault.Refused, "nothing of that can be promoted", "nothing was changed\n"+strings.Join(lines, "\n"))
}

func (l leftOut) text() string {
	return fmt.Sprintf("%s on %s %s", l.Target.App.Name, l.Target.Cluster, l.Why)
}
