package jobs

import (
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/job"
)

// told is what the audit trail is to know of a step: it is written with the row.
func (r *change) told(s job.Step) []job.Entry {
	e := r.entry("")
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
	case s == stepEnd && r.row.End.Kind != "":
		const exact = "15:04:05.000"
		seen := fmt.Sprintf("first seen %s, believed %s", r.row.End.Failing.UTC().Format(exact), r.row.End.Believed.UTC().Format(exact))
		e.Deed, e.Key, e.Says, e.Commit = job.Lost, fmt.Sprintf("%s/lost", r.job.ID), seen+": "+r.row.End.Says, r.row.Commit.SHA
	default:
		return nil
	}
	return []job.Entry{e}
}

// entry is one of a deed about the present plan.
func (r *change) entry(d job.Deed) job.Entry {
	e := job.Entry{Deed: d, By: string(r.cmd.User), Plan: r.row.Plan.Hash}
	for _, t := range append([]deploy.Target{r.row.Change.Target}, r.row.Change.With...) {
		e.Targets = append(e.Targets, t.String())
	}
	return e
}

// DeedKey is the key of the entry of what a command did at once.
func DeedKey(cmd chat.Command) string { return "deed/" + cmd.Key }

// answered notes with an entry what is said of it.
func answered(e job.Entry, m chat.Message) job.Entry {
	e.Answer = append([]string{m.Title}, m.Lines...)
	return e
}

// deed is an entry of what a command did at once.
func deed(cmd chat.Command, d job.Deed, says string, targets ...string) job.Entry {
	return job.Entry{
		Deed: d, Key: DeedKey(cmd), By: string(cmd.User), Team: string(cmd.Thread.Team), Channel: string(cmd.Thread.Channel),
		Command: cmd.Text, Targets: targets, Says: says,
	}
}
