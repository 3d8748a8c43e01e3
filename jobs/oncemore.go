package jobs

import (
	"context"
	"fmt"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// onceMore reports whether a rollback of ferry's own whose value was replaced is made
// again, one time: its commit put an automation out of service, and a run of that
// which had begun before may have pushed once more. If somebody else replaced it, the
// next one sees that in Git and leaves it.
func (r *change) onceMore() bool {
	u := r.row.Undo
	return u != nil && !u.Again && len(r.row.Plan.Suspended) > 0 && r.Follower != nil
}

// overwritten ends a rollback whose value was replaced, and makes the next one.
func (r *change) overwritten(ctx context.Context, err *fault.Error, w *watcher) (chat.Message, error) {
	u, c := r.row.Undo, r.row.Change
	m := chat.Message{
		Tone: toneOf(err), Title: err.Says, Links: r.links(),
		Lines: []string{fmt.Sprintf("%s had begun to write before it was suspended.", r.row.Plan.Suspended[0].Ref)},
	}
	e := &end{
		Kind: err.Kind, Says: err.Says, Message: m, Records: []deploy.Record{r.recorded(r.own(), job.Superseded, err.Says, &w.seen)},
		Losses: []loss{{Target: c.Target, With: c.With, Version: u.Version, Field: r.row.Plan.Site.Field, Why: u.Why, Part: u.Part, Again: true, All: others(u.All, c)}},
	}
	e.Failing, e.Believed = w.times()
	return r.conclude(ctx, e, func(p *progress) { p.fail(err) })
}

// others are the targets that a change is not about.
func others(all []deploy.Target, c deploy.Change) []deploy.Target {
	return slices.DeleteFunc(slices.Clone(all), func(t deploy.Target) bool { return t == c.Target || slices.Contains(c.With, t) })
}
