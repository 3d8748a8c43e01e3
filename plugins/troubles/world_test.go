package troubles_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/plugins/host"
	"ferry/plugins/match"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/troubles"
)

// world is what ferry sees, and what outlives it.
type world struct {
	disk   rowstest.Memory
	chat   pipelinetest.Sink // hears of ferry's own troubles
	hook   pipelinetest.Sink // hears of all else
	source pipelinetest.Source
	// own is where ferry's own troubles lead; the zero value to the chat.
	own pipeline.Route
	// every leads each event to the hook by itself; off is alerts.own.off.
	every, off bool

	mu       sync.Mutex
	clusters []deploy.ClusterState
	plugins  []host.State
}

// Clusters implements troubles.Clusters.
func (w *world) Clusters() []deploy.ClusterState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]deploy.ClusterState(nil), w.clusters...)
}

// States implements troubles.Plugins.
func (w *world) States() []host.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]host.State(nil), w.plugins...)
}

func (w *world) set(fn func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fn()
}

// live runs ferry until it is killed at the n-th operation of its store (0 for never),
// or for so long. While it runs fn does what it likes with the pipeline.
func (w *world) live(t *testing.T, n int, after bool, most time.Duration, fn func(*pipeline.Pipeline)) (killed bool, ops int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	sinks := []*pipelinetest.Sink{&w.chat, &w.hook}
	for _, s := range sinks {
		s.Dead(false)
	}
	store := w.disk.Open(n, after, func() {
		killed = true
		for _, s := range sinks {
			s.Dead(true)
		}
		cancel()
	})
	ms, err := match.Parse("source=" + event.Ferry)
	if err != nil {
		t.Fatal(err)
	}
	own, source := w.own, &troubles.Source{}
	if own.Match = ms; own.Receiver == "" {
		own.Receiver = "chat"
	}
	root := pipeline.Route{Receiver: "ops", Timing: pipeline.Timing{RepeatInterval: -1}, Routes: []pipeline.Route{own}}
	if w.every {
		root.Routes = append(root.Routes, pipeline.Route{GroupBy: []string{pipeline.Every}})
	}
	p, err := pipeline.New(pipeline.Options{
		Store: store, Sources: []pipeline.Binding{{Name: "test", Source: &w.source}, {Name: event.Ferry, Source: source}},
		Route: root,
		Receivers: []pipeline.Receiver{
			{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: &w.chat}}},
			{Name: "ops", Sinks: []pipeline.Integration{{Name: "hook", Sink: &w.hook}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !w.off {
		source.Sinks, source.Plugins, source.Clusters = p, w, w
	}
	var doing sync.WaitGroup
	if fn != nil {
		doing.Go(func() { fn(p) })
	}
	if err := p.Run(ctx); err != nil && !killed {
		t.Fatalf("the pipeline ended: %v", err)
	}
	doing.Wait()
	synctest.Wait()
	return killed, store.Ops()
}

// heard is what a sink was told, as "state title" with the number of its incident.
func heard(s *pipelinetest.Sink) string {
	numbers := map[string]int{}
	var out []string
	for _, d := range s.Once() {
		if numbers[d.Key] == 0 {
			numbers[d.Key] = len(numbers) + 1
		}
		out = append(out, fmt.Sprintf("%d %s", numbers[d.Key], d.Title))
	}
	return strings.Join(out, "; ")
}

func stale(since time.Time) deploy.ClusterState {
	return deploy.ClusterState{Name: "prod", Stale: true, Since: since, Reason: "no connection: connection refused"}
}
