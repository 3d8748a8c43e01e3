package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// TestWhatFerryHoldsBackIsReleasedWithAReason; what people hold needs none.
func TestWhatFerryHoldsBackIsReleasedWithAReason(t *testing.T) {
	b, store, _ := newHolding(t)
	target := b.apps["prod"][0].Target
	release := func(because string) (chat.Message, error) {
		return b.command("release").Deed.Do(t.Context(), chat.Command{Key: "k" + because, User: "U1", Verb: "release", Args: chat.Args{App: "podinfo", Cluster: "prod", Reason: chat.Word(because)}})
	}
	for _, h := range []deploy.Hold{{Target: target, By: "U9", Reason: "the migration", Key: "k0", At: noon}, {Target: target, Version: "6.5.4", By: self, Name: self, Reason: "CrashLoopBackOff", Key: "j1", At: noon}} {
		if err := store.Place(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	_, err := release("")
	if e, _ := errors.AsType[*fault.Error](err); e == nil || e.Kind != fault.Invalid || e.Says != "a reason is missing: ferry holds `6.5.4` back on prod" || e.Help != "CrashLoopBackOff\n`release podinfo on prod because …` ends that" {
		t.Errorf("without a reason: %+v", err)
	}
	if left, err := store.All(t.Context()); err != nil || len(left) != 2 {
		t.Errorf("left are %+v, %v", left, err)
	}
	if m, err := release("6.5.4 was not to blame"); err != nil || m.Title != "podinfo is released on prod" {
		t.Errorf("with one: %+v, %v", m, err)
	}
	if err := store.Place(t.Context(), deploy.Hold{Target: target, By: "U9", Reason: "again", Key: "k1", At: noon}); err != nil {
		t.Fatal(err)
	}
	if _, err := release(""); err != nil {
		t.Errorf("a person's: %v", err)
	}
}

// TestARetryOfWhatFerryDidByItselfIsAPersons: the rule lends nobody its authority.
func TestARetryOfWhatFerryDidByItselfIsAPersons(t *testing.T) {
	b := newBench(t, newWorld())
	for verb, refused := range map[chat.Verb]bool{"rollback": false, soakVerb: true} {
		cmd := chat.Command{Key: "job/j1/" + string(verb), User: self, Verb: verb, Cause: "j1", Text: "rollback podinfo on prod to 6.5.3", Args: chat.Args{App: "apps/podinfo", Cluster: "prod", Version: "6.5.3"}}
		request, err := json.Marshal(cmd)
		if err != nil {
			t.Fatal(err)
		}
		j := &job.Job{Key: cmd.Key, Verb: string(verb), Request: request, Outcome: job.Failed}
		if _, err := b.rows.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		again, err := b.command("retry").Again(t.Context(), chat.Command{Key: "r", User: "U1", Verb: "retry", Args: chat.Args{Job: chat.Word(j.ID)}})
		if refused != fault.Is(err, fault.Refused) || !refused && (err != nil || again.Cause != "" || again.User != "U1") {
			t.Errorf("%s: %+v, %v", verb, again, err)
		}
	}
}

// TestWhatIsHeldBackIsNotOfferedToWhoeverCancels: the button would be refused.
func TestWhatIsHeldBackIsNotOfferedToWhoeverCancels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		b := newBench(t, w)
		b.options.Holds, b.job.Step, b.job.Cancel = b.holds, stepFollow, &job.Cancel{By: "U2", At: time.Now()}
		target := w.apps["prod"][0].Target
		for i, v := range []deploy.Version{"6.5.2", "6.5.3"} {
			if err := b.history.Append(t.Context(), &deploy.Record{Target: target, Version: v, Field: deploy.FieldImage, Job: "old" + string(v), Healthy: true, At: noon.Add(time.Duration(i) * time.Hour)}); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.holds.Place(t.Context(), deploy.Hold{Target: target, Version: "6.5.3", By: self, Reason: "CrashLoopBackOff", Key: "j0", At: noon}); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(changeRow{Change: deploy.Change{Target: target, Version: "6.5.4"}, Plan: w.plan, Commit: deploy.Commit{SHA: "c0ffee"}, Followed: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		b.job.Data = data
		m, err := b.command("promote").Work.Run(t.Context(), b.cmd, b.job, func(context.Context) error { return nil })
		if !fault.Is(err, fault.Cancelled) || len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback podinfo on prod to 6.5.2" {
			t.Errorf("%+v, %v", m, err)
		}
	})
}
