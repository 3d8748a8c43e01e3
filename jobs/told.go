package jobs

import (
	"fmt"

	"ferry/internal/job"
)

// told is what the audit trail is to know of a step: it is written with the row.
func (r *change) told(s job.Step) []job.Entry {
	e := job.Entry{By: string(r.cmd.User), Targets: []string{r.row.Change.Target.String()}, Plan: r.row.Plan.Hash}
	what := fmt.Sprintf("%s → %s", r.row.Plan.From, r.row.Change.Version)
	if r.row.Plan.Already {
		what = fmt.Sprintf("Git holds %s already", r.row.Change.Version)
	}
	switch {
	case s == stepCommit || s == stepPropose:
		e.Deed, e.Key, e.Says = job.Planned, fmt.Sprintf("%s/plan/%s", r.job.ID, e.Plan), what
	case s == stepMerge:
		e.Deed, e.Key, e.Says = job.Proposed, fmt.Sprintf("%s/pull/%d", r.job.ID, r.row.Proposal.Number), r.row.Proposal.URL
	case s == stepFollow && !r.row.Plan.Already:
		e.Deed, e.Key, e.Says, e.Commit = job.Committed, fmt.Sprintf("%s/commit/%s", r.job.ID, r.row.Commit.SHA), what, r.row.Commit.SHA
	default:
		return nil
	}
	return []job.Entry{e}
}
