package dispatcher

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// TestWhoWaitsForPeopleTakesNoPlace has one worker, and a job that waits for
// people: others run meanwhile. After a restart it goes on waiting though the
// worker has something to do.
func TestWhoWaitsForPeopleTakesNoPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	began, merged, slow := make(chan string, 9), make(chan struct{}), make(chan struct{})
	handler := work{admit: onApp, run: func(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
		on := map[string]chan struct{}{"pull": merged, "slow": slow}[cmd.Key]
		if cmd.Key == "pull" {
			j.Waits = true
			if err := save(ctx); err != nil {
				return chat.Message{}, err
			}
		}
		began <- cmd.Key
		if on != nil {
			select {
			case <-on:
			case <-ctx.Done():
				return chat.Message{}, ctx.Err()
			}
		}
		j.Waits = false
		return chat.Message{Title: "done"}, save(ctx)
	}}
	soon := func(what string, got <-chan string) {
		t.Helper()
		select {
		case key := <-got:
			if key != what {
				t.Errorf("%s, want %s", key, what)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("%s does not come", what)
		}
	}
	begin := func(t *testing.T) house {
		h := build(t, path, Route{Verb: "promote", Work: handler})
		h.Workers = 1
		return h
	}
	tell := func(h house, key, app string) {
		t.Helper()
		if err := h.Handle(t.Context(), chat.Command{Key: key, Verb: "promote", Args: chat.Args{App: chat.Word(app)}}); err != nil {
			t.Fatal(err)
		}
	}

	t.Run("one worker", func(t *testing.T) { // its end closes the state file
		h := begin(t)
		h.start(t)
		for _, key := range []string{"pull", "a", "slow"} {
			tell(h, key, key)
			soon(key, began)
		}
	})
	h := begin(t)
	left, err := h.jobs.Unfinished(t.Context())
	if err != nil || len(left) != 2 || !left[0].Waits {
		t.Fatalf("left are %+v, %v", left, err)
	}
	h.adopt([]*job.Job{left[1], left[0]}) // the worker is taken first
	if got := h.next(); len(got) != 2 || h.running != 1 {
		t.Fatalf("%d start, %d run", len(got), h.running)
	}
	for _, j := range left {
		h.release(j)
	}
	if h.running != 0 || len(h.resting) != 0 {
		t.Errorf("%d run, %d rest in the end", h.running, len(h.resting))
	}
	h.start(t)
	for range 2 {
		<-began
	}
	close(merged)
	close(slow)
	for range 2 {
		<-h.ended
	}
	for _, key := range []string{"last", "later"} {
		tell(h, key, "pull")
		soon(key, began)
	}
}
