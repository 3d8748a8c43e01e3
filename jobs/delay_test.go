package jobs

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// TestAStatusTellsWhatDoesNotAnswer, at the step at which it is, and no more once it
// answers again.
func TestAStatusTellsWhatDoesNotAnswer(t *testing.T) {
	w := newWorld()
	w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
	b := newBench(t, w)
	w.refuse = fault.Newf(fault.Unavailable, "GitHub did not answer")
	if _, err := b.once(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	running := func() string {
		for _, s := range w.put["job/j1/status"].Steps {
			if s.State == chat.StepRunning {
				return s.Text
			}
		}
		return ""
	}
	if got := running(); !strings.HasSuffix(got, ": GitHub did not answer; ferry goes on trying") {
		t.Errorf("it waits for %q", got)
	}
	if got := strings.Count(running(), "goes on trying"); got != 1 {
		t.Errorf("told %d times", got)
	}
	// Another attempt that comes no further takes it back at no moment.
	bare := 0
	w.watch = func(m chat.Message) {
		for _, s := range m.Steps {
			if s.State == chat.StepRunning && !strings.Contains(s.Text, "goes on trying") {
				bare++
			}
		}
	}
	if _, err := b.once(t.Context()); !fault.Is(err, fault.Unavailable) || bare > 0 {
		t.Errorf("the second attempt: %v, %d times without the reason", err, bare)
	}
	w.watch = nil
	w.refuse = nil
	if _, err := b.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.put["job/j1/status"].Steps {
		if strings.Contains(s.Text, "goes on trying") {
			t.Errorf("in the end it says %q", s.Text)
		}
	}
}

// TestWhatHasEndedIsNotShownAsGoingOn while what follows from it cannot be made yet.
func TestWhatHasEndedIsNotShownAsGoingOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, _ := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		f.refuse = fault.Newf(fault.Unavailable, "Slack did not answer")
		for range 2 { // the second time by another process
			if _, err := b.once(t.Context()); !fault.Is(err, fault.Unavailable) {
				t.Fatal(err)
			}
			if m := w.put["job/j1/status"]; !m.Final || slices.ContainsFunc(m.Steps, func(s chat.Step) bool { return s.State == chat.StepRunning }) {
				t.Errorf("it shows\n%s", says(m))
			}
		}
		if f.refuse = nil; !fault.Is(second(b.once(t.Context())), fault.Failed) || len(f.made) != 1 {
			t.Errorf("%d rollbacks", len(f.made))
		}
	})
}

// TestWhatFollowsIsGivenUp: then the end is told, and not that nothing was changed.
func TestWhatFollowsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, b, f, _ := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		f.refuse = fault.Newf(fault.Unavailable, "Slack did not answer")
		_, err := b.once(t.Context())
		for fault.Is(err, fault.Unavailable) {
			time.Sleep(time.Minute)
			_, err = b.once(t.Context())
		}
		e, _ := errors.AsType[*fault.Error](err)
		if !fault.Is(err, fault.Expired) || !strings.Contains(e.Help, " did not become healthy on prod; what was to follow from that was not made") {
			t.Errorf("%+v", err)
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestAnArrivalIsKeptThroughACrash at each write, whatever the cluster shows when ferry
// is back, and with a wish to cancel in that moment: the answer, the history and what
// was shown last are one, and once it was shown as over it is never shown as going on.
func TestAnArrivalIsKeptThroughACrash(t *testing.T) {
	for _, wish := range []bool{false, true} {
		for kill, over := 2, false; !over && !t.Failed(); kill++ {
			synctest.Test(t, func(t *testing.T) { over = arrivesThrough(t, kill, wish) })
			if over && kill < 6 {
				t.Errorf("only %d writes", kill)
			}
		}
	}
}

// arrivesThrough runs a promotion that dies at a write, once; over means that there are
// fewer.
func arrivesThrough(t *testing.T, kill int, wish bool) (over bool) {
	t.Helper()
	w := newWorld()
	falls := false
	w.show = func(n int) *deploy.Observation {
		switch {
		case n > 0:
			return nil
		case falls:
			return at(crashed())
		}
		return at(arrivedImage())
	}
	b := newBench(t, w)
	m := &mortal{History: b.history, kill: kill}
	b.options.History = m
	shown := false
	w.watch = func(m chat.Message) {
		if shown && !m.Final {
			t.Errorf("killed at write %d: it is shown as going on again:\n%s", kill, says(m))
		}
		shown = shown || m.Final
	}
	saved, asked := *b.job, false
	var alive *job.Job
	for range 20 {
		j := saved
		if alive != nil {
			j = *alive
		}
		ctx, die := context.WithCancel(t.Context())
		m.die = die
		said, err := b.command("promote").Work.Run(ctx, b.cmd, &j, func(ctx context.Context) error {
			if wish && !asked && j.Step == stepEnd {
				asked = true
				return job.ErrCancelled
			}
			return m.stores(ctx, func() error { saved = j; return nil })
		})
		died := ctx.Err() != nil
		die()
		alive = nil
		switch park, parks := errors.AsType[*job.Park](err); {
		case died:
			if asked {
				saved.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			}
			falls = true
		case errors.Is(err, job.ErrCancelled): // as the dispatcher does
			j.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			alive = &j
		case parks:
			time.Sleep(time.Until(park.Until))
		default:
			var last deploy.Record
			_ = b.history.Of(t.Context(), w.apps["prod"][0].Target, func(r deploy.Record) bool { last = r; return false })
			if ended := outcomeOf(err); last.Outcome != string(ended) || last.Command != "promote" {
				t.Errorf("killed at write %d: it ended as %q, and is recorded as %q: %s", kill, ended, last.Outcome, says(said))
			}
			return m.n < kill
		}
	}
	t.Errorf("killed at write %d it never ends", kill)
	return true
}

// outcomeOf is how the dispatcher calls an end.
func outcomeOf(err error) job.Outcome {
	switch fault.KindOf(err) {
	case "":
		return job.Done
	case fault.Cancelled:
		return job.Cancelled
	default:
		return job.Failed
	}
}
