package pipeline_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
)

// TestAnEndThatSaysLittle: what says that a problem is over has none of the labels, the
// severity and the reason by which it was routed, grouped and made to inhibit others.
// It ends all of that, and the message keeps what was known.
func TestAnEndThatSaysLittle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const s = time.Second
		sick := func(e *event.Event) {
			e.Severity, e.Labels = event.Critical, map[string]string{"node": e.Name, "zone": "a"}
		}
		over := func(e *event.Event) {
			e.Resolved, e.Severity, e.Reason, e.Labels = true, event.Info, "Healthy", map[string]string{"zone": "b"}
		}
		about := func(e *event.Event) { e.About = event.About(e.Name + "/health") }
		pod := func(e *event.Event) { e.Kind, e.Reason, e.Labels = "Pod", "BackOff", map[string]string{"node": "n1"} }
		to := &pipelinetest.Sink{}
		lines := told(t, pipeline.Options{
			Route: pipeline.Route{
				Timing: pipeline.Timing{GroupWait: s, GroupInterval: 10 * s, RepeatInterval: -1},
				Routes: []pipeline.Route{{Match: matchers(t, "severity=critical"), GroupBy: []string{"cluster", "node"}}},
			},
			Inhibit: []pipeline.InhibitRule{{Source: matchers(t, "reason=NotReady"), Target: matchers(t, "kind=Pod"), Equal: []string{"node"}, KeepFiringFor: 3 * s}},
		}, to, 5*time.Minute, after(s, "n1", sick, about), after(s, "p1", pod), after(58*s, "n1", over, about))
		if want := []string{"2s firing 1", "1m0s resolved 1", "1m3s firing 1"}; !slices.Equal(lines, want) {
			t.Errorf("told: %q, want %q", lines, want)
		}
		for _, d := range to.Once() {
			if got := fmt.Sprint(d.Labels["node"], d.Labels["zone"]); d.State == string(event.Resolved) && got != "n1b" {
				t.Errorf("the end is of %q: %v", got, d.Labels)
			}
		}
	})
}
