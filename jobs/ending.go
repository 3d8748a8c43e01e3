package jobs

import (
	"context"
	"encoding/json"
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

// stepEnd is where it stands how a change ended, while what follows from that is
// made: a rollback, a hold, a watch.
const stepEnd job.Step = "ending"

// end is how a change ended. It is stored before anything is made of it, so that
// whoever takes the job up then decides nothing again: a cluster may show something
// else by now.
type end struct {
	// Kind and Says are those of the fault; Kind is empty where all is well.
	Kind fault.Kind `json:"kind,omitempty"`
	Says string     `json:"says,omitempty"`
	// Message is what is said of it, without what follows; Status the last state of
	// the status message, if there is one.
	Message chat.Message    `json:"message"`
	Status  *chat.Message   `json:"status,omitempty"`
	Records []deploy.Record `json:"records,omitempty"`
	Losses  []loss          `json:"losses,omitempty"`
	// Failing is when the failure was first seen, Believed when it had lasted.
	Failing  time.Time `json:"failing,omitzero"`
	Believed time.Time `json:"believed,omitzero"`
	// Soak is for how long what is healthy is watched.
	Soak time.Duration `json:"soak,omitempty"`
}

// conclude stores an end and makes what follows from it.
func (r *change) conclude(ctx context.Context, e *end, edit func(*progress)) (chat.Message, error) {
	if edit != nil {
		r.showing.Lock()
		edit(&r.view)
		m := r.view.message()
		r.showing.Unlock()
		e.Status = &m
	}
	r.row.End = e
	if err := r.step(ctx, stepEnd); err != nil {
		return chat.Message{}, err
	}
	return r.close(ctx)
}

// close makes what follows from the end in the row; told again it makes nothing
// twice.
func (r *change) close(ctx context.Context) (chat.Message, error) {
	e := r.row.End
	for i := range e.Records {
		if err := r.History.Append(ctx, &e.Records[i]); err != nil {
			return chat.Message{}, err
		}
	}
	if e.Status != nil {
		if err := r.Replier.Put(ctx, r.cmd.Thread, "job/"+string(r.job.ID)+"/status", *e.Status); err != nil {
			return chat.Message{}, err
		}
	}
	m := e.Message
	m.Lines = slices.Clone(m.Lines)
	if e.Kind == "" {
		if e.Soak > 0 {
			from := e.Records[0].At
			made, err := r.watched(ctx, fmt.Sprintf("job/%s/watch", r.job.ID), soaking{Healthy: from, Until: from.Add(e.Soak)})
			if err != nil {
				return chat.Message{}, err
			}
			if made {
				m.Lines = append(m.Lines, fmt.Sprintf("ferry watches it for another %s.", span(e.Soak)))
			}
		}
		return m, r.undone(ctx)
	}
	if err := r.settled(ctx, e.Losses); err != nil {
		return chat.Message{}, err
	}
	lines, buttons, err := r.retreat(ctx, r.job, r.cmd, e.Losses)
	if err != nil {
		return chat.Message{}, err
	}
	m.Lines, m.Buttons = append(m.Lines, lines...), buttons
	return m, fault.New(e.Kind, e.Says, "")
}

// lost ends a change that did not last, by what a watcher saw.
func (r *change) lost(ctx context.Context, err *fault.Error, m chat.Message, w *watcher, records []deploy.Record, edit func(*progress)) (chat.Message, error) {
	e := &end{Kind: err.Kind, Says: err.Says, Message: m, Records: records, Losses: []loss{r.lossOf(w)}}
	e.Failing, e.Believed = w.times()
	for i := range e.Records {
		if o := job.Outcome(e.Records[i].Outcome); o == job.Failed || o == job.Expired {
			e.Records[i].Failing, e.Records[i].Believed = e.Failing, e.Believed
		}
	}
	return r.conclude(ctx, e, edit)
}

// times are when the failure that ended a watch was first seen, and when believed.
func (w *watcher) times() (failing, believed time.Time) {
	believed = w.Now()
	if failing = w.since; failing.IsZero() {
		failing = believed
	}
	return failing, believed
}

// lossOf is what was lost, as far as the change goes: what shares a site shares that.
func (r *change) lossOf(w *watcher) loss {
	c := r.row.Change
	l := loss{Target: c.Target, With: c.With, Version: c.Version, Field: r.row.Plan.Site.Field, Why: w.last.why(), Raw: w.last.raw}
	l.Part = r.row.Soak != nil && r.row.Soak.Part
	if r.row.Soak != nil && r.row.Soak.Missed > 0 {
		l.Asks = "it was seen only after the time for which it was to be watched"
	}
	if w.late && w.blind() {
		l.Asks = fmt.Sprintf("%s does not answer: how the app is doing there is not known", w.goal.Change.Target.Cluster)
	}
	return l
}

// blind reports whether nothing is known of the target now.
func (w *watcher) blind() bool { return w.seen.State.Stale || w.last.verdict == "" }

// settled waits while Helm brings something older back by itself, up to the change's
// deadline: what it does and what is committed meanwhile would get in each other's
// way.
func (r *change) settled(ctx context.Context, losses []loss) error {
	if r.Follower == nil || len(losses) != 1 || r.rule(losses[0]).Mode != deploy.RetreatAuto || r.cmd.Verb == rollbackSyntax.Verb {
		return nil
	}
	timed, cancel := context.WithTimeout(ctx, r.until().Sub(r.Now()))
	defer cancel()
	var waiting sync.WaitGroup
	for _, goal := range r.goals() {
		if goal.Change.Owner.Release == (deploy.Ref{}) {
			continue
		}
		waiting.Go(func() {
			err := r.Cluster.Observe(timed, goal.Change.Target, goal.Change.Owner, goal.Site, func(o deploy.Observation) bool { return remediating(o) })
			if err != nil && timed.Err() == nil {
				r.Log.Warn("it is not known whether Helm has ended what it does by itself", "job", r.job.ID, "target", goal.Change.Target.String(), "error", err)
			}
		})
	}
	waiting.Wait()
	return ctx.Err()
}

// remediating reports whether Helm is bringing something older back now. The
// controller names the action that it runs.
func remediating(o deploy.Observation) bool {
	if o.State.Stale || o.Release == nil {
		return false
	}
	if h := o.Release.History; len(h) > 0 && (h[0].Status == "pending-rollback" || h[0].Status == "uninstalling") {
		return true
	}
	said := o.Release.Ready.Message
	return o.Release.Ready.Status == "Unknown" && (strings.Contains(said, "'rollback' action") || strings.Contains(said, "'uninstall' action"))
}

// undone amends the job whose change a rollback of ferry's own took back, once all
// of it is back. One of which something stayed is not amended.
func (r *change) undone(ctx context.Context) error {
	u := r.row.Undo
	if u == nil || u.Part || r.Amender == nil {
		return nil
	}
	for _, t := range u.All {
		back := false
		if err := r.History.Of(ctx, t, func(rec deploy.Record) bool {
			back = rec.Undoes == string(u.Job) && rec.Healthy
			return !back && rec.Job != string(u.Job)
		}); err != nil || !back {
			return err
		}
	}
	return r.Amender.RolledBack(ctx, u.Job)
}

// undoing is the change that a rollback of ferry's own was made with, as it reaches its cluster now.
func (r *change) undoing() (deploy.Change, error) {
	c := r.row.Change
	if err := fresh(r.Fleet, c.Target.Cluster); err != nil {
		return c, fault.Newf(fault.Unavailable, "%s does not answer", c.Target.Cluster).Because(err)
	}
	app, err := find(r.Fleet, c.Target.Cluster, c.Target.App.String())
	c.Owner = app.Owner
	return c, err
}

// ours returns an error if somebody changed since what a rollback of ferry's
// own is to take back: that is not ferry's to undo.
func (r *change) ours(p deploy.Plan) error {
	u := r.row.Undo
	if u == nil || p.Already {
		return nil
	}
	for _, part := range parts(p) {
		if part.From != u.Version && !strings.HasPrefix(string(part.From), string(u.Version)+"@") {
			return fault.Newf(fault.Superseded, "%s on %s was changed again: Git holds `%s` and no longer `%s`", part.Target.App.Name, part.Target.Cluster, part.From, u.Version).
				WithHelp("ferry leaves it as it is")
		}
	}
	return nil
}

// isBack words the end of a rollback that ferry made by itself.
func (r *change) isBack(m chat.Message) chat.Message {
	u, c := r.row.Undo, r.row.Change
	m.Title = fmt.Sprintf("%s `%s` is back on %s and healthy", c.Target.App.Name, c.Version, places(c))
	why := sentence(fmt.Sprintf("`%s` did not become healthy: %s", u.Version, u.Why))
	if u.Why == "" {
		why = fmt.Sprintf("`%s` did not become healthy.", u.Version)
	}
	m.Lines = append([]string{why}, m.Lines...)
	m.Lines = append(m.Lines, r.automated()...)
	m.Lines = append(m.Lines, r.heldBack(loss{Target: c.Target, With: c.With, Version: u.Version}))
	return m
}

// rowOf decodes a change's row.
func rowOf(j *job.Job) (row changeRow, err error) {
	if len(j.Data) > 0 {
		if err := json.Unmarshal(j.Data, &row); err != nil {
			return row, fmt.Errorf("decode row of job %s: %w", j.ID, err)
		}
	}
	return row, nil
}
