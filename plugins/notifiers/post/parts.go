package post

import (
	"context"
	"errors"
	"fmt"

	"ferry/plugins/api"
)

// TooLarge is an answer of 413 to a body of so many bytes: the server's own, or that of a
// proxy before it.
type TooLarge struct {
	error

	Bytes int
}

func (e TooLarge) Unwrap() error { return e.error }

// Explain says what is to be raised where a single delivery was too large.
func Explain(id, raise string, err error) error {
	if large, ok := errors.AsType[TooLarge](err); ok {
		return fmt.Errorf("delivery %s is too large, with %d bytes: raise %s, then `resend` it: %w", id, large.Bytes, raise, err)
	}
	return err
}

// Parts delivers several together to somebody who may not take them all at once.
type Parts struct {
	// Deliver makes an outcome for each, or an error of the whole, of which then nothing
	// has arrived.
	Deliver func([]api.Notification) ([]api.Outcome, error)
	// Singly has what is refused for good tried one by one, so that one delivery does not
	// sink the others.
	Singly bool
	// Raise is for Explain.
	Raise string
}

// DeliverAll delivers all together, and what is too large for that in halves, in their
// order, down to one alone; if that is too large it is refused for good. What stands
// behind a failure of its order, or behind a plea to wait, is held.
func (p Parts) DeliverAll(ctx context.Context, all []api.Notification) []api.Outcome {
	r := parting{Parts: p, all: all, out: make([]api.Outcome, len(all)), failed: map[string]bool{}}
	which := make([]int, len(all))
	for i := range which {
		which[i] = i
	}
	r.part(ctx, which)
	return r.out
}

// parting is how far DeliverAll came.
type parting struct {
	Parts

	all    []api.Notification
	out    []api.Outcome
	failed map[string]bool // orders of which one failed
	waits  bool            // the other side wants to be left alone
}

func (r *parting) part(ctx context.Context, which []int) {
	var open []int
	var ns []api.Notification
	for _, i := range which {
		if r.waits || r.failed[r.all[i].Order] || ctx.Err() != nil {
			r.became(i, api.Outcome{Err: api.ErrHeld})
			continue
		}
		open, ns = append(open, i), append(ns, r.all[i])
	}
	if len(open) == 0 {
		return
	}
	out, err := r.Deliver(ns)
	_, tooLarge := errors.AsType[TooLarge](err)
	switch half := len(open) / 2; {
	case tooLarge && half > 0:
		r.part(ctx, open[:half])
		r.part(ctx, open[half:])
		return
	case r.Singly && half > 0 && Permanent(err):
		for k := range open {
			r.part(ctx, open[k:k+1])
		}
		return
	}
	for k, i := range open {
		if err != nil {
			r.became(i, api.Outcome{Err: Explain(ns[0].ID, r.Raise, err)})
		} else {
			r.became(i, out[k])
		}
	}
}

func (r *parting) became(i int, o api.Outcome) {
	r.out[i] = o
	if o.Err != nil {
		r.failed[r.all[i].Order] = true
		after, _ := api.Retry(o.Err)
		r.waits = r.waits || after > 0
	}
}
