package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

// feed delivers the events that a route sends to one sink one by one, as it reads
// them from the log. Its position in the log is what is still to be delivered, so
// that an event costs no write of its own; nor does a position (ride.go).
type feed struct {
	*courier
	from     *Log
	route    *Route
	receiver string
	mute     Stage

	at      Position
	saved   time.Time
	rides   bool // at is not durable yet: it goes with the log's next batch
	strayed bool // some of what was read was put aside or given up
}

// reader is the feed's name among the log's readers.
func (f *feed) reader() string { return "sink/" + f.id }

func (f *feed) load(ctx context.Context) (err error) {
	f.at, err = f.from.reader(ctx, f.reader())
	return err
}

// feed runs until ctx ends.
func (f *feed) run(ctx context.Context) error {
	if err := f.follow(ctx); err != nil || !f.rides {
		return err
	}
	if err := f.from.save(ctx, f.reader(), f.at); err != nil { // the log may have ended before
		f.log.Warn("how far events were delivered could not be stored; the last come again", "error", err)
	}
	return nil
}

func (f *feed) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		b, ok, grown, err := f.from.next(ctx, f.at)
		if err == nil && ok {
			err = f.take(ctx, b)
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("deliver events to %s: %w", f.id, err)
		}
		if ok {
			continue
		}
		select {
		case <-grown:
		case <-ctx.Done():
		}
	}
	return nil
}

func (f *feed) take(ctx context.Context, b batch) error {
	if b.number > f.at.Batch {
		f.at = Position{Batch: b.number} // something between them is gone
	}
	for f.at.Batch == b.number {
		p, next := f.gather(b)
		if err := (Chain{f.mute, f.Render, StageFunc(f.bring)}).Exec(ctx, p); err != nil {
			return err
		}
		f.at.Index = next
		if next >= len(b.events) {
			f.at = Position{Batch: b.number + 1}
		}
		if len(p.Deliveries) > 0 || f.now().Sub(f.saved) > time.Second {
			if err := f.save(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// gather takes the next events of a batch that are for this sink.
func (f *feed) gather(b batch) (p *Parcel, next int) {
	p = &Parcel{Receiver: f.receiver}
	for next = f.at.Index; next < len(b.events) && len(p.Events) < chunk; next++ {
		e, mine := &b.events[next], false
		f.route.routes(e, func(r *Route) { mine = mine || r.each() && r.Receiver == f.receiver })
		if mine {
			p.Events, p.Raw, p.Index = append(p.Events, *e), append(p.Raw, b.raw[next]), append(p.Index, next)
		}
	}
	return p, next
}

// save writes how far the log was read: with what is written next, unless some of it
// was put aside and could be delivered twice in another order.
func (f *feed) save(ctx context.Context) error {
	f.saved, f.rides = f.now(), !f.strayed && ctx.Err() == nil
	if f.rides {
		return f.from.ride(ctx, f.reader(), f.at)
	}
	f.strayed = false
	return f.from.save(ctx, f.reader(), f.at)
}

// bring delivers what is rendered, and returns when each delivery has arrived, was
// given up, or was put aside as a want.
func (f *feed) bring(ctx context.Context, p *Parcel) error {
	round := &round{Parcel: p, began: f.now(), orders: make([]string, len(p.Deliveries))}
	for i := range p.Deliveries {
		round.orders[i], round.left = orderOf(string(p.Events[i].About)), append(round.left, i)
	}
	for {
		// What must not overtake what was put aside before is put aside, too.
		var behind []int
		round.left, behind = round.split(func(i int) bool { _, waits := f.waiting(round.orders[i]); return !waits })
		if err := f.aside(ctx, round, behind); err != nil {
			return err
		}
		if err := f.try(ctx, round); err != nil || len(round.left) == 0 {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		held := errors.Is(round.last, sink.ErrHeld) || sink.Wait(round.last) > 0
		if waits, _ := f.waiting(""); round.tries >= quickly && waits < maxParked && !held {
			return f.aside(ctx, round, round.left)
		}
		if err := f.pause(ctx, round); err != nil {
			return err
		}
	}
}

// round is how far the deliveries of a parcel are.
type round struct {
	*Parcel
	orders []string
	left   []int // those that did not arrive yet
	began  time.Time
	tries  int
	last   error
}

func (r *round) split(fn func(i int) bool) (yes, no []int) {
	for _, i := range r.left {
		if fn(i) {
			yes = append(yes, i)
		} else {
			no = append(no, i)
		}
	}
	return yes, no
}

// try asks the sink once for all that is left; what is hopeless is kept as dead.
func (f *feed) try(ctx context.Context, r *round) error {
	ds, orders := make([]sink.Delivery, len(r.left)), make([]string, len(r.left))
	for k, i := range r.left {
		ds[k], orders[k] = r.Deliveries[i], r.orders[i]
	}
	results, tries := f.attempt(ctx, ds, orders), r.tries+1
	r.last = sink.ErrHeld // unless one was tried
	var again []int
	var dead []rows.Row
	for k, i := range r.left {
		switch err := results[k].Err; {
		case err == nil:
			f.count.delivered.Add(1)
		case f.hopeless(err, tries, r.began):
			f.log.Error("a delivery was given up; it is kept", "delivery", ds[k].ID, "tries", tries, "error", err)
			dead = append(dead, f.dead(f.want(r, i), f.wanted(r, i), err, tries))
		default:
			again = append(again, i)
			if !errors.Is(err, sink.ErrHeld) {
				r.tries, r.last = tries, err
			}
		}
	}
	r.left = again
	if err := f.put(ctx, dead); err != nil {
		return err
	}
	f.count.dead.Add(int64(len(dead)))
	return nil
}

func (f *feed) wanted(r *round, i int) wanted {
	return wanted{Delivery: r.Deliveries[i], Since: r.began, Own: own(r.Events[i : i+1])}
}

func (f *feed) want(r *round, i int) *want {
	return &want{sink: f.id, order: r.orders[i], place: fmt.Sprintf("%016x.%06x", f.at.Batch, r.Index[i])}
}

// put writes rows, in as many transactions as they need.
func (f *feed) put(ctx context.Context, all []rows.Row) error {
	f.strayed = f.strayed || len(all) > 0
	for len(all) > 0 {
		t, n := rows.Txn{}, 0
		for n < len(all) && n < rows.MaxOps && (n == 0 || t.Bytes()+len(all[n].Value) <= rows.MaxBytes) {
			t.Put = append(t.Put, all[n])
			n++
		}
		if err := persist(ctx, f.store, t, f.log); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// aside makes wants of deliveries, so that the others come by.
func (f *feed) aside(ctx context.Context, r *round, which []int) error {
	var all []rows.Row
	for _, i := range which {
		w := f.want(r, i)
		one, err := wantOf(w.sink, w.order, w.place, f.wanted(r, i))
		if err != nil {
			return err
		}
		all = append(all, rows.Row{Key: w.key(), Value: one.value})
	}
	if err := f.put(ctx, all); err != nil {
		return err
	}
	for _, i := range which {
		f.add(r.orders[i], f.want(r, i).place, r.tries, f.now().Add(backoff(r.tries+1)))
	}
	return nil
}

// pause waits before the next try, at least as long as the sink wants.
func (f *feed) pause(ctx context.Context, r *round) error {
	f.count.failed(r.last)
	f.count.held.Store(int64(len(r.left)))
	defer f.count.held.Store(0)
	if r.tries == 1 {
		f.log.Warn("deliveries failed; they are tried again", "error", r.last)
	}
	select {
	case <-time.After(max(backoff(r.tries+1), f.pausedFor())):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
