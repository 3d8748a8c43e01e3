package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

// Rows of what is to be delivered. An order is what must stay in order: an incident,
// or what an event is about.
const (
	wantRow = "event/want/" // + sink/order/place → a delivery; an incident has one place, which its latest state takes
	sentRow = "event/sent/" // + sink/key → where a message is, for its next state
	deadRow = "event/dead/" // + sink/order/place → a delivery that was given up, and why
)

// want is a delivery that is to be made.
type want struct {
	sink, order, place string
	value              []byte
}

// wanted is a want's row.
type wanted struct {
	Delivery sink.Delivery `json:"delivery"`
	// Since is when it was wanted first.
	Since time.Time `json:"since"`
	// Own is set if it tells of nothing but ferry's own troubles.
	Own bool `json:"own,omitempty"`
	// Why and Tries are set once it was given up, and Died when that was.
	Why   string    `json:"why,omitempty"`
	Tries int       `json:"tries,omitempty"`
	Died  time.Time `json:"died,omitzero"`
}

func (w *want) key() string { return wantRow + w.sink + "/" + w.order + "/" + w.place }

// queued are wants of one transaction.
type queued []want

func (q queued) bytes() (n int) {
	for _, w := range q {
		n += len(w.value)
	}
	return n
}

func (q queued) rows() []rows.Row {
	out := make([]rows.Row, len(q))
	for i := range q {
		out[i] = rows.Row{Key: q[i].key(), Value: q[i].value}
	}
	return out
}

// wantOf makes a want of a delivery.
func wantOf(sinkName, order, place string, d wanted) (want, error) {
	value, err := json.Marshal(d)
	if err != nil {
		return want{}, fmt.Errorf("encode delivery %s: %w", d.Delivery.ID, err)
	}
	return want{sink: sinkName, order: order, place: place, value: value}, nil
}

// orderOf writes what must stay in order so that it can stand in a key.
func orderOf(s string) string { return fmt.Sprintf("%x", digestOf(s)) }

// theOne is the place of an incident's state.
const theOne = "-"

// queue is the stage that makes wants of an incident's deliveries.
func queue(sinkName string, now func() time.Time) Stage {
	return StageFunc(func(_ context.Context, p *Parcel) error {
		for _, d := range p.Deliveries {
			w, err := wantOf(sinkName, d.Key, theOne, wanted{Delivery: d, Since: now(), Own: own(p.Events)})
			if err != nil {
				return err
			}
			*p.Queue = append(*p.Queue, w)
		}
		return nil
	})
}

// decodeWant reads a row below a prefix.
func decodeWant(prefix string, r rows.Row) (w want, d wanted, err error) {
	parts := strings.Split(strings.TrimPrefix(r.Key, prefix), "/")
	if len(parts) != 3 {
		return w, d, fmt.Errorf("row %s makes no sense", r.Key)
	}
	w = want{sink: parts[0], order: parts[1], place: parts[2], value: r.Value}
	if err := json.Unmarshal(r.Value, &d); err != nil {
		return w, d, fmt.Errorf("decode row %s: %w", r.Key, err)
	}
	return w, d, nil
}
