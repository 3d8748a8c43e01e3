package dispatcher

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// lingering is a store that takes its time with outcomes.
type lingering struct {
	Store
	told, stores chan struct{}
}

func (l lingering) Save(ctx context.Context, j *job.Job) error {
	if j.Ended() {
		close(l.told)
		<-l.stores
	}
	return l.Store.Save(ctx, j)
}

// TestARetryOfAJobThatWasJustToldToHaveEnded waits until it has.
func TestARetryOfAJobThatWasJustToldToHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		var h house
		h = build(t, filepath.Join(t.TempDir(), "state.db"), Route{Verb: "promote", Work: work{onApp, func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error) {
			tries++
			return chat.Message{}, fault.Newf(fault.Failed, "it failed")
		}}}, Route{Verb: "retry", Again: func(ctx context.Context, cmd chat.Command) (chat.Command, error) {
			j, err := h.jobs.Get(ctx, job.ID(cmd.Args.Job))
			if err != nil || !j.Ended() {
				return cmd, fault.Newf(fault.Refused, "it is still under way")
			}
			return command("k2", "podinfo"), nil
		}})
		slow := lingering{h.jobs, make(chan struct{}), make(chan struct{})}
		h.Store = slow
		stop := h.start(t)
		h.handle(t, command("k1", "podinfo"))
		<-slow.told
		j, _, err := h.jobs.ByKey(t.Context(), "k1")
		if err != nil {
			t.Fatal(err)
		}
		if m := h.replies.get("job/" + string(j.ID) + "/closing"); m.Title == "" {
			t.Error("it was not told")
		}
		again := make(chan error, 1)
		go func() {
			again <- h.Handle(t.Context(), chat.Command{Key: "r", User: "U1", Verb: "retry", Args: chat.Args{Job: chat.Word(j.ID)}})
		}()
		synctest.Wait()
		h.Store = h.jobs
		close(slow.stores)
		if err := <-again; err != nil {
			t.Fatalf("retry: %v", err)
		}
		<-h.ended
		<-h.ended
		stop()
		if tries != 2 || len(h.ending) != 0 {
			t.Errorf("%d tries, %d are ending", tries, len(h.ending))
		}
	})
}
