package troubles_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/plugins/host"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/sink"
)

// TestKilledAnywhere kills ferry before and after every operation of its store while
// everything it knows of goes wrong and gets well again. Each trouble must be one
// message, which is told once and ends once.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	ops := 0
	synctest.Test(t, func(t *testing.T) { ops = troubled(t, 0, false) })
	if ops < 20 {
		t.Fatalf("%d operations of the store: nothing happens", ops)
	}
	for n := 1; n <= ops; n++ {
		for _, after := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) { troubled(t, n, after) })
		}
	}
}

// troubled lives through an outage, and is killed at the n-th operation.
func troubled(t *testing.T, n int, after bool) int {
	began := time.Now()
	w := &world{clusters: []deploy.ClusterState{stale(began)}, plugins: []host.State{{Name: "events", Kind: "source", Status: host.Refused, Why: "wrong checksum"}}}
	w.source = pipelinetest.Source{History: many(2), Began: began}
	w.hook.Fails = func(d sink.Delivery) (error, error) {
		switch at := time.Since(began); {
		case strings.Contains(d.Title, "Thing 0"):
			return sink.Refused(errors.New("404 Not Found")), nil
		case at < 15*time.Minute:
			return pipelinetest.ErrDown, nil
		}
		return nil, nil
	}
	heals := time.AfterFunc(20*time.Minute, func() {
		w.set(func() {
			w.clusters[0].Stale, w.plugins[0] = false, host.State{Name: "events", Kind: "source", Status: host.Running}
		})
	})
	defer heals.Stop()
	const all = 30 * time.Minute
	killed, ops := w.live(t, n, after, all, nil)
	if killed {
		w.live(t, 0, false, all-time.Since(began), nil)
	}
	// What is given up is kept.
	want := map[string]string{
		noPlugin: "firing resolved", unseen: "firing resolved", givenUp: "firing", noHook: "firing resolved",
	}
	got, keys := map[string][]string{}, map[string]string{}
	for _, d := range w.chat.Once() {
		title := strings.TrimPrefix(d.Title, "Resolved: ")
		got[title] = append(got[title], d.State)
		if keys[title] == "" {
			keys[title] = d.Key
		}
		if keys[title] != d.Key {
			t.Errorf("killed at %d (after: %v): %s has two messages", n, after, title)
		}
	}
	for title, states := range want {
		if fmt.Sprint(got[title]) != "["+states+"]" {
			t.Errorf("killed at %d (after: %v): %s was %v, want %s", n, after, title, got[title], states)
		}
	}
	if len(got) != len(want) {
		t.Errorf("killed at %d (after: %v): told of %d things: %v", n, after, len(got), got)
	}
	return ops
}
