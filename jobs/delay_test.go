package jobs

import (
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestAStatusTellsWhatDoesNotAnswer, at the step at which it is, and no more once it
// answers again.
func TestAStatusTellsWhatDoesNotAnswer(t *testing.T) {
	w := newWorld()
	w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
	b := newBench(t, w)
	w.refuse = fault.Newf(fault.Unavailable, "GitHub did not answer")
	if _, err := b.once(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Fatal(err)
	}
	running := func() string {
		for _, s := range w.put["job/j1/status"].Steps {
			if s.State == chat.StepRunning {
				return s.Text
			}
		}
		return ""
	}
	if got := running(); !strings.HasSuffix(got, ": GitHub did not answer; ferry goes on trying") {
		t.Errorf("it waits for %q", got)
	}
	if got := strings.Count(running(), "goes on trying"); got != 1 {
		t.Errorf("told %d times", got)
	}
	// Another attempt that comes no further takes it back at no moment.
	bare := 0
	w.watch = func(m chat.Message) {
		for _, s := range m.Steps {
			if s.State == chat.StepRunning && !strings.Contains(s.Text, "goes on trying") {
				bare++
			}
		}
	}
	if _, err := b.once(t.Context()); !fault.Is(err, fault.Unavailable) || bare > 0 {
		t.Errorf("the second attempt: %v, %d times without the reason", err, bare)
	}
	w.watch = nil
	w.refuse = nil
	if _, err := b.once(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, s := range w.put["job/j1/status"].Steps {
		if strings.Contains(s.Text, "goes on trying") {
			t.Errorf("in the end it says %q", s.Text)
		}
	}
}
