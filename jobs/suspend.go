package jobs

import (
	"context"
	"fmt"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// Suspender takes an image automation out of service on its cluster, before Git says
// so: else it may push once more before Flux has applied that. Repeating it does no
// harm.
type Suspender interface {
	SuspendAutomation(ctx context.Context, c deploy.Cluster, ref deploy.Ref, job string) error
}

// suspend takes out of service, on their clusters, what the plan's commit suspends in
// Git. The row says that it is about to. What cannot be is told and holds nothing up:
// Git will say so all the same.
func (r *change) suspend(ctx context.Context, p deploy.Plan) error {
	if r.Suspender == nil || !p.Change.Suspend {
		return nil
	}
	for _, a := range p.Suspended {
		if a.Cluster == "" {
			continue // no known cluster has it
		}
		if err := r.Suspender.SuspendAutomation(ctx, a.Cluster, a.Ref, string(r.job.ID)); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			r.Log.Warn("an image automation was not suspended on its cluster", "job", r.job.ID, "cluster", a.Cluster, "automation", a.Ref.String(), "error", err)
		}
	}
	return nil
}

// suspends tells the audit trail, with the row that is saved before, what is about to
// be suspended.
func (r *change) suspends() {
	for _, a := range r.row.Plan.Suspended {
		e := r.entry(job.Suspended)
		e.Key, e.Says = fmt.Sprintf("%s/suspended/%s/%s", r.job.ID, a.Cluster, a.Ref), fmt.Sprintf("%s, %s line %d", a.Ref, a.At.File, a.At.Line)
		r.job.Told = append(r.job.Told, e)
	}
}

// automated says what becomes of image automation that would undo what is there now.
func (r *change) automated() []string {
	var out []string
	suspended := map[deploy.Ref]bool{}
	for _, a := range r.row.Plan.Suspended {
		suspended[a.Ref] = true
		where := ""
		if a.Cluster != "" {
			where = " on " + string(a.Cluster)
		}
		out = append(out, fmt.Sprintf("%s%s is suspended, since it would undo this; `suspend: false` in `%s` line %d resumes it.", a.Ref, where, a.At.File, a.At.Line))
	}
	for _, a := range r.row.Plan.Automation {
		if a.InCharge() && !suspended[a.Ref] {
			out = append(out, fmt.Sprintf("%s is in charge of this version and *will undo it*: suspend it, or let `%s` select another version.", a.Ref, a.Policy.Name))
		}
	}
	return out
}
