package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// lastLook is how long a job that comes back after its deadline observes.
const lastLook = 5 * time.Second

// follow watches the commit onto the cluster until it is proven there, has
// failed, was replaced, or the deadline passes.
func (r *change) follow(ctx context.Context) (chat.Message, error) {
	if err := r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.delivered(r.row) }); err != nil {
		return chat.Message{}, err
	}
	c := r.row.Change
	if err := r.Cluster.Reconcile(ctx, c.Target.Cluster, c.Owner, r.row.Followed); err != nil {
		// Flux looks by itself at its next interval: slower, not wrong.
		r.Log.Warn("Flux was not asked to reconcile", "job", r.job.ID, "cluster", c.Target.Cluster, "error", err)
	}
	w := watcher{change: r, deadline: r.row.Followed.Add(r.Rollout)}
	// A job resumed after its deadline still looks before it speaks.
	if look := r.Now().Add(lastLook); w.deadline.Before(look) {
		w.deadline = look
	}
	if err := w.watch(ctx); err != nil {
		return chat.Message{}, err
	}
	return r.finish(ctx, w)
}

// watcher turns observations into a lasting judgement.
type watcher struct {
	*change
	deadline time.Time
	// last is the latest judgement and seen what it rests on; late is true if
	// the deadline passed first.
	last judgement
	seen deploy.Observation
	late bool
	// since is when the present run of failing judgements began.
	since time.Time
	err   error
}

// watch observes until the judgement is final. One observation serves for all
// of it: a new one begins with less than the last one knew. What only time
// decides, the deadline and how long a failure has lasted, ends it by a timer.
func (w *watcher) watch(ctx context.Context) error {
	for {
		timed, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(w.until().Sub(w.Now()), cancel)
		err := w.Cluster.Observe(timed, w.row.Change.Target, w.row.Change.Owner, w.row.Plan.Site, func(o deploy.Observation) bool {
			w.err = w.take(ctx, o)
			timer.Reset(w.until().Sub(w.Now()))
			return w.err == nil && !w.final()
		})
		over := timed.Err() != nil
		timer.Stop()
		cancel()
		switch now := w.Now(); {
		case ctx.Err() != nil:
			return ctx.Err()
		case w.err != nil:
			return w.err
		case w.final():
			return nil
		case !now.Before(w.deadline):
			w.late = true
			return nil
		case !w.since.IsZero() && now.Sub(w.since) >= w.Grace:
			w.last.verdict = failed
			return nil
		case err != nil && !over:
			return fmt.Errorf("observe %s: %w", w.row.Change.Target, err)
		}
	}
}

// until is when time alone decides: at the deadline, or once a failure has
// lasted.
func (w *watcher) until() time.Time {
	if believed := w.since.Add(w.Grace); !w.since.IsZero() && believed.Before(w.deadline) {
		return believed
	}
	return w.deadline
}

// take judges one observation and shows it.
func (w *watcher) take(ctx context.Context, o deploy.Observation) error {
	applied, err := w.holding(ctx, o.Applied)
	if err != nil {
		return err
	}
	attempted := applied
	if o.Attempted != o.Applied {
		if attempted, err = w.holding(ctx, o.Attempted); err != nil {
			return err
		}
	}
	w.seen, w.last = o, judge(o, w.row.Plan.Site, applied, attempted)
	lasts := w.last.verdict == failing || w.last.verdict == waiting && w.last.troubled && !w.since.IsZero()
	switch {
	case !lasts:
		w.since = time.Time{}
	case w.since.IsZero():
		w.since = w.Now()
	case w.Now().Sub(w.since) >= w.Grace:
		w.last.verdict = failed
	}
	if w.final() {
		return nil
	}
	return w.show(ctx, func(p *progress) { p.seen(w.last, o) })
}

func (w *watcher) holding(ctx context.Context, revision string) (deploy.Holding, error) {
	if revision == "" {
		return deploy.NotYet, nil
	}
	return w.Delivery.Holding(ctx, w.row.Plan, w.row.Commit, revision, w.Fleet.Declared())
}

func (w *watcher) final() bool {
	return w.last.verdict == arrived || w.last.verdict == failed || w.last.verdict == replaced
}

