package jobs

import (
	"context"
	"fmt"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// unfit says why what runs is not taken elsewhere; empty if it may be.
func unfit(a deploy.AppState) string {
	switch {
	case a.Owner.Kustomization == (deploy.Ref{}):
		return "is not managed by Flux"
	case a.Health != deploy.Healthy:
		return strings.TrimSuffix(fmt.Sprintf("is %s: %s", a.Health, clip(a.Reason)), ": ")
	case a.Version == "":
		return "has no version that ferry knows"
	}
	return ""
}

// unsettled is unfit for what is held against Git before anything is made of it: then an
// app may be taken while Flux applies another commit of the Kustomization that it shares,
// if it stands itself and is what was seen healthy there last. On a branch that many push
// to, a Kustomization is at work half of the time, for other apps than this one; to wait
// for a quiet moment proves nothing more about it.
func (c changer) unsettled(ctx context.Context, a deploy.AppState) (why string, err error) {
	if why = unfit(a); why == "" || a.Health != deploy.Progressing || !a.Stands || c.Git == nil {
		return why, nil
	}
	proven := false
	err = c.History.Of(ctx, a.Target, func(r deploy.Record) bool {
		proven = r.Healthy && !r.FromGit && runs(a, r.Field, r.Version)
		return false
	})
	if err != nil || !proven {
		return why, err
	}
	a.Health = deploy.Healthy
	return unfit(a), nil
}

// source is the app that a command takes the version of, on a cluster that is known for
// certain: healthy, or, if that is held against Git afterwards, unsettled by nothing of
// its own.
func (c changer) source(ctx context.Context, cmd chat.Command) (deploy.AppState, error) {
	from := deploy.Cluster(cmd.Args.From)
	if err := fresh(c.Fleet, from); err != nil {
		return deploy.AppState{}, err
	}
	app, err := find(c.Fleet, from, string(cmd.Args.App))
	if err != nil {
		return app, commands(err, func(app string) string {
			return fmt.Sprintf("promote %s from %s to %s", app, from, cmd.Args.Clusters) + endings(cmd.Args)
		})
	}
	why, err := c.unsettled(ctx, app)
	if err != nil {
		return app, err
	}
	if why != "" {
		return app, fault.Newf(fault.Refused, "%s on %s %s", app.App.Name, from, why).WithHelp("%s", c.instead(app, cmd))
	}
	return app, nil
}

// instead says what to do where an app is not taken as it runs, and when.
func (c changer) instead(app deploy.AppState, cmd chat.Command) string {
	name, when := shortest(c.Fleet, app.Target), "only what is healthy there is taken from there"
	if app.Health == deploy.Progressing {
		when = fmt.Sprintf("ask again once `list %s on %s` calls it healthy", name, app.Cluster)
		if app.Stands {
			when = fmt.Sprintf("its pods run well, but ferry never saw this version proven there, and Flux is still at work\n%s", when)
		}
	}
	return fmt.Sprintf("nothing was changed\n%s; `promote %s@… to %s` names a version", when, name, cmd.Args.Clusters)
}

// asWanted refuses what is taken while Flux is at work, unless Git wants there what
// runs: else it is what is just being replaced.
func (c changer) asWanted(ctx context.Context, cmd chat.Command, v deploy.Version) error {
	if cmd.Args.From == "" {
		return nil
	}
	app, err := c.source(ctx, cmd)
	switch {
	case err != nil || app.Health == deploy.Healthy:
		return err
	case app.Version != v:
		return fault.Newf(fault.Refused, "%s runs `%s` on %s now, and no longer `%s`", app.App.Name, app.Version, app.Cluster, v).WithHelp("nothing was changed\nask again for what runs there now")
	}
	taken := candidate{AppState: app, Target: app.Target, Version: app.Version, Field: app.Field, From: app}
	found, left, err := c.asInGit(ctx, []candidate{taken}, nil)
	if err != nil || len(found) == 1 {
		return err
	}
	return fault.Newf(fault.Refused, "%s %s", app.App.Name, left[0].Why).WithHelp("nothing was changed\nFlux is at work there: ask again once `list %[1]s on %[2]s` calls it healthy; `promote %[1]s@… to %[3]s` names a version",
		shortest(c.Fleet, app.Target), app.Cluster, cmd.Args.Clusters)
}
