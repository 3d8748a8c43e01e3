package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// The steps of a change. Before stepCommit nothing has happened; at stepCommit
// a commit may exist and is looked for; from stepFollow on it does. The same goes
// for a pull request at stepPropose and from stepMerge on.
const (
	stepCommit  job.Step = "committing"
	stepPropose job.Step = "proposing"
	stepMerge   job.Step = "waiting for the merge"
	stepFollow  job.Step = "following"
)

// seen is the command of a record that tells what ran before a change.
const seen = "seen"

// changeRow is a change's part of its job's row.
type changeRow struct {
	Change deploy.Change `json:"change"`
	// Owners are those of the targets in Change.With, in their order.
	Owners []deploy.Owner `json:"owners,omitempty"`
	Began  time.Time      `json:"began"`
	Plan   deploy.Plan    `json:"plan,omitzero"`
	Commit deploy.Commit  `json:"commit,omitzero"`
	// Proposal is the pull request, if there is one, opened at Proposed; Why says
	// which rule wants it.
	Proposal deploy.Proposal `json:"proposal,omitzero"`
	Proposed time.Time       `json:"proposed,omitzero"`
	Why      string          `json:"why,omitempty"`
	// Held is what a look found in Git already, before the pull request is closed
	// for that.
	Held *deploy.Plan `json:"held,omitempty"`
	// Followed is when the change began to be followed: the deadline counts
	// from here.
	Followed time.Time `json:"followed,omitzero"`
	// Asked is when people were asked for approval, Question the key of the message
	// that asks, and Approvers are those who approved the plan.
	Asked     time.Time `json:"asked,omitzero"`
	Question  string    `json:"question,omitempty"`
	Approvers []string  `json:"approvers,omitempty"`
	// Glass is what had to be passed for it, and why.
	Glass glass `json:"glass,omitzero"`
	// Undo is set on a rollback that ferry makes by itself.
	Undo *undo `json:"undo,omitempty"`
	// End is how it ended, from stepEnd on.
	End *end `json:"end,omitempty"`
	// Soak is set on the watch that follows a change.
	Soak *soaking `json:"soak,omitempty"`
	// Delay is what did not answer when the present step was tried last.
	Delay string `json:"delay,omitempty"`
}

// changer carries a version to a target, for promote and rollback alike.
type changer struct{ Options }

// change is one run of a changer.
type change struct {
	changer
	cmd  chat.Command
	job  *job.Job
	save func(context.Context) error
	row  changeRow
	// showing guards view where several targets are followed.
	showing sync.Mutex
	view    progress
}

// run does the change of a job, or goes on with it. choose is asked at the
// first start alone what to change.
func (c changer) run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error,
	choose func(context.Context) (deploy.Change, error),
) (chat.Message, error) {
	r := &change{changer: c, cmd: cmd, job: j, save: save, view: progress{verb: "Promote", title: j.Title, by: cmd.User, job: j.ID}}
	switch cmd.Verb {
	case rollbackSyntax.Verb:
		r.view.verb = "Roll back"
	case unpinSyntax.Verb:
		r.view.verb = unpinning
	}
	var err error
	if r.row, err = rowOf(j); err != nil {
		return chat.Message{}, err
	}
	if r.view.again = j.Attempts > 1; r.row.Delay != "" {
		r.view.reached(r.row)
	}
	if j.Step == "" && j.Cancel == nil {
		if err := r.begin(ctx, choose); err != nil {
			r.goesOn(&err)
			return chat.Message{}, err
		}
	}
	r.view.glass = r.row.Glass.lines()
	m, err := r.carry(ctx)
	m = r.row.Glass.announced(m)
	switch {
	case err == nil || ctx.Err() != nil:
	case r.goesOn(&err):
		err = errors.Join(err, r.delayed(ctx, err))
	default:
		if m.Title == "" {
			err = errors.Join(r.unchanged(err), r.remembered(ctx, err))
		}
		if j.Step != stepEnd { // there it is shown already
			err = errors.Join(err, r.show(ctx, func(p *progress) { p.fail(err) }))
		}
	}
	return m, err
}

// unchanged adds to a refusal that it came before anything happened.
func (r *change) unchanged(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || r.row.Commit.SHA != "" || toneOf(e) != chat.Refused || strings.Contains(e.Help, "othing was") {
		return err
	}
	return e.WithHelp("%s", strings.TrimSpace("nothing was changed\n"+e.Help))
}

