// Package troubles is the source of events by which ferry tells of its own troubles:
// what it gave up delivering (DeliveriesGivenUp), sinks that fail (SinkFailing), plugins
// that do not run (PluginNotRunning), and clusters that it cannot see
// (ClusterUnreachable).
//
// It looks at what others know already, in memory, and holds that against what it told.
// For each thing that it looks at there are three answers: it is in trouble, it is well,
// or neither is sure yet, because a trouble has to last before anybody is told and some
// are over only after a while without. What is unsure stays as it was told.
//
// What was told is the cursor, which is stored in one transaction with the event that
// changed it. So a trouble is told once and ended once, whenever ferry dies; one that
// passed while ferry was down is ended at its next start.
//
// What tells of a trouble goes the way of all events. Where that way leads to what is in
// trouble it waits there, or is given up there, which is no trouble to tell of.
package troubles

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/plugins/host"
	"ferry/plugins/pipeline"
)

// The reasons of events.
const (
	DeliveriesGivenUp  = "DeliveriesGivenUp"
	SinkFailing        = "SinkFailing"
	PluginNotRunning   = "PluginNotRunning"
	ClusterUnreachable = "ClusterUnreachable"
)

// Sinks tell how deliveries go: the pipeline.
type Sinks interface {
	Sinks() []pipeline.SinkState
	Given(ctx context.Context) (map[string]pipeline.Given, error)
}

// Plugins tell what each plugin is doing: the host.
type Plugins interface{ States() []host.State }

// Clusters tell which are seen: the fleet.
type Clusters interface{ Clusters() []deploy.ClusterState }

// Source implements pipeline.Source. Whom it looks at may be set until it is opened; of
// what is nil it ends what was told of it.
type Source struct {
	Sinks    Sinks
	Plugins  Plugins
	Clusters Clusters
	// Every is how often it looks; 10 s.
	Every time.Duration
	Log   *slog.Logger
}

// subject is what may be in trouble. It is part of what is stored.
type subject struct {
	Reason string `json:"reason"`
	Kind   string `json:"kind,omitempty"` // of a plugin
	Name   string `json:"name"`
}

func (s subject) compare(o subject) int {
	return cmp.Or(cmp.Compare(s.Reason, o.Reason), cmp.Compare(s.Kind, o.Kind), cmp.Compare(s.Name, o.Name))
}

// told is what people were told of a subject.
type told struct {
	subject
	Count int `json:"count,omitempty"`
}

// finding is what is seen of a subject.
type finding struct {
	subject
	// sure is true if it is in trouble, and false if that cannot be said yet. What is
	// well is not found.
	sure  bool
	text  string
	count int
}

// looker looks at all subjects of one reason.
type looker interface {
	look(ctx context.Context, now time.Time) ([]finding, error)
}

func (s *Source) lookers() map[string]looker {
	out := map[string]looker{}
	if s.Sinks != nil {
		out[DeliveriesGivenUp] = dead{s.Sinks}
		out[SinkFailing] = &failing{from: s.Sinks, marks: map[string]mark{}}
	}
	if s.Plugins != nil {
		out[PluginNotRunning] = &idle{from: s.Plugins, lives: map[subject]*life{}}
	}
	if s.Clusters != nil {
		out[ClusterUnreachable] = unseen{s.Clusters}
	}
	return out
}

// Stream implements pipeline.Source.
func (s *Source) Stream(ctx context.Context, cursor string, emit func(event.Event) error) error {
	w := &watch{lookers: s.lookers(), told: map[subject]told{}, failed: map[string]bool{}, emit: emit, log: s.Log}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	w.recall(cursor)
	ticker := time.NewTicker(cmp.Or(s.Every, 10*time.Second))
	defer ticker.Stop()
	for {
		if err := w.look(ctx, time.Now()); err != nil {
			return err
		}
		if len(w.lookers) == 0 {
			ticker.Stop()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// watch is one stream.
type watch struct {
	lookers map[string]looker
	told    map[subject]told
	failed  map[string]bool // reasons that could not be looked at
	emit    func(event.Event) error
	log     *slog.Logger
}

// recall reads a cursor. One that makes no sense counts as none: what is in trouble is
// told anew, and what is not any more stays open.
func (w *watch) recall(cursor string) {
	var all []told
	if cursor == "" {
		return
	}
	if err := json.Unmarshal([]byte(cursor), &all); err != nil {
		w.log.Warn("what was told of ferry's own troubles cannot be read; it is told anew", "error", err)
	}
	for _, t := range all {
		w.told[t.subject] = t
	}
}

// look tells what is new, and what is over.
func (w *watch) look(ctx context.Context, now time.Time) error {
	found, failed := map[subject]finding{}, map[string]bool{}
	for reason, l := range w.lookers {
		all, err := l.look(ctx, now)
		if err != nil {
			failed[reason] = true
			if !w.failed[reason] && ctx.Err() == nil {
				w.log.Warn("one of ferry's own troubles cannot be looked at", "reason", reason, "error", err)
			}
		}
		for _, f := range all {
			found[f.subject] = f
		}
	}
	w.failed = failed
	for _, s := range slices.SortedFunc(maps.Keys(w.told), subject.compare) {
		if _, still := found[s]; still || failed[s.Reason] {
			continue
		}
		delete(w.told, s)
		if err := w.tell(finding{subject: s}, true, now); err != nil {
			return err
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(found), subject.compare) {
		f := found[s]
		before, known := w.told[s]
		if !f.sure {
			continue
		}
		w.told[s] = told{s, f.count}
		if known && f.count <= before.Count {
			continue // it became less: that is no news
		}
		if err := w.tell(f, false, now); err != nil {
			return err
		}
	}
	return nil
}

// tell emits an event, with all that was told by then as its cursor.
func (w *watch) tell(f finding, over bool, now time.Time) error {
	all := slices.SortedFunc(maps.Values(w.told), func(a, b told) int { return a.compare(b.subject) })
	cursor, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode what was told: %w", err)
	}
	e := f.event()
	e.ID, e.Cursor, e.At, e.Resolved = event.ID(fmt.Sprintf("%s@%d", e.About, now.UnixNano())), string(cursor), now, over
	return w.emit(e)
}
