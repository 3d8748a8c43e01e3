package app

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/pipeline"
	"ferry/plugins/troubles"
	"ferry/storage/bolt"
)

// gone is a fleet whose only cluster has not answered for long.
type gone struct{}

func (gone) Clusters() []deploy.ClusterState {
	return []deploy.ClusterState{{Name: "prod", Stale: true, Since: time.Now().Add(-time.Hour), Reason: "it does not answer in time"}}
}

// TestFerryTellsOfItself goes from what the rooms know to ferry's output: by a route that asks
// for it, through filters, and not at all if that is off.
func TestFerryTellsOfItself(t *testing.T) {
	for name, c := range map[string]struct {
		more string
		want []string
	}{
		"on":       {"", []string{troubles.ClusterUnreachable, troubles.PluginNotRunning}},
		"filtered": {"  filters: [{keep: 'event.kind != \"Cluster\"', sources: [ferry]}]\n", []string{troubles.PluginNotRunning}},
		"off":      {"  own: {off: true}\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			text, _, _ := strings.Cut(alertConfig, "alerts:\n")
			c, want := c, c.want
			conf, err := alertsOf(t, text+"alerts:\n  route: {receiver: none, routes: [{matchers: [source=ferry], receiver: ops, group_by: [\"...\"]}]}\n"+
				"  receivers: {ops: {sinks: [{stdout: true}]}, none: {sinks: [{notifier: post}]}}\n"+c.more)
			if err != nil {
				t.Fatal(err)
			}
			out := make(outlines, 100)
			db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			a, err := newAlerts(t.Context(), conf, alertNeeds{kv: db, log: slog.New(slog.DiscardHandler), out: out, fleet: gone{}})
			if err != nil {
				t.Fatal(err)
			}
			h, err := host.New(host.Options{Dir: t.TempDir(), Pause: time.Hour, Bindings: []host.Binding{{Name: "lost", Kind: "executor", Find: func(context.Context) (host.File, error) {
				return host.File{Path: conf.Clusters[0].File, Checksum: strings.Repeat("0", 64)}, nil
			}}}})
			if err != nil {
				t.Fatal(err)
			}
			numbers := newMetrics(gone{}.Clusters)
			a.hosted(h, numbers)
			a.own.source.Every = 10 * time.Millisecond
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 2)
			go func() { done <- h.Run(ctx) }()
			go func() { done <- a.services()[0].run(ctx) }()
			var got []string
			end := time.Now().Add(time.Minute)
			if want == nil { // for what is not to come nothing can be waited for
				end = time.Now().Add(300 * time.Millisecond)
			}
			for (want == nil || len(got) < len(want)) && time.Now().Before(end) {
				time.Sleep(10 * time.Millisecond)
				got = append(got, reasonsIn(t, out)...)
			}
			cancel()
			if err := errors.Join(<-done, <-done); err != nil {
				t.Error(err)
			}
			slices.Sort(got) // two messages: which one arrives first is nobody's promise
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("printed: %v, want %v", got, want)
			}
			if n := a.sources["ferry"].taken.Load(); (n > 0) != (want != nil) {
				t.Errorf("%d events are counted", n)
			}
		})
	}
}

// reasonsIn are those of what was printed since.
func reasonsIn(t *testing.T, printed outlines) (out []string) {
	t.Helper()
	for {
		select {
		case line := <-printed:
			var n api.Notification
			if err := json.Unmarshal([]byte(line), &n); err != nil {
				t.Fatal(err)
			}
			out = append(out, n.Labels["reason"])
		default:
			return out
		}
	}
}

// TestTheEndOfOwnTroublePassesFilters: what was told before a filter took it out is ended
// all the same.
func TestTheEndOfOwnTroublePassesFilters(t *testing.T) {
	t.Parallel()
	nothing, err := pipeline.NewFilter(`event.source != "ferry"`, pipeline.Place{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for _, over := range []bool{false, true} {
		p := &pipeline.Parcel{Events: []event.Event{{Source: event.Ferry, Resolved: over}}}
		if err := (beginnings{pipeline.Chain{nothing}}).Exec(t.Context(), p); err != nil || (len(p.Events) == 1) != over {
			t.Errorf("over: %v: %d events pass, %v", over, len(p.Events), err)
		}
	}
}
