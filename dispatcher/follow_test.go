package dispatcher

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// causing is a handler of promotions and rollbacks: a promotion of the version "bad"
// makes a rollback before it ends, once told to.
type causing struct {
	h     *house
	began chan string
	goOn  chan struct{}
	mu    sync.Mutex
	order []string
}

func (c *causing) run(ctx context.Context, cmd chat.Command, j *job.Job, _ func(context.Context) error) (chat.Message, error) {
	c.mu.Lock()
	c.order = append(c.order, cmd.Key)
	c.mu.Unlock()
	if cmd.Args.Version != "bad" {
		return chat.Message{Title: "done"}, nil
	}
	c.began <- cmd.Key
	select {
	case <-c.goOn:
	case <-ctx.Done():
		return chat.Message{}, ctx.Err()
	}
	for range 2 { // told twice, made once
		if _, err := c.h.Follow(ctx, back(cmd, j), j.ID, json.RawMessage(`{"known":true}`)); err != nil {
			return chat.Message{}, err
		}
	}
	return chat.Message{Title: "failed"}, fault.New(fault.Failed, "failed", "")
}

func back(cmd chat.Command, j *job.Job) chat.Command {
	return chat.Command{Key: "job/" + string(j.ID) + "/rollback", Verb: "rollback", User: "ferry", Cause: string(j.ID), Args: chat.Args{App: cmd.Args.App}}
}

func (c *causing) routes() []Route {
	w := work{admit: onApp, run: c.run}
	return []Route{{Verb: "promote", Work: w}, {Verb: "rollback", Work: w}}
}

func bad(key string) chat.Command {
	cmd := command(key, "podinfo")
	cmd.Args.Version = "bad"
	return cmd
}

// TestWhatFollowsGoesFirst has other promotions wait for the target of one that fails.
func TestWhatFollowsGoesFirst(t *testing.T) {
	t.Parallel()
	c := &causing{began: make(chan string, 10), goOn: make(chan struct{})}
	h := build(t, statePath(t), c.routes()...)
	c.h = &h
	h.Waiting = 2 // and it is full
	h.start(t)
	h.handle(t, bad("bad"))
	soon(t, "the bad one", c.began)
	h.handle(t, command("next", "podinfo"), command("last", "podinfo"))
	close(c.goOn)
	var followed *job.Job
	for range 4 {
		if j := soon(t, "an end", h.ended); j.After != "" {
			followed = j
		}
	}
	first, err := json.Marshal(c.order[:2])
	if err != nil || len(c.order) != 4 || string(first) != `["bad","job/`+string(followed.After)+`/rollback"]` || !slices.Equal(c.order[2:], []string{"next", "last"}) {
		t.Errorf("they ran as %q", c.order)
	}
	if string(followed.Data) != `{"known":true}` {
		t.Errorf("its row has %s", followed.Data)
	}
}

// TestWhatFollowsGoesFirstAfterARestart: the process ends after the rollback was made
// and before the failed job got its outcome.
func TestWhatFollowsGoesFirstAfterARestart(t *testing.T) {
	t.Parallel()
	path := statePath(t)
	c := &causing{began: make(chan string, 10), goOn: make(chan struct{})}
	t.Run("before", func(t *testing.T) {
		h := build(t, path, c.routes()...)
		c.h = &h
		stop := h.start(t)
		h.handle(t, bad("bad"))
		soon(t, "the bad one", c.began)
		h.handle(t, command("next", "podinfo"))
		all, err := h.jobs.Unfinished(t.Context())
		if err != nil || len(all) != 2 {
			t.Fatal(all, err)
		}
		if _, err := h.Follow(t.Context(), back(bad("bad"), all[0]), all[0].ID, nil); err != nil {
			t.Fatal(err)
		}
		stop()
	})
	c.order = nil
	h := build(t, path, c.routes()...)
	c.h = &h
	close(c.goOn)
	h.start(t)
	for range 3 {
		soon(t, "an end", h.ended)
	}
	if len(c.order) != 3 || c.order[0] != "bad" || c.order[2] != "next" {
		t.Errorf("they ran as %q", c.order)
	}
}

