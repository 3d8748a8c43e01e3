package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// A pull request is looked at each firstPause, then less and less often, down to
// once in lastPause. In between the job is parked.
const (
	firstPause = 10 * time.Second
	lastPause  = time.Minute
)

// deliver brings the change into Git, by a commit or through a pull request, from
// wherever its row says.
func (r *change) deliver(ctx context.Context) error {
	if r.job.Step == stepMerge {
		return r.await(ctx)
	}
	if err := r.show(ctx, func(*progress) {}); err != nil {
		return err
	}
	pull, err := r.way(ctx)
	if err != nil {
		return err
	}
	if !pull {
		err := r.commit(ctx)
		if !fault.Is(err, fault.Refused) {
			return err
		}
		// It may be a rule that nobody was shown before: then the way knows now.
		if pull, werr := r.way(ctx); werr != nil || !pull {
			return err
		}
	}
	if done, err := r.propose(ctx); err != nil || done {
		return err
	}
	return r.await(ctx)
}

// way reports whether the change goes through a pull request. Once it was begun
// that way it stays there; a commit that may exist is looked for first.
func (r *change) way(ctx context.Context) (pull bool, err error) {
	switch {
	case r.Proposer == nil:
		return false, nil
	case r.job.Step == stepPropose:
		return true, nil
	case r.job.Step == stepCommit:
		if _, ok, err := r.Delivery.Find(ctx, string(r.job.ID), r.job.Created); err != nil || ok {
			return false, err
		}
	}
	pull, r.row.Why, err = r.ways(ctx, r.row.Change)
	return pull, err
}

// ways reports whether one of the clusters of a change wants a pull request.
func (c changer) ways(ctx context.Context, change deploy.Change) (pull bool, why string, err error) {
	if c.Proposer == nil {
		return false, "", nil
	}
	for _, t := range append([]deploy.Target{change.Target}, change.With...) {
		if pull, why, err = c.Proposer.Way(ctx, t.Cluster); err != nil || pull {
			return pull, why, err
		}
	}
	return false, why, nil
}

// propose sees to it that there is a pull request: by an earlier run of this job,
// or now. done means that none is needed: Git holds the version.
func (r *change) propose(ctx context.Context) (done bool, err error) {
	if r.job.Step == stepPropose {
		found, ok, err := r.Proposals.FindProposal(ctx, string(r.job.ID), r.job.Created)
		if err != nil {
			return false, err
		}
		if ok {
			return false, r.proposed(ctx, r.row.Plan, found)
		}
	}
	if err := r.show(ctx, func(p *progress) { p.pull = true }); err != nil {
		return false, err
	}
	plan, p, err := r.Proposer.Propose(ctx, r.row.Change, r.Fleet.Declared, r.authorship(ctx), func(p deploy.Plan) error {
		r.row.Plan = p
		if err := r.pass(ctx, p); err != nil {
			return err
		}
		if err := r.remember(ctx, p); err != nil || p.Already {
			return err
		}
		return r.step(ctx, stepPropose)
	})
	if err != nil {
		return false, r.offerAll(ctx, plan, err)
	}
	if plan.Already {
		return true, r.held(ctx, plan)
	}
	return false, r.proposed(ctx, plan, p)
}

// held goes on with what somebody else brought to Git.
func (r *change) held(ctx context.Context, plan deploy.Plan) error {
	r.row.Plan, r.row.Commit, r.row.Proposal = plan, deploy.Commit{SHA: plan.Base}, deploy.Proposal{}
	if r.isThere() {
		return nil // the end of it is shown next
	}
	return r.show(ctx, func(p *progress) { p.planned(plan); p.delivered(r.row) })
}

// proposed notes a pull request that exists.
func (r *change) proposed(ctx context.Context, plan deploy.Plan, p deploy.Proposal) error {
	r.row.Plan, r.row.Proposal, r.row.Proposed = plan, p, r.Now()
	if err := r.step(ctx, stepMerge); err != nil {
		return err
	}
	return r.show(ctx, func(v *progress) { v.planned(plan); v.proposed(r.row) })
}

// await looks whether the pull request is merged, and parks the job until the next
// look. It ends if somebody closes the pull request, cancels the job, if another job
// wants the target, or at the deadline; a job that comes back after that looks
// before it speaks.
func (r *change) await(ctx context.Context) error {
	if err := r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.proposed(r.row) }); err != nil {
		return err
	}
	if over, err := r.look(ctx); err != nil || over {
		return err
	}
	if r.job.Cancel != nil {
		return r.withdrawn(ctx)
	}
	deadline := r.row.Proposed.Add(r.Merge)
	if !r.Now().Before(deadline) {
		return r.unmerged()
	}
	if over, err := r.displaced(ctx); err != nil || over {
		return err
	}
	r.job.Note = fmt.Sprintf("pull request #%d: %s", r.row.Proposal.Number, cmp.Or(r.row.Proposal.Waits, "it waits to be merged"))
	if err := r.step(ctx, stepMerge); err != nil {
		return err
	}
	next := r.Now().Add(min(max(r.Now().Sub(r.row.Proposed)/2, firstPause), lastPause))
	if next.After(deadline) {
		next = deadline
	}
	return &job.Park{Until: next}
}

