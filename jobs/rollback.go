package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var rollbackSyntax = chat.Syntax{
	Verb:    "rollback",
	Form:    "<app> on <cluster> [to <version>] [with <targets>] [<mode>] [despite <gate> because <reason>]",
	Summary: "go back to the last version that was seen healthy there, or to a named one",
	Details: []string{
		"Only the version goes back: later changes to other things stay.",
		"Where others share the version, `with` names them as in `promote`: they go back to the same version.",
		"ferry remembers a version as healthy when it saw it healthy on that cluster, before or after a promotion.",
	},
	Examples: []string{"rollback podinfo on prod", "rollback podinfo on prod to 6.5.3"},
	Changes:  true,
	Gated:    true,
}

// rollback brings back a version that was seen healthy on the target.
type rollback struct{ changer }

// Admit implements Work.
func (r rollback) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	app, good, err := r.choose(ctx, cmd)
	if err != nil {
		return "", nil, err
	}
	with, err := r.lookWith(cmd, app)
	if err != nil {
		return "", nil, err
	}
	c := deploy.Change{Target: app.Target, With: with}
	return fmt.Sprintf("Roll back %s to `%s` on %s", app.App.Name, good.Version, places(c)), append([]deploy.Target{app.Target}, with...), nil
}

// Run implements Work.
func (r rollback) Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	return r.run(ctx, cmd, j, save, func(ctx context.Context) (deploy.Change, error) { return r.want(ctx, cmd) })
}

// want is the change that a command asks for.
func (r rollback) want(ctx context.Context, cmd chat.Command) (deploy.Change, error) {
	app, good, err := r.choose(ctx, cmd)
	if err != nil {
		return deploy.Change{}, err
	}
	with, err := r.lookWith(cmd, app)
	if err != nil {
		return deploy.Change{}, err
	}
	return deploy.Change{Target: app.Target, With: with, Version: good.Version, Field: good.Field, Owner: app.Owner}, nil
}

func (r rollback) choose(ctx context.Context, cmd chat.Command) (deploy.AppState, deploy.Record, error) {
	app, err := r.look(cmd)
	if err != nil {
		return app, deploy.Record{}, err
	}
	records, err := r.known(ctx, app.Target)
	if err != nil {
		return app, deploy.Record{}, err
	}
	if cmd.Args.Version == "" { // nobody means one that would be refused
		back, err := r.backOn(ctx, app.Target)
		if err != nil {
			return app, deploy.Record{}, err
		}
		for i := range records {
			records[i].Healthy = records[i].Healthy && !slices.Contains(back, records[i].Version)
		}
	}
	good, err := pick(app, records, deploy.Version(cmd.Args.Version))
	return app, good, err
}

// known reads enough of a target's history to choose from.
func (r rollback) known(ctx context.Context, t deploy.Target) ([]deploy.Record, error) {
	const most = 200
	var out []deploy.Record
	err := r.History.Of(ctx, t, func(rec deploy.Record) bool {
		out = append(out, rec)
		return len(out) < most
	})
	return out, err
}

// pick chooses from a target's records, the newest first: the wanted version,
// if one is named, else the newest healthy one that is not what Git holds. Git
// holds the version of the newest change, unless that arrived healthy and
// something else runs now: then somebody changed it since, and the newest
// change itself is what to go back to.
func pick(app deploy.AppState, records []deploy.Record, want deploy.Version) (deploy.Record, error) {
	held := app.Version
	changed := slices.IndexFunc(records, func(r deploy.Record) bool { return r.Command != seen && r.Commit != "" }) // without a commit it never was in Git
	if changed >= 0 {
		newest := records[changed]
		if !newest.Healthy || runs(app, newest.Field, newest.Version) {
			held = newest.Version
		}
	}
	var good, told []string
	for _, r := range records {
		switch {
		case r.FromGit && r.Version != held && !slices.Contains(told, string(r.Version)):
			told = append(told, string(r.Version))
			continue
		case !r.Healthy || r.FromGit:
			continue
		case want != "" && r.Version == want, want == "" && r.Version != held:
			return r, nil
		}
		if !slices.Contains(good, string(r.Version)) {
			good = append(good, string(r.Version))
		}
	}
	err := nothingGood(app, good, want)
	if len(told) > 0 && len(good) == 0 {
		err = err.WithHelp("%s\nGit tells of %s, but not what became of them there", err.Help, spoken(told[:min(5, len(told))]))
	}
	return deploy.Record{}, err
}

func nothingGood(app deploy.AppState, good []string, want deploy.Version) *fault.Error {
	name, cluster := app.App.Name, app.Cluster
	if want != "" {
		e := fault.Newf(fault.Refused, "%s `%s` was never seen healthy on %s", name, want, cluster)
		if len(good) > 0 {
			return e.WithHelp("seen healthy there: %s\n`promote %s@%s to %s` brings it all the same", strings.Join(good, ", "), name, want, cluster)
		}
		return e.WithHelp("no version of it was\n`promote %s@%s to %s` brings it all the same", name, want, cluster)
	}
	e := fault.Newf(fault.Refused, "there is nothing to roll %s back to on %s", name, cluster)
	if len(good) > 0 {
		return e.WithHelp("the only version ferry has seen healthy there is the present one, %s\n`promote %s@… to %s` brings another", strings.Join(good, ", "), name, cluster)
	}
	return e.WithHelp("ferry remembers a version when it replaces it, and has replaced none of it there yet\n`promote %s@… to %s` brings one by name", name, cluster)
}
