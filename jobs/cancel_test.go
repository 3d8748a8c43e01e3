package jobs

import (
	"bytes"
	"context"
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

// cancels is as saving is once somebody cancelled: the first time from `at` on it
// fails, and the next run knows.
func (b *bench) cancels(at job.Step) func(context.Context) error {
	return func(context.Context) error {
		if b.job.Step == at && b.job.Cancel == nil {
			b.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			return job.ErrCancelled
		}
		return nil
	}
}

// cancelledRun runs until the job has ended.
func (b *bench) cancelledRun(save func(context.Context) error) (chat.Message, error) {
	for {
		// What failed to be saved is not in the row.
		step, data := b.job.Step, b.job.Data
		m, err := b.command(b.cmd.Verb).Work.Run(b.t.Context(), b.cmd, b.job, save)
		park, parks := errors.AsType[*job.Park](err)
		switch {
		case errors.Is(err, job.ErrCancelled):
			b.job.Step, b.job.Data = step, data
		case parks:
			time.Sleep(time.Until(park.Until))
			if b.job.Cancel == nil {
				b.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			}
		default:
			return m, err
		}
	}
}

func TestCancelledBeforeTheCommitNothingHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, newWorld())
		m, err := b.cancelledRun(b.cancels(stepCommit))
		if !fault.Is(err, fault.Cancelled) || m.Title != "This was cancelled before anything happened" || m.Lines[0] != "Nothing was changed." || m.By != "U2" {
			t.Errorf("ended with %+v, %v", m, err)
		}
		if len(b.commits) != 0 {
			t.Errorf("%d commits", len(b.commits))
		}
		if s := b.put["job/j1/status"]; !s.Final {
			t.Errorf("status = %+v", s)
		}
	})
}

// TestCancelledWhileCommitting looks for the commit, and if it is not there once
// more when GitHub cannot show an old head any longer.
func TestCancelledWhileCommitting(t *testing.T) {
	for _, there := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld()
			b := newBench(t, w)
			row := changeRow{Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan}
			r := &change{job: b.job, save: func(context.Context) error { return nil }, row: row}
			if err := r.step(t.Context(), stepCommit); err != nil {
				t.Fatal(err)
			}
			b.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			if there {
				w.commits = []deploy.Commit{{SHA: "c0ffee00112233"}}
			}
			began := time.Now()
			m, err := b.cancelledRun(func(context.Context) error { return nil })
			if !fault.Is(err, fault.Cancelled) {
				t.Fatalf("ended with %+v, %v", m, err)
			}
			if !there && (time.Since(began) != late || m.Title != "This was cancelled before anything happened") {
				t.Errorf("after %s: %+v", time.Since(began), m)
			}
			if there && (!strings.HasPrefix(m.Title, "Ferry no longer follows podinfo `6.5.4` on prod") || len(b.records()) != 1 || b.records()[0].Outcome != "cancelled") {
				t.Errorf("ended with %+v, records %+v", m, b.records())
			}
		})
	}
}

// TestCancelledWhileItWaitsForTheMerge closes the pull request, unless that was
// merged in this moment: then it is in Git.
func TestCancelledWhileItWaitsForTheMerge(t *testing.T) {
	for _, merged := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, b := newPulls(t, stays)
			w.merged = merged
			m, err := b.cancelledRun(func(context.Context) error { return nil })
			e, _ := errors.AsType[*fault.Error](err)
			if e == nil || e.Kind != fault.Cancelled {
				t.Fatalf("ended with %+v, %v", m, err)
			}
			rec := b.records()[0]
			if merged {
				if m.Title != "Ferry no longer follows podinfo `6.5.4` on prod" || rec.Commit != "fade00112233" {
					t.Errorf("ended with %+v, record %+v", m, rec)
				}
				return
			}
			if e.Says != "this was cancelled, and pull request #12 is closed" || len(w.withdrawn) != 1 || w.withdrawn[0] != "#12 Cancelled by Ada (job j1)." {
				t.Errorf("ended with %+v, closed %q", e, w.withdrawn)
			}
			if rec.Outcome != "cancelled" || rec.Commit != "" || rec.Healthy {
				t.Errorf("record = %+v", rec)
			}
		})
	}
}

// TestCancelledWhileFollowing ends the watch at once.
func TestCancelledWhileFollowing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		waits := arrivedImage()
		waits.Applied, waits.Attempted = "main@sha1:old", "main@sha1:old"
		w.show = func(n int) *deploy.Observation {
			if n > 0 {
				return nil // nothing more happens
			}
			return at(waits)
		}
		b := newBench(t, w)
		asked := make(chan struct{})
		time.AfterFunc(30*time.Second, func() { close(asked) })
		began := time.Now()
		_, err := b.once(job.WithAsked(t.Context(), asked))
		if !errors.Is(err, job.ErrCancelled) || time.Since(began) != 30*time.Second {
			t.Fatalf("after %s: %v", time.Since(began), err)
		}
		b.job.Cancel = &job.Cancel{By: "U2"}
		m, err := b.once(t.Context())
		if !fault.Is(err, fault.Cancelled) || m.Lines[0] != "It was cancelled when Git held `6.5.4` already; what becomes of it there, ferry does not tell." ||
			len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback podinfo on prod to 6.5.3" {
			t.Errorf("ended with %+v, %v", m, err)
		}
	})
}

