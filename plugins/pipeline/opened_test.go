package pipeline_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
)

// TestOpened: each delivery says since when something of its message may have been
// delivered, whatever state it is of, and that of a digest, too.
func TestOpened(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var chat pipelinetest.Sink
		history := workloads("w", 12, 100*time.Millisecond)
		worse := history[11]
		worse.After, worse.Event.ID = 10*time.Minute, "worse"
		o := pipeline.Options{Route: ten()}
		o.Route.Timing.RepeatInterval = time.Hour
		told(t, o, &chat, 3*time.Hour, append(history, worse)...)
		messages, storms := map[string]time.Time{}, 0
		for _, d := range chat.All() {
			if first, known := messages[d.Key]; known && !first.Equal(d.Opened) {
				t.Errorf("%s: opened at %s, before at %s", d.ID, d.Opened, first)
			}
			if since := d.Opened.Sub(began); since < 0 || since > time.Minute {
				t.Errorf("%s %q: opened after %s", d.ID, d.Title, since)
			}
			if strings.HasPrefix(d.Title, "Storm") {
				storms++
			}
			messages[d.Key] = d.Opened
		}
		if len(messages) != 11 || storms < 2 {
			t.Errorf("%d messages, %d states of a digest", len(messages), storms)
		}
	})
}
