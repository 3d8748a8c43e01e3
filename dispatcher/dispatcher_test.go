package dispatcher

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// replies is a chat that keeps the last message of each key.
type replies struct {
	mu   sync.Mutex
	last map[string]chat.Message
}

func (r *replies) Put(_ context.Context, _ chat.Thread, key string, m chat.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[string]chat.Message{}
	}
	r.last[key] = m
	return nil
}

func (r *replies) get(key string) chat.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last[key]
}

// work is a handler made of functions.
type work struct {
	admit func(chat.Command) ([]deploy.Target, error)
	run   func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error)
}

func (w work) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	targets, err := w.admit(cmd)
	return "work " + cmd.Key, targets, err
}

func (w work) Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	return w.run(ctx, cmd, j, save)
}

type query func(chat.Command) (chat.Message, error)

func (q query) Answer(_ context.Context, cmd chat.Command) (chat.Message, error) { return q(cmd) }

// house is a dispatcher over a real state file.
type house struct {
	*Dispatcher
	replies *replies
	jobs    *storage.Jobs
	ended   chan *job.Job
}

func onApp(cmd chat.Command) ([]deploy.Target, error) {
	return []deploy.Target{target("prod", "apps", string(cmd.Args.App))}, nil
}

func build(t *testing.T, path string, routes ...Route) house {
	t.Helper()
	db, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h := house{replies: &replies{}, jobs: storage.NewJobs(db), ended: make(chan *job.Job, 100)}
	h.Dispatcher = New(Options{
		Routes: routes, Store: h.jobs, Replier: h.replies, Policy: NewPolicy(gate.Rules{}, newWitnesses().all()),
		Explain: func(err error) chat.Message {
			return chat.Message{Tone: chat.Failure, Title: "explained: " + err.Error()}
		},
		Pause: time.Millisecond, Drain: time.Millisecond, Ended: func(j *job.Job) { h.ended <- j },
	})
	return h
}

// start runs the dispatcher until the returned function is called.
func (h house) start(t *testing.T) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func command(key, app string) chat.Command {
	return chat.Command{Key: key, Verb: "promote", User: "U1", Args: chat.Args{App: chat.Word(app)}}
}

func (h house) handle(t *testing.T, cmds ...chat.Command) {
	t.Helper()
	for _, cmd := range cmds {
		if err := h.Handle(t.Context(), cmd); err != nil {
			t.Fatalf("handle %s: %v", cmd.Key, err)
		}
	}
}

func statePath(t *testing.T) string { return filepath.Join(t.TempDir(), "state.db") }

func TestACommandTwiceIsOneJob(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	runs, admitted := 0, 0
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: func(cmd chat.Command) ([]deploy.Target, error) { admitted++; return onApp(cmd) },
		run: func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error) {
			mu.Lock()
			defer mu.Unlock()
			runs++
			return chat.Message{Title: "well"}, nil
		},
	}})
	h.start(t)
	h.handle(t, command("k1", "podinfo"), command("k1", "podinfo"))
	j := <-h.ended
	h.handle(t, command("k1", "podinfo"), command("k2", "other"))
	<-h.ended
	if runs != 2 || admitted != 2 {
		t.Errorf("%d runs of %d admitted commands, want 2 of 2", runs, admitted)
	}
	closing := h.replies.get("job/" + string(j.ID) + "/closing")
	if closing.Title != "well" || !closing.Final || closing.By != "U1" {
		t.Errorf("closing message is %+v", closing)
	}
	stored, err := h.jobs.Get(t.Context(), j.ID)
	if err != nil || stored.Outcome != job.Done || stored.Note != "well" {
		t.Errorf("row is %+v, %v", stored, err)
	}
}

func TestOneTargetOneAtATimeInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var order []string
	busy := map[string]int{}
	both := make(chan struct{})
	var meet sync.Once
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(ctx context.Context, cmd chat.Command, _ *job.Job, _ func(context.Context) error) (chat.Message, error) {
			app := string(cmd.Args.App)
			mu.Lock()
			order = append(order, cmd.Key)
			if busy[app]++; busy[app] > 1 {
				t.Errorf("%s runs while another one of %s does", cmd.Key, app)
			}
			if busy["a"] == 1 && busy["b"] == 1 {
				meet.Do(func() { close(both) })
			}
			mu.Unlock()
			select {
			case <-both: // a and b run side by side, or this never ends
			case <-ctx.Done():
			}
			mu.Lock()
			defer mu.Unlock()
			busy[app]--
			return chat.Message{Title: "done"}, nil
		},
	}})
	h.handle(t, command("a1", "a"), command("a2", "a"), command("a3", "a"), command("b1", "b"))
	h.start(t)
	for range 4 {
		<-h.ended
	}
	var ofA []string
	for _, k := range order {
		if strings.HasPrefix(k, "a") {
			ofA = append(ofA, k)
		}
	}
	if got := strings.Join(ofA, " "); got != "a1 a2 a3" {
		t.Errorf("jobs of a ran as %s", got)
	}
}