func TestOrdered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows []job.Job
		want []job.ID
	}{
		{[]job.Job{{ID: "a"}, {ID: "b"}, {ID: "r", After: "a"}}, []job.ID{"a", "r", "b"}},
		{[]job.Job{{ID: "b"}, {ID: "r", After: "ended"}}, []job.ID{"r", "b"}},
		{[]job.Job{{ID: "a"}, {ID: "b"}, {ID: "w", After: "b"}, {ID: "r", After: "w"}}, []job.ID{"a", "b", "w", "r"}},
		{[]job.Job{{ID: "b"}, {ID: "w", After: "ended"}, {ID: "r", After: "w"}}, []job.ID{"w", "r", "b"}},
		{nil, nil},
	} {
		var rows []*job.Job
		for i := range c.rows {
			rows = append(rows, &c.rows[i])
		}
		var got []job.ID
		for _, j := range ordered(rows) {
			got = append(got, j.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
}

// TestNobodyGivesFerrysCommands: what comes in by Handle is a person's, whatever it
// says of itself, and Follow takes none of those.
func TestNobodyGivesFerrysCommands(t *testing.T) {
	t.Parallel()
	c := &causing{}
	h := build(t, statePath(t), append(c.routes(), Route{Verb: "watch", Work: work{admit: onApp, run: c.run}, Apart: true})...)
	forged := command("forged", "podinfo")
	forged.Cause = "j1"
	if err := h.Handle(t.Context(), forged); !fault.Is(err, fault.Denied) {
		t.Errorf("a command with a cause: %v", err)
	}
	watch := command("watch", "podinfo")
	watch.Verb = "watch"
	if err := h.Handle(t.Context(), watch); !fault.Is(err, fault.Invalid) {
		t.Errorf("a command that only ferry gives: %v", err)
	}
	if _, err := h.Follow(t.Context(), command("k", "podinfo"), "j1", nil); err == nil {
		t.Error("a command without a cause follows")
	}
	if rows, err := h.jobs.Recent(t.Context(), 10); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestAHoldStopsWhatFollows before there is a row of it; a role and a freeze do not.
func TestAHoldStopsWhatFollows(t *testing.T) {
	t.Parallel()
	c := &causing{}
	h := build(t, statePath(t), c.routes()...)
	w := newWitnesses()
	w.silent = fault.New(fault.Unavailable, "Slack does not answer", "")
	r := gate.Rules{Changes: []chat.Verb{"promote", "rollback"}, Gated: []chat.Verb{"promote", "rollback"}}
	h.Policy = NewPolicy(r, w.all())
	w.held = []deploy.Hold{{Target: target("prod", "apps", "podinfo"), By: "U-x", Reason: "the migration"}}
	j := &job.Job{ID: "j1"}
	if _, err := h.Follow(t.Context(), back(bad("bad"), j), "j1", nil); !fault.Is(err, fault.Refused) {
		t.Errorf("held: %v", err)
	}
	if rows, err := h.jobs.Recent(t.Context(), 10); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	w.held = nil
	if _, err := h.Follow(t.Context(), back(bad("bad"), j), "j1", nil); err != nil {
		t.Errorf("nothing stands in the way, and nobody has to be looked up: %v", err)
	}
}

// TestAWatchTakesNobodysPlace: one worker, a watch that runs, and others of its target.
// Its end is quiet.
func TestAWatchTakesNobodysPlace(t *testing.T) {
	t.Parallel()
	began, over := make(chan string, 10), make(chan struct{})
	w := work{admit: onApp, run: func(ctx context.Context, cmd chat.Command, j *job.Job, _ func(context.Context) error) (chat.Message, error) {
		began <- cmd.Key
		if cmd.Verb == "promote" {
			return chat.Message{Title: "done"}, nil
		}
		select {
		case <-over:
			j.Note = "it held"
			return chat.Message{}, &job.Quiet{Outcome: job.Done}
		case <-ctx.Done():
			return chat.Message{}, ctx.Err()
		}
	}}
	h := build(t, statePath(t), Route{Verb: "promote", Work: w}, Route{Verb: "watch", Work: w, Apart: true})
	h.Workers = 1
	h.start(t)
	for _, key := range []string{"w1", "w2"} {
		cmd := command(key, "podinfo")
		cmd.Verb, cmd.Cause = "watch", "j1"
		if j, err := h.Follow(t.Context(), cmd, "j1", nil); err != nil || len(j.Queues) != 0 {
			t.Fatal(j, err)
		}
		soon(t, "a watch", began)
	}
	h.handle(t, command("k1", "podinfo"), command("k2", "podinfo"))
	for range 2 {
		soon(t, "a promotion", began)
		soon(t, "its end", h.ended)
	}
	close(over)
	for range 2 {
		j := soon(t, "the end of a watch", h.ended)
		if j.Outcome != job.Done || j.Note != "it held" || h.replies.get("job/"+string(j.ID)+"/closing").Title != "" {
			t.Errorf("it ended as %+v, with %+v", j, h.replies.get("job/"+string(j.ID)+"/closing"))
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running != 0 {
		t.Errorf("%d places are taken", h.running)
	}
}

// TestWhatFollowsAWatchBeginsWhenThatHasEnded: there is no queue that both want.
func TestWhatFollowsAWatchBeginsWhenThatHasEnded(t *testing.T) {
	t.Parallel()
	over, order := make(chan struct{}), make(chan string, 10)
	var h house
	w := work{admit: onApp, run: func(ctx context.Context, cmd chat.Command, j *job.Job, _ func(context.Context) error) (chat.Message, error) {
		order <- cmd.Key
		if cmd.Verb != "watch" {
			return chat.Message{Title: "done"}, nil
		}
		_, err := h.Follow(ctx, back(cmd, j), j.ID, nil)
		order <- "followed"
		<-over
		return chat.Message{Title: "it fell over"}, err
	}}
	h = build(t, statePath(t), Route{Verb: "rollback", Work: w}, Route{Verb: "promote", Work: w}, Route{Verb: "watch", Work: w, Apart: true})
	h.start(t)
	watch := command("w", "podinfo")
	watch.Verb, watch.Cause = "watch", "j1"
	if _, err := h.Follow(t.Context(), watch, "j1", nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		soon(t, "the watch", order)
	}
	h.handle(t, command("later", "podinfo"), command("other", "other"))
	if key := soon(t, "another target", order); key != "other" {
		t.Errorf("%s began", key)
	}
	soon(t, "its end", h.ended)
	close(over)
	if j := soon(t, "the end of the watch", h.ended); j.Verb != "watch" {
		t.Errorf("%s ended first", j.Title)
	}
	if first, then := soon(t, "a start", order), soon(t, "a start", order); first == "later" || then != "later" {
		t.Errorf("%s, then %s", first, then)
	}
	for range 2 {
		soon(t, "an end", h.ended)
	}
}
