package jobs

import (
	"context"
	"slices"
	"strings"
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
// show the same; who is on the way then is followed no further. What was seen stands in
// the row before it stands in the history: whoever takes the set up in between looks
// at no cluster again, which may show something else by then.
func (s *setRun) follow(ctx context.Context) error {
	w := &s.row.Waves[s.row.At]
	all := s.watchers(w, later(w.Followed.Add(s.Rollout), s.Now().Add(lastLook)))
	if w.Seen.IsZero() {
		if err := s.sees(ctx, w, all); err != nil {
			return err
		}
	}
	if err := s.remembered(ctx, w, all); err != nil {
		return err
	}
	if err := s.show(ctx, func(v *setView) { v.watch(nil) }); err != nil {
		return err
	}
	if !w.Healthy.IsZero() && s.row.At < len(s.row.Waves)-1 {
		return s.step(ctx, stepStay)
	}
	return s.step(ctx, stepAccount)
}

// sees watches a wave until it is known what became of it, and stores that.
func (s *setRun) sees(ctx context.Context, w *wave, all []*follower) error {
	if err := s.show(ctx, func(v *setView) { v.watch(all) }); err != nil {
		return err
	}
	if err := s.watch(ctx, w, all, true); err != nil {
		return err
	}
	well := true
	for _, x := range all {
		*x.fated = x.fate(s.Rollout)
		well = well && x.fated.Outcome == job.Done
	}
	if w.Seen = s.Now(); well {
		w.Healthy = w.Seen
	}
	return s.step(ctx, stepFollow)
}

// stands looks once more at a wave that was healthy. What is not known of one, while
// all others stand, is an error: then it is looked at again.
func (s *setRun) stands(ctx context.Context, w *wave) (well bool, err error) {
	all := s.watchers(w, s.Now().Add(s.Grace+lastLook))
	if err := s.watch(ctx, w, all, false); err != nil {
		return false, err
	}
	fates, bad := make([]fate, len(all)), false
	for i, x := range all {
		fates[i] = x.fate(w.Soak)
		bad = bad || fates[i].Outcome != job.Done && !fates[i].Unknown
	}
	for i, x := range all {
		f, now := fates[i], s.Now()
		switch {
		case f.Outcome == job.Done:
			continue
		case f.Unknown && !bad && (x.trouble == nil || passes(x.trouble)):
			return false, fault.Newf(fault.Unavailable, "whether %s stays healthy on %s is not known", x.goal.Change.Target.App.Name, x.goal.Change.Target.Cluster).Because(x.trouble)
		case f.Unknown && !bad:
			return false, x.trouble
		case f.Unknown:
			f.Why = "It was healthy. " + f.Why
		case f.Outcome == job.Superseded:
			f.Why, f.Fell = "It was changed again in Git after it was healthy.", now
		default:
			f.Unsure = f.Outcome != job.Failed // it is late, or was not looked at for long enough
			f.Outcome, f.Why, f.Fell = job.Failed, strings.TrimSpace("It was healthy, and did not stay so. "+f.Why), now
		}
		*x.fated = f
	}
	if bad {
		w.Healthy = time.Time{}
	}
	return !bad, nil
}

// follower is a watcher of one target of a wave.
type follower struct {
	*watcher
	fated *fate
	// shown is the judgement that is shown, over is set once it will not change.
	shown judgement
	over  bool
	// trouble is why it cannot be looked at now, or could not to the end.
	trouble error
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
// it takes to believe the same of others. Its error is about all of them; what is wrong
// with one stays with that one.
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
	for _, x := range all {
		told := func(why error, over bool) {
			s.showing.Lock()
			x.trouble, x.shown, x.over = why, x.last, over
			s.showing.Unlock()
			select {
			case changed <- struct{}{}:
			default:
			}
		}
		x.tell = func(context.Context, deploy.Observation) error { told(nil, false); return nil }
		watching.Go(func() {
			why := x.follows(within, func(why error) { told(why, false) })
			if x.ended() != nil || x.late {
				once.Do(func() { hurry = time.AfterFunc(s.Grace, end) })
			}
			told(why, true)
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
