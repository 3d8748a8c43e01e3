package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// lookWith finds the further targets of a command, on clusters that are known for
// certain: the same app on a cluster, or the one that is named there.
func (c changer) lookWith(cmd chat.Command, first deploy.AppState) ([]deploy.Target, error) {
	if cmd.Args.Targets == "" {
		return nil, nil
	}
	if hasOption(cmd, "pin") {
		return nil, fault.New(fault.Invalid, "`pin` and `with` exclude each other", "`pin` gives this cluster a version of its own, `with` promotes others along with it\nnothing was done")
	}
	pieces := strings.Split(string(cmd.Args.Targets), ",")
	var out []deploy.Target
	for i, piece := range pieces {
		cluster, name, named := strings.Cut(piece, "/")
		if err := fresh(c.Fleet, deploy.Cluster(cluster)); err != nil {
			return nil, err
		}
		if !named {
			name = first.App.String()
		}
		app, err := find(c.Fleet, deploy.Cluster(cluster), name)
		if err != nil && !named {
			app, err = find(c.Fleet, deploy.Cluster(cluster), first.App.Name)
		}
		if err != nil {
			return nil, commands(err, func(app string) string {
				now := slices.Clone(pieces)
				now[i] = cluster + "/" + app
				head, _, _ := strings.Cut(cmd.Text, " with ")
				return strings.TrimSpace(head+" with "+strings.Join(now, ", ")+" "+string(cmd.Args.Option)) + endings(cmd.Args)
			})
		}
		switch {
		case app.Target == first.Target:
			return nil, fault.Newf(fault.Invalid, "%s on %s is what the command is about already", first.App.Name, cluster).WithHelp("leave out `%s` behind `with`", piece)
		case !slices.Contains(out, app.Target):
			out = append(out, app.Target)
		}
	}
	return out, nil
}

// hasOption reports whether a command ends with an option.
func hasOption(cmd chat.Command, option string) bool {
	return slices.Contains(strings.Fields(string(cmd.Args.Option)), option)
}

// owners are how targets reach their clusters.
func (r *change) owners(targets []deploy.Target) ([]deploy.Owner, error) {
	var out []deploy.Owner
	for _, t := range targets {
		app, err := find(r.Fleet, t.Cluster, t.App.String())
		if err != nil {
			return nil, err
		}
		out = append(out, app.Owner)
	}
	return out, nil
}

// parts are what a plan does to each of its targets, the first one included.
func parts(p deploy.Plan) []deploy.Part {
	return append([]deploy.Part{{Target: p.Change.Target, From: p.From, Site: p.Site}}, p.Parts...)
}

// goals are the plan as each of its targets has to follow it.
func (r *change) goals() []deploy.Plan {
	var out []deploy.Plan
	for i, part := range parts(r.row.Plan) {
		own := r.row.Plan
		own.Change.Target, own.Change.Owner = r.row.Change.Target, r.row.Change.Owner
		if i > 0 {
			own.Change.Target, own.Change.Owner = part.Target, r.row.Owners[i-1]
		}
		own.From, own.Site, own.Parts, own.Change.With = part.From, part.Site, nil, nil
		out = append(out, own)
	}
	return out
}

// place names one of several targets: by its cluster, where the app is the first
// one's.
func place(first, t deploy.Target) string {
	if t.App == first.App {
		return string(t.Cluster)
	}
	return string(t.Cluster) + "/" + t.App.Name
}

// places are where a change goes, for a sentence.
func places(c deploy.Change) string {
	const most = 8
	out := []string{string(c.Target.Cluster)}
	for i, t := range c.With {
		if more := len(c.With) - i; len(out) == most && more > 1 {
			return spoken(append(out, fmt.Sprintf("%d more", more)))
		}
		out = append(out, place(c.Target, t))
	}
	return spoken(out)
}

// withText is how a command names the further targets, with a space before it;
// empty without any.
func withText(f Fleet, c deploy.Change) string {
	var out []string
	for _, t := range c.With {
		word := string(t.Cluster)
		if t.App != c.Target.App {
			word += "/" + shortest(f, t)
		}
		out = append(out, word)
	}
	if len(out) == 0 {
		return ""
	}
	return " with " + strings.Join(out, ", ")
}

// offerAll adds to a refusal because of a shared version how all that share it
// would be promoted, as far as whoever asked may do that.
func (r *change) offerAll(ctx context.Context, p deploy.Plan, err error) error {
	err = alike(err, r.cmd.Args)
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || len(p.Sharing) == 0 {
		return err
	}
	c := r.row.Change
	c.With = nil
	for _, t := range p.Sharing {
		live, ferr := find(r.Fleet, t.Cluster, t.App.String())
		if ferr != nil {
			live, ferr = find(r.Fleet, t.Cluster, t.App.Name)
		}
		if ferr != nil || !deploy.Word(live.App.Namespace) || !deploy.Word(live.App.Name) {
			return err // not all of them can be named here
		}
		c.With = append(c.With, live.Target)
	}
	all, with := append([]deploy.Target{c.Target}, c.With...), withText(r.Fleet, c)
	offer := fault.Offer{
		Command: fmt.Sprintf("promote %s@%s", r.cmd.Args.App, c.Version), Label: fmt.Sprintf("Promote all %d", len(all)),
		Confirm: fmt.Sprintf("This promotes %s to %s on %s.", c.Target.App.Name, c.Version, places(c)),
	}
	if f := r.cmd.Args.Field; f != "" {
		offer.Command += " " + string(f)
	}
	offer.Command += " to " + string(c.Target.Cluster) + with
	if c.TagOnly {
		offer.Command += " tag-only"
	}
	if r.cmd.Verb == rollbackSyntax.Verb {
		offer.Command = fmt.Sprintf("rollback %s on %s to %s%s", r.cmd.Args.App, c.Target.Cluster, c.Version, with)
		offer.Label = fmt.Sprintf("Roll back all %d", len(all))
		offer.Confirm = fmt.Sprintf("This takes %s back to %s on %s.", c.Target.App.Name, c.Version, places(c))
	}
	if offer.Command += endings(r.cmd.Args); r.cmd.Args.Mode != "" {
		offer.Label, offer.Confirm = fmt.Sprintf("Try all %d", len(all)), ""
	}
	out := *e
	if r.May != nil {
		if denied, ok := errors.AsType[*fault.Error](r.May(ctx, r.cmd.User, r.cmd.Verb, all)); ok {
			out.Help += fmt.Sprintf("\n`%s` promotes all %d, for somebody who may: %s", offer.Command, len(all), denied.Says)
			return &out
		}
	}
	out.Help += fmt.Sprintf("\n`with` promotes all %d that share it, and nothing else", len(all))
	out.Offers = append(slices.Clone(e.Offers), offer)
	return &out
}
