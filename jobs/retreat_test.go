package jobs

import (
	"context"
	"encoding/json"
	"fmt"
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

// following keeps the jobs that ferry makes for itself, each key once.
type following struct {
	made   []*job.Job
	cmds   []chat.Command
	refuse error
	cut    *cut
}

func (f *following) Follow(_ context.Context, cmd chat.Command, after job.ID, data json.RawMessage) (*job.Job, error) {
	for _, j := range f.made {
		if j.Key == cmd.Key {
			return j, nil
		}
	}
	if f.refuse != nil {
		return nil, f.refuse
	}
	j := &job.Job{ID: job.ID(fmt.Sprintf("f%d", len(f.made)+1)), Key: cmd.Key, Verb: string(cmd.Verb), After: after, Data: data, Title: "follows"}
	f.made, f.cmds = append(f.made, j), append(f.cmds, cmd)
	return j, f.cut.here()
}

// amends notes which jobs were rolled back.
type amends struct {
	jobs []job.ID
	cut  *cut
}

func (a *amends) RolledBack(_ context.Context, id job.ID) error {
	if !slices.Contains(a.jobs, id) {
		a.jobs = append(a.jobs, id)
	}
	return a.cut.here()
}

// crashing is a bench whose last promotion did not become healthy, with a rule.
func crashing(t *testing.T, rule deploy.Retreat) (*world, *bench, *following, *amends) {
	w := newWorld()
	w.show = func(n int) *deploy.Observation {
		if n > 0 {
			return nil
		}
		return at(crashed())
	}
	b := newBench(t, w)
	f, a := &following{}, &amends{}
	b.options.Retreat = func(deploy.Target) deploy.Retreat { return rule }
	b.options.Follower, b.options.Amender = f, a
	b.options.Holds = b.holds
	return w, b, f, a
}

func crashed() deploy.Observation {
	o := arrivedImage()
	o.Workloads[0].Ready = 1
	o.Problems = []deploy.Problem{{Pod: "podinfo-x", Container: "app", Reason: "CrashLoopBackOff", Message: "back-off 10s restarting failed container", Current: true}}
	return o
}

func (b *bench) held() []deploy.Hold {
	b.t.Helper()
	all, err := b.holds.All(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// TestAFailureGoesBackByItself as the rule says, and says so.
func TestAFailureGoesBackByItself(t *testing.T) {
	const reason = "*CrashLoopBackOff*: container `app` ends again and again. 1 of 2 new pods are ready."
	for name, c := range map[string]struct {
		rule   deploy.Retreat
		change func(*world, *bench, *following)
		want   []string // after the reason
		made   bool
		button bool
	}{
		"auto": {rule: deploy.Retreat{Mode: deploy.RetreatAuto, Suspend: true}, made: true, want: []string{
			"ferry goes back to `6.5.3`, the last version seen healthy there: job f1.",
			"`6.5.4` is held back on prod: `release podinfo on prod because …` ends that.",
		}},
		"offer": {rule: deploy.Retreat{Mode: deploy.RetreatOffer}, button: true, want: []string{
			"Git still holds `6.5.4`. The last version seen healthy there is `6.5.3`; `rollback podinfo on prod` brings it back.",
		}},
		"no rule": {button: true, want: []string{
			"Git still holds `6.5.4`. The last version seen healthy there is `6.5.3`; `rollback podinfo on prod` brings it back.",
		}},
		"off": {rule: deploy.Retreat{Mode: deploy.RetreatOff}, want: []string{
			"Git still holds `6.5.4`. The last version seen healthy there is `6.5.3`; `rollback podinfo on prod` brings it back.",
		}},
		"auto, nothing was seen healthy": {
			rule: deploy.Retreat{Mode: deploy.RetreatAuto}, change: func(w *world, _ *bench, _ *following) { w.apps["prod"][0].Health = deploy.Degraded },
			want: []string{"Git still holds `6.5.4`. ferry cannot go back by itself: no other version has been seen healthy there yet; `promote podinfo@… to prod` brings another one."},
		},
		"auto, what was healthy is known from Git alone": {
			rule: deploy.Retreat{Mode: deploy.RetreatAuto}, change: func(w *world, b *bench, _ *following) {
				w.apps["prod"][0].Health = deploy.Degraded
				if err := b.history.Append(b.t.Context(), &deploy.Record{Target: w.apps["prod"][0].Target, Version: "6.5.2", Healthy: true, FromGit: true, At: time.Now()}); err != nil {
					b.t.Fatal(err)
				}
			},
			want: []string{"Git still holds `6.5.4`. ferry cannot go back by itself: no other version has been seen healthy there yet; `promote podinfo@… to prod` brings another one."},
		},
		"auto, held by a person": {
			rule: deploy.Retreat{Mode: deploy.RetreatAuto}, button: true, change: func(_ *world, _ *bench, f *following) {
				f.refuse = fault.New(fault.Refused, "ferry does not roll back podinfo on prod by itself: it is held by Grace until somebody releases it: the migration", "`release podinfo on prod` ends the hold")
			},
			want: []string{
				"Git still holds `6.5.4`. ferry does not roll back podinfo on prod by itself: it is held by Grace until somebody releases it: the migration.",
				"`release podinfo on prod` ends the hold.",
				"The last version seen healthy there is `6.5.3`; `rollback podinfo on prod` brings it back.",
			},
		},
		"auto, the last good one was held back meanwhile": {
			rule: deploy.Retreat{Mode: deploy.RetreatAuto}, change: func(w *world, b *bench, _ *following) {
				if err := b.holds.Place(b.t.Context(), deploy.Hold{Target: w.apps["prod"][0].Target, Version: "6.5.3", By: self, Key: "old"}); err != nil {
					b.t.Fatal(err)
				}
			},
			want: []string{"Git still holds `6.5.4`. ferry cannot go back by itself: no other version has been seen healthy there yet; `promote podinfo@… to prod` brings another one."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, b, f, _ := crashing(t, c.rule)
				if c.change != nil {
					c.change(w, b, f)
				}
				before := len(b.held())
				m, err := b.run()
				if !fault.Is(err, fault.Failed) || m.Title != "podinfo `6.5.4` did not become healthy on prod" {
					t.Fatalf("ended with %+v, %v", m, err)
				}
				if got, want := strings.Join(m.Lines, "\n"), strings.Join(append([]string{reason}, c.want...), "\n"); got != want {
					t.Errorf("it says\n%s\nwant\n%s", got, want)
				}
				if (len(m.Buttons) == 1) != c.button || (len(f.made) == 1) != c.made || (len(b.held()) == before+1) != c.made {
					t.Errorf("buttons %+v, jobs %+v, holds %+v", m.Buttons, f.cmds, b.held())
				}
				if !c.made {
					return
				}
				cmd, h := f.cmds[0], b.held()[0]
				if cmd.Cause != "j1" || cmd.User != self || cmd.Thread != b.cmd.Thread || cmd.Text != "rollback podinfo on prod to 6.5.3" || f.made[0].After != "j1" || cmd.Key != "job/j1/rollback/prod/apps/podinfo" {
					t.Errorf("the command is %+v", cmd)
				}
				if h.Version != "6.5.4" || h.By != self || h.Key != "j1" || h.Reason != "CrashLoopBackOff: container app ends again and again. 1 of 2 new pods are ready" {
					t.Errorf("the hold is %+v", h)
				}
				row, err := rowOf(f.made[0])
				if err != nil || !row.Change.Suspend || row.Change.Version != "6.5.3" || row.Change.Field != deploy.FieldImage || row.Undo.Version != "6.5.4" {
					t.Errorf("the row is %+v, %v", row, err)
				}
				if r := b.records()[0]; r.Failing.IsZero() || r.Believed.Sub(r.Failing) != 10*time.Second {
					t.Errorf("seen %s, believed %s", r.Failing, r.Believed)
				}
			})
		})
	}
}

// back runs the job that a failure made for itself.
func (b *bench) back(f *following) (chat.Message, error) {
	b.cmd, b.job = f.cmds[0], f.made[0]
	return b.run()
}

// TestBackAndHealthy is the end of a rollback that ferry made by itself.
func TestBackAndHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, a := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		if _, err := b.run(); !fault.Is(err, fault.Failed) {
			t.Fatal(err)
		}
		k := &keeper{passed: []string{"it is frozen until Monday by `weekend`"}}
		b.options.Gate = k
		w.plan.From = "6.5.4"
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		m, err := b.back(f)
		want := []string{
			"`6.5.4` did not become healthy: *CrashLoopBackOff*: container `app` ends again and again. 1 of 2 new pods are ready.",
			"It was `6.5.4`; 0.0 s from commit to healthy.",
			"`6.5.4` is held back on prod: `release podinfo on prod because …` ends that.",
			"It passed although it is frozen until Monday by `weekend`.",
		}
		if err != nil || m.Title != "podinfo `6.5.3` is back on prod and healthy" || strings.Join(m.Lines, "\n") != strings.Join(want, "\n") {
			t.Errorf("closing = %+v, %v", m, err)
		}
		if len(a.jobs) != 1 || a.jobs[0] != "j1" || len(w.commits) != 2 || w.authorIDs[1] != self || w.by.Name != "" {
			t.Errorf("amended %v, %d commits by %v", a.jobs, len(w.commits), w.authorIDs)
		}
		if r := b.records()[0]; r.Undoes != "j1" || !r.Healthy || r.By != self {
			t.Errorf("record = %+v", r)
		}
		m, err = b.command("history").Query.Answer(t.Context(), chat.Command{})
		if err != nil || m.Table.Rows[0][3] != "rollback, healthy" || m.Table.Rows[0][4] != self || m.Table.Rows[1][3] != "rolled back" {
			t.Errorf("history = %+v, %v", m.Table, err)
		}
	})
}

