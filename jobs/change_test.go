package jobs

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

func TestPromotionFollowedHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		old := arrivedImage()
		old.Applied, old.Attempted, old.SiteValue = "main@sha1:old", "main@sha1:old", "podinfo:6.5.3"
		w.show = func(n int) *deploy.Observation { return []*deploy.Observation{at(old), at(arrivedImage())}[n] }
		b := newBench(t, w)
		m, err := b.run()
		if err != nil || m.Title != "podinfo `6.5.4` is healthy on prod" || len(m.Links) != 1 {
			t.Fatalf("closing = %+v, %v", m, err)
		}
		if len(w.commits) != 1 || w.nudges != 1 || w.authorIDs[0] != "U1" {
			t.Errorf("%d commits, %d nudges by %v", len(w.commits), w.nudges, w.authorIDs)
		}
		status := w.put["job/j1/status"]
		for i, s := range status.Steps {
			if s.State != chat.StepDone {
				t.Errorf("step %d is %s: %s", i, s.State, s.Text)
			}
		}
		if !status.Final || status.Tone != chat.Done {
			t.Errorf("status ends as %+v", status)
		}
		records := b.records()
		if len(records) != 2 || records[0].Version != "6.5.4" || !records[0].Healthy || records[0].Evidence == nil ||
			records[1].Version != "6.5.3" || records[1].Command != seen {
			t.Errorf("history is %+v", records)
		}
	})
}

func TestFailureIsBelievedAfterItsGraceAndOffersTheWayBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		bad := arrivedImage()
		bad.Workloads[0].Ready = 1
		bad.Problems = []deploy.Problem{{Pod: "podinfo-x", Container: "app", Image: "podinfo:6.5.4", Reason: "ImagePullBackOff", Message: `Back-off pulling image "podinfo:6.5.4": not found`, Current: true}}
		w.show = func(n int) *deploy.Observation {
			if n > 0 {
				return nil // no event tells that it goes on failing
			}
			return at(bad)
		}
		b := newBench(t, w)
		began := time.Now()
		m, err := b.run()
		if !fault.Is(err, fault.Failed) || time.Since(began) != 10*time.Second {
			t.Fatalf("ended with %v after %s, want a failure after the grace of 10 s", err, time.Since(began))
		}
		if m.Title != "podinfo `6.5.4` did not become healthy on prod" || m.Lines[0] != "*ImagePullBackOff*: `podinfo:6.5.4` was not found. 1 of 2 new pods are ready." ||
			m.Code == nil || m.Code.Text != "podinfo-x, container app:\n"+bad.Problems[0].Message {
			t.Errorf("closing = %+v", m)
		}
		if len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback podinfo on prod to 6.5.3" {
			t.Errorf("buttons = %+v", m.Buttons)
		}
		if r := b.records()[0]; r.Healthy || r.Outcome != string(job.Failed) {
			t.Errorf("record = %+v", r)
		}
		s := w.put["job/j1/status"]
		if s.Tone != chat.Failure || s.Steps[3] != (chat.Step{State: chat.StepFailed, Text: "1 of 2 new pods are ready"}) {
			t.Errorf("status = %+v", s)
		}
		if want := (chat.Step{State: chat.StepDone, Text: "Commit c0ffee0", URL: "https://git.example/c0ffee"}); s.Steps[1] != want || len(s.Links) != 0 {
			t.Errorf("the commit is not the step alone: %+v, %+v", s.Steps[1], s.Links)
		}
	})
}

func TestAStumbleIsForgiven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		bad := arrivedImage()
		bad.Workloads[0].Ready = 1
		bad.Problems = []deploy.Problem{{Pod: "podinfo-x", Reason: "CrashLoopBackOff", Current: true}}
		calls := 0
		w.show = func(int) *deploy.Observation {
			if calls++; calls == 1 {
				return at(bad)
			}
			time.Sleep(5 * time.Second) // the bubble's clock: half the grace
			return at(arrivedImage())
		}
		if m, err := newBench(t, w).run(); err != nil || m.Tone != chat.Done {
			t.Errorf("ended with %+v, %v", m, err)
		}
	})
}

// TestAFailureThatTriesAgainIsNoStumble alternates as kubelet does between a
// failed pull and the pause after it.
func TestAFailureThatTriesAgainIsNoStumble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		calls := 0
		w.show = func(int) *deploy.Observation {
			if calls++; calls > 1 {
				time.Sleep(3 * time.Second) // the bubble's clock
			}
			bad := arrivedImage()
			bad.Workloads[0].Ready = 1
			bad.Problems = []deploy.Problem{{Pod: "podinfo-x", Reason: []string{"ErrImagePull", "ImagePullBackOff"}[calls%2], Current: true}}
			return at(bad)
		}
		began := time.Now()
		if _, err := newBench(t, w).run(); !fault.Is(err, fault.Failed) || time.Since(began) > 15*time.Second {
			t.Errorf("ended with %v after %s, want a failure soon after the grace of 10 s", err, time.Since(began))
		}
	})
}

