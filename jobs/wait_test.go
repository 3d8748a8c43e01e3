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

// winter is a gate that wants an approval and freezes everything between two times.
type winter struct {
	*quorum
	from, to time.Time
	dies     time.Time // when an approval that was given counts no more
	looked   []time.Duration
	began    time.Time
}

func (w *winter) Pass(ctx context.Context, cmd chat.Command, p deploy.Plan, id string) (deploy.Leave, error) {
	now := time.Now()
	w.looked = append(w.looked, now.Sub(w.began))
	leave, err := w.quorum.Pass(ctx, cmd, p, id)
	switch {
	case now.Before(w.from):
		leave.Next, leave.Freeze, leave.Frozen = w.from, w.from, "Fri 2026-11-20 16:00 CET, when it is frozen by `weekend`"
	case now.Before(w.to):
		return leave, frozen
	}
	if now.Before(w.dies) {
		leave.Next = w.dies
	}
	return leave, err
}

func newWinter(t *testing.T, from, to time.Duration) (*bench, *winter) {
	t.Helper()
	b, q := newApproving(t)
	w := &winter{quorum: q, began: time.Now()}
	w.from, w.to = w.began.Add(from), w.began.Add(to)
	b.options.Gate, b.options.Approve = w, 24*time.Hour
	return b, w
}

// question is the one that is open.
func (b *bench) question(t *testing.T) chat.Message {
	t.Helper()
	for key, m := range b.put {
		if strings.Contains(key, "/approval/") && len(m.Buttons) > 0 {
			return m
		}
	}
	t.Fatal("nobody is asked")
	return chat.Message{}
}

// TestAFreezeEndsTheWaitWhenItBegins, not when somebody speaks, and for good: what
// was refused does not go on when the freeze is over.
func TestAFreezeEndsTheWaitWhenItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, w := newWinter(t, 2*time.Hour, 3*time.Hour)
		var asked chat.Message
		waits := func() { // until its time comes, as the dispatcher lets it
			asked = b.question(t)
			time.Sleep(time.Until(w.from))
		}
		_, err := b.carry(waits)
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Refused || e.Says != frozen.Says || e.Help != "nothing was changed: this waited for approval until now\n"+frozen.Help {
			t.Errorf("ended with %+v", err)
		}
		if want := []string{"It needs 1 approval of `leads` and has 0.", "It waits until Fri 2026-11-20 16:00 CET, when it is frozen by `weekend`."}; !slices.Equal(asked.Lines[:2], want) {
			t.Errorf("the question says %q", asked.Lines)
		}
		if open, over := b.questions(); open != 0 || over != 1 || len(b.commits) != 0 {
			t.Errorf("%d open questions, %d over, %d commits", open, over, len(b.commits))
		}
	})
}

// slowDelivery takes its time to plan.
type slowDelivery struct {
	Delivery
	wait func()
}

func (s slowDelivery) Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship, onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Commit, error) {
	s.wait()
	return s.Delivery.Apply(ctx, c, declared, by, onPlan)
}

// TestTheJobWakesWhenTheFreezeBegins, by the time for which it is parked.
func TestTheJobWakesWhenTheFreezeBegins(t *testing.T) {
	for name, c := range map[string]struct {
		from, dies, want time.Duration
		says             string
	}{
		"a freeze":                        {2 * time.Hour, 0, 2 * time.Hour, "It waits until Fri 2026-11-20 16:00 CET, when it is frozen by `weekend`."},
		"an approval that expires sooner": {2 * time.Hour, time.Hour, time.Hour, "It waits until Fri 2026-11-20 16:00 CET, when it is frozen by `weekend`."},
		"a freeze after its deadline":     {48 * time.Hour, 0, 24 * time.Hour, "It waits until Sun 2000-01-02 00:00 UTC."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, w := newWinter(t, c.from, c.from+time.Hour)
				w.dies = w.began.Add(c.dies)
				_, err := b.command("promote").Work.Run(t.Context(), b.cmd, b.job, func(context.Context) error { return nil })
				park, ok := errors.AsType[*job.Park](err)
				if !ok || park.Until.Sub(w.began) != c.want {
					t.Errorf("ended with %+v, want parked for %s", err, c.want)
				}
				if q := b.question(t); q.Lines[1] != c.says {
					t.Errorf("the question says %q", q.Lines)
				}
			})
		})
	}
}

// TestApprovedJustBeforeTheFreezeItIsNotCommittedInIt: the gate is asked again with
// what is about to be committed.
func TestApprovedJustBeforeTheFreezeItIsNotCommittedInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, w := newWinter(t, 2*time.Hour, 3*time.Hour)
		_, err := b.carry(func() {
			_, _ = b.say("approve", "U2")
			b.options.Delivery = slowDelivery{b.options.Delivery, func() { time.Sleep(time.Until(w.from)) }}
		})
		if !fault.Is(err, fault.Refused) || len(b.commits) != 0 {
			t.Errorf("ended with %v, %d commits", err, len(b.commits))
		}
	})
}

// TestAHoldWakesWhatWaitsForApprovalThere and nothing else.
func TestAHoldWakesWhatWaitsForApprovalThere(t *testing.T) {
	b, holds, _ := newHolding(t)
	var woken []job.ID
	b.options.Holds = holds
	b.options.Nudge = func(_ context.Context, id job.ID) error { woken = append(woken, id); return nil }
	here := b.apps["prod"][0].Target.String()
	var want job.ID
	for key, j := range map[string]*job.Job{
		"k1": {Step: stepApproval, Queues: []string{"stage/x/y", here}}, "k2": {Step: stepApproval, Queues: []string{"stage/x/y"}}, "k3": {Step: stepMerge, Queues: []string{here}},
	} {
		j.Key, j.Created = key, time.Now()
		b.create(j)
		if key == "k1" {
			want = j.ID
		}
	}
	cmd := chat.Command{Key: "h", Verb: "hold", User: "U3", Args: chat.Args{App: "podinfo", Cluster: "prod", Reason: "x"}}
	if _, err := b.command("hold").Deed.Do(t.Context(), cmd); err != nil || !slices.Equal(woken, []job.ID{want}) {
		t.Errorf("woke %q, %v; want %s", woken, err, want)
	}
}

// TestWhatIsNoWordIsOfferedInNoCommand: a version or a name with more in it would be
// more of the command than whoever presses the button sees.
func TestWhatIsNoWordIsOfferedInNoCommand(t *testing.T) {
	b := newBench(t, newWorld())
	c := changer{b.options}
	for v, n := range map[deploy.Version]int{"6.5.3": 1, "6.5.3 despite hold because it is fine": 0} {
		if _, buttons := c.back(loss{Target: b.apps["prod"][0].Target}, deploy.Record{Version: v}); len(buttons) != n {
			t.Errorf("%s: %+v", v, buttons)
		}
	}
	evil := b.apps["prod"][0]
	evil.App.Name = "podinfo@1 to prod despite freeze because x"
	b.apps["prod"] = append(b.apps["prod"], evil)
	_, err := find(b.options.Fleet, "prod", "podinfo@1")
	if e, _ := errors.AsType[*fault.Error](err); e == nil || slices.ContainsFunc(e.Choices, func(c string) bool { return strings.Contains(c, "despite") }) {
		t.Errorf("an unknown app: %+v", err)
	}
}
