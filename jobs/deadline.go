package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ferry/internal/fault"
	"ferry/internal/job"
)

// goesOn reports whether an attempt that ended in an error is to be followed by
// another one. What does not answer is waited for as long as the step has; then
// the error becomes the end of the job.
func (r *change) goesOn(err *error) bool {
	if _, parks := errors.AsType[*job.Park](*err); parks || errors.Is(*err, job.ErrCancelled) {
		return true
	}
	if !fault.Is(*err, fault.Unavailable) {
		return false
	}
	now := r.Now()
	if r.job.Stuck.IsZero() {
		r.job.Stuck = now
	}
	until := r.job.Stuck.Add(r.Answer)
	switch r.job.Step {
	case stepApproval:
		until = later(until, r.row.Asked.Add(r.Approve))
	case stepMerge:
		until = later(until, r.row.Proposed.Add(r.Merge))
	case stepFollow:
		until = r.row.Followed.Add(r.Rollout).Add(lastLook)
	}
	if now.Before(until) {
		return true
	}
	e, _ := errors.AsType[*fault.Error](*err)
	*err = fault.Newf(fault.Expired, "this was given up after %s: %s", span(now.Sub(r.job.Stuck)), e.Says).WithHelp("%s", r.unknown()).Because(*err)
	return false
}

// until is when following ends. A job resumed after its deadline still looks before
// it speaks; one that only tries again has no more than that one look.
func (r *change) until() time.Time {
	now, deadline := r.Now(), r.row.Followed.Add(r.Rollout)
	look := later(deadline, now.Add(lastLook))
	if last := deadline.Add(lastLook); !r.job.Stuck.IsZero() && now.Before(last) && last.Before(look) {
		return last
	}
	return look
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// unknown says what a change that was given up may have left.
func (r *change) unknown() string {
	c, trailer := r.row.Change, "`Ferry-Job: "+string(r.job.ID)+"`"
	switch r.job.Step {
	case stepCommit:
		return "whether it was committed is not known: the log of the repository tells, by " + trailer
	case stepPropose:
		return "whether there is a pull request is not known: its text would hold " + trailer
	case stepMerge:
		return fmt.Sprintf("pull request #%d may be open: whoever merges it still brings `%s` to %s, but ferry does not follow it", r.row.Proposal.Number, c.Version, c.Target.Cluster)
	case stepFollow:
		return fmt.Sprintf("Git holds `%s`; whether it became healthy on %s is not known", c.Version, c.Target.Cluster)
	case stepEnd:
		return r.row.End.Message.Title + "; what was to follow from that was not made"
	}
	return "nothing was changed"
}

// remembered records the end of a change that Git knows something of but which
// ends by a fault alone: a pull request that was not merged, a rollout that could
// not be watched.
func (r *change) remembered(ctx context.Context, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || r.job.Step != stepMerge && r.job.Step != stepFollow || e.Kind == fault.Already {
		return nil
	}
	outcome := map[fault.Kind]job.Outcome{
		fault.Cancelled: job.Cancelled, fault.Superseded: job.Superseded, fault.Expired: job.Expired, fault.Refused: job.Refused,
	}[e.Kind]
	if outcome == "" {
		return nil
	}
	return r.record(ctx, outcome, e.Says, nil)
}
