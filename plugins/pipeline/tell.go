package pipeline

import (
	"cmp"
	"context"
	"slices"
	"time"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// telling are transactions of what people are told: an incident and what tells of it,
// be that its own message or a digest, are in the same one.
type telling struct {
	*dispatch
	t   rows.Txn
	out queued
}

// add takes a row and the wants that belong to it.
func (d *telling) add(ctx context.Context, r rows.Row, wants queued) error {
	touched := len(d.storms.touched)
	if d.t.Ops()+1+len(wants)+touched > rows.MaxOps || d.t.Bytes()+len(r.Value)+wants.bytes()+touched*mostDigest > rows.MaxBytes {
		if err := d.flush(ctx); err != nil {
			return err
		}
	}
	d.t.Put = append(append(d.t.Put, r), wants.rows()...)
	d.out = append(d.out, wants...)
	return nil
}

// flush writes what was added, and digests that were touched meanwhile.
func (d *telling) flush(ctx context.Context) error {
	for g := range d.storms.touched {
		r, err := g.row()
		if err != nil {
			return err
		}
		d.t.Put = append(d.t.Put, r)
	}
	clear(d.storms.touched)
	if d.t.Ops() == 0 {
		return nil
	}
	if err := persist(ctx, d.store, d.t, d.log); err != nil {
		return err
	}
	d.sent(d.out)
	d.t, d.out = rows.Txn{}, nil
	return nil
}

// tell takes what is due through the stages and writes what comes out of them.
func (d *dispatch) tell(ctx context.Context) error {
	now, all := d.now(), telling{dispatch: d}
	for _, trouble := range d.due(now) {
		wants, changed, err := d.message(ctx, trouble, now)
		if err != nil {
			return err
		}
		if !changed {
			continue
		}
		r, err := d.encode(trouble)
		if err != nil {
			return err
		}
		if err := all.add(ctx, r, wants); err != nil {
			return err
		}
	}
	for _, g := range d.dueDigests(now) {
		wants, changed, err := d.digest(ctx, g, now)
		if err != nil {
			return err
		}
		if !changed {
			continue // flush writes it if it was touched
		}
		r, err := g.row()
		if err != nil {
			return err
		}
		delete(d.storms.touched, g)
		if err := all.add(ctx, r, wants); err != nil {
			return err
		}
	}
	return all.flush(ctx)
}

// due returns the incidents that are to be looked at, in the order of their time, of
// one time the worst first, and then those that happened first.
func (d *dispatch) due(now time.Time) (out []*Trouble) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inhibitor.lapse(now) {
		d.wake(now)
	}
	for key, t := range d.groups {
		expired := t.expire(now.Add(-d.quiet), now)
		switch {
		case !t.Due.IsZero() && !t.Due.After(now), expired:
			out = append(out, t)
		case t.over(now) && t.Due.IsZero() && now.Sub(t.Ended) > time.Hour:
			delete(d.groups, key) // its row stays for a while
		}
	}
	slices.SortFunc(out, func(a, b *Trouble) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(b.Severity().Rank(), a.Severity().Rank()), a.Opened.Compare(b.Opened), a.first().Compare(b.first()), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// first is when the first of it happened; events of one batch open at one time.
func (t *Trouble) first() (at time.Time) {
	if len(t.Problems) > 0 {
		at = t.Problems[0].First
	}
	return at
}

// message makes what tells of an incident; nothing if people are to be spared, know
// already, or are told by a digest. What is not changed need not be stored: its row has it
// looked at again after a restart.
func (d *dispatch) message(ctx context.Context, t *Trouble, now time.Time) (out queued, changed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if t.Due.IsZero() || t.Due.After(now) {
		return nil, true, nil // it expired, and nobody heard of it
	}
	p := &Parcel{Receiver: t.Receiver, Incident: t, Queue: &out}
	h := d.show(p)
	missed := t.miss(h, now)
	if t.Revision == 0 && t.State != event.Firing {
		t.Due = time.Time{}
		return nil, true, nil // all of it is past
	}
	t.Dirty = t.Dirty || t.news(h)
	if t.own() && (!p.tells() || !t.Dirty && !t.repeats(now)) {
		t.await(h, now)
		waits := h.inhibited || h.silenced
		t.Dirty = t.Dirty && waits
		return nil, missed || !waits || t.State != event.Firing, nil
	}
	if d.storms.take(t, now) {
		if err := d.notify.Exec(ctx, p); err != nil {
			return nil, false, err
		}
		if t.State == event.Firing && len(out) == 0 {
			t.later(now)
			return nil, true, nil
		}
	}
	t.told(now)
	t.heard(h)
	if h.inhibited || h.silenced {
		t.await(h, now)
	}
	return out, true, nil
}

// tells reports whether there is anything in a parcel that people do not know or are
// to know: of what fires, something that is not muted.
func (p *Parcel) tells() bool {
	t := p.Incident
	return len(p.Events) > 0 && (t.State != event.Firing || len(t.Rest) > 0 || slices.ContainsFunc(p.Events, func(e event.Event) bool { return !e.Resolved }))
}

// dueDigests returns the digests that people are to be told of.
func (d *dispatch) dueDigests(now time.Time) []*stormDigest {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.storms.due(now)
}

// digest makes what tells of a digest; nothing if all of it is muted, was over before
// anybody heard of it, or is as people know it. changed is as that of message.
func (d *dispatch) digest(ctx context.Context, g *stormDigest, now time.Time) (out queued, changed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if g.follow(now); g.Revision == 0 && g.State != event.Firing {
		g.Due = time.Time{}
		return nil, true, nil
	}
	p := &Parcel{Receiver: g.Receiver, storm: &shown{stormDigest: g}, Queue: &out}
	fires, silenced := false, false
	var all []hidden
	for _, t := range g.members {
		one := Parcel{Incident: t}
		h := d.show(&one)
		all, silenced = append(all, h), silenced || h.silenced
		if !one.tells() {
			continue
		}
		m := memberOf(&one)
		fires = fires || m.state == event.Firing
		p.Events, p.storm.members = append(p.Events, *m.event), append(p.storm.members, m)
	}
	hides := g.hides(all)
	if !g.Dirty && !g.repeats(now) {
		if hides == g.Hidden {
			g.await(hidden{silenced: silenced}, now)
			return nil, false, nil
		}
		g.Dirty = true
	}
	if fires == (g.State == event.Firing) && len(p.Events) > 0 {
		if err := d.notify.Exec(ctx, p); err != nil {
			return nil, false, err
		}
	}
	changed = hides != g.Hidden
	g.Hidden = hides
	if g.State != event.Firing || len(out) > 0 {
		changed = true
		g.told(now)
	}
	if silenced || len(out) == 0 {
		g.await(hidden{silenced: silenced}, now)
	}
	if !silenced && !slices.ContainsFunc(g.members, func(t *Trouble) bool { return t.State == event.Firing && t.lasts() }) {
		g.Due = time.Time{} // of moments people are not told again
	}
	return out, changed, nil
}

// gathers reports whether a digest still tells of its incidents.
func (d *dispatch) gathers(id string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.storms.digests[id] != nil
}
