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

// wardens approve waves on some clusters: they want one approval of the plan.
type wardens struct {
	*flight
	on     deploy.Cluster
	shut   error     // what stands in the way of everything, if set
	winter time.Time // when everything is frozen, if that is known
	passed []deploy.Plan
}

func (w *wardens) Pass(ctx context.Context, _ chat.Command, p deploy.Plan, id string) (deploy.Leave, error) {
	w.passed = append(w.passed, p)
	if w.shut != nil {
		return deploy.Leave{}, w.shut
	}
	if !w.winter.IsZero() && !time.Now().Before(w.winter) {
		return deploy.Leave{}, frozen
	}
	if !slices.ContainsFunc(append([]deploy.Target{p.Change.Target}, p.Change.With...), func(t deploy.Target) bool { return t.Cluster == w.on }) {
		return deploy.Leave{}, nil
	}
	said, err := w.approvals.Of(ctx, id)
	if err != nil {
		return deploy.Leave{}, err
	}
	for _, a := range said {
		if a.Plan == p.Hash {
			return deploy.Leave{Approvers: []string{a.By}}, nil
		}
	}
	return deploy.Leave{Next: w.winter}, fault.Newf(fault.Denied, "it may not be: it needs 1 approval of `leads` and has 0").WithCode(deploy.NeedsApproval)
}

func (w *wardens) MayApprove(context.Context, chat.Command, deploy.Plan, chat.UserID) error {
	return nil
}

// rowsOf reads the one job there is.
type rowsOf struct {
	Rows
	*flight
}

func (r rowsOf) Get(context.Context, job.ID) (*job.Job, error) { return r.flight.job, nil }

func guarded(t *testing.T) (*flight, *wardens) {
	t.Helper()
	x := allProd(t)
	w := &wardens{flight: x, on: "prod-us"}
	x.options.Gate, x.options.Rows = w, rowsOf{x.options.Rows, x}
	x.options.Nudge = func(context.Context, job.ID) error { return nil }
	x.job.Verb, x.job.Request = "promote", []byte(`{"user":"U1","verb":"promote"}`)
	if err := x.admit(); err != nil {
		t.Fatal(err)
	}
	return x, w
}

// TestAWaveIsApprovedAsAWhole asks for approval of the wave that needs it, when its
// turn has come, and commits it with the name of whoever approved.
func TestAWaveIsApprovedAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, w := guarded(t)
		_, err := x.goes()
		parkedUntil(t, err)
		x.confirm()
		_, err = x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		if _, err = x.goes(); !parkedUntil(t, err).Equal(time.Now().Add(24*time.Hour)) || x.bench.job.Step != stepApproval || len(x.sets) != 1 {
			t.Fatalf("at %s, %d commits, %v", x.bench.job.Step, len(x.sets), err)
		}
		question := ""
		for key, m := range x.bench.put {
			if strings.HasPrefix(key, "job/j1/approval/") {
				question = key
				for _, want := range []string{"Wave 2 of 2 waits for approval: 8 changes on prod-eu and prod-us", "It needs 1 approval of `leads` and has 0.", "app3 on prod-us: 1.0.0 → 2.0.0"} {
					if !strings.Contains(says(m), want) {
						t.Errorf("%q is not in\n%s", want, says(m))
					}
				}
			}
		}
		if question == "" {
			t.Fatal("nobody is asked")
		}
		asks := chat.Command{Key: "a", User: "U7", Verb: "approve", Args: chat.Args{Job: "j1"}}
		if _, err := x.command("approve").Deed.Do(t.Context(), asks); err != nil {
			t.Fatal(err)
		}
		m, err := x.goes()
		if err != nil || len(x.sets) != 2 || !slices.Equal(x.bench.by.Approvers, []string{"U7 Ada"}) {
			t.Fatalf("%d commits by %+v, %s, %v", len(x.sets), x.bench.by, says(m), err)
		}
		if q := x.bench.put[question]; q.Title != "Approved: wave 2 of 2, 8 changes on prod-eu and prod-us" || len(q.Buttons) != 0 {
			t.Errorf("the question reads %+v", q)
		}
		if last := w.passed[len(w.passed)-1]; len(last.Change.With) != 7 || last.Change.Version != "2.0.0" {
			t.Errorf("the gate saw %+v", last.Change)
		}
	})
}

// TestAFreezeEndsASetThatWaits for approval when it begins, not when somebody looks.
func TestAFreezeEndsASetThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, w := guarded(t)
		w.on, w.winter = "prod-ca", time.Now().Add(2*time.Hour)
		_, err := x.goes()
		parkedUntil(t, err)
		x.confirm()
		_, err = x.goes()
		if until := parkedUntil(t, err); !until.Equal(w.winter) {
			t.Fatalf("it waits until %s", until)
		}
		time.Sleep(time.Until(w.winter))
		_, err = x.goes()
		if e, _ := errors.AsType[*fault.Error](err); e == nil || e.Kind != fault.Refused || e.Says != frozen.Says || len(x.sets) != 0 {
			t.Errorf("%d commits, %v", len(x.sets), err)
		}
	})
}

// TestAWaveThatMayNotBegin ends the set, with what stands in the way.
func TestAWaveThatMayNotBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, w := guarded(t)
		_, _ = x.goes()
		x.confirm()
		_, err := x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		w.shut = fault.Newf(fault.Refused, "prod-us is frozen by `weekend` until Monday")
		m, err := x.goes()
		if !fault.Is(err, fault.Refused) || len(x.sets) != 1 || m.Title != "It ended after 1 of 2 waves, prod-eu and prod-us are untouched" || !strings.Contains(says(m), "Prod-us is frozen by `weekend` until Monday.") {
			t.Errorf("%d commits, %s, %v", len(x.sets), says(m), err)
		}
	})
}

