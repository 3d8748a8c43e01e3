package jobs

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// fellOver is the command of a record that tells what was healthy and did not stay so.
const fellOver chat.Verb = "watch"

// drawn is how often the status message is written while a wave is followed.
const drawn = 500 * time.Millisecond

// follow watches a wave onto its clusters until all of it is healthy, and remembers
// what became of each target. Once one has failed the others have a little time to
// show the same; who is on the way then is followed no further.
func (s *setRun) follow(ctx context.Context) error {
	w := &s.row.Waves[s.row.At]
	all := s.watchers(w, later(w.Followed.Add(s.Rollout), s.Now().Add(lastLook)))
	if err := s.show(ctx, func(v *setView) { v.watch(all) }); err != nil {
		return err
	}
	if err := s.watch(ctx, w, all, true); err != nil {
		return err
	}
	well := true
	for _, x := range all {
		f := x.fate(s.Rollout)
		*x.fated = f
		well = well && f.Outcome == job.Done
		outcome, why := f.Outcome, f.Why
		if outcome == "" {
			outcome, why = job.Failed, "not followed to its end, because another one of the wave failed"
		}
		if err := x.recordOf(ctx, x.part(), outcome, why, &x.seen); err != nil {
			return err
		}
	}
	if err := s.show(ctx, func(v *setView) { v.watch(nil) }); err != nil {
		return err
	}
	w.Seen = s.Now()
	if w.Healthy = w.Seen; well && s.row.At < len(s.row.Waves)-1 {
		return s.step(ctx, stepStay)
	}
	if !well {
		w.Healthy = time.Time{}
	}
	return s.step(ctx, stepAccount)
}

// stands looks once more at a wave that was healthy.
func (s *setRun) stands(ctx context.Context, w *wave) (well bool, err error) {
	all := s.watchers(w, s.Now().Add(s.Grace+lastLook))
	if err := s.watch(ctx, w, all, false); err != nil {
		return false, err
	}
	well = true
	for _, x := range all {
		f := x.fate(w.Soak)
		if f.Outcome == job.Done {
			continue
		}
		if f.Outcome != job.Superseded {
			f.Unsure = f.Outcome == job.Expired
			f.Outcome, f.Why = job.Failed, "It was healthy, and did not stay so. "+f.Why
		}
		well, *x.fated = false, f
		x.cmd.Verb = fellOver
		if err := x.recordOf(ctx, x.part(), f.Outcome, f.Why, &x.seen); err != nil {
			return false, err
		}
	}
	if !well {
		w.Healthy = time.Time{}
	}
	return well, nil
}

// follower is a watcher of one target of a wave.
type follower struct {
	*watcher
	fated *fate
	// shown is the judgement that is shown, over is set once it will not change.
	shown judgement
	over  bool
}

// watchers are those of all targets of a wave, in its order.
func (s *setRun) watchers(w *wave, deadline time.Time) []*follower {
	var out []*follower
	for i := range w.Moves {
		m := &w.Moves[i]
		goals := s.of(w, m).goals()
		if len(m.Ends) != len(goals) {
			m.Ends = make([]fate, len(goals))
		}
		for k, goal := range goals {
			x := &follower{watcher: &watcher{change: s.of(w, m), goal: goal, deadline: deadline}, fated: &m.Ends[k]}
			out = append(out, x)
		}
	}
	return out
}

