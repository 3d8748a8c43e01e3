package pipeline

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

// Integration is a sink of a receiver and how it is asked.
type Integration struct {
	// Name tells it from the receiver's other sinks; it is part of what is stored.
	Name string
	Sink sink.Sink
	// Render is how its messages look; nil for what is built in.
	Render *Render
	// Retries is how often a delivery that failed is tried again; 0 for as often as
	// fits into GiveUp.
	Retries int
	// GiveUp is how long a delivery is tried; 24 h.
	GiveUp time.Duration
	// Timeout of one try; 10 s. A sink.Batcher has its own.
	Timeout time.Duration
	// Concurrency is how many deliveries may be under way at once; 4.
	Concurrency int
}

// Limits of a courier.
const (
	chunk     = 64   // deliveries of a round
	quickly   = 3    // tries before an event is put aside, so that others come by
	maxParked = 1000 // put aside at once; beyond that the sink is waited for
)

// courier brings deliveries to one sink. What comes from the log it delivers as it
// reads (feed.go), what is stored as a want by and by. Of an order there is never
// more than one under way, and none overtakes another.
type courier struct {
	Integration
	id    string // receiver:name, as it stands in keys
	store rows.Store
	log   *slog.Logger
	now   func() time.Time
	seed  maphash.Seed
	count *counts

	mu     sync.Mutex
	lines  map[string]*line // by order
	begun  int              // how many lines there were
	paused time.Time        // the sink wants to be left alone until then
	wake   chan struct{}
}

// line are the wants of an order.
type line struct {
	order  string
	places []string // sorted
	due    time.Time
	tries  int
	added  int // grows when a want is new or changed
	since  int // orders lines by when they began
	// delivered is how many others had arrived when it failed last, passed how often some
	// had between two failures.
	delivered int64
	passed    int
}

func newCourier(receiver string, i Integration, store rows.Store, now func() time.Time, log *slog.Logger) *courier {
	orElse := func(d *time.Duration, other time.Duration) {
		if *d <= 0 {
			*d = other
		}
	}
	orElse(&i.GiveUp, 24*time.Hour)
	orElse(&i.Timeout, 10*time.Second)
	if i.Concurrency <= 0 {
		i.Concurrency = 4
	}
	if i.Render == nil {
		i.Render = &Render{log: log}
	}
	return &courier{
		Integration: i, id: receiver + ":" + i.Name, store: store, log: log.With("sink", receiver+":"+i.Name), now: now,
		seed: maphash.MakeSeed(), lines: map[string]*line{}, wake: make(chan struct{}, 1), count: &counts{},
	}
}

// load finds what was wanted before the start.
func (c *courier) load(ctx context.Context) error {
	return rows.Each(ctx, c.store, wantRow+c.id+"/", func(r rows.Row) error {
		w, _, err := decodeWant(wantRow, r)
		if err != nil {
			return err
		}
		c.add(w.order, w.place, 0, time.Time{})
		return nil
	})
}

// add takes note of a want that is durable.
func (c *courier) add(order, place string, tries int, due time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[order]
	if l == nil {
		c.begun++
		l = &line{order: order, tries: tries, due: due, since: c.begun, delivered: c.count.delivered.Load()}
		c.lines[order] = l
	}
	l.added++
	if i, there := slices.BinarySearch(l.places, place); !there {
		l.places = slices.Insert(l.places, i, place)
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// waiting returns how many orders have wants, and whether this one has.
func (c *courier) waiting(order string) (all int, this bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lines), c.lines[order] != nil
}

// run delivers what is wanted until ctx ends.
func (c *courier) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		ready, next := c.ready()
		if len(ready) == 0 {
			timer.Reset(time.Until(next))
			select {
			case <-c.wake:
			case <-timer.C:
			case <-ctx.Done():
			}
			continue
		}
		if err := c.round(ctx, ready); err != nil && ctx.Err() == nil {
			c.log.Warn("deliveries could not be read; they wait", "error", err)
			c.heed(sink.Limited(5*time.Second, err))
		}
	}
	return nil
}

// turn is the first want of a line, at the moment when it was looked at.
type turn struct {
	order, place string
	added, tries int
	row          rows.Row
	wanted       wanted
	err          error
	receipt      sink.Receipt
}

// ready returns the wants whose turn it is, those that waited longest first.
func (c *courier) ready() (out []*turn, next time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	next = now.Add(time.Hour)
	var lines []*line
	for _, l := range c.lines {
		switch due := later(l.due, c.paused); {
		case !due.After(now):
			lines = append(lines, l)
		case due.Before(next):
			next = due
		}
	}
	slices.SortFunc(lines, func(a, b *line) int {
		if d := a.due.Compare(b.due); d != 0 {
			return d
		}
		return a.since - b.since
	})
	for _, l := range lines[:min(len(lines), chunk)] {
		out = append(out, &turn{order: l.order, place: l.places[0], added: l.added, tries: l.tries})
	}
	return out, next
}

// round tries some wants and stores what became of them.
func (c *courier) round(ctx context.Context, turns []*turn) error {
	there := turns[:0]
	for _, t := range turns {
		r, ok, err := c.store.Get(ctx, (&want{sink: c.id, order: t.order, place: t.place}).key())
		if err != nil {
			return err
		}
		if !ok {
			c.done(t)
			continue
		}
		if _, t.wanted, err = decodeWant(wantRow, r); err != nil {
			return err
		}
		t.row = r
		if sent, ok, err := c.store.Get(ctx, sentRow+c.id+"/"+orderOf(t.wanted.Delivery.Key)); err != nil {
			return err
		} else if ok {
			t.wanted.Delivery.Ref = string(sent.Value)
		}
		there = append(there, t)
	}
	ds := make([]sink.Delivery, len(there))
	orders := make([]string, len(there))
	for i, t := range there {
		ds[i], orders[i] = t.wanted.Delivery, t.order
	}
	results := c.attempt(ctx, ds, orders)
	for i, t := range there {
		t.receipt, t.err = results[i].Receipt, results[i].Err
	}
	return c.settle(ctx, there)
}