// TestWhoConfirms are those who asked, and those who may ask for the same.
func TestWhoConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := guarded(t)
		cmd := chat.Command{Key: "c", User: "U1", Verb: "confirm", Args: chat.Args{Job: "j1"}}
		deed := x.command("confirm").Deed
		if _, _, err := deed.Admit(t.Context(), cmd); !fault.Is(err, fault.Refused) {
			t.Errorf("before there is a plan: %v", err)
		}
		_, err := x.goes()
		parkedUntil(t, err)

		rights := &lawyers{}
		x.options.Rights = rights
		deed = x.command("confirm").Deed
		other := cmd
		other.User = "U2"
		if _, err := deed.Do(t.Context(), other); !fault.Is(err, fault.Denied) || rights.targets != 12 {
			t.Errorf("somebody who may not: %v, asked about %d", err, rights.targets)
		}
		if _, err := x.goes(); err == nil || len(x.sets) != 0 {
			t.Errorf("it began: %v", err)
		}
		for range 2 {
			if m, err := deed.Do(t.Context(), cmd); err != nil || m.Title != "Job j1 is confirmed by you" {
				t.Errorf("%+v, %v", m, err)
			}
		}
		second := cmd
		second.Key = "d"
		if m, err := deed.Do(t.Context(), second); err != nil || m.Title != "You have confirmed job j1 before" || m.Tone != chat.Info {
			t.Errorf("another time: %+v, %v", m, err)
		}
		if _, err := x.goes(); err == nil || len(x.sets) != 1 {
			t.Errorf("%d commits, %v", len(x.sets), err)
		}
		// The job went on, and ferry died before the answer was given.
		if _, _, err := deed.Admit(t.Context(), cmd); err != nil {
			t.Errorf("the same command, done again: %v", err)
		}
		if m, err := deed.Do(t.Context(), cmd); err != nil || m.Title != "Job j1 is confirmed by you" || m.Tone != chat.Done {
			t.Errorf("the same command, done again: %+v, %v", m, err)
		}
		third := cmd
		third.Key = "e"
		if _, _, err := deed.Admit(t.Context(), third); !fault.Is(err, fault.Refused) {
			t.Errorf("a new one, too late: %v", err)
		}
	})
}

// TestAPressIsAnsweredWhereTheButtonWas: the plan goes on and names who began it, and
// nothing else is said of it, however often the press comes.
func TestAPressIsAnsweredWhereTheButtonWas(t *testing.T) {
	for user, footer := range map[chat.UserID]string{"U1": "job j1", "U2": "job j1 · confirmed by Ada"} {
		synctest.Test(t, func(t *testing.T) {
			x, _ := guarded(t)
			x.options.Rights = &rightsOf{}
			_, err := x.goes()
			parkedUntil(t, err)
			cmd := chat.Command{Key: "click/1", Press: "p1", User: user, Verb: "confirm", Args: chat.Args{Job: "j1"}}
			for _, key := range []string{"click/1", "click/1", "click/2"} {
				cmd.Key = key
				if m, err := x.command("confirm").Deed.Do(t.Context(), cmd); err != nil || m.Title != "" {
					t.Errorf("pressed: %+v, %v", m, err)
				}
			}
			if _, err := x.goes(); err == nil || len(x.sets) != 1 {
				t.Errorf("%d commits, %v", len(x.sets), err)
			}
			if m := x.bench.put["job/j1/status"]; m.Footer != footer || len(m.Buttons) != 0 {
				t.Errorf("it shows %q, %+v", m.Footer, m.Buttons)
			}
		})
	}
}

type lawyers struct{ targets int }

func (l *lawyers) Allow(_ context.Context, _ chat.UserID, _ chat.Verb, targets []deploy.Target) error {
	l.targets = len(targets)
	return fault.Newf(fault.Denied, "you may not")
}

// TestAConfirmationIsOfAPlan and of no other one.
func TestAConfirmationIsOfAPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := guarded(t)
		_, err := x.goes()
		parkedUntil(t, err)
		if _, err := x.approvals.Add(t.Context(), deploy.Approval{Job: "j1", Plan: confirmed("another"), By: "U1"}); err != nil {
			t.Fatal(err)
		}
		var row setRow
		decodeRow(t, x.bench.job, &row)
		if _, err := x.approvals.Add(t.Context(), deploy.Approval{Job: "j1", Plan: row.Hash, By: "U9"}); err != nil {
			t.Fatal(err)
		}
		if _, err := x.goes(); err == nil || len(x.sets) != 0 {
			t.Errorf("%d commits, %v", len(x.sets), err)
		}
	})
}

// TestWhatStandsInTheWayOfAWave puts what cannot be waited for first.
func TestWhatStandsInTheWayOfAWave(t *testing.T) {
	needs := fault.Newf(fault.Denied, "it needs an approval").WithCode(deploy.NeedsApproval)
	frozen, held := fault.New(fault.Refused, "it is frozen", "wait"), fault.New(fault.Refused, "it is held", "")
	if err := worstGate(nil); err != nil {
		t.Error(err)
	}
	e, ok := errors.AsType[*fault.Error](worstGate([]*fault.Error{needs, frozen, held}))
	if !ok || e.Says != "it is frozen" || e.Help != "wait\nit is held" || e.Code != "" {
		t.Errorf("%+v", e)
	}
	if e, _ := errors.AsType[*fault.Error](worstGate([]*fault.Error{needs})); e.Code != deploy.NeedsApproval {
		t.Errorf("%+v", e)
	}
}
