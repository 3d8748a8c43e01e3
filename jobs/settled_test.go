package jobs

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// helmful is a cluster on which Helm goes back by itself, for a time from when somebody
// looks first.
type helmful struct{ Cluster }

func (helmful) Observe(ctx context.Context, _ deploy.Target, _ deploy.Owner, _ deploy.Site, fn func(deploy.Observation) bool) error {
	for _, status := range []string{"pending-rollback", "deployed"} {
		o := arrivedChart()
		if o.Release.History[0].Status = status; !fn(o) {
			return nil
		}
		select {
		case <-time.After(30 * time.Second):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// TestHelmIsWaitedForEverywhereAtOnce: for all that a set lost, and for all that share
// what was lost, and for none past the deadline.
func TestHelmIsWaitedForEverywhereAtOnce(t *testing.T) {
	for rollout, want := range map[time.Duration]time.Duration{10 * time.Minute: 30 * time.Second, 20 * time.Second: 20 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			x, _ := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
			x.options.Cluster, x.options.Rollout = helmful{x.options.Cluster}, rollout
			s := &setRun{changer: changer{x.options.withDefaults()}, cmd: x.cmd, job: &job.Job{ID: "j1"}}
			release := deploy.Owner{Release: chartSite.Object}
			w := &wave{Followed: time.Now()}
			for i := range 4 {
				m := move{Change: deploy.Change{Target: at2("prod-eu", fmt.Sprintf("app%d", i)), Owner: release, Version: "2.0.0"}}
				m.Change.With, m.Owners = []deploy.Target{at2("prod-us", fmt.Sprintf("app%d", i))}, []deploy.Owner{release}
				m.Plan = deploy.Plan{Change: m.Change, Parts: []deploy.Part{{Target: m.Change.With[0]}}}
				w.Moves = append(w.Moves, m)
			}
			var losses []fallen
			for i := range w.Moves {
				m := &w.Moves[i]
				losses = append(losses, fallen{s.of(w, m), loss{Target: m.Change.Target, With: m.Change.With}})
			}
			began := time.Now()
			if err := settledAll(t.Context(), losses); err != nil || time.Since(began) != want {
				t.Errorf("after %s: %v", time.Since(began), err)
			}
		})
	}
}
