package dispatcher

import (
	"context"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// TestWhatIsSaidToAParkedJobWakesIt, also if it is said while the job looks: it looks
// again, at once, and is not to end by it.
func TestWhatIsSaidToAParkedJobWakesIt(t *testing.T) {
	t.Parallel()
	looks, verdicts := make(chan error, 9), make(chan error)
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(ctx context.Context, _ chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
			looks <- save(ctx)
			return chat.Message{Title: "done"}, <-verdicts
		},
	}})
	h.start(t)
	h.handle(t, command("k", "a"))
	park := &job.Park{Until: time.Now().Add(time.Hour)}
	look := func(what string) {
		t.Helper()
		if err := soon(t, what, looks); err != nil {
			t.Errorf("%s: a save fails: %v", what, err)
		}
	}
	nudge := func() {
		t.Helper()
		if err := h.Nudge(t.Context(), must(t, h, "k").ID); err != nil {
			t.Fatal(err)
		}
	}
	look("the first look")
	nudge() // while it looks
	verdicts <- park
	look("a look after what was said meanwhile")
	verdicts <- park
	select {
	case err := <-looks:
		t.Fatalf("it looks once more: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	nudge() // while it is parked
	look("a look after what was said to a row")
	verdicts <- nil
	if j := soon(t, "the end", h.ended); j.Outcome != job.Done || j.Attempts != 1 {
		t.Errorf("ended as %+v", j)
	}
}
