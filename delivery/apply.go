package delivery

import (
	"context"
	"time"

	"ferry/internal/deploy"
)

// The trailers of a commit. TrailerJob is how a commit is found again.
const (
	TrailerJob       = "Ferry-Job"
	TrailerApp       = "Ferry-App"
	TrailerCluster   = "Ferry-Cluster"
	TrailerWith      = "Ferry-With" // the further targets, cluster/namespace/name
	TrailerFrom      = "Ferry-From"
	TrailerVersion   = "Ferry-Version"
	TrailerRequester = "Ferry-Requester"
	TrailerApprovers = "Ferry-Approved-By" // user IDs, each with a name as far as one is known
	TrailerGlass     = "Ferry-Break-Glass"
	TrailerWave      = "Ferry-Wave" // job/number, of a job that makes several commits
)

// Apply plans a change, hands the plan to onPlan, and commits it on exactly the
// head it was planned on. Changes that wait at the same time become one commit.
// If the head moved, the change is planned again on the new one; as long as
// intent, values and blast radius stay the same (the plan's hash) that is the
// same plan, and onPlan is not called again. If they do not, the error is
// Refused and names both sides.
//
// If the answer to a commit is lost, the commit is looked for by its job before
// anything is tried again: it is made at most once. declared is asked before
// each plan. With plan.Already there is no commit.
func (d *Delivery) Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Commit, error) {
	in := &intent{looked: d.look(ctx, c, declared()), ctx: ctx, change: c, declared: declared, by: by, onPlan: onPlan, began: d.now(), done: make(chan struct{})}
	d.wait(in)
	select {
	case <-in.done:
		return in.plan, in.commit, in.err
	case <-ctx.Done():
		d.leave(in)
		return in.plan, deploy.Commit{}, ctx.Err()
	case d.turn <- struct{}{}:
	}
	defer func() { <-d.turn }()
	for !in.finished() {
		if ctx.Err() != nil {
			d.leave(in)
			return in.plan, deploy.Commit{}, ctx.Err()
		}
		d.round(ctx)
	}
	return in.plan, in.commit, in.err
}

func (d *Delivery) now() time.Time {
	if d.o.Repository.Clock != nil {
		return d.o.Repository.Clock()
	}
	return time.Now()
}

// Find looks on the branch for the commit of a job, made since a time.
func (d *Delivery) Find(ctx context.Context, job string, since time.Time) (deploy.Commit, bool, error) {
	made, ok, err := d.repo.Find(ctx, TrailerJob, line(job), since)
	if err != nil || !ok {
		return deploy.Commit{}, false, err
	}
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At}, true, nil
}