// TestCancelledAfterTheHistoryKnew: ferry ended when it had recorded that the change
// arrived, and before it could say so. Who cancels then hears what the history says.
func TestCancelledAfterTheHistoryKnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
		b := newBench(t, w)
		var row []byte
		b.job.Created = time.Now()
		_, err := b.command(b.cmd.Verb).Work.Run(t.Context(), b.cmd, b.job, func(context.Context) error {
			if b.job.Step == stepFollow && row == nil {
				row = bytes.Clone(b.job.Data)
			}
			return nil
		})
		if err != nil || row == nil {
			t.Fatalf("%v, %s", err, row)
		}
		before := len(b.records())
		b.job.Step, b.job.Data, b.job.Cancel = stepFollow, row, &job.Cancel{By: "U2", At: time.Now()}
		m, err := b.once(t.Context())
		if err != nil || m.Title != "podinfo `6.5.4` is healthy on prod" {
			t.Errorf("ended with %+v, %v", m, err)
		}
		for _, r := range b.records()[before:] {
			if r.Outcome != "done" {
				t.Errorf("the history says %s", r.Outcome)
			}
		}
	})
}

// TestWhatDoesNotAnswerIsGivenUp has GitHub away for longer than a step may take.
func TestWhatDoesNotAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.refuse = fault.Newf(fault.Unavailable, "GitHub does not answer")
		b := newBench(t, w)
		began := time.Now()
		var err error
		for {
			if _, err = b.once(t.Context()); !fault.Is(err, fault.Unavailable) {
				break
			}
			time.Sleep(time.Minute)
		}
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Expired || e.Says != "this was given up after 60 min: GitHub does not answer" || time.Since(began) != time.Hour {
			t.Errorf("after %s: %+v", time.Since(began), e)
		}
		if want := "whether it was committed is not known: the log of the repository tells, by `Ferry-Job: j1`"; e != nil && e.Help != want && e.Help != "nothing was changed" {
			t.Errorf("help: %q", e.Help)
		}
	})
}

// wishes is what cancel tells.
type wishes struct {
	Rows
	got  []string
	deny bool
}

func (w *wishes) RequestCancel(_ context.Context, id job.ID, c job.Cancel) error {
	w.got = append(w.got, string(id)+" by "+c.By)
	return nil
}

func (w *wishes) Allow(_ context.Context, user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	if w.deny || len(targets) != 1 || targets[0].String() != "prod/apps/podinfo" {
		return fault.Newf(fault.Denied, "%s may not %s", user, verb)
	}
	return nil
}

func (w *wishes) nudge(_ context.Context, id job.ID) error {
	w.got = append(w.got, "nudged "+string(id))
	return nil
}

func TestWhoMayCancelAndRetry(t *testing.T) {
	b := newBench(t, fleet())
	w := &wishes{deny: true}
	b.options.Canceller, b.options.Rights, b.options.Nudge = w, w, w.nudge
	jobs := b.options.Rows.(interface {
		Create(ctx context.Context, j *job.Job) (bool, error)
		Save(ctx context.Context, j *job.Job) error
	})
	j := &job.Job{
		Key: "k", Title: "Promote it", Verb: "promote", Created: noon, Queues: []string{"prod/apps/podinfo"},
		Request: []byte(`{"key":"k","user":"U1","verb":"promote","text":"promote podinfo@6.5.4 to prod despite hold because it is down",` +
			`"args":{"gate":"hold","reason":"it is down"},"thread":{"channel":"C1","root":"1"}}`),
	}
	if _, err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	ask := func(user chat.UserID, key string) (chat.Message, chat.Command, error, error) {
		cmd := chat.Command{Key: key, User: user, Args: chat.Args{Job: chat.Word(j.ID)}, Thread: chat.Thread{Channel: "C2", Root: key}}
		m, err := b.command("cancel").Query.Answer(t.Context(), cmd)
		again, aerr := b.command("retry").Again(t.Context(), cmd)
		return m, again, err, aerr
	}
	if m, _, err, aerr := ask("U1", "own"); err != nil || m.Title != "Job "+string(j.ID)+" is told to end" || !fault.Is(aerr, fault.Refused) {
		t.Errorf("who asked for it: %+v, %v; retry: %v", m, err, aerr)
	}
	if _, _, err, _ := ask("U9", "stranger"); !fault.Is(err, fault.Denied) {
		t.Errorf("a stranger: %v", err)
	}
	w.deny = false
	if _, _, err, _ := ask("U2", "colleague"); err != nil {
		t.Errorf("who may ask for the same: %v", err)
	}
	if got := strings.Join(w.got, ", "); got != string(j.ID)+" by U1, nudged "+string(j.ID)+", "+string(j.ID)+" by U2, nudged "+string(j.ID) {
		t.Errorf("told: %s", got)
	}
	for outcome, kind := range map[job.Outcome]fault.Kind{job.Done: fault.Already, job.Failed: ""} {
		j.Outcome = outcome
		if err := jobs.Save(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		_, again, _, err := ask("U2", "again")
		if fault.KindOf(err) != kind {
			t.Errorf("retry of one that is %s: %v", outcome, err)
		}
		if kind == "" && (again.Key != "retry/"+string(j.ID) || again.User != "U2" || again.Verb != "promote" || again.Thread.Root != "again" || again.Text != "promote podinfo@6.5.4 to prod" || again.Args != (chat.Args{})) {
			t.Errorf("again is %+v", again)
		}
	}
	first := &job.Job{Key: "retry/" + string(j.ID), Created: noon, Request: []byte(`{"user":"U2","thread":{"channel":"C2","root":"again"}}`)}
	if _, err := jobs.Create(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	j.Outcome = job.Failed
	if err := jobs.Save(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := ask("U2", "again"); err != nil {
		t.Errorf("the same request again: %v", err)
	}
	if _, _, _, err := ask("U2", "later"); !fault.Is(err, fault.Already) || !strings.Contains(err.Error(), string(first.ID)) {
		t.Errorf("another request: %v", err)
	}
}
