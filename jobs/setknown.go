package jobs

import (
	"context"
	"errors"
	"strings"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// lookAgain bounds the pause before a target that could not be looked at is looked at
// again.
const lookAgain = 30 * time.Second

// follows watches one target of a wave to its end. What does not answer is asked again
// until the deadline, so that others are followed meanwhile, and told of as trouble;
// why is what was in the way at last.
func (x *follower) follows(ctx context.Context, trouble func(error)) (why error) {
	for pause := time.Second; ; pause = min(2*pause, lookAgain) {
		err := x.watcher.watch(ctx)
		switch {
		case err == nil && !x.late:
			return nil
		case err == nil:
			return x.trouble // it may be late for that alone
		case ctx.Err() != nil:
			return x.trouble // what was seen since took it away
		case why == nil:
			x.Log.Warn("a target of a set cannot be followed", "job", x.job.ID, "target", x.goal.Change.Target.String(), "error", err)
		}
		why = err
		left := x.deadline.Sub(x.Now())
		if !passes(err) || left <= 0 {
			return why
		}
		trouble(why)
		x.since, x.err = time.Time{}, nil // what was failing may not have been all the time
		select {
		case <-time.After(min(pause, left)):
		case <-ctx.Done():
			return why
		}
	}
}

// passes reports whether what was in the way may be gone at the next look.
func passes(err error) bool {
	return fault.Is(err, fault.Unavailable) || errors.Is(err, context.DeadlineExceeded)
}

// fate is what a watcher saw become of its target.
func (x *follower) fate(within time.Duration) fate {
	out := fate{Why: clipTo(x.last.why(), mostWhy)}
	switch {
	case x.last.verdict == arrived:
		return fate{Outcome: job.Done}
	case x.last.verdict == failed:
		out.Outcome = job.Failed
	case x.last.verdict == replaced:
		out.Outcome, out.Why = job.Superseded, "It was changed again in Git before it was seen healthy."
	case x.trouble != nil:
		return fate{Outcome: job.Expired, Unknown: true, Why: clipTo("How it is doing is not known: "+inTheWay(x.trouble), mostWhy)}
	case x.late:
		out.Outcome, out.Unknown = job.Expired, x.blind()
		out.Why = firstOf(out.Why, "It was not healthy within "+span(within)+".")
	}
	return out
}

// inTheWay words why something could not be looked at.
func inTheWay(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok && e.Kind != fault.Internal {
		return strings.TrimSuffix(e.Says, ".") + "."
	}
	return "something went wrong inside ferry; whoever runs it finds what in its log."
}

// remembered records what the row tells of a wave; told again it records nothing
// twice. Evidence is there for what this process saw.
func (s *setRun) remembered(ctx context.Context, w *wave, all []*follower) error {
	for _, x := range all {
		f, at := *x.fated, w.Seen
		switch {
		case !f.Fell.IsZero():
			x.cmd.Verb, at = fellOver, f.Fell
		case f.Outcome == "":
			f.Outcome, f.Why = job.Failed, "not followed to its end, because another one of the wave failed"
		}
		var evidence *deploy.Observation
		if x.last.verdict != "" {
			evidence = &x.seen
		}
		rec := x.recorded(x.part(), f.Outcome, f.Why, evidence)
		rec.At = at
		if err := s.History.Append(ctx, &rec); err != nil {
			return err
		}
	}
	return nil
}

// accounted records what is known of the wave at hand and may not stand in the history
// yet, and what was committed and is followed no further, for why.
func (s *setRun) accounted(ctx context.Context, why error) error {
	if s.row.At >= len(s.row.Waves) {
		return nil
	}
	w := &s.row.Waves[s.row.At]
	all := s.watchers(w, s.Now())
	if !w.Seen.IsZero() {
		return s.remembered(ctx, w, all)
	}
	if why == nil || w.Commit.SHA == "" {
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
	for _, x := range all {
		if err := x.recordOf(ctx, x.part(), outcome, "not followed to its end", nil); err != nil {
			return err
		}
	}
	return nil
}
