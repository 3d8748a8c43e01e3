package jobs

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/storage"
	"ferry/storage/bolt"
)

// keeper is a gate that a test opens and closes. It notes what it was asked.
type keeper struct {
	refuse error
	deny   error // of approvals
	passed []string
	asked  []string
}

func (k *keeper) Pass(_ context.Context, cmd chat.Command, p deploy.Plan, job string) (deploy.Leave, error) {
	k.asked = append(k.asked, strings.Join([]string{string(cmd.User), p.Hash, job}, " "))
	return deploy.Leave{Passed: k.passed}, k.refuse
}

func (k *keeper) MayApprove(_ context.Context, asked chat.Command, p deploy.Plan, user chat.UserID) error {
	k.asked = append(k.asked, strings.Join([]string{string(asked.User), p.Hash, string(user)}, " "))
	return k.deny
}

var frozen = fault.New(fault.Refused, "you may not promote podinfo on prod now: it is frozen", "`weekend` is each weekend")

// TestAGateThatClosedMeanwhileStopsTheCommit asks with the very plan.
func TestAGateThatClosedMeanwhileStopsTheCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		b, k := newBench(t, w), &keeper{refuse: frozen}
		b.options.Gate = k
		_, err := b.run()
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Refused || e.Says != frozen.Says || e.Help != "nothing was changed\n"+frozen.Help {
			t.Errorf("ended with %+v", err)
		}
		if len(w.commits) != 0 || len(b.records()) != 0 || b.job.Step != "" || !slices.Equal(k.asked, []string{"U1 h j1"}) {
			t.Errorf("%d commits, records %+v, at %q, asked %q", len(w.commits), b.records(), b.job.Step, k.asked)
		}
		s := w.put["job/j1/status"]
		if s.Tone != chat.Refused || len(s.Steps) != 2 || s.Steps[0].State != chat.StepDone || s.Steps[1].State != chat.StepFailed {
			t.Errorf("status = %+v", s)
		}
	})
}

// TestAGateStopsAPullRequest, too.
func TestAGateStopsAPullRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newPulls(t, stays)
		b.options.Gate = &keeper{refuse: frozen}
		if _, err := b.run(); !fault.Is(err, fault.Refused) || w.opened != 0 {
			t.Errorf("ended with %v, %d pull requests", err, w.opened)
		}
	})
}

// TestWhatIsThereAlreadyNeedsNoLeave, because nothing is changed.
func TestWhatIsThereAlreadyNeedsNoLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.plan.Already, w.plan.Edits = true, nil
		w.apps["prod"][0].Images[0].Tag = "6.5.4"
		b := newBench(t, w)
		b.options.Gate = &keeper{refuse: frozen}
		if _, err := b.run(); !fault.Is(err, fault.Already) {
			t.Errorf("ended with %v", err)
		}
	})
}

// TestBrokenGlassIsAnnouncedAndRecorded wherever somebody looks.
func TestBrokenGlassIsAnnouncedAndRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		b.options.Gate = &keeper{passed: []string{"it is frozen until Monday by `weekend`"}}
		b.cmd.Args.Gate, b.cmd.Args.Reason = "freeze,hold", "the *shop* is `down`"
		m, err := b.run()
		if err != nil {
			t.Fatal(err)
		}
		want := "*Break-glass*: The ·shop· is 'down'.\nIt passed although it is frozen until Monday by `weekend`."
		if got := strings.Join(m.Lines, "\n"); !strings.HasSuffix(got, want) {
			t.Errorf("closing:\n%s\nwant\n%s", got, want)
		}
		if got := strings.Join(w.put["job/j1/status"].Lines, "\n"); got != want {
			t.Errorf("status:\n%s", got)
		}
		if r := b.records()[0]; r.Why != "the *shop* is `down`" {
			t.Errorf("record = %+v", r)
		}
		if w.by.Glass != "freeze,hold: the *shop* is `down`" {
			t.Errorf("the commit says %q", w.by.Glass)
		}
	})
}

