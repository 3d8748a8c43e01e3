package dispatcher

import (
	"context"
	"runtime"
	"testing"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// soon takes what comes from a channel.
func soon[T any](t *testing.T, what string, from <-chan T) (got T) {
	t.Helper()
	select {
	case got = <-from:
	case <-time.After(time.Minute):
		t.Fatalf("%s does not come", what)
	}
	return got
}

// waiting is a handler that parks jobs of the app "pull" until others come, and
// notes who ran when.
type waiting struct {
	began chan string
	until func() time.Time
}

func (w waiting) run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	w.began <- cmd.Key
	if cmd.Args.App != "pull" {
		return chat.Message{Title: "done"}, nil
	}
	if j.Cancel != nil {
		return chat.Message{Title: "closed"}, fault.Newf(fault.Cancelled, "by %s", j.Cancel.By)
	}
	j.Step = "waiting"
	if err := save(ctx); err != nil {
		return chat.Message{}, err
	}
	if until := w.until(); !until.IsZero() {
		return chat.Message{}, &job.Park{Until: until}
	}
	return chat.Message{Title: "gave way"}, nil
}

// TestWhoWaitsForPeopleIsARowAlone has one worker and many jobs that wait for
// people: others run meanwhile, there is no goroutine for them, and after a restart
// each looks once.
func TestWhoWaitsForPeopleIsARowAlone(t *testing.T) {
	path := statePath(t)
	many := 30
	w := waiting{began: make(chan string, 100), until: func() time.Time { return time.Now().Add(time.Hour) }}
	t.Run("parked", func(t *testing.T) { // its end closes the state file
		h := build(t, path, Route{Verb: "promote", Work: work{admit: onKey, run: w.run}})
		h.Workers = 1
		h.start(t)
		h.handle(t, command("first", "other"))
		soon(t, "the first", w.began)
		<-h.ended
		before := runtime.NumGoroutine()
		for i := range many {
			h.handle(t, command(string(rune('A'+i)), "pull"))
			soon(t, "one that waits", w.began)
		}
		h.handle(t, command("last", "other"))
		soon(t, "the last", w.began)
		<-h.ended
		if now := runtime.NumGoroutine(); now > before+3 {
			t.Errorf("%d goroutines, %d before there were %d who wait", now, before, many)
		}
		left, err := h.jobs.Unfinished(t.Context())
		if err != nil || len(left) != many || left[0].Wake.IsZero() || left[0].Attempts != 1 {
			t.Errorf("%d left, %v", len(left), err)
		}
	})
	h := build(t, path, Route{Verb: "promote", Work: work{admit: onKey, run: w.run}})
	h.Workers = 1
	h.start(t)
	for range many {
		soon(t, "a look after the restart", w.began)
	}
}

// onKey gives each job a target of its own.
func onKey(cmd chat.Command) ([]deploy.Target, error) {
	return []deploy.Target{target("prod", "apps", cmd.Key)}, nil
}

// TestParkedJobsWake at their time, and when another job wants their target.
func TestParkedJobsWake(t *testing.T) {
	t.Parallel()
	until := make(chan time.Time, 9)
	w := waiting{began: make(chan string, 100), until: func() time.Time { return <-until }}
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{admit: onApp, run: w.run}})
	h.start(t)
	until <- time.Now().Add(20 * time.Millisecond) // its time
	until <- time.Now().Add(time.Hour)
	h.handle(t, command("pull", "pull"))
	for range 2 {
		soon(t, "a look", w.began)
	}
	select {
	case <-w.began:
		t.Fatal("it looks before its time")
	case <-time.After(50 * time.Millisecond):
	}
	until <- time.Now().Add(time.Hour)
	h.handle(t, command("newer", "pull"))
	soon(t, "a look at who came", w.began)
	select {
	case <-w.began:
		close(until)
		t.Fatal("it looks again, and nobody came since")
	case <-time.After(50 * time.Millisecond):
	}
	h.handle(t, command("newest", "pull"))
	soon(t, "a look at the next one", w.began)
	h.handle(t, command("latest", "pull")) // while it looks
	until <- time.Now().Add(time.Hour)
	until <- time.Time{}
	until <- time.Time{}
	if last := soon(t, "a look at who came meanwhile", w.began); last != "pull" {
		t.Errorf("%s looks", last)
	}
	for range 2 {
		until <- time.Time{} // for those behind them
	}
	if a := soon(t, "who came", w.began); a != "newer" {
		t.Errorf("%s goes on", a)
	}
	if j := soon(t, "the end", h.ended); j.Note != "gave way" || j.Attempts != 1 {
		t.Errorf("ended as %+v", j)
	}
}