// settle stores outcomes: in few transactions, or one by one if a newer state came
// meanwhile.
func (c *courier) settle(ctx context.Context, turns []*turn) error {
	for len(turns) > 0 {
		var t rows.Txn
		n := 0
		for n < len(turns) {
			one := c.outcome(turns[n])
			if n > 0 && (t.Ops()+one.Ops() > rows.MaxOps || t.Bytes()+one.Bytes() > rows.MaxBytes) {
				break
			}
			t.If, t.Put, t.Delete = append(t.If, one.If...), append(t.Put, one.Put...), append(t.Delete, one.Delete...)
			n++
		}
		if err := c.commit(ctx, t, turns[:n]); err != nil {
			return err
		}
		turns = turns[n:]
	}
	return nil
}

func (c *courier) commit(ctx context.Context, t rows.Txn, turns []*turn) error {
	if t.Ops() > 0 {
		err := persist(ctx, c.store, t, c.log)
		switch {
		case errors.Is(err, rows.ErrConflict) && len(turns) == 1:
			return c.superseded(ctx, turns[0])
		case errors.Is(err, rows.ErrConflict):
			for i, one := range turns {
				if err := c.commit(ctx, c.outcome(one), turns[i:i+1]); err != nil {
					return err
				}
			}
			return nil
		case err != nil:
			return err
		}
	}
	for _, one := range turns {
		c.settled(one)
	}
	return nil
}

// superseded is for a want whose newer state came while this one was under way: what
// is known of the message is kept, and the newer state's turn comes.
func (c *courier) superseded(ctx context.Context, t *turn) error {
	if t.err == nil && t.receipt.Ref != "" {
		if err := persist(ctx, c.store, rows.Txn{Put: []rows.Row{c.sent(t)}}, c.log); err != nil {
			return err
		}
	}
	if t.err == nil {
		c.count.delivered.Add(1)
	}
	c.done(t)
	return nil
}

func (c *courier) sent(t *turn) rows.Row {
	return rows.Row{Key: sentRow + c.id + "/" + orderOf(t.wanted.Delivery.Key), Value: []byte(t.receipt.Ref)}
}

// outcome is what is to be stored of a try; nothing if it is to be tried again.
func (c *courier) outcome(t *turn) (txn rows.Txn) {
	same := []rows.Compare{{Key: t.row.Key, Revision: t.row.Revision}}
	switch {
	case t.err == nil:
		txn = rows.Txn{If: same, Delete: []string{t.row.Key}}
		if t.receipt.Ref != "" {
			txn.Put = []rows.Row{c.sent(t)}
		}
	case c.hopeless(t.err, t.tries+1, t.wanted.Since):
		txn = rows.Txn{If: same, Delete: []string{t.row.Key}, Put: []rows.Row{c.dead(&want{sink: c.id, order: t.order, place: t.place}, t.wanted, t.err, t.tries+1)}}
	}
	return txn
}

// hopeless reports whether a delivery is to be given up.
func (c *courier) hopeless(err error, tries int, since time.Time) bool {
	if errors.Is(err, sink.ErrHeld) || errors.Is(err, context.Canceled) {
		return false // it was not tried
	}
	// Who is asked to come again later has not failed.
	tired := c.Retries > 0 && tries > c.Retries && sink.Wait(err) == 0
	return sink.IsRefused(err) || tired || c.now().Sub(since) > c.GiveUp
}

// settled takes note of what is stored.
func (c *courier) settled(t *turn) {
	if t.err == nil || c.hopeless(t.err, t.tries+1, t.wanted.Since) {
		if t.err == nil {
			c.count.delivered.Add(1)
		} else {
			c.count.dead.Add(1)
			c.log.Error("a delivery was given up; it is kept", "delivery", t.wanted.Delivery.ID, "tries", t.tries+1, "error", t.err)
		}
		c.done(t)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if errors.Is(t.err, sink.ErrHeld) {
		if l := c.lines[t.order]; l != nil { // a sink that holds for no reason is not asked all the time
			l.due = c.now().Add(backoff(1))
		}
		return
	}
	c.count.failed(t.err)
	if l := c.lines[t.order]; l != nil {
		l.pass(c.count.delivered.Load())
		l.tries++
		l.due = c.now().Add(backoff(l.tries))
	}
	if t.tries == 0 {
		c.log.Warn("a delivery failed; it is tried again", "delivery", t.wanted.Delivery.ID, "error", t.err)
	}
}

// done takes a want out of its line, unless it changed since it was looked at.
func (c *courier) done(t *turn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[t.order]
	if l == nil {
		return
	}
	l.tries, l.passed, l.due = 0, 0, time.Time{}
	if l.added != t.added && t.place == theOne {
		return
	}
	if i, there := slices.BinarySearch(l.places, t.place); there {
		l.places = slices.Delete(l.places, i, i+1)
	}
	if len(l.places) == 0 {
		delete(c.lines, t.order)
	}
}

// backoff is the pause after so many failures: from half a second up to a minute,
// spread by a quarter both ways.
func backoff(tries int) time.Duration {
	pause := min(500*time.Millisecond<<min(tries-1, 10), time.Minute)
	return pause*3/4 + rand.N(pause/2+1)
}
