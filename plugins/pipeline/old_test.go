package pipeline_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows"
	"ferry/plugins/rows/rowstest"
)

// older has the rows of a store be as a ferry wrote them that did not know of which of its
// problems people were told.
func older(t *testing.T, disk *rowstest.Memory) {
	t.Helper()
	store := disk.Open(0, false, nil)
	for _, key := range disk.Keys("event/incident/") {
		r, _, err := store.Get(t.Context(), key)
		var row map[string]any
		if err == nil {
			err = json.Unmarshal(r.Value, &row)
		}
		if err != nil {
			t.Fatal(err)
		}
		delete(row, "held")
		for _, p := range row["problems"].([]any) {
			delete(p.(map[string]any), "known")
		}
		raw, err := json.Marshal(row)
		if err == nil {
			err = store.Commit(t.Context(), rows.Txn{Put: []rows.Row{{Key: key, Value: raw}}})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestAnOlderStore: what was told before is told again as what still is so, and is no
// news.
func TestAnOlderStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		o := outages(t, 0)
		o.Route.Timing.RepeatInterval = time.Hour
		o.Store = disk.Open(0, false, nil)
		told(t, o, &pipelinetest.Sink{}, time.Minute, after(time.Second, "p1"))
		older(t, &disk)
		o.Store = disk.Open(0, false, nil)
		if got := told(t, o, &pipelinetest.Sink{}, 150*time.Minute); strings.Join(got, ", ") != "59m6s firing 1 repeat 1, 1h59m6s firing 1 repeat 2" {
			t.Errorf("told %s", got)
		}
	})
}