// finish records the outcome and words the closing message.
func (r *change) finish(ctx context.Context, w watcher) (chat.Message, error) {
	c := r.row.Change
	app, cluster := c.Target.App.Name, c.Target.Cluster
	switch {
	case w.last.verdict == arrived:
		if err := r.record(ctx, job.Done, "", &w.seen); err != nil {
			return chat.Message{}, err
		}
		if err := r.show(ctx, func(p *progress) { p.arrived(w.seen) }); err != nil {
			return chat.Message{}, err
		}
		return r.success(), nil
	case w.last.verdict == replaced:
		err := fault.Newf(fault.Superseded, "%s on %s was changed again in Git before `%s` was seen healthy", app, cluster, c.Version).
			WithHelp("ferry follows this change no further\n`history %s on %s` and the repository's log tell who made the other one", shortest(r.Fleet, c.Target), cluster)
		return chat.Message{}, errors.Join(err, r.record(ctx, job.Superseded, err.Says, &w.seen))
	case w.late:
		err := fault.Newf(fault.Expired, "%s `%s` was not healthy on %s within %s", app, c.Version, cluster, span(r.Rollout))
		return r.failure(ctx, err, job.Expired, w)
	default:
		err := fault.Newf(fault.Failed, "%s `%s` did not become healthy on %s", app, c.Version, cluster)
		return r.failure(ctx, err, job.Failed, w)
	}
}

func (r *change) success() chat.Message {
	c := r.row.Change
	m := chat.Message{
		Tone:  chat.Done,
		Title: fmt.Sprintf("%s `%s` is healthy on %s", c.Target.App.Name, c.Version, c.Target.Cluster),
		Links: r.links(),
	}
	since := r.row.Followed
	if c := r.row.Commit; c.Merged && !c.At.IsZero() && c.At.Before(since) {
		since = c.At // ferry came to know of it later
	}
	took := span(r.Now().Sub(since))
	if r.row.Plan.Already {
		m.Lines = []string{fmt.Sprintf("Git held it already; the cluster caught up in %s.", took)}
	} else {
		from := "commit"
		if r.row.Proposal.Number != 0 {
			from = "merge"
		}
		m.Lines = []string{fmt.Sprintf("It was `%s`; %s from %s to healthy.", r.row.Plan.From, took, from)}
	}
	return m
}

// links lead to what was done in Git.
func (r *change) links() []chat.Link {
	all := commitLink(r.row.Commit)
	if p := r.row.Proposal; p.URL != "" {
		all = append([]chat.Link{{Text: fmt.Sprintf("pull request #%d", p.Number), URL: p.URL}}, all...)
	}
	return all
}

// failure tells why, what is in Git now, and offers the way back.
func (r *change) failure(ctx context.Context, err *fault.Error, outcome job.Outcome, w watcher) (chat.Message, error) {
	if rec := r.record(ctx, outcome, w.last.why(), &w.seen); rec != nil {
		return chat.Message{}, rec
	}
	c := r.row.Change
	m := chat.Message{Tone: chat.Failure, Title: err.Says, Links: r.links()}
	if why := w.last.why(); why != "" {
		m.Lines = append(m.Lines, why)
	}
	if w.last.raw != "" {
		m.Code = &chat.Code{Text: w.last.raw}
	}
	good, ok, herr := lastGood(ctx, r.History, c.Target, c.Version)
	if herr != nil {
		return chat.Message{}, herr
	}
	name := shortest(r.Fleet, c.Target)
	back := fmt.Sprintf("rollback %s on %s", name, c.Target.Cluster)
	if ok {
		m.Lines = append(m.Lines, fmt.Sprintf("Git still holds `%s`. The last version seen healthy there is `%s`; `%s` brings it back.", c.Version, good.Version, back))
		m.Buttons = []chat.Button{{
			Label: "Roll back to " + string(good.Version), Command: back + " to " + string(good.Version), Danger: true,
			Confirm: fmt.Sprintf("This commits %s for %s on %s.", good.Version, c.Target.App.Name, c.Target.Cluster),
		}}
	} else {
		m.Lines = append(m.Lines, fmt.Sprintf("Git still holds `%s`. No other version has been seen healthy there yet; `promote %s@… to %s` brings another one.",
			c.Version, name, c.Target.Cluster))
	}
	if serr := r.show(ctx, func(p *progress) { p.seen(w.last, w.seen); p.fail(err) }); serr != nil {
		return chat.Message{}, serr
	}
	return m, err
}
