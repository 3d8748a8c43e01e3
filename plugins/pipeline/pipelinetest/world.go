// Package pipelinetest has a world for tests of the pipeline: a source that goes on
// where it was, and sinks that remember all that reached them and fail as told. The
// world outlives the pipelines that are run in it and killed.
package pipelinetest

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"ferry/internal/event"
	"ferry/plugins/sink"
)

// Timed is an event and how long after the one before it it happens.
type Timed struct {
	After time.Duration
	Event event.Event
}

// Source tells a history once, as it happens; whoever reads it later gets what he
// missed at once. Its cursor is the number of events. Again is how many of those
// before the cursor it tells again, as a source that is read page by page does.
type Source struct {
	History []Timed
	Again   int
	Began   time.Time
}

// Stream implements pipeline.Source.
func (s *Source) Stream(ctx context.Context, cursor string, emit func(event.Event) error) error {
	n := 0
	if cursor != "" {
		at, err := strconv.Atoi(cursor)
		if err != nil {
			return err
		}
		n = max(0, at-s.Again)
	}
	due := s.Began
	for i, one := range s.History {
		due = due.Add(one.After)
		if i < n {
			continue
		}
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			return ctx.Err()
		}
		e := one.Event
		e.Cursor, e.At = strconv.Itoa(i+1), due
		if err := emit(e); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

// Sink remembers what reached it. A keyed one takes an ID once.
type Sink struct {
	// Fails, if set, decides before a delivery takes effect and after.
	Fails func(d sink.Delivery) (before, after error)
	// Refs makes it return where a message is.
	Refs bool

	mu    sync.Mutex
	dead  bool
	all   []sink.Delivery
	calls int
}

// ErrDown is what a sink says that fails.
var ErrDown = errors.New("the sink is down")

// Deliver implements sink.Sink.
func (s *Sink) Deliver(_ context.Context, d sink.Delivery) (sink.Receipt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return sink.Receipt{}, ErrDown // of a process that is no more
	}
	s.calls++
	var before, after error
	if s.Fails != nil {
		before, after = s.Fails(d)
	}
	if before != nil {
		return sink.Receipt{}, before
	}
	s.all = append(s.all, d)
	r := sink.Receipt{}
	if s.Refs {
		r.Ref = "ref of " + d.Key
	}
	return r, after
}

// Dead cuts the sink off, as if its caller was killed, or lets it be reached again.
func (s *Sink) Dead(dead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead = dead
}

// All returns what reached it, in that order, each as often as it did.
func (s *Sink) All() []sink.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sink.Delivery(nil), s.all...)
}

// Once returns what a sink that knows IDs would show: of each the first.
func (s *Sink) Once() (out []sink.Delivery) {
	seen := map[string]bool{}
	for _, d := range s.All() {
		if !seen[d.ID] {
			seen[d.ID] = true
			out = append(out, d)
		}
	}
	return out
}

// Calls is how often it was asked.
func (s *Sink) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}