// TestNobodyElsesChangeIsUndone has somebody push another version before the rollback
// is committed.
func TestNobodyElsesChangeIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, a := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		if _, err := b.run(); !fault.Is(err, fault.Failed) {
			t.Fatal(err)
		}
		w.plan.From = "6.5.6"
		if _, err := b.back(f); !fault.Is(err, fault.Superseded) || err.Error() != "podinfo on prod was changed again: Git holds `6.5.6` and no longer `6.5.4`" {
			t.Errorf("ended with %v", err)
		}
		if len(w.commits) != 1 || len(a.jobs) != 0 {
			t.Errorf("%d commits, amended %v", len(w.commits), a.jobs)
		}
	})
}

// TestARollbackThatFailsGoesNoFurther: it offers, and makes none of its own.
func TestARollbackThatFailsGoesNoFurther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, a := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		if err := b.history.Append(t.Context(), &deploy.Record{Target: w.apps["prod"][0].Target, Version: "6.5.2", Healthy: true, Field: deploy.FieldImage, At: time.Now().Add(-time.Hour), Job: "j0"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.run(); !fault.Is(err, fault.Failed) {
			t.Fatal(err)
		}
		w.plan.From = "6.5.4"
		m, err := b.back(f)
		if !fault.Is(err, fault.Failed) || len(f.made) != 1 || len(b.held()) != 1 || len(a.jobs) != 0 {
			t.Fatalf("ended with %v, jobs %+v, holds %+v, amended %v", err, f.cmds, b.held(), a.jobs)
		}
		if len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback podinfo on prod to 6.5.2" ||
			m.Lines[len(m.Lines)-1] != "ferry goes no further back by itself: what to do after a rollback that failed is for people to say." {
			t.Errorf("closing = %+v", m)
		}
	})
}