// watch runs watchers until each has ended, or, after one has failed, for as long as
// it takes to believe the same of others.
func (s *setRun) watch(ctx context.Context, w *wave, all []*follower, nudge bool) error {
	listens, asked, stop := listening(ctx)
	defer stop()
	within, end := context.WithCancel(listens)
	defer end()
	if nudge {
		defer s.nudgeAll(ctx, w, all)()
	}
	changed := make(chan struct{}, 1)
	var hurry *time.Timer
	var once sync.Once
	var watching, drawing sync.WaitGroup
	over := make(chan struct{})
	drawing.Go(func() { s.draw(listens, changed, over) })
	errs := make([]error, len(all))
	for i, x := range all {
		x.tell = func(context.Context, deploy.Observation) error {
			s.showing.Lock()
			x.shown = x.last
			s.showing.Unlock()
			select {
			case changed <- struct{}{}:
			default:
			}
			return nil
		}
		watching.Go(func() {
			errs[i] = x.watcher.watch(within)
			s.showing.Lock()
			x.over, x.shown = true, x.last
			s.showing.Unlock()
			if x.ended() != nil || x.late {
				once.Do(func() { hurry = time.AfterFunc(s.Grace, end) })
			}
			_ = x.tell(within, x.seen)
		})
	}
	watching.Wait()
	once.Do(func() {})
	if hurry != nil {
		hurry.Stop()
	}
	close(over)
	drawing.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case asked():
		return job.ErrCancelled
	}
	for i, err := range errs {
		if err != nil && (within.Err() == nil || !errors.Is(err, context.Canceled)) && all[i].ended() == nil {
			return err
		}
	}
	return nil
}

// draw shows what changed, not more often than people can read.
func (s *setRun) draw(ctx context.Context, changed <-chan struct{}, over <-chan struct{}) {
	tick := time.NewTicker(drawn)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		select {
		case <-changed:
			if err := s.show(ctx, func(*setView) {}); err != nil && ctx.Err() == nil {
				s.Log.Warn("the status of a set was not written", "job", s.job.ID, "error", err)
			}
		default:
		}
	}
}

// nudgeAll asks Flux on each cluster to look, once for each that applies something.
func (s *setRun) nudgeAll(ctx context.Context, w *wave, all []*follower) (done func()) {
	type source struct {
		cluster deploy.Cluster
		ref     deploy.Ref
	}
	of := map[deploy.Cluster][]deploy.Plan{}
	var asked []source
	for _, x := range all {
		c := x.goal.Change
		if at := (source{c.Target.Cluster, c.Owner.Kustomization}); c.Owner.Release == (deploy.Ref{}) {
			if slices.Contains(asked, at) {
				continue
			}
			asked = append(asked, at)
		}
		of[c.Target.Cluster] = append(of[c.Target.Cluster], x.goal)
	}
	r := s.carrier(w)
	r.row.Followed = w.Followed
	var stops []func()
	for _, goals := range of {
		stops = append(stops, r.nudge(ctx, goals))
	}
	return func() {
		for _, stop := range stops {
			stop()
		}
	}
}

// fate is what a watcher saw become of its target.
func (x *follower) fate(within time.Duration) fate {
	out := fate{Why: x.last.why(), Raw: x.last.raw}
	switch {
	case x.last.verdict == arrived:
		return fate{Outcome: job.Done}
	case x.last.verdict == failed:
		out.Outcome = job.Failed
	case x.last.verdict == replaced:
		out.Outcome, out.Why = job.Superseded, "It was changed again in Git before it was seen healthy."
	case x.late:
		out.Outcome = job.Expired
		out.Why = firstOf(out.Why, "It was not healthy within "+span(within)+".")
	}
	return out
}

// abandoned records what was committed and is followed no further.
func (s *setRun) abandoned(ctx context.Context, why error) error {
	if why == nil || s.row.At >= len(s.row.Waves) {
		return nil
	}
	w := &s.row.Waves[s.row.At]
	if w.Commit.SHA == "" || !w.Healthy.IsZero() {
		return nil
	}
	outcome := job.Failed
	switch fault.KindOf(why) {
	case fault.Cancelled:
		outcome = job.Cancelled
	case fault.Expired:
		outcome = job.Expired
	default:
	}
	for _, x := range s.watchers(w, s.Now()) {
		if x.fated.Outcome != "" {
			continue
		}
		if err := x.recordOf(ctx, x.part(), outcome, "not followed to its end", nil); err != nil {
			return err
		}
	}
	return nil
}