// TestNothingPassedIsNothingAnnounced, though the commit tells what was asked for.
func TestNothingPassedIsNothingAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		b.options.Gate = &keeper{}
		b.cmd.Args.Gate, b.cmd.Args.Reason = "freeze", "just in case"
		m, err := b.run()
		if err != nil || strings.Contains(strings.Join(m.Lines, " "), "glass") || b.records()[0].Why != "" || w.by.Glass != "freeze: just in case" {
			t.Errorf("closing %+v, %v; record %+v; commit %q", m, err, b.records()[0], w.by.Glass)
		}
	})
}

// TestADryRunShowsAndChangesNothing, whatever the gates say.
func TestADryRunShowsAndChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name   string
		keeper *keeper
		title  string
		lines  []string
	}{
		{"open", &keeper{}, "podinfo would go from `6.5.3` to `6.5.4` on prod", []string{"No gate would stop you now."}},
		{"closed", &keeper{refuse: frozen}, "podinfo would go from `6.5.3` to `6.5.4` on prod, but not now", []string{"You may not promote podinfo on prod now: it is frozen.", "`weekend` is each weekend."}},
		{"not theirs", &keeper{refuse: fault.New(fault.Denied, "you may not promote podinfo on prod", "ask others")}, "podinfo would go from `6.5.3` to `6.5.4` on prod, but not by you", []string{"You may not promote podinfo on prod.", "Ask others."}},
		{"passed", &keeper{passed: []string{"it is frozen"}}, "podinfo would go from `6.5.3` to `6.5.4` on prod", []string{"*Break-glass*: It burns.", "It passed although it is frozen."}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld()
			w.plan.Diff = "-6.5.3\n+6.5.4\n"
			w.plan.Affected = []deploy.Affected{{Cluster: "prod", Object: deploy.Ref{Kind: "Deployment", Namespace: "apps", Name: "podinfo"}}}
			b := newBench(t, w)
			b.options.Gate, b.options.Planner = c.keeper, w
			b.cmd.Args.Mode, b.cmd.Args.Reason = "--dry-run", "it burns"
			m, err := b.command("promote").Work.(promote).Preview(t.Context(), b.cmd)
			if err != nil {
				t.Fatal(err)
			}
			lines := append([]string{"Rendered for every cluster, this changes Deployment apps/podinfo on prod and nothing else."}, c.lines...)
			if m.Title != c.title || !slices.Equal(m.Lines, lines) || m.Code == nil || m.Code.Text != "-6.5.3\n+6.5.4" {
				t.Errorf("answer: %q\n%s", m.Title, strings.Join(m.Lines, "\n"))
			}
			if len(w.commits) != 0 || len(b.records()) != 0 || len(w.put) != 0 {
				t.Errorf("%d commits, %d records, %d messages", len(w.commits), len(b.records()), len(w.put))
			}
			if !slices.Equal(c.keeper.asked, []string{"U1 h "}) {
				t.Errorf("the gate was asked %q", c.keeper.asked)
			}
		})
	}
}

