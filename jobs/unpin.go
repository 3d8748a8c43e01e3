package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var unpinSyntax = chat.Syntax{
	Verb:    "unpin",
	Form:    "<app> [<field>] on <cluster> [<mode>] [despite <gate> because <reason>]",
	Summary: "take a version of its own away from one cluster, once the base holds the same",
	Details: []string{
		"It undoes `promote … pin`, and any override like it that somebody wrote: of a patch only the version goes.",
		"ferry proves by rendering that nothing on any cluster changes by it. While the base holds another version it refuses, and says which.",
		"From then on the cluster takes its version from the base again: promoting that moves it too.",
	},
	Examples: []string{"unpin podinfo on prod", "unpin backend/worker chart on stage"},
	Changes:  true,
	Gated:    true,
}

// unpinning is what it is called while it is done: nothing rolls out then.
const unpinning = "Unpin"

// unpin takes an override away.
type unpin struct{ changer }

// Admit implements Work.
func (u unpin) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	app, err := u.look(cmd)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("Unpin %s on %s", app.App.Name, app.Cluster), []deploy.Target{app.Target}, nil
}

// Run implements Work.
func (u unpin) Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	return u.run(ctx, cmd, j, save, func(context.Context) (deploy.Change, error) { return u.want(cmd) })
}

// want is the change that a command asks for.
func (u unpin) want(cmd chat.Command) (deploy.Change, error) {
	app, err := u.look(cmd)
	return deploy.Change{Target: app.Target, Field: deploy.FieldKind(cmd.Args.Field), Owner: app.Owner, Unpin: true}, err
}

// judgeUnpinned is judge for a change by which nothing that runs changes: Flux has
// come to a revision with it, and the value still stands. How the app is doing is
// none of its business, nor whether Flux waits for that.
func judgeUnpinned(o deploy.Observation, site deploy.Site, applied, attempted deploy.Holding) judgement {
	stands := o.SiteFound && o.SiteValue == site.Value
	if !o.State.Stale && applied != deploy.Replaced && (applied == deploy.Holds || attempted == deploy.Holds) && stands {
		return told(arrived, "", everywhere)
	}
	return judge(o, site, applied, attempted)
}

// proves reports whether evidence shows an app healthy with what stands at its
// site.
func proves(o *deploy.Observation, site deploy.Site) bool {
	return o != nil && judge(*o, site, deploy.Holds, deploy.Holds).verdict == arrived
}

// finishUnpin is finish for a change by which nothing that runs changes.
func (r *change) finishUnpin(ctx context.Context, w *watcher) (chat.Message, error) {
	t, version := r.row.Change.Target, r.row.Plan.Change.Version
	switch {
	case w.last.verdict == arrived:
		if err := r.record(ctx, job.Done, "", &w.seen); err != nil {
			return chat.Message{}, err
		}
		m := chat.Message{
			Tone: chat.Done, Title: fmt.Sprintf("%s on %s has no pin any more", t.App.Name, t.Cluster), Links: r.links(),
			Lines: append([]string{fmt.Sprintf("Nothing that runs has changed: it stays at `%s`.", version)}, r.row.Plan.Warnings...),
		}
		return m, r.show(ctx, func(p *progress) { p.unpinned(w.seen) })
	case w.last.verdict == replaced:
		err := fault.Newf(fault.Superseded, "%s on %s was changed again in Git before Flux applied this", t.App.Name, t.Cluster).
			WithHelp("ferry follows this change no further")
		return chat.Message{}, errors.Join(err, r.record(ctx, job.Superseded, err.Says, &w.seen))
	}
	err, outcome := fault.Newf(fault.Failed, "Flux does not apply the commit that unpins %s on %s", t.App.Name, t.Cluster), job.Failed
	if w.late {
		err, outcome = fault.Newf(fault.Expired, "Flux has not applied the commit that unpins %s on %s within %s", t.App.Name, t.Cluster, span(r.Rollout)), job.Expired
	}
	m := chat.Message{Tone: chat.Failure, Title: err.Says, Links: r.links()}
	if why := w.last.why(); why != "" {
		m.Lines = append(m.Lines, why)
	}
	m.Lines = append(m.Lines, fmt.Sprintf("The pin is gone in Git, and nothing that runs changes by that: it stays at `%s`.", version))
	if w.last.raw != "" {
		m.Code = &chat.Code{Text: w.last.raw}
	}
	return m, errors.Join(err, r.record(ctx, outcome, w.last.why(), &w.seen), r.show(ctx, func(p *progress) { p.seen(w.last, w.seen); p.fail(err) }))
}

// unpinned ends it where Flux has applied that nothing changes.
func (p *progress) unpinned(o deploy.Observation) {
	p.set(atFlux, chat.StepDone, "Flux applied "+applied(o.Applied, p.commit))
	if applied := o.Applied; applied == "" || applied != o.Attempted {
		p.set(atFlux, chat.StepDone, "Flux applies it")
	}
	p.set(atRollout, chat.StepSkipped, "")
	p.done, p.tone = true, chat.Done
}

// pinned reports whether a plan gives its target a version of its own: something
// stands where nothing stood.
func pinned(p deploy.Plan) bool {
	return p.Change.Pin && slices.ContainsFunc(p.Edits, func(e deploy.Edit) bool { return e.Before == "" && e.Suspends == (deploy.Ref{}) })
}
