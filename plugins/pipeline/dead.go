package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

// Dead is a delivery that was given up.
type Dead struct {
	// ID names it for Resend.
	ID       string
	Sink     string
	Delivery sink.Delivery
	Why      string
	Tries    int
	At       time.Time
}

// dead is the row of a delivery that is given up.
func (c *courier) dead(w *want, d wanted, err error, tries int) rows.Row {
	d.Why, d.Tries, d.Died = clip(err.Error(), 1000), tries, c.now()
	return rows.Row{Key: deadRow + w.sink + "/" + w.order + "/" + w.place, Value: letter(d)}
}

// letter encodes what was given up, whatever it is: it must not be lost. What JSON has no
// word for stands in it as a text.
func letter(d wanted) []byte {
	raw, err := json.Marshal(d)
	if err == nil {
		return raw
	}
	d.Why = clip(fmt.Sprintf("%s; it cannot be encoded as it is: %v", d.Why, err), 1500)
	d.Delivery.Event, _ = json.Marshal(string(d.Delivery.Event)) // a text always can be
	if year := d.Delivery.At.Year(); year < 0 || year > 9999 {
		d.Delivery.Text = strings.TrimSpace(d.Delivery.Text + "\n" + d.Delivery.At.String())
		d.Delivery.At = d.Since
	}
	raw, _ = json.Marshal(d) // what is left are texts, numbers, and times of our own clock
	return raw
}

// Dead returns deliveries that were given up, at most so many, by sink.
func (p *Pipeline) Dead(ctx context.Context, most int) (out []Dead, err error) {
	found, err := p.o.Store.Scan(ctx, deadRow, "", most)
	for _, r := range found {
		w, d, derr := decodeWant(deadRow, r)
		if derr != nil {
			return nil, derr
		}
		out = append(out, Dead{ID: strings.TrimPrefix(r.Key, deadRow), Sink: w.sink, Delivery: d.Delivery, Why: d.Why, Tries: d.Tries, At: d.Died})
	}
	return out, err
}

// Resend delivers again what was given up. If a newer state of the same message waits
// already, that goes instead. Nothing of that ID is NotFound.
func (p *Pipeline) Resend(ctx context.Context, id string, told ...job.Entry) error {
	for {
		r, ok, err := p.o.Store.Get(ctx, deadRow+id)
		switch {
		case err != nil:
			return err
		case !ok:
			return fault.Newf(fault.NotFound, "no delivery `%s` was given up", id)
		}
		w, d, err := decodeWant(deadRow, r)
		if err != nil {
			return err
		}
		c := p.couriers[w.sink]
		if c == nil {
			return fault.Newf(fault.NotFound, "there is no receiver `%s` any more", w.sink)
		}
		fresh, err := wantOf(w.sink, w.order, w.place, wanted{Delivery: d.Delivery, Since: p.now(), Own: d.Own})
		if err != nil {
			return err
		}
		_, newer, err := p.o.Store.Get(ctx, w.key())
		if err != nil {
			return err
		}
		t := rows.Txn{If: []rows.Compare{{Key: r.Key, Revision: r.Revision}}, Delete: []string{r.Key}, Told: told}
		if !newer {
			t.If = append(t.If, rows.Compare{Key: w.key()})
			t.Put = []rows.Row{{Key: w.key(), Value: fresh.value}}
		}
		if err := p.o.Store.Commit(ctx, t); errors.Is(err, rows.ErrConflict) {
			continue
		} else if err != nil {
			return fmt.Errorf("resend %s: %w", id, err)
		}
		p.given.moved.Add(1)
		c.add(w.order, w.place, 0, time.Time{})
		return nil
	}
}

// sweep forgets what ended before an edge: incidents and digests with what is known of their
// messages, what was given up, and what is left of things that are no more.
func (p *Pipeline) sweep(ctx context.Context, edge time.Time) (n int, err error) {
	err = rows.Each(ctx, p.o.Store, incidentRow, func(r rows.Row) error {
		t, err := decodeTrouble(r.Key, r.Value)
		if err != nil || !t.endedBefore(edge) || p.dispatch.gathers(t.Digest) {
			return err
		}
		n++
		return p.forgetMessage(ctx, r, t.ID)
	})
	if err == nil {
		err = rows.Each(ctx, p.o.Store, stormRow, func(r rows.Row) error {
			g, err := decodeStorm(r)
			if err != nil || !g.endedBefore(edge) {
				return err
			}
			n++
			return p.forgetMessage(ctx, r, g.ID)
		})
	}
	for _, kind := range []struct {
		prefix string
		old    func(rows.Row) (bool, error)
	}{
		{deadRow, func(r rows.Row) (bool, error) {
			_, d, err := decodeWant(deadRow, r)
			return d.Died.Before(edge), err
		}},
		// What was wanted of a sink that is no more.
		{wantRow, func(r rows.Row) (bool, error) {
			w, d, err := decodeWant(wantRow, r)
			return p.couriers[w.sink] == nil && d.Since.Before(edge), err
		}},
		// What inhibits no more, and nobody said so.
		{firingRow, func(r rows.Row) (bool, error) {
			f, err := decodeFiring(r)
			return p.dispatch.inhibitor.forgets(&f, p.now()), err
		}},
	} {
		if err == nil {
			err = p.forget(ctx, kind.prefix, kind.old, &n)
		}
	}
	p.given.moved.Add(int64(n))
	return n, err
}

// forgetMessage deletes a row and what is known of its messages.
func (p *Pipeline) forgetMessage(ctx context.Context, r rows.Row, id string) error {
	txn := rows.Txn{If: []rows.Compare{{Key: r.Key, Revision: r.Revision}}, Delete: []string{r.Key}}
	for _, c := range p.couriers {
		if len(txn.Delete) < rows.MaxOps-1 {
			txn.Delete = append(txn.Delete, sentRow+c.id+"/"+orderOf(id))
		}
	}
	return ignoreConflict(p.o.Store.Commit(ctx, txn))
}

// forget deletes the rows of a prefix that are old.
func (p *Pipeline) forget(ctx context.Context, prefix string, old func(rows.Row) (bool, error), n *int) error {
	return rows.Each(ctx, p.o.Store, prefix, func(r rows.Row) error {
		if yes, err := old(r); err != nil || !yes {
			return err
		}
		*n++
		return ignoreConflict(p.o.Store.Commit(ctx, rows.Txn{If: []rows.Compare{{Key: r.Key, Revision: r.Revision}}, Delete: []string{r.Key}}))
	})
}

// ignoreConflict: whoever wrote it meanwhile needs it.
func ignoreConflict(err error) error {
	if errors.Is(err, rows.ErrConflict) {
		return nil
	}
	return err
}
