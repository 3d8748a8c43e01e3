package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// lastLook is how long a job that comes back after its deadline observes.
const lastLook = 5 * time.Second

// lastWord is how long after the deadline the answer about what was seen before it
// is waited for.
const lastWord = 2 * time.Second

// follow watches the commit onto the cluster until it is proven there, has
// failed, was replaced, or the deadline passes.
func (r *change) follow(ctx context.Context) (chat.Message, error) {
	if err := r.show(ctx, func(p *progress) { p.planned(r.row.Plan); p.delivered(r.row) }); err != nil {
		return chat.Message{}, err
	}
	goals := r.goals()
	watching, asked, stop := listening(ctx)
	defer stop()
	defer r.nudge(ctx, goals)()
	deadline := r.until()
	if len(goals) > 1 {
		m, err := r.followAll(watching, goals, deadline)
		if err != nil && ctx.Err() == nil && asked() {
			return chat.Message{}, job.ErrCancelled
		}
		return m, err
	}
	w := watcher{change: r, goal: goals[0], deadline: deadline}
	w.tell = func(ctx context.Context, o deploy.Observation) error {
		return r.show(ctx, func(p *progress) { p.seen(w.last, o) })
	}
	if err := w.watch(watching); err != nil {
		if ctx.Err() == nil && asked() {
			err = job.ErrCancelled
		}
		return chat.Message{}, err
	}
	return r.finish(ctx, &w)
}

// nudge asks Flux to look at once, while the change is followed already: a cluster
// that does not answer holds nothing up. done ends it.
func (r *change) nudge(ctx context.Context, goals []deploy.Plan) (done func()) {
	within, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	id, at := r.job.ID, r.row.Followed
	asking.Go(func() {
		for _, goal := range goals {
			c := goal.Change
			if err := r.Cluster.Reconcile(within, c.Target.Cluster, c.Owner, at); err != nil && within.Err() == nil {
				// Flux looks by itself at its next interval: slower, not wrong.
				r.Log.Warn("Flux was not asked to reconcile", "job", id, "cluster", c.Target.Cluster, "error", err)
			}
		}
	})
	return func() { cancel(); asking.Wait() }
}

// watcher turns observations into a lasting judgement.
type watcher struct {
	*change
	// goal is the plan of the target that is watched, and tell shows what is seen
	// there.
	goal     deploy.Plan
	tell     func(context.Context, deploy.Observation) error
	deadline time.Time
	// last is the latest judgement and seen what it rests on; late is true if
	// the deadline passed first.
	last judgement
	seen deploy.Observation
	late bool
	// since is when the present run of failing judgements began.
	since time.Time
	err   error
	// soaks: it goes on although the change has arrived.
	soaks bool
}

// watch observes until the judgement is final. One observation serves for all
// of it: a new one begins with less than the last one knew. What only time
// decides, the deadline and how long a failure has lasted, ends it by a timer.
func (w *watcher) watch(ctx context.Context) error {
	asking, stop := context.WithTimeout(ctx, w.deadline.Add(lastWord).Sub(w.Now()))
	defer stop()
	for {
		timed, cancel := context.WithCancel(ctx)
		timer := time.AfterFunc(w.until().Sub(w.Now()), cancel)
		err := w.Cluster.Observe(timed, w.goal.Change.Target, w.goal.Change.Owner, w.goal.Site, func(o deploy.Observation) bool {
			w.err = w.take(asking, o)
			timer.Reset(w.until().Sub(w.Now()))
			return w.err == nil && !w.final()
		})
		over := timed.Err() != nil
		timer.Stop()
		cancel()
		switch now := w.Now(); {
		case ctx.Err() != nil:
			return ctx.Err()
		case w.err != nil && asking.Err() != nil:
			w.err, w.late = nil, true // whoever was asked did not answer in time
			return nil
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
			return fmt.Errorf("observe %s: %w", w.goal.Change.Target, err)
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
	applied, attempted, err := w.holdings(ctx, o)
	if err != nil {
		return err
	}
	j := judge(o, w.goal.Site, applied, attempted)
	if w.row.Change.Unpin {
		j = judgeUnpinned(o, w.goal.Site, applied, attempted)
	}
	w.seen, w.last = o, inhabited(j, o, w.goal.Change.Owner)
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
	return w.tell(ctx, o)
}

func (w *watcher) holding(ctx context.Context, revision string) (deploy.Holding, error) {
	if revision == "" {
		return deploy.NotYet, nil
	}
	return w.Delivery.Holding(ctx, w.goal, w.row.Commit, revision, w.Fleet.Declared())
}

// holdings are those of the applied and the attempted revision. The latter counts
// only where the former proves nothing. One that cannot be rendered, which Flux
// cannot build either, holds nothing yet: the next commit may mend it.
func (w *watcher) holdings(ctx context.Context, o deploy.Observation) (applied, attempted deploy.Holding, err error) {
	if o.State.Stale {
		return deploy.NotYet, deploy.NotYet, nil
	}
	if applied, err = w.holding(ctx, o.Applied); err != nil || applied != deploy.NotYet || o.Attempted == o.Applied {
		return applied, applied, err
	}
	attempted, err = w.holding(ctx, o.Attempted)
	if err != nil && ctx.Err() == nil && !fault.Is(err, fault.Unavailable) {
		w.Log.Warn("an attempted revision could not be read", "job", w.job.ID, "revision", o.Attempted, "error", err)
		return applied, deploy.NotYet, nil
	}
	return applied, attempted, err
}

func (w *watcher) final() bool {
	return w.last.verdict == arrived && !w.soaks || w.last.verdict == failed || w.last.verdict == replaced
}

// finish records the outcome and words the closing message.
func (r *change) finish(ctx context.Context, w *watcher) (chat.Message, error) {
	c := r.row.Change
	app, cluster := c.Target.App.Name, c.Target.Cluster
	if c.Unpin {
		return r.finishUnpin(ctx, w)
	}
	switch {
	case w.last.verdict == arrived:
		return r.arrived(ctx, r.success(), []deploy.Record{r.recorded(r.own(), job.Done, "", &w.seen)}, func(p *progress) { p.arrived(w.seen) })
	case w.last.verdict == replaced:
		err := fault.Newf(fault.Superseded, "%s on %s was changed again in Git before `%s` was seen healthy", app, cluster, c.Version).
			WithHelp("ferry follows this change no further\n`history %s on %s` and the repository's log tell who made the other one", shortest(r.Fleet, c.Target), cluster)
		if r.onceMore() {
			return r.overwritten(ctx, err, w)
		}
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
	if r.row.Undo != nil {
		m = r.isBack(m)
	}
	if pinned(r.row.Plan) {
		m.Lines = append(m.Lines, fmt.Sprintf("It has a version of its own there now; `unpin %s on %s` takes that away once the base holds the same.",
			shortest(r.Fleet, c.Target), c.Target.Cluster))
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

// failure tells why, and what becomes of it.
func (r *change) failure(ctx context.Context, err *fault.Error, outcome job.Outcome, w *watcher) (chat.Message, error) {
	m := chat.Message{Tone: chat.Failure, Title: err.Says, Links: r.links()}
	if why := w.last.why(); why != "" {
		m.Lines = append(m.Lines, why)
	}
	if w.last.raw != "" {
		m.Code = &chat.Code{Text: w.last.raw}
	}
	records := []deploy.Record{r.recorded(r.own(), outcome, w.last.why(), &w.seen)}
	return r.lost(ctx, err, m, w, records, func(p *progress) { p.seen(w.last, w.seen); p.fail(err) })
}
