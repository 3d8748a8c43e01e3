package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"testing/synctest"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
)

// cut ends a process at the n-th point that it passes; nil never.
type cut struct{ left int }

var errCut = fault.New(fault.Unavailable, "the process ends here", "")

func (c *cut) here() error {
	if c == nil {
		return nil
	}
	if c.left--; c.left == 0 {
		return errCut
	}
	return nil
}

// TestCutAnywhere ends the process at each point between the verdict and the closing
// message, and at each of the rollback's end: everything is made once.
func TestCutAnywhere(t *testing.T) {
	points := 0
	for n := 1; points == 0; n++ {
		synctest.Test(t, func(t *testing.T) {
			w, b, f, a := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
			c := &cut{left: n}
			f.cut, a.cut = c, c
			b.options.Holds, b.options.History = cutHolds{b.holds, c}, cutHistory{b.history, c}
			m, err := b.cutRun(c)
			if !fault.Is(err, fault.Failed) || !slices.Contains(m.Lines, "ferry goes back to `6.5.3`, the last version seen healthy there: job f1.") {
				t.Fatalf("cut %d: %+v, %v", n, m, err)
			}
			w.plan.From = "6.5.4"
			w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
			b.cmd, b.job, w.commits = f.cmds[0], f.made[0], nil
			if m, err = b.cutRun(c); err != nil || m.Title != "podinfo `6.5.3` is back on prod and healthy" {
				t.Fatalf("cut %d: %+v, %v", n, m, err)
			}
			if c.left > 0 { // it was never cut: those were all
				points = n - 1
			}
			changes := slices.DeleteFunc(b.records(), func(r deploy.Record) bool { return r.Command == seen })
			if len(f.made) != 1 || len(b.held()) != 1 || len(a.jobs) != 1 || len(changes) != 2 || len(w.commits) != 1 {
				t.Errorf("cut %d: %d jobs, %d holds, amended %v, records %+v, %d commits", n, len(f.made), len(b.held()), a.jobs, changes, len(w.commits))
			}
		})
		if t.Failed() {
			return
		}
	}
	if points < 15 {
		t.Errorf("only %d points", points)
	}
}

// cutRun goes on as another process would, with the row as it was saved last. What
// the cluster shows by then may be something else: nobody asks again.
func (b *bench) cutRun(c *cut) (chat.Message, error) {
	row, err := json.Marshal(b.job)
	for {
		if err != nil {
			return chat.Message{}, err
		}
		j := new(job.Job)
		if err := json.Unmarshal(row, j); err != nil {
			return chat.Message{}, err
		}
		m, rerr := b.command(b.cmd.Verb).Work.Run(b.t.Context(), b.cmd, j, func(context.Context) error {
			if err := c.here(); err != nil {
				return err
			}
			row, err = json.Marshal(j)
			return errors.Join(err, c.here())
		})
		if !errors.Is(rerr, errCut) {
			return m, rerr
		}
		if stored := new(job.Job); json.Unmarshal(row, stored) == nil && stored.Step == stepEnd { // the cluster recovers
			b.world.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		}
	}
}

type cutHolds struct {
	*storage.Holds
	cut *cut
}

func (h cutHolds) Place(ctx context.Context, hold deploy.Hold, told ...job.Entry) error {
	return errors.Join(h.Holds.Place(ctx, hold, told...), h.cut.here())
}

type cutHistory struct {
	*storage.History
	cut *cut
}

func (h cutHistory) Append(ctx context.Context, r *deploy.Record) error {
	return errors.Join(h.History.Append(ctx, r), h.cut.here())
}