func TestTheDeadlineEndsWhatNeverGetsHealthy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		slow := arrivedImage()
		slow.Workloads[0].Ready = 1
		w.show = func(n int) *deploy.Observation {
			if n > 0 {
				return nil
			}
			return at(slow)
		}
		began := time.Now()
		m, err := newBench(t, w).run()
		if !fault.Is(err, fault.Expired) || time.Since(began) != time.Minute {
			t.Errorf("ended with %v after %s", err, time.Since(began))
		}
		if !strings.Contains(m.Lines[0], "1 of 2 new pods") {
			t.Errorf("closing = %+v", m)
		}
	})
}

func TestReplacedInGitIsSuperseded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.holding = deploy.Replaced
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		if _, err := b.run(); !fault.Is(err, fault.Superseded) {
			t.Errorf("ended with %v", err)
		}
		if b.records()[0].Outcome != string(job.Superseded) {
			t.Errorf("history = %+v", b.records())
		}
	})
}

// TestAResumedJobLooksForItsCommitFirst is the crash between the commit and the
// row that says so.
func TestAResumedJobLooksForItsCommitFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.commits = []deploy.Commit{{SHA: "abcdef0123"}}
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		row, err := json.Marshal(changeRow{Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan})
		if err != nil {
			t.Fatal(err)
		}
		b.job.Step, b.job.Data = stepCommit, row
		if _, err := b.run(); err != nil {
			t.Fatal(err)
		}
		if len(w.commits) != 1 {
			t.Errorf("%d commits: it was repeated", len(w.commits))
		}
		if r := b.records()[0]; r.Commit != "abcdef0123" || r.Version != "6.5.4" {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestAResumedJobPastItsDeadlineStillLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		row, err := json.Marshal(changeRow{
			Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan,
			Commit: deploy.Commit{SHA: "abc"}, Followed: time.Now().Add(-time.Hour),
		})
		if err != nil {
			t.Fatal(err)
		}
		b.job.Step, b.job.Data = stepFollow, row
		if m, err := b.run(); err != nil || m.Tone != chat.Done {
			t.Errorf("ended with %+v, %v", m, err)
		}
	})
}

func TestAlreadyThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.plan.Already, w.plan.Edits = true, nil
		w.apps["prod"][0].Images[0].Tag = "6.5.4"
		b := newBench(t, w)
		if _, err := b.run(); !fault.Is(err, fault.Already) || !strings.Contains(err.Error(), "already at `6.5.4` on prod") {
			t.Errorf("ended with %v", err)
		}
		if s := w.put["job/j1/status"]; !s.Final || s.Tone != chat.Info || len(s.Steps) != 1 || s.Steps[0].State != chat.StepDone {
			t.Errorf("status = %+v", s)
		}
		if len(w.commits) != 0 || len(b.records()) != 0 {
			t.Errorf("%d commits, records %+v", len(w.commits), b.records())
		}
	})
}

// TestAfterTheCommitNobodySaysThatNothingWasChanged has a branch that cannot be
// read any more.
func TestAfterTheCommitNobodySaysThatNothingWasChanged(t *testing.T) {
	lost := fault.New(fault.NotFound, "the branch is gone", "")
	r := &change{}
	if e, _ := errors.AsType[*fault.Error](r.unchanged(lost)); e.Help != "nothing was changed" {
		t.Errorf("before the commit: %q", e.Help)
	}
	r.row.Commit.SHA = "c0ffee"
	if e, _ := errors.AsType[*fault.Error](r.unchanged(lost)); e.Help != "" {
		t.Errorf("after it: %q", e.Help)
	}
}

func TestARefusedPlanChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refuse = fault.New(fault.Refused, "stage shares that file", "give it a version of its own")
		b := newBench(t, w)
		m, err := b.run()
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Refused || e.Help != "nothing was changed\ngive it a version of its own" || m.Title != "" {
			t.Errorf("ended with %+v, %+v", m, e)
		}
		if s := w.put["job/j1/status"]; s.Tone != chat.Refused || !s.Final || len(s.Steps) != 1 || s.Steps[0].State != chat.StepFailed {
			t.Errorf("status = %+v", s)
		}
		if len(b.records()) != 0 {
			t.Errorf("history = %+v", b.records())
		}
	})
}

func TestARefusedCommitIsNotThePlansFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.deny = fault.New(fault.Denied, "ferry's token may not write to acme/fleet", "")
		_, err := newBench(t, w).run()
		if e, _ := errors.AsType[*fault.Error](err); e == nil || e.Kind != fault.Denied || e.Help != "nothing was changed" {
			t.Errorf("ended with %+v", err)
		}
		s := w.put["job/j1/status"]
		if len(s.Steps) != 2 || s.Steps[0].State != chat.StepDone || s.Steps[1] != (chat.Step{State: chat.StepFailed, Text: "Commit"}) {
			t.Errorf("status = %+v", s)
		}
	})
}
