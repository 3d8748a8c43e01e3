package webhook

import (
	"context"
	"errors"
	"time"

	"ferry/plugins/api"
)

// patience is how long whoever posts something waits for the answer. Flux gives all
// its tries together 15 s, so it has to be short.
const patience = 5 * time.Second

// errNotTaken says no more than that: whether it was is not known.
var errNotTaken = errors.New("ferry did not say in time that it has it; send it again")

// taker hands events to ferry, one request after the other: emit blocks while ferry
// is behind, and whoever posts cannot wait for that.
type taker struct {
	emit func(api.Event) error
	// stored returns when what was emitted is on ferry's disk; nil: ferry does not tell.
	stored   func(context.Context) error
	requests chan request
	ended    <-chan struct{} // the stream
}

// request is what one request makes.
type request struct {
	ctx    context.Context //nolint:containedctx // whose end says that nobody waits any more
	events []api.Event
	taken  chan error // has room for the answer
}

func newTaker(ctx context.Context, emit func(api.Event) error, stored func(context.Context) error) *taker {
	return &taker{emit: emit, stored: stored, requests: make(chan request), ended: ctx.Done()}
}

// run hands over until ctx ends.
func (t *taker) run(ctx context.Context) error {
	for {
		select {
		case r := <-t.requests:
			r.taken <- t.hand(r)
		case <-ctx.Done():
			return nil
		}
	}
}

func (t *taker) hand(r request) error {
	for _, e := range r.events {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		err := t.emit(e)
		if errors.Is(err, api.ErrTooLarge) {
			e.Object, e.Labels = nil, nil
			err = t.emit(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// take returns when ferry has the events on its disk. With an error, which comes
// within the patience, it may have some of them: they have the same IDs again.
func (t *taker) take(ctx context.Context, events []api.Event) error {
	if len(events) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r := request{ctx: ctx, events: events, taken: make(chan error, 1)}
	select {
	case t.requests <- r:
	case <-ctx.Done():
		return errNotTaken
	case <-t.ended:
		return errNotTaken
	}
	select {
	case err := <-r.taken:
		if err != nil || t.stored != nil && t.stored(ctx) != nil {
			return errNotTaken
		}
		return nil
	case <-ctx.Done():
		return errNotTaken
	case <-t.ended:
		return errNotTaken
	}
}