// look reads the pull request once and shows what it waits for. over means that
// the change is in Git.
func (r *change) look(ctx context.Context) (over bool, err error) {
	number := r.row.Proposal.Number
	p, err := r.Proposals.Proposal(ctx, number)
	if err != nil {
		return false, err
	}
	p.Warnings = r.row.Proposal.Warnings // of those only opening it tells
	switch {
	case p.State == deploy.ProposalMerged && p.Merged.SHA != "":
		return true, r.merged(ctx, p)
	case p.State == deploy.ProposalClosed && r.row.Held != nil: // by this job, before a crash
		return true, r.held(ctx, *r.row.Held)
	case p.State == deploy.ProposalClosed && r.job.Cancel != nil:
		return false, r.withdrawn(ctx)
	case p.State == deploy.ProposalClosed:
		if over, err := r.displaced(ctx); err != nil || over {
			return over, err
		}
		return false, fault.Newf(fault.Refused, "%s closed pull request #%d without merging it", cmp.Or(p.ClosedBy, "somebody"), number).
			WithHelp("nothing was changed\nask again if it is still wanted")
	}
	if p.State == deploy.ProposalOpen {
		var held bool
		if p, held, err = r.renew(ctx, p); err != nil || held {
			return held, err
		}
	}
	r.row.Proposal = p
	return false, r.show(ctx, func(v *progress) { v.proposed(r.row) })
}

// merged notes the commit that people made of the pull request.
func (r *change) merged(ctx context.Context, p deploy.Proposal) error {
	p.Merged.Site = r.row.Plan.Site
	r.row.Proposal, r.row.Commit = p, p.Merged
	return r.show(ctx, func(v *progress) { v.delivered(r.row) })
}

// renew holds the pull request against the branch as it is now. What stands in the
// way of that, such as a push that broke something, is told while it waits; a
// change that became another one ends here.
func (r *change) renew(ctx context.Context, p deploy.Proposal) (now deploy.Proposal, held bool, err error) {
	plan, now, err := r.Proposer.Renew(ctx, p, r.row.Plan, r.Fleet.Declared, r.authorship(ctx))
	switch {
	case err == nil && plan.Already:
		r.row.Held = &plan
		if err := r.step(ctx, stepMerge); err != nil {
			return p, false, err
		}
		err := r.Proposals.Withdraw(ctx, p.Number, fmt.Sprintf("%s holds `%s` already: this is not needed any more.", branchOf(plan), plan.Change.Version))
		switch {
		case fault.Is(err, fault.Already): // the branch holds it because this was merged just now: the next look sees it
			return p, false, nil
		case err != nil:
			return p, false, err
		}
		return p, true, r.held(ctx, plan)
	case err == nil:
		if plan.Base != r.row.Plan.Base {
			r.row.Plan = plan
			err = r.step(ctx, stepMerge)
		}
		now.Warnings = p.Warnings
		return now, false, err
	case fault.Is(err, fault.Already): // it was merged or closed just now: the next look sees it
		return p, false, nil
	}
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind == fault.Unavailable || e.Kind == fault.Internal || e.Code == deploy.Conflict {
		return p, false, err
	}
	if p.Waits != "" {
		p.Waits += "; "
	}
	p.Waits += "ferry cannot renew it on the branch as it is now: " + e.Says
	return p, false, nil
}

func branchOf(p deploy.Plan) string {
	if p.Source.Branch == "" {
		return "The branch"
	}
	return "`" + p.Source.Branch + "`"
}

// displaced gives way to another job of the same target, which would else wait for
// as long as this one: its pull request is closed. over means that it was merged
// in that moment.
func (r *change) displaced(ctx context.Context) (over bool, err error) {
	by, err := r.behind(ctx)
	if err != nil || by == nil {
		return false, err
	}
	p := r.row.Proposal
	err = r.Proposals.Withdraw(ctx, p.Number, fmt.Sprintf("Superseded by job %s: %s.", by.ID, by.Title))
	if fault.Is(err, fault.Already) {
		return r.look(ctx)
	}
	if err != nil {
		return false, err
	}
	return false, fault.Newf(fault.Superseded, "this gave way to job %s, and pull request #%d is closed", by.ID, p.Number).
		WithHelp("nothing was changed by this one\nwhile it waited to be merged, somebody asked to: %s", by.Title)
}

// behind returns the first job that waits for a target of this one.
func (r *change) behind(ctx context.Context) (*job.Job, error) {
	all, err := r.Rows.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(all, func(j *job.Job) bool { return j.ID == r.job.ID })
	if at < 0 {
		return nil, nil //nolint:nilnil // nobody waits
	}
	for _, j := range all[at+1:] {
		if slices.ContainsFunc(j.Queues, func(q string) bool { return slices.Contains(r.job.Queues, q) }) {
			return j, nil
		}
	}
	return nil, nil //nolint:nilnil // as above
}

func (r *change) unmerged() error {
	c, p := r.row.Change, r.row.Proposal
	return fault.Newf(fault.Expired, "nobody merged pull request #%d within %s", p.Number, span(r.Merge)).
		WithHelp("it stays open: whoever merges it still brings `%s` to %s, but ferry does not follow it\nclose it if nobody wants it any more", c.Version, c.Target.Cluster)
}