// begin decides what to change and remembers what ran before.
func (r *change) begin(ctx context.Context, choose func(context.Context) (deploy.Change, error)) error {
	if r.row.Undo != nil {
		choose = func(context.Context) (deploy.Change, error) { return r.undoing() }
	}
	want, err := choose(ctx)
	if err != nil {
		return err
	}
	r.row = changeRow{Change: want, Began: r.Now(), Undo: r.row.Undo}
	r.row.Owners, err = r.owners(want.With)
	return err
}

// remember records that what Git holds is what runs, and healthy, before it is
// changed: it is the version to go back to.
func (r *change) remember(ctx context.Context, p deploy.Plan) error {
	for _, part := range parts(p) {
		t := part.Target
		now, err := find(r.Fleet, t.Cluster, t.App.String())
		if err != nil || fresh(r.Fleet, t.Cluster) != nil || now.Health != deploy.Healthy || p.Already || !runs(now, part.Site.Field, part.From) {
			continue // nothing was proven healthy: there is nothing to remember
		}
		if err := r.History.Append(ctx, &deploy.Record{
			Target: t, Version: part.From, Field: part.Site.Field, Site: before(part, p.Change.Version), Commit: p.Base, Job: string(r.job.ID),
			Command: seen, By: string(r.cmd.User), At: r.row.Began, Healthy: true, Outcome: string(job.Done),
		}); err != nil {
			return err
		}
	}
	return nil
}

// before is a site as it was: with the old version, as far as the value tells where
// in it the version stands.
func before(p deploy.Part, now deploy.Version) deploy.Site {
	s := p.Site
	rest, ok := strings.CutSuffix(s.Value, string(now))
	if s.Value = ""; ok {
		s.Value = rest + string(p.From)
	}
	return s
}

// carry takes the change from wherever its row says to its end.
func (r *change) carry(ctx context.Context) (chat.Message, error) {
	if r.job.Step == stepEnd { // a wish that it end comes too late
		if r.job.Cancel != nil { // and may have come before the end was stored
			if err := r.step(ctx, stepEnd); err != nil {
				return chat.Message{}, err
			}
		}
		return r.close(ctx)
	}
	if m, over, err := r.cancelled(ctx); over || err != nil {
		return m, err
	}
	if r.job.Step != stepFollow {
		if err := r.granted(ctx); err != nil {
			return chat.Message{}, err
		}
		if r.row.Plan.Already && r.isThere() && r.row.Undo == nil {
			return chat.Message{}, errors.Join(r.already(), r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.untouched() }))
		}
		r.row.Followed, r.job.Note = r.Now(), ""
		if err := r.step(ctx, stepFollow); err != nil {
			return chat.Message{}, err
		}
	}
	if r.job.Cancel != nil {
		was, err := r.proven(ctx)
		if err != nil {
			return chat.Message{}, err
		}
		if !was {
			return r.abandon(ctx) // it came too late for anything else
		}
	}
	return r.follow(ctx)
}

// commit sees to it that the change is in Git: by an earlier run of this job,
// by somebody else (then the plan says Already), or now.
func (r *change) commit(ctx context.Context) error {
	if r.job.Step == stepCommit {
		found, ok, err := r.Delivery.Find(ctx, string(r.job.ID), r.job.Created)
		if err != nil {
			return err
		}
		if ok {
			found.Site, r.row.Commit = r.row.Plan.Site, found
			return r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.committed(found) })
		}
	}
	plan, commit, err := r.Delivery.Apply(ctx, r.row.Change, r.Fleet.Declared, r.authorship(ctx), func(p deploy.Plan) error {
		r.row.Plan = p
		if err := r.pass(ctx, p); err != nil {
			return err
		}
		if err := r.remember(ctx, p); err != nil {
			return err
		}
		r.suspends()
		if err := r.step(ctx, stepCommit); err != nil {
			return err
		}
		return r.suspend(ctx, p)
	})
	if err != nil {
		if r.job.Step == stepCommit { // it was found and proven: what failed is the commit
			r.view.planned(r.row.Plan)
		}
		return r.offerAll(ctx, plan, err)
	}
	if plan.Already {
		commit = deploy.Commit{SHA: plan.Base}
	}
	r.row.Plan, r.row.Commit = plan, commit
	if plan.Already && r.isThere() && r.row.Undo == nil {
		return nil // the end of it is shown next
	}
	return r.show(ctx, func(p *progress) { p.planned(plan); p.committed(commit) })
}

