package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
)

// TestReady waits for an executor that starts, and knows of one that does not.
func TestReady(t *testing.T) {
	t.Parallel()
	found := make(chan struct{})
	slow := animal("echo", api.KindExecutor)
	find := slow.Find
	slow.Find = func(ctx context.Context) (File, error) {
		select {
		case <-found:
		case <-ctx.Done():
		}
		return find(ctx)
	}
	h := run(t, Options{Bindings: []Binding{slow, animal("garbage", api.KindExecutor)}})
	for name, want := range map[string]string{
		"absent":  "there is no executor `absent`",
		"garbage": "the executor `garbage` was refused: it wrote",
	} {
		if name == "garbage" {
			wait(t, h, name, "refused", is(Refused))
		}
		if err := h.Ready(t.Context(), name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	impatient, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Ready(impatient, "echo"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before it runs: %v", err)
	}
	close(found)
	if err := h.Ready(t.Context(), "echo"); err != nil {
		t.Error(err)
	}
	if _, _, err := execute(t, h, "echo", "x"); err != nil {
		t.Error(err)
	}
}