// TestWhatEndsOtherwiseDoesNotGoBack: cancelled, replaced, unknown.
func TestWhatEndsOtherwiseDoesNotGoBack(t *testing.T) {
	auto := deploy.Retreat{Mode: deploy.RetreatAuto}
	t.Run("replaced", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, b, f, _ := crashing(t, auto)
			w.holding = deploy.Replaced
			if _, err := b.run(); !fault.Is(err, fault.Superseded) || len(f.made)+len(b.held()) != 0 {
				t.Errorf("%v, %+v", err, f.cmds)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, b, f, _ := crashing(t, auto)
			w.commits = []deploy.Commit{{SHA: "c0ffee"}}
			row, err := json.Marshal(changeRow{Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan, Commit: w.commits[0], Followed: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			b.job.Step, b.job.Data, b.job.Cancel = stepFollow, row, &job.Cancel{By: "U2", At: time.Now()}
			if _, err := b.run(); !fault.Is(err, fault.Cancelled) || len(f.made)+len(b.held()) != 0 {
				t.Errorf("%v, %+v", err, f.cmds)
			}
		})
	})
	t.Run("the cluster does not answer", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w, b, f, _ := crashing(t, auto)
			w.show = func(n int) *deploy.Observation {
				if n > 0 {
					return nil
				}
				return at(deploy.Observation{State: deploy.ClusterState{Stale: true, Reason: "refused"}})
			}
			m, err := b.run()
			if !fault.Is(err, fault.Expired) || len(f.made)+len(b.held()) != 0 || len(m.Buttons) != 1 ||
				!slices.Contains(m.Lines, "Git still holds `6.5.4`. ferry does not go back by itself, because prod does not answer: how the app is doing there is not known.") {
				t.Errorf("%v, %+v, %+v", err, m, f.cmds)
			}
		})
	})
}