// isThere reports whether the cluster already shows what Git holds.
func (r *change) isThere() bool {
	return !slices.ContainsFunc(parts(r.row.Plan), func(p deploy.Part) bool {
		now, err := find(r.Fleet, p.Target.Cluster, p.Target.App.String())
		return err != nil || fresh(r.Fleet, p.Target.Cluster) != nil || !runs(now, p.Site.Field, r.row.Change.Version) || now.Health != deploy.Healthy
	})
}

func (r *change) already() error {
	return fault.Newf(fault.Already, "%s is already at `%s` on %s", r.row.Change.Target.App.Name, r.row.Change.Version, places(r.row.Change)).
		WithHelp("nothing was changed: Git holds it, and it is healthy there")
}

func (r *change) authorship(ctx context.Context) deploy.Authorship {
	var name, email string
	if r.cmd.User != self {
		name, email = r.People.Author(ctx, r.cmd.User)
	}
	by := deploy.Authorship{
		Job: string(r.job.ID), Command: string(r.cmd.Verb), Requester: string(r.cmd.User), Name: name, Email: email,
		Glass: despite(r.cmd.Args),
	}
	for _, id := range r.row.Approvers {
		name, _ := r.People.Author(ctx, chat.UserID(id))
		by.Approvers = append(by.Approvers, strings.TrimSpace(id+" "+name))
	}
	return by
}

// step saves the row at a step.
func (r *change) step(ctx context.Context, s job.Step) error {
	r.showing.Lock()
	r.row.Delay, r.view.delay = "", ""
	r.showing.Unlock()
	data, err := json.Marshal(r.row)
	if err != nil {
		return fmt.Errorf("encode row of job %s: %w", r.job.ID, err)
	}
	r.job.Step, r.job.Data, r.job.Stuck, r.job.Told = s, data, time.Time{}, append(r.job.Told, r.told(s)...)
	return r.save(ctx)
}

// show edits the status message; equal states cost nothing.
func (r *change) show(ctx context.Context, edit func(*progress)) error {
	r.showing.Lock()
	defer r.showing.Unlock()
	edit(&r.view)
	return r.Replier.Put(ctx, r.cmd.Thread, "job/"+string(r.job.ID)+"/status", r.view.message())
}

// own is the part of the plan that is about the change's first target.
func (r *change) own() deploy.Part {
	own := parts(r.row.Plan)[0]
	own.Target = r.row.Change.Target
	return own
}

// record remembers the outcome. Evidence is what proved it, if anything did.
func (r *change) record(ctx context.Context, outcome job.Outcome, reason string, evidence *deploy.Observation) error {
	return r.recordOf(ctx, r.own(), outcome, reason, evidence)
}

// recordOf is record for one of several targets.
func (r *change) recordOf(ctx context.Context, p deploy.Part, outcome job.Outcome, reason string, evidence *deploy.Observation) error {
	rec := r.recorded(p, outcome, reason, evidence)
	return r.History.Append(ctx, &rec)
}

// recorded is the record of an outcome on one of the targets.
func (r *change) recorded(p deploy.Part, outcome job.Outcome, reason string, evidence *deploy.Observation) deploy.Record {
	c := r.row.Change
	rec := deploy.Record{
		Target: p.Target, Version: cmp.Or(c.Version, r.row.Plan.Change.Version), From: p.From, Field: p.Site.Field, Site: p.Site,
		Commit: r.row.Commit.SHA, URL: r.row.Commit.URL, Job: string(r.job.ID), Command: string(r.cmd.Verb), By: string(r.cmd.User),
		At: r.Now(), Healthy: outcome == job.Done && (!c.Unpin || proves(evidence, p.Site)), Outcome: string(outcome), Reason: reason, Evidence: evidence,
		Approvers: r.row.Approvers, Why: r.row.Glass.Reason,
	}
	if u := r.row.Undo; u != nil {
		rec.Undoes, rec.Why = string(u.Job), strings.TrimSpace(fmt.Sprintf("%s did not last: %s", u.Version, u.Why))
	}
	return rec
}
