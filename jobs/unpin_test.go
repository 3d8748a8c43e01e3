package jobs

import (
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

func newUnpin(t *testing.T, w *world) *bench {
	t.Helper()
	w.plan.From = "6.5.4"
	w.plan.Edits = []deploy.Edit{{File: "apps/prod/kustomization.yaml", Line: 7, Before: "newTag: 6.5.4"}}
	w.plan.Warnings = []string{"It takes `6.5.4` from `base/a.yaml:3` from now on, as stage does."}
	b := newBench(t, w)
	b.cmd.Verb, b.cmd.Text, b.cmd.Args = "unpin", "unpin podinfo on prod", chat.Args{App: "podinfo", Cluster: "prod"}
	return b
}

// TestUnpinEndsWhenFluxHasIt is for an app that is not even healthy: nothing that
// runs changes, so that this is none of the job's business.
func TestUnpinEndsWhenFluxHasIt(t *testing.T) {
	for name, c := range map[string]struct {
		show    func(n int) *deploy.Observation
		healthy bool
	}{
		"healthy": {func(int) *deploy.Observation { return at(arrivedImage()) }, true},
		"crashing": {func(n int) *deploy.Observation {
			o := arrivedImage()
			o.Workloads[0].Ready, o.Workloads[0].Available = 0, 0
			o.Problems = []deploy.Problem{{Pod: "p", Container: "c", Reason: "CrashLoopBackOff", Current: true}}
			if n == 0 {
				o.Applied, o.Attempted = "main@sha1:old", "main@sha1:old"
			}
			return &o
		}, false},
		"waited for": {func(int) *deploy.Observation {
			o := arrivedImage()
			o.Applied, o.Workloads[0].Ready = "main@sha1:old", 1
			o.Kustomization = deploy.Condition{Status: "False", Reason: "HealthCheckFailed", Observed: true}
			return &o
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.show = c.show
				b := newUnpin(t, w)
				m, err := b.run()
				if err != nil || m.Title != "podinfo on prod has no pin any more" || len(m.Buttons) != 0 ||
					strings.Join(m.Lines, " ") != "Nothing that runs has changed: it stays at `6.5.4`. It takes `6.5.4` from `base/a.yaml:3` from now on, as stage does." {
					t.Fatalf("closing = %+v, %v", m, err)
				}
				status := w.put["job/j1/status"]
				if status.Tone != chat.Done || !status.Final || len(status.Steps) != 3 || status.Title != "Unpin podinfo on prod, which stays at `6.5.4`" {
					t.Errorf("status is %+v", status)
				}
				r := b.records()[0]
				if r.Command != "unpin" || r.Version != "6.5.4" || r.From != "6.5.4" || r.Outcome != string(job.Done) || r.Healthy != c.healthy {
					t.Errorf("recorded as %+v", r)
				}
				h, err := b.command("history").Query.Answer(t.Context(), chat.Command{Args: chat.Args{Cluster: "prod"}})
				if err != nil || h.Table.Rows[0][2] != "6.5.4" || h.Table.Rows[0][3] != "unpinned" {
					t.Errorf("history shows %v, %v", h.Table, err)
				}
			})
		})
	}
}

func TestUnpinThatFluxDoesNotApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.show = func(n int) *deploy.Observation {
			if n > 0 {
				return nil
			}
			o := arrivedImage()
			o.Applied, o.Attempted, o.Suspended = "main@sha1:old", "main@sha1:old", true
			return &o
		}
		b := newUnpin(t, w)
		m, err := b.run()
		if !fault.Is(err, fault.Expired) || !strings.HasPrefix(m.Title, "Flux has not applied the commit that unpins podinfo on prod within") || len(m.Buttons) != 0 ||
			!strings.Contains(strings.Join(m.Lines, " "), "suspended") {
			t.Errorf("closing = %+v, %v", m, err)
		}
		if r := b.records()[0]; r.Healthy || r.Outcome != string(job.Expired) {
			t.Errorf("recorded as %+v", r)
		}
	})
}

// TestAPinSaysHowItGoesAgain is for a promotion that gave a cluster a version of
// its own; one that moved what stands there says nothing of it.
func TestAPinSaysHowItGoesAgain(t *testing.T) {
	for before, says := range map[string]bool{"": true, "6.5.3": false} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
			w.plan.Edits[0].Before = before
			b := newBench(t, w)
			b.cmd.Args.Option = "pin"
			m, err := b.run()
			if err != nil || strings.Contains(strings.Join(m.Lines, " "), "`unpin podinfo on prod` takes that away") != says {
				t.Errorf("closing = %+v, %v", m, err)
			}
		})
	}
}
