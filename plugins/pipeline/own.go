package pipeline

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// counts are what happened since the start.
type counts struct {
	delivered, retried, dead atomic.Int64
	// held is how much a feed has in its hands that failed.
	held atomic.Int64
	why  atomic.Pointer[string]
}

// failed counts a try that is followed by another one.
func (c *counts) failed(err error) {
	c.retried.Add(1)
	if err != nil {
		why := clip(err.Error(), maxText)
		c.why.Store(&why)
	}
}

func (c *counts) state(name string, waiting, stuck int) SinkState {
	s := SinkState{
		Sink: name, Delivered: c.delivered.Load(), Retried: c.retried.Load(), Dead: c.dead.Load(), Waiting: waiting + int(c.held.Load()), Stuck: stuck,
	}
	if why := c.why.Load(); why != nil {
		s.Why = *why
	}
	return s
}

// pass takes note of a further failure of a line, when so many others had arrived.
func (l *line) pass(delivered int64) {
	if l.tries > 0 && delivered != l.delivered {
		l.passed++
	}
	l.delivered = delivered
}

// mostPassed is how often others must arrive between two failures of one until it is that
// one which fails, and not the sink; a single time may be luck.
const mostPassed = 2

// stuck returns how many orders fail again and again while others arrive.
func (c *courier) stuck() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lines {
		if l.passed >= mostPassed {
			n++
		}
	}
	return n
}

// own reports whether events tell of nothing but ferry's own troubles.
func own(events []event.Event) bool {
	return len(events) > 0 && !slices.ContainsFunc(events, func(e event.Event) bool { return e.Source != event.Ferry })
}

// ends reports whether somebody will say when it is over: ferry, of its own troubles.
// Such an incident does not expire.
func (t *Trouble) ends() bool {
	return slices.ContainsFunc(t.Problems, func(p event.Problem) bool { return !p.Resolved && p.Source == event.Ferry })
}

// Given is what was given up of a sink.
type Given struct {
	// Count is how many deliveries are kept.
	Count int
	// Title, Why and At are of the last one.
	Title, Why string
	At         time.Time
}

// given remembers what was given up.
type given struct {
	moved atomic.Int64 // grows when some of it may be kept no more

	mu      sync.Mutex
	version int64 // of what is known; 0 for nothing
	bySink  map[string]Given
	looked  time.Time
	took    time.Duration
}

// lookRarely keeps reading of what was given up to a fiftieth of the time.
const lookRarely = 50

// Given returns what was given up by sink, those of which nothing is kept left out.
// What tells of ferry's own troubles does not count, so that nobody is told that he
// could not be told of what he could not be told. It costs nothing as long as nothing
// changes; where very much is kept, it may be some seconds old. The caller must not
// change it.
func (p *Pipeline) Given(ctx context.Context) (map[string]Given, error) {
	g := &p.given
	version := g.moved.Load() + 1
	for _, c := range p.couriers {
		version += c.count.dead.Load()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.version == version || g.version != 0 && p.now().Sub(g.looked) < lookRarely*g.took {
		return g.bySink, nil
	}
	began, bySink := p.now(), map[string]Given{}
	err := rows.Each(ctx, p.o.Store, deadRow, func(r rows.Row) error {
		w, d, err := decodeWant(deadRow, r)
		if err != nil || d.Own || p.couriers[w.sink] == nil {
			return err
		}
		one := bySink[w.sink]
		if one.Count++; !d.Died.Before(one.At) {
			one.Title, one.Why, one.At = d.Delivery.Title, d.Why, d.Died
		}
		bySink[w.sink] = one
		return nil
	})
	if err != nil {
		return nil, err
	}
	g.version, g.bySink, g.looked, g.took = version, bySink, p.now(), p.now().Sub(began)
	return bySink, nil
}
