// Package sink is where deliveries go: to what is ferry's own (Slack, its output), which
// are packages below this one, and to notifiers, which are plugins.
//
// What a sink promises stands in docs/effects.md: exactly once where the other side
// knows a delivery by its ID, at least once with that ID in the payload elsewhere.
package sink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Delivery is one state of one message.
type Delivery struct {
	// ID is the same whenever this delivery is tried, and no other's.
	ID string `json:"id"`
	// Key is that of the message: deliveries of one key are states of one message,
	// and come one after the other.
	Key string `json:"key"`
	// Order is what is delivered one after the other: a message, or what a single event
	// is about.
	Order string `json:"-"`
	// Ref is what the sink returned for an earlier state of this message, "" if
	// there was none or its answer was lost.
	Ref string `json:"-"`
	// Revision counts the states of a message. States in between may be left out.
	Revision int       `json:"revision"`
	At       time.Time `json:"at"`
	// Opened is when the incident was: nothing of it was delivered before. Zero for a
	// single event.
	Opened time.Time `json:"opened,omitzero"`
	// State is firing, resolved, expired, or "" for a single event.
	State    string `json:"state,omitempty"`
	Severity string `json:"severity,omitempty"`
	Title    string `json:"title"`
	Text     string `json:"text,omitempty"`
	// Count is how often it happened, Firing how many things are in trouble now, of
	// how many Things.
	Count  int `json:"count,omitempty"`
	Firing int `json:"firing,omitempty"`
	Things int `json:"things,omitempty"`
	// Repeat counts how often people were told of it again while nothing changed.
	Repeat int               `json:"repeat,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Details say more, one thing a line; they are few.
	Details []string `json:"details,omitempty"`
	// Event is the event as it came, if the delivery is of a single one.
	Event json.RawMessage `json:"event,omitempty"`
}

// Fact is a label with its value.
type Fact struct{ Name, Value string }

// Facts are the labels that people are shown beside the text, in their order.
func (d *Delivery) Facts() (out []Fact) {
	for _, name := range []string{"cluster", "namespace", "app", "kind", "name", "reason", "node", "promotion"} {
		if v := d.Labels[name]; v != "" {
			out = append(out, Fact{name, v})
		}
	}
	return out
}

// Receipt is what is known of a delivery that arrived.
type Receipt struct {
	// Ref finds the message again: it comes with the next state of it. It is kept.
	Ref string
}

// ErrHeld is for a delivery that was not tried because one before it failed, or
// because nothing more is to be begun.
var ErrHeld = errors.New("what stands before it failed")

// Result is what became of one of several deliveries.
type Result struct {
	Receipt Receipt
	Err     error
}

// Sink delivers. Deliveries of one order come in their order and never two at once;
// those of others may come at the same time. An error that is no *Error is worth
// another try.
type Sink interface {
	Deliver(ctx context.Context, d Delivery) (Receipt, error)
}

// Batcher is a sink that takes many deliveries at once. It keeps the order itself,
// bounds the time of each, and returns a result for each. When ctx ends it begins
// nothing more, and finishes what is under way, within ten seconds.
type Batcher interface {
	Sink
	DeliverAll(ctx context.Context, ds []Delivery) []Result
}

// Error says what a failure means for a delivery.
type Error struct {
	// Permanent means that no other try can succeed.
	Permanent bool
	// After is when the other side wants to be asked again; it holds for all
	// deliveries of the sink.
	After time.Duration
	Err   error
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Permanent:
		return fmt.Sprintf("refused: %v", e.Err)
	case e.After > 0:
		return fmt.Sprintf("not yet, ask again in %v: %v", e.After, e.Err)
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Refused wraps an error that no other try can mend.
func Refused(err error) error { return &Error{Permanent: true, Err: err} }

// Limited wraps an error of somebody who wants to be asked later.
func Limited(after time.Duration, err error) error { return &Error{After: after, Err: err} }

// IsRefused reports whether no other try can succeed.
func IsRefused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Permanent
}

// Wait returns how long the other side wants to be left alone; 0 if it did not say.
func Wait(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.After
	}
	return 0
}
