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
	"ferry/plugins/rows/rowstest"
)

// stream is a second of bursts.
func stream() pipelinetest.Source {
	s := pipelinetest.Source{Began: time.Now()}
	for i := range 500 {
		after := time.Duration(0)
		if i%50 == 0 {
			after = 100 * time.Millisecond
		}
		s.History = append(s.History, pipelinetest.Timed{After: after, Event: event.Event{ID: event.ID(fmt.Sprint(i)), Name: fmt.Sprint("n", i), Title: "x"}})
	}
	return s
}

// TestPositionsRide demands that a stream costs a commit for each burst and not two, and
// that nothing is delivered again after a stop, whenever that comes.
func TestPositionsRide(t *testing.T) {
	for _, stop := range []int{105, 111, 112, 150, 211, 213, 400, 615, 950, 3000} {
		synctest.Test(t, func(t *testing.T) {
			var disk rowstest.Memory
			source, sink := stream(), &pipelinetest.Sink{}
			ops := 0
			for _, until := range []time.Duration{time.Duration(stop) * time.Millisecond, 3 * time.Second} {
				store := disk.Open(0, false, nil)
				flow(t, pipeline.Options{Store: store, Sources: []pipeline.Binding{{Name: "s", Source: &source}}}, sink, func(*pipeline.Pipeline) {
					time.Sleep(until)
				})
				ops += store.Ops()
			}
			if all, once := len(sink.All()), len(sink.Once()); all != 500 || once != 500 {
				t.Errorf("stopped after %d ms: %d deliveries of %d events", stop, all, once)
			}
			if ops > 44 { // one more for each burst where positions are written alone
				t.Errorf("stopped after %d ms: %d operations of the store", stop, ops)
			}
		})
	}
}

// TestPositionsDoNotRideForLong: what was delivered is known soon, also if nothing else
// is written.
func TestPositionsDoNotRideForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		source, s := stream(), &pipelinetest.Sink{}
		source.History = source.History[:50]
		store := disk.Open(0, false, nil)
		flow(t, pipeline.Options{Store: store, Sources: []pipeline.Binding{{Name: "s", Source: &source}}}, s, func(*pipeline.Pipeline) {
			time.Sleep(time.Second)
			synctest.Wait()
			for _, key := range disk.Keys("event/at/sink/") {
				r, ok, err := store.Get(t.Context(), key)
				if want := fmt.Sprintf(`{"batch":%d,`, len(disk.Keys("event/log/"))+1); err != nil || !ok || !strings.HasPrefix(string(r.Value), want) {
					t.Errorf("%s is %s, %v, want %s…", key, r.Value, err, want)
				}
			}
		})
	})
}