// TestALateOneGoesBack: the deadline is a failure like any other.
func TestALateOneGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, _ := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		slow := arrivedImage()
		slow.Workloads[0].Ready = 1
		w.show = func(n int) *deploy.Observation {
			if n > 0 {
				return nil
			}
			return at(slow)
		}
		if _, err := b.run(); !fault.Is(err, fault.Expired) || len(f.made) != 1 {
			t.Errorf("%v, %+v", err, f.cmds)
		}
	})
}

// TestHelmIsLeftToEndWhatItBegan: the rollback comes after Helm's own.
func TestHelmIsLeftToEndWhatItBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b, f, _ := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		w.plan.Site = chartSite
		app := &w.apps["prod"][0]
		app.Owner.Release, app.Chart, app.ChartVersion = chartSite.Object, "podinfo", "6.5.3"
		began := time.Now()
		w.show = func(n int) *deploy.Observation {
			o := arrivedChart()
			o.Workloads, o.Problems = crashed().Workloads, crashed().Problems
			o.Release.Ready = deploy.Condition{Status: "Unknown", Reason: "Progressing", Message: "Running 'rollback' action with timeout of 5m0s", Observed: true}
			switch {
			case time.Since(began) >= 30*time.Second:
				o.Release.Ready = deploy.Condition{Status: "False", Reason: "RollbackSucceeded", Observed: true}
				o.Release.Remediated = "RollbackSucceeded"
			case n > 0:
				time.Sleep(5 * time.Second) // the bubble's clock
			}
			return at(o)
		}
		if _, err := b.run(); !fault.Is(err, fault.Failed) || len(f.made) != 1 {
			t.Fatalf("%v, %+v", err, f.cmds)
		}
		if r := b.records()[0]; r.Believed.Sub(began) > 20*time.Second || f.cmds[0].At.Sub(began) < 30*time.Second {
			t.Errorf("believed after %s, gone back after %s", r.Believed.Sub(began), f.cmds[0].At.Sub(began))
		}
	})
}

// TestWhoSharesGoesBackTogether and the most careful rule of them counts.
func TestWhoSharesGoesBackTogether(t *testing.T) {
	prod, stage := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "apps", Name: "podinfo"}}, deploy.Target{Cluster: "stage", App: deploy.App{Namespace: "apps", Name: "podinfo"}}
	for rule, want := range map[deploy.RetreatMode]bool{deploy.RetreatAuto: true, deploy.RetreatOffer: false, deploy.RetreatOff: false} {
		w := newWorld()
		b := newBench(t, w)
		f := &following{}
		b.options.Follower, b.options.Holds = f, b.holds
		b.options.Retreat = func(t deploy.Target) deploy.Retreat {
			if t == stage {
				return deploy.Retreat{Mode: rule}
			}
			return deploy.Retreat{Mode: deploy.RetreatAuto}
		}
		if err := b.history.Append(t.Context(), &deploy.Record{Target: prod, Version: "6.5.3", Healthy: true, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		c := changer{b.options.withDefaults()}
		lines, _, err := c.retreat(t.Context(), b.job, b.cmd, []loss{{Target: prod, With: []deploy.Target{stage}, Version: "6.5.4", Why: "No."}})
		if err != nil || (len(f.made) == 1) != want || (len(b.held()) == 2) != want {
			t.Fatalf("%s: %q, %v, %+v, %+v", rule, lines, err, f.cmds, b.held())
		}
		if want && (f.cmds[0].Args.Targets != "stage/apps/podinfo" || f.cmds[0].Text != "rollback podinfo on prod to 6.5.3 with stage/apps/podinfo" && f.cmds[0].Text != "rollback podinfo on prod to 6.5.3 with stage") {
			t.Errorf("%+v", f.cmds[0])
		}
	}
}
