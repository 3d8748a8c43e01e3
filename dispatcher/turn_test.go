package dispatcher

import (
	"context"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// TestWhoWaitsForATurnIsTold, and whoever does not is told nothing.
func TestWhoWaitsForATurnIsTold(t *testing.T) {
	t.Parallel()
	h := build(t, statePath(t), Route{Verb: "promote", Work: work{
		admit: onApp,
		run: func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error) {
			return chat.Message{Title: "done"}, nil
		},
	}})
	h.handle(t, command("a1", "a"), command("a2", "a"), command("b1", "b"))
	h.running = h.Workers
	h.handle(t, command("c1", "c"))
	told := map[string]string{}
	for _, key := range []string{"a1", "a2", "b1", "c1"} {
		j, known, err := h.jobs.ByKey(t.Context(), key)
		if err != nil || !known {
			t.Fatal(known, err)
		}
		told[key] = strings.Join(h.replies.get("job/"+string(j.ID)+"/status").Lines, " ")
	}
	if told["a1"] != "" || told["b1"] != "" || !strings.HasPrefix(told["a2"], "It waits for its turn: another job there is first.") ||
		!strings.HasPrefix(told["c1"], "It waits for its turn: ferry works on as many jobs as it does at once.") {
		t.Errorf("told %q", told)
	}
}
