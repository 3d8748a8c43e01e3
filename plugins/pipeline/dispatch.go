package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// dispatcher is the name of the log's reader that makes incidents.
const dispatcher = "incidents"

// dispatch reads the log, makes incidents of it, and tells of them when they are
// due. A batch's incidents and the position behind it are written in one
// transaction, so that an event counts once; so are the incident that was told of
// and the messages that tell it.
type dispatch struct {
	log   *slog.Logger
	from  *Log
	store rows.Store
	route *Route
	quiet time.Duration // after which an incident expires
	now   func() time.Time
	// The inhibitor hears of every event; notify makes messages of what people are not
	// spared.
	sparing
	notify Stage
	// sent is told after what notify made is durable.
	sent func(queued)

	at      Position
	saved   time.Time                // when at was written last
	dirty   map[*Trouble]bool        // changed since the last commit
	sources map[event.About]rows.Row // changed sources of inhibition

	mu     sync.Mutex
	groups map[string]*Trouble // by key, the newest
	storms *storms
}

// Limits of one transaction here, below those of the store.
const (
	mostDirty = 40
	mostBytes = 512 << 10
)

func (d *dispatch) load(ctx context.Context) (err error) {
	d.groups, d.dirty, d.sources = map[string]*Trouble{}, map[*Trouble]bool{}, map[event.About]rows.Row{}
	if d.at, err = d.from.reader(ctx, dispatcher); err != nil {
		return err
	}
	if d.storms, err = loadStorms(ctx, d.store, d.route); err != nil {
		return err
	}
	err = rows.Each(ctx, d.store, incidentRow, func(r rows.Row) error {
		t, err := decodeTrouble(r.Key, r.Value)
		if err != nil {
			return err
		}
		d.storms.restore(t, d.now())
		if other := d.groups[t.Key]; other == nil || other.Opened.Before(t.Opened) {
			d.groups[t.Key] = t
		}
		return nil
	})
	if err != nil {
		return err
	}
	d.storms.restored()
	err = rows.Each(ctx, d.store, firingRow, func(r rows.Row) error {
		f, err := decodeFiring(r)
		if err == nil {
			d.inhibitor.restore(&f)
		}
		return err
	})
	d.wake(d.now()) // what kept something back may be over, or no rule any more
	return err
}

// run returns when ctx ends.
func (d *dispatch) run(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		b, ok, grown, err := d.from.next(ctx, d.at)
		if err == nil && ok {
			err = d.take(ctx, b)
		}
		if err == nil {
			err = d.tell(ctx)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("dispatch events: %w", err)
		}
		if ok {
			continue
		}
		timer.Reset(time.Until(d.next()))
		select {
		case <-grown:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// next is when something is due.
func (d *dispatch) next() time.Time {
	next := d.now().Add(time.Minute)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range d.groups {
		if at := t.next(d.quiet); !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return d.storms.next(d.inhibitor.next(next))
}

// take reads a batch from where it was left.
func (d *dispatch) take(ctx context.Context, b batch) error {
	if b.number > d.at.Batch {
		d.at = Position{Batch: b.number} // something between them is gone
	}
	now, size := d.now(), 0
	for i := d.at.Index; i < len(b.events); i++ {
		e := &b.events[i]
		if d.inhibitor.Observe(e, now) {
			if err := d.source(ctx, e, now); err != nil {
				return err
			}
		}
		changed := func(t *Trouble) {
			if !d.dirty[t] {
				size += t.size + 2*maxText
			}
			d.dirty[t] = true
		}
		d.mu.Lock()
		if e.Resolved {
			d.end(e, now, changed)
		} else {
			missed := d.misses(e)
			d.route.routes(e, func(r *Route) { d.group(r, e, missed, now, changed) })
		}
		d.mu.Unlock()
		d.at.Index = i + 1
		if len(d.dirty)+len(d.sources) >= mostDirty || size >= mostBytes {
			if err := d.save(ctx); err != nil {
				return err
			}
			size = 0
		}
	}
	d.at = Position{Batch: b.number + 1}
	if len(d.dirty)+len(d.sources) > 0 || now.Sub(d.saved) > time.Second {
		return d.save(ctx)
	}
	return nil
}

// group lets an event into the incident of its group, and calls fn with it if that
// changes anything.
func (d *dispatch) group(r *Route, e *event.Event, missed bool, now time.Time, fn func(*Trouble)) {
	if r.each() {
		return
	}
	labels, key := r.group(e)
	t := d.groups[key]
	if t == nil || t.over(now) {
		t = open(r, labels, key, e, now)
		d.groups[key] = t
	}
	if t.add(r, e, missed, now) {
		fn(t)
	}
}

// save writes what changed, and how far the log was read.
func (d *dispatch) save(ctx context.Context) error {
	t := rows.Txn{Put: []rows.Row{d.at.row(dispatcher)}}
	for trouble := range d.dirty {
		r, err := d.encode(trouble)
		if err != nil {
			return err
		}
		t.Put = append(t.Put, r)
	}
	for _, r := range d.sources {
		t.Put = append(t.Put, r)
	}
	if err := persist(ctx, d.store, t, d.log); err != nil {
		return err
	}
	d.dirty, d.sources, d.saved = map[*Trouble]bool{}, map[event.About]rows.Row{}, d.now()
	d.from.passed(dispatcher, d.at)
	return nil
}

func (d *dispatch) encode(t *Trouble) (rows.Row, error) {
	raw, err := json.Marshal(t)
	if err != nil {
		return rows.Row{}, fmt.Errorf("encode incident %s: %w", t.ID, err)
	}
	t.size = len(raw)
	return rows.Row{Key: incidentRow + t.ID, Value: raw}, nil
}

// Incidents returns what is open and what ended lately, the newest first.
func (d *dispatch) incidents() (out []event.Incident) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, t := range slices.SortedFunc(maps.Values(d.groups), func(a, b *Trouble) int { return b.Changed.Compare(a.Changed) }) {
		i := t.Incident
		i.Problems = slices.Clone(i.Problems)
		out = append(out, i)
	}
	return out
}
