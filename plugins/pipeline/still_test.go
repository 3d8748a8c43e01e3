package pipeline_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
)

// TestWhatGoesOn for two days and is heard of every eight hours, whatever it says by then,
// is one message of one count, which ends when it does; without that nobody would know of
// it after a day, and without the mark it would count.
func TestWhatGoesOn(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	for name, c := range map[string]struct {
		first, still time.Duration // heard of first; then each
		mark         bool
		want         string
	}{
		"goes on":          {0, 8 * h, true, "2s firing 1; 47h0m0s resolved 1"},
		"was not heard of": {0, 0, true, "2s firing 1; 24h0m0s expired 1"},
		"is not marked":    {0, 20 * h, false, "2s firing 1; 20h0m0s firing 2; 40h0m0s firing 3; 47h0m0s resolved 3"},
		"is new":           {-1, 20 * h, true, "20h0m2s firing 1; 47h0m0s resolved 1"},
		"had expired":      {0, 30 * h, true, "2s firing 1; 24h0m0s expired 1; 30h0m2s firing 1; 47h0m0s resolved 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var history []pipelinetest.Timed
				at := time.Duration(0)
				say := func(when time.Duration, more ...func(*event.Event)) {
					history = append(history, after(when-at, "n1", more...))
					at = when
				}
				if c.first >= 0 {
					say(c.first)
				}
				for n := 1; c.still > 0 && time.Duration(n)*c.still < 47*h; n++ {
					say(time.Duration(n)*c.still, func(e *event.Event) {
						e.Still, e.Title, e.At = c.mark, fmt.Sprint("n1 is at ", n, " %"), began.Add(time.Duration(n)*c.still)
					})
				}
				say(47*h, resolved, func(e *event.Event) { e.At = began.Add(47 * h) })
				var chat pipelinetest.Sink
				o := pipeline.Options{Route: pipeline.Route{Timing: pipeline.Timing{RepeatInterval: -1}}}
				if got := strings.Join(told(t, o, &chat, 48*h, history...), "; "); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			})
		})
	}
}