func TestAJobLeftBehindGoesOnWhereItsRowSays(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	reached := make(chan struct{})
	first := build(t, path, Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(ctx context.Context, _ chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
			j.Step = "half-way"
			if err := save(ctx); err != nil {
				return chat.Message{}, err
			}
			close(reached)
			<-ctx.Done()
			return chat.Message{}, ctx.Err()
		},
	}})
	stop := first.start(t)
	first.handle(t, command("k", "podinfo"))
	<-reached
	stop()
	left, err := first.jobs.Unfinished(t.Context())
	if err != nil || len(left) != 1 || left[0].Step != "half-way" {
		t.Fatalf("left behind: %+v, %v", left, err)
	}

	second := New(first.Options)
	second.routes["promote"] = Route{Work: work{
		admit: onApp,
		run: func(_ context.Context, cmd chat.Command, j *job.Job, _ func(context.Context) error) (chat.Message, error) {
			if j.Step != "half-way" || j.Attempts != 2 || cmd.Key != "k" || cmd.User != "U1" {
				return chat.Message{}, errors.New("resumed with the wrong row")
			}
			return chat.Message{Title: "resumed"}, nil
		},
	}}
	h := first
	h.Dispatcher = second
	h.start(t)
	if j := <-h.ended; j.Outcome != job.Done || j.Note != "resumed" {
		t.Errorf("ended as %+v", j)
	}
}

func TestOutcomesFollowFromFaults(t *testing.T) {
	t.Parallel()
	tries := 0
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(_ context.Context, cmd chat.Command, _ *job.Job, _ func(context.Context) error) (chat.Message, error) {
			switch cmd.Key {
			case "panics":
				panic("nil map")
			case "unavailable":
				if tries++; tries < 3 {
					return chat.Message{}, fault.Newf(fault.Unavailable, "no answer")
				}
				return chat.Message{Title: "at last"}, nil
			case "own words":
				return chat.Message{Title: "my words"}, fault.Newf(fault.Failed, "not healthy")
			}
			return chat.Message{}, fault.Newf(fault.Kind(cmd.Key), "because")
		},
	}})
	h.start(t)
	for key, want := range map[string]struct {
		outcome job.Outcome
		note    string
	}{
		"refused":     {job.Refused, "explained: because"},
		"already":     {job.Done, "explained: because"},
		"ambiguous":   {job.Refused, "explained: because"},
		"failed":      {job.Failed, "explained: because"},
		"superseded":  {job.Superseded, "explained: because"},
		"expired":     {job.Expired, "explained: because"},
		"panics":      {job.Failed, "explained: handler panicked: nil map"},
		"unavailable": {job.Done, "at last"},
		"own words":   {job.Failed, "my words"},
	} {
		h.handle(t, command(key, key))
		j := <-h.ended
		if j.Outcome != want.outcome || !strings.HasPrefix(j.Note, want.note) {
			t.Errorf("%s ended as %s, %q; want %s, %q", key, j.Outcome, j.Note, want.outcome, want.note)
		}
	}
}

func TestRefusalsLeaveNoRow(t *testing.T) {
	t.Parallel()
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: func(cmd chat.Command) ([]deploy.Target, error) {
			if cmd.Key == "unknown" {
				return nil, fault.Newf(fault.NotFound, "no such app")
			}
			return onApp(cmd)
		},
	}}, Route{Verb: "list", Query: query(func(chat.Command) (chat.Message, error) { panic("list") })})
	h.Policy = NewPolicy(gate.Rules{Changes: []chat.Verb{"promote"}}, newWitnesses().all())
	for _, c := range []struct {
		cmd  chat.Command
		kind fault.Kind
	}{
		{command("unknown", "x"), fault.NotFound},
		{command("denied", "x"), fault.Denied},
		{chat.Command{Key: "v", Verb: "fly"}, fault.Invalid},
		{chat.Command{Key: "p", Verb: "list"}, fault.Internal},
	} {
		if err := h.Handle(t.Context(), c.cmd); !fault.Is(err, c.kind) {
			t.Errorf("%s: %v, want %s", c.cmd.Key, err, c.kind)
		}
	}
	h.Policy = NewPolicy(gate.Rules{}, newWitnesses().all())
	h.Waiting = 2
	h.handle(t, command("1", "a"), command("2", "a"))
	if err := h.Handle(t.Context(), command("3", "a")); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "2 jobs wait") {
		t.Errorf("a third waiting job: %v", err)
	}
	if rows, err := h.jobs.Recent(t.Context(), 10); err != nil || len(rows) != 2 {
		t.Errorf("%d rows, %v; want 2", len(rows), err)
	}
}
