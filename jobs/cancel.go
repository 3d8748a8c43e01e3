package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var cancelSyntax = chat.Syntax{
	Verb:    "cancel",
	Form:    "<job>",
	Summary: "end a job that is under way; what is in Git already stays there",
	Details: []string{
		"Before the commit nothing has happened and nothing will. A pull request that waits is closed. Once the version is in Git, ferry stops following it and offers the way back.",
		"Whoever asked for the job may, and whoever may ask for the same.",
	},
	Examples: []string{"cancel k3f9q"},
}

// Canceller stores the wish that a job end, once; one that has ended is Already.
type Canceller interface {
	RequestCancel(ctx context.Context, id job.ID, c job.Cancel) error
}

// Rights decides who may use a verb on targets.
type Rights interface {
	Allow(ctx context.Context, user chat.UserID, verb chat.Verb, targets []deploy.Target) error
}

// cancel answers by storing a wish; the job itself ends, and says so in its thread.
type cancel struct{ Options }

// Answer implements Query. Asked again it changes nothing.
func (c cancel) Answer(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	j, err := c.Rows.Get(ctx, job.ID(cmd.Args.Job))
	if err != nil {
		return chat.Message{}, err
	}
	request, err := requestOf(j)
	if err != nil {
		return chat.Message{}, err
	}
	if request.User != cmd.User {
		if err := c.mayAsk(ctx, cmd.User, j); err != nil {
			return chat.Message{}, err
		}
	}
	if err := c.Canceller.RequestCancel(ctx, j.ID, job.Cancel{By: string(cmd.User), At: c.Now()}); err != nil {
		return chat.Message{}, err
	}
	if err := c.Nudge(ctx, j.ID); err != nil {
		return chat.Message{}, err
	}
	return chat.Message{
		Tone: chat.Info, Title: fmt.Sprintf("Job %s is told to end", j.ID),
		Lines: []string{sentence(j.Title), "What became of it is told where it was asked for."},
	}, nil
}

// mayAsk reports whether somebody has the right of a job's verb on its targets.
func (o Options) mayAsk(ctx context.Context, user chat.UserID, j *job.Job) error {
	if chat.Verb(j.Verb) == soakVerb { // it has no queue, and is about what was promoted
		row, err := rowOf(j)
		if err != nil {
			return err
		}
		return o.Rights.Allow(ctx, user, promoteSyntax.Verb, append([]deploy.Target{row.Change.Target}, row.Change.With...))
	}
	return o.Rights.Allow(ctx, user, chat.Verb(j.Verb), targetsOf(j))
}

// targetsOf reads a job's targets from its queues.
func targetsOf(j *job.Job) []deploy.Target {
	var out []deploy.Target
	for _, q := range j.Queues {
		cluster, app, _ := strings.Cut(q, "/")
		namespace, name, _ := strings.Cut(app, "/")
		out = append(out, deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: namespace, Name: name}})
	}
	return out
}

// late is how long after the wish a commit that was begun before it may first be
// seen on the branch: GitHub shows old heads for up to half a minute.
const late = 30 * time.Second

// cancelled ends a change that nothing came of yet; over means that it did. One
// that may have a pull request goes on until that is known, one that is in Git
// until it is followed.
func (r *change) cancelled(ctx context.Context) (m chat.Message, over bool, err error) {
	if r.job.Cancel == nil {
		return m, false, nil
	}
	switch r.job.Step {
	case "":
	case stepApproval:
		m, err = r.ended("this was cancelled before anything happened", "Nothing was changed.")
		return m, true, r.over(ctx, err)
	case stepCommit:
		found, ok, err := r.Delivery.Find(ctx, string(r.job.ID), r.job.Created)
		if err != nil {
			return m, true, err
		}
		if ok {
			found.Site, r.row.Commit = r.row.Plan.Site, found
			m, err := r.abandon(ctx)
			return m, true, err
		}
		if sure := r.job.Cancel.At.Add(late); r.Now().Before(sure) {
			return m, true, &job.Park{Until: sure}
		}
	default:
		return m, false, nil
	}
	m, err = r.ended("this was cancelled before anything happened", "Nothing was changed.")
	return m, true, err
}

// ended words the end of a cancelled job: the message names who wished it.
func (r *change) ended(says string, lines ...string) (chat.Message, error) {
	err := fault.New(fault.Cancelled, says, strings.Join(lines, "\n"))
	return chat.Message{Tone: chat.Refused, Title: capital(says), Lines: lines, Links: r.links(), By: chat.UserID(r.job.Cancel.By)}, err
}

// withdrawn closes the pull request of a cancelled job; one that was merged in that
// moment is in Git, and the change goes on from there.
func (r *change) withdrawn(ctx context.Context) error {
	n := r.row.Proposal.Number
	by := r.job.Cancel.By
	if name, _ := r.People.Author(ctx, chat.UserID(by)); name != "" {
		by = name
	}
	err := r.Proposals.Withdraw(ctx, n, fmt.Sprintf("Cancelled by %s (job %s).", by, r.job.ID))
	switch {
	case fault.Is(err, fault.Already):
		over, err := r.look(ctx)
		if err == nil && !over {
			err = fault.Newf(fault.Unavailable, "GitHub does not show yet that pull request #%d is merged", n)
		}
		return err
	case err != nil:
		return err
	}
	return fault.Newf(fault.Cancelled, "this was cancelled, and pull request #%d is closed", n).WithHelp("nothing was changed")
}

// proven reports whether the history says already that the change arrived: ferry ended
// before it could tell that, and a wish that came since comes too late.
func (r *change) proven(ctx context.Context) (was bool, err error) {
	version := cmp.Or(r.row.Change.Version, r.row.Plan.Change.Version)
	err = r.History.Of(ctx, r.row.Change.Target, func(rec deploy.Record) bool {
		was = rec.Job == string(r.job.ID) && rec.Version == version && rec.Outcome == string(job.Done)
		return !was && rec.At.After(r.job.Created)
	})
	return was, err
}

// abandon stops following what is in Git.
func (r *change) abandon(ctx context.Context) (chat.Message, error) {
	c := r.row.Change
	app, cluster := c.Target.App.Name, c.Target.Cluster
	lines := []string{fmt.Sprintf("It was cancelled when Git held `%s` already; what becomes of it there, ferry does not tell.", c.Version)}
	gone := loss{Target: c.Target, With: c.With, Version: c.Version, Field: r.row.Plan.Site.Field}
	good, ok, err := r.goodBefore(ctx, gone)
	if err != nil {
		return chat.Message{}, err
	}
	var buttons []chat.Button
	if ok {
		line, button := r.back(gone, good)
		lines, buttons = append(lines, line), button
	}
	m, ended := r.ended(fmt.Sprintf("ferry no longer follows %s `%s` on %s", app, c.Version, cluster), lines...)
	m.Buttons = buttons
	for _, p := range parts(r.row.Plan) {
		if err := r.recordOf(ctx, p, job.Cancelled, "cancelled", nil); err != nil {
			return chat.Message{}, err
		}
	}
	return m, errors.Join(ended, r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.delivered(r.row); p.fail(ended) }))
}

// listening returns a context that ends when somebody cancels the job; asked tells
// whether that was it.
func listening(ctx context.Context) (listens context.Context, asked func() bool, stop func()) {
	listens, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		select {
		case <-job.Asked(ctx):
			cancel(job.ErrCancelled)
		case <-over:
		}
	})
	return listens, func() bool { return errors.Is(context.Cause(listens), job.ErrCancelled) }, func() { close(over); all.Wait(); cancel(nil) }
}