// TestCancel reaches a job that waits in the queue, one that is parked, and one that
// runs: there the next save fails.
func TestCancel(t *testing.T) {
	t.Parallel()
	hour := func() time.Time { return time.Now().Add(time.Hour) }
	cancel := func(t *testing.T, h house, key string) {
		t.Helper()
		j, _, err := h.jobs.ByKey(t.Context(), key)
		if err == nil {
			err = h.jobs.RequestCancel(t.Context(), j.ID, job.Cancel{By: "U2", At: time.Now()})
		}
		if err == nil {
			err = h.Nudge(t.Context(), j.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	is := func(t *testing.T, h house, key string) {
		t.Helper()
		if j := soon(t, "its end", h.ended); j.Key != key || j.Outcome != job.Cancelled || j.Note != "closed" {
			t.Errorf("ended as %s %s %q", j.Key, j.Outcome, j.Note)
		}
		left, err := h.jobs.Unfinished(t.Context())
		for _, j := range left {
			if j.Key == key || j.Cancel != nil {
				t.Errorf("left is %+v", j)
			}
		}
		if err != nil {
			t.Error(err)
		}
	}
	t.Run("parked, then queued", func(t *testing.T) {
		w := waiting{began: make(chan string, 100), until: hour}
		h := build(t, statePath(t), Route{Verb: "promote", Work: work{admit: onApp, run: w.run}})
		h.start(t)
		h.handle(t, command("parked", "pull"), command("queued", "pull"))
		soon(t, "a look", w.began)
		cancel(t, h, "queued")
		is(t, h, "queued")
		cancel(t, h, "parked")
		is(t, h, "parked")
		if err := h.jobs.RequestCancel(t.Context(), must(t, h, "parked").ID, job.Cancel{}); !fault.Is(err, fault.Already) {
			t.Errorf("cancelled again: %v", err)
		}
	})
	t.Run("running", func(t *testing.T) {
		began, saved := make(chan chan struct{}, 9), make(chan error, 9)
		h := build(t, statePath(t), Route{Verb: "promote", Work: work{
			admit: onApp,
			run: func(ctx context.Context, _ chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
				if j.Cancel != nil {
					return chat.Message{Title: "closed"}, fault.Newf(fault.Cancelled, "by %s", j.Cancel.By)
				}
				on := make(chan struct{})
				began <- on
				<-on
				err := save(ctx)
				saved <- err
				return chat.Message{Title: "done all the same"}, err
			},
		}})
		h.start(t)
		h.handle(t, command("k", "a"))
		on := soon(t, "the start", began)
		cancel(t, h, "k")
		close(on)
		if err := soon(t, "the save", saved); err == nil {
			t.Error("the row was saved, as if something was to be done")
		}
		is(t, h, "k")
	})
}

func must(t *testing.T, h house, key string) *job.Job {
	t.Helper()
	j, ok, err := h.jobs.ByKey(t.Context(), key)
	if err != nil || !ok {
		t.Fatalf("job of %s: %v, %v", key, ok, err)
	}
	return j
}

// TestAgainIsAnotherCommand: whoever asks needs its rights, and it makes one job.
func TestAgainIsAnotherCommand(t *testing.T) {
	t.Parallel()
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error) {
			return chat.Message{Title: "done"}, nil
		},
	}}, Route{Verb: "retry", Again: func(_ context.Context, cmd chat.Command) (chat.Command, error) {
		again := command("retry/x", "a")
		again.User = cmd.User
		return again, nil
	}})
	h.Policy = NewPolicy(gate.Rules{Changes: []chat.Verb{"promote"}, Admins: gate.People{Users: []chat.UserID{"U1"}}}, newWitnesses().all())
	h.start(t)
	for _, key := range []string{"k1", "k2"} { // a double click
		h.handle(t, chat.Command{Key: key, Verb: "retry", User: "U1"})
	}
	if j := soon(t, "the job", h.ended); j.Key != "retry/x" || j.Verb != "promote" {
		t.Errorf("ended %+v", j)
	}
	if err := h.Handle(t.Context(), chat.Command{Key: "k3", Verb: "retry", User: "U2"}); err != nil {
		t.Errorf("the job is there already: %v", err)
	}
	if rows, err := h.jobs.Recent(t.Context(), 9); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// slowly is a store that keeps a command between its row and its place among those
// who wait.
type slowly struct {
	Store
	created, read chan struct{}
}

func (s slowly) Create(ctx context.Context, j *job.Job) (bool, error) {
	ok, err := s.Store.Create(ctx, j)
	close(s.created)
	select {
	case <-s.read:
	case <-time.After(100 * time.Millisecond):
	}
	return ok, err
}

func (s slowly) Unfinished(ctx context.Context) ([]*job.Job, error) {
	defer close(s.read)
	return s.Store.Unfinished(ctx)
}

// TestACommandWhileRowsAreReadIsOneJob: it is not taken up as one that was left.
func TestACommandWhileRowsAreReadIsOneJob(t *testing.T) {
	t.Parallel()
	w := waiting{began: make(chan string, 9)}
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{admit: onKey, run: w.run}})
	slow := slowly{h.jobs, make(chan struct{}), make(chan struct{})}
	h.Store = slow
	handled := make(chan error, 1)
	go func() { handled <- h.Handle(t.Context(), command("k", "a")) }()
	soon(t, "the row", slow.created)
	h.start(t)
	if err := soon(t, "the answer", handled); err != nil {
		t.Fatal(err)
	}
	soon(t, "the run", w.began)
	soon(t, "the end", h.ended)
	h.Store = h.jobs
	h.handle(t, command("other", "b"))
	if key := soon(t, "another run", w.began); key != "other" {
		t.Errorf("%s ran twice", key)
	}
}