func TestADryRunOfARollback(t *testing.T) {
	w := newWorld()
	w.plan.From = "6.5.3"
	b := newBench(t, w)
	b.options.Planner = w
	r := deploy.Record{Target: w.apps["prod"][0].Target, Version: "6.5.2", Field: deploy.FieldImage, Command: seen, Healthy: true, At: time.Now(), Job: "j0"}
	if err := b.history.Append(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	b.cmd = chat.Command{Key: "k", User: "U1", Verb: "rollback", Args: chat.Args{App: "podinfo", Cluster: "prod", Mode: "dry-run"}}
	m, err := b.command("rollback").Work.(rollback).Preview(t.Context(), b.cmd)
	if err != nil || m.Title != "podinfo would go from `6.5.3` to `6.5.2` on prod" {
		t.Errorf("answer %+v, %v", m, err)
	}
}

// newHolding is a bench with a real store of holds.
func newHolding(t *testing.T) (*bench, *storage.Holds, *time.Time) {
	t.Helper()
	b := newBench(t, newWorld())
	db, err := bolt.Open(filepath.Join(t.TempDir(), "holds.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := noon
	holds := storage.NewHolds(db, func() time.Time { return now })
	b.options.Holds, b.options.Now = holds, func() time.Time { return now }
	return b, holds, &now
}

func TestHoldReleaseAndHolds(t *testing.T) {
	b, store, now := newHolding(t)
	do := func(key string, user chat.UserID, verb chat.Verb, a chat.Args) (chat.Message, error) {
		t.Helper()
		cmd := chat.Command{Key: key, User: user, Verb: verb, Text: string(verb) + " " + string(a.App) + " on prod", At: *now, Args: a}
		d := b.command(verb).Deed
		if _, targets, err := d.Admit(t.Context(), cmd); err != nil || len(targets) != 1 || targets[0] != b.apps["prod"][0].Target {
			return chat.Message{}, err
		}
		return d.Do(t.Context(), cmd)
	}
	podinfo := chat.Args{App: "podinfo", Cluster: "prod", Duration: "4h", Reason: "the migration runs"}
	for range 2 { // told again it is the same
		m, err := do("k1", "U1", "hold", podinfo)
		if err != nil || m.Title != "podinfo is held on prod until 2026-03-01 16:00 UTC" || m.Lines[0] != "The migration runs." || m.Lines[1] != "`release podinfo on prod` ends it." {
			t.Errorf("hold: %+v, %v", m, err)
		}
	}
	if _, err := do("k2", "U2", "hold", podinfo); !fault.Is(err, fault.Already) {
		t.Errorf("held by another: %v", err)
	}
	if _, err := do("k3", "U2", "hold", chat.Args{App: "podinf", Cluster: "prod", Reason: "x"}); !fault.Is(err, fault.NotFound) {
		t.Errorf("an unknown app: %v", err)
	} else if e, _ := errors.AsType[*fault.Error](err); len(e.Choices) != 1 || e.Choices[0] != "hold podinfo on prod" {
		t.Errorf("choices %q", e.Choices)
	}
	m, err := b.command("holds").Query.Answer(t.Context(), chat.Command{Verb: "holds"})
	if err != nil || m.Title != "1 hold is in force" || rows(m) != "podinfo on prod | any | Ada | 2026-03-01 16:00 UTC | the migration runs" {
		t.Errorf("holds: %+v, %v\n%s", m, err, rows(m))
	}
	if m, err := b.command("holds").Query.Answer(t.Context(), chat.Command{Args: chat.Args{Cluster: "stage"}}); err != nil || m.Title != "Nothing is held on stage" || m.Table != nil {
		t.Errorf("holds on stage: %+v, %v", m, err)
	}
	bad := deploy.Hold{Target: b.apps["prod"][0].Target, Version: "6.5.5", By: "ferry", Reason: "it was rolled back", Key: "j9", At: *now}
	if err := store.Place(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	*now = now.Add(3 * time.Hour)
	b.apps["prod"] = nil // what is gone can still be released
	cmd := chat.Command{Key: "k4", User: "U2", Verb: "release", Args: chat.Args{App: "podinfo", Cluster: "prod", Reason: "it is over"}}
	m, err = b.command("release").Deed.Do(t.Context(), cmd)
	want := "It was held by Ada, for 3 h: The migration runs.\n`6.5.5` was held back by ferry, for 3 h: It was rolled back.\nReleased because: It is over."
	if err != nil || m.Title != "podinfo is released on prod" || strings.Join(m.Lines, "\n") != want {
		t.Errorf("release: %+v, %v\n%s", m, err, strings.Join(m.Lines, "\n"))
	}
	b.apps = newWorld().apps
	if m, err = b.command("release").Deed.Do(t.Context(), cmd); err != nil || m.Title != "podinfo is not held on prod" || m.Tone != chat.Info {
		t.Errorf("release again: %+v, %v", m, err)
	}
}
