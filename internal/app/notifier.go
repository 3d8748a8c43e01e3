package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"ferry/internal/event"
	"ferry/plugins/api"
	"ferry/plugins/host"
	"ferry/plugins/sink"
)

// notifying is the host of the plugins.
type notifying interface {
	Deliver(ctx context.Context, name string, ns []api.Notification, known func(i int, o api.Outcome)) error
}

// notifier is a plugin as a sink. Whether something was delivered before, by a ferry
// that died before it could note that, the plugin looks up by itself if it can.
type notifier struct {
	name, to string
	ask      func() notifying
	// broke says that the plugin died or hung in the middle of something.
	broke atomic.Bool
}

// Deliver implements sink.Sink.
func (s *notifier) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	r := s.DeliverAll(ctx, []sink.Delivery{d})[0]
	return r.Receipt, r.Err
}

// DeliverAll implements sink.Batcher. It is all that an unbatched sink has to travel
// with, too: what is asked for together crosses to the plugin together. After the plugin
// broke in the middle of several they go one by one, so that the one by which it broke
// takes no other with it.
func (s *notifier) DeliverAll(ctx context.Context, ds []sink.Delivery) []sink.Result {
	if !s.broke.Load() {
		out, broke := s.together(ctx, ds)
		s.broke.Store(broke)
		return out
	}
	out := make([]sink.Result, len(ds))
	for i := range ds {
		one, broke := s.together(ctx, ds[i:i+1])
		if out[i] = one[0]; broke || sink.Wait(one[0].Err) > 0 || ctx.Err() != nil {
			for i++; i < len(ds); i++ {
				out[i].Err = sink.ErrHeld
			}
			return out
		}
	}
	s.broke.Store(false)
	return out
}

// together asks for all at once; broke says that the plugin died or hung meanwhile.
func (s *notifier) together(ctx context.Context, ds []sink.Delivery) (out []sink.Result, broke bool) {
	ns, told := make([]api.Notification, len(ds)), make([]bool, len(ds))
	out = make([]sink.Result, len(ds))
	for i := range ds {
		ns[i] = notification(&ds[i])
		ns[i].To = s.to
	}
	err := s.ask().Deliver(ctx, s.name, ns, func(i int, o api.Outcome) {
		out[i], told[i] = sink.Result{Receipt: sink.Receipt{Ref: o.Receipt.Ref}, Err: meaning(o.Err)}, true
	})
	for i := range out {
		if !told[i] {
			out[i].Err = meaning(err)
		}
	}
	return out, err != nil && ctx.Err() == nil && !errors.Is(err, host.ErrNotBegun)
}

// restart is about how long a plugin that is not running takes to run again.
const restart = 2 * time.Second

// meaning is what a plugin's error means for a delivery.
func meaning(err error) error {
	if after, again := api.Retry(err); again {
		if after > 0 {
			return sink.Limited(after, err)
		}
		return err
	}
	if failure, own := errors.AsType[api.Failure](err); own {
		return sink.Refused(failure)
	}
	switch {
	case errors.Is(err, api.ErrHeld):
		return sink.ErrHeld
	case errors.Is(err, host.ErrNotBegun):
		return sink.Limited(restart, err) // which is no try
	}
	return err
}

// printed is ferry's own output as a sink: a line of JSON for each delivery. A line that
// was written right before a crash is written again, with the same ID.
type printed struct {
	mu  sync.Mutex
	out io.Writer
}

// Deliver implements sink.Sink.
func (p *printed) Deliver(_ context.Context, d sink.Delivery) (sink.Receipt, error) {
	line, err := json.Marshal(notification(&d))
	if err != nil {
		return sink.Receipt{}, sink.Refused(fmt.Errorf("encode delivery %s: %w", d.ID, err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err = p.out.Write(append(line, '\n'))
	return sink.Receipt{}, err
}

// notification is a delivery in the words of the contract.
func notification(d *sink.Delivery) api.Notification {
	n := api.Notification{
		ID: d.ID, Incident: d.Key, State: api.Updated, Revision: d.Revision, At: d.At, Severity: d.Severity, Title: d.Title, Text: d.Text,
		Count: d.Count, Firing: d.Firing, Things: d.Things, Repeat: d.Repeat, Labels: d.Labels, Details: d.Details, Event: d.Event,
		Previous: api.Receipt{Ref: d.Ref}, Order: d.Order, Opened: d.Opened,
	}
	switch {
	case d.State == string(event.Resolved):
		n.State = api.Resolved
	case d.State == string(event.Expired):
		n.State = api.Expired
	case d.State == "":
		n.State = api.Happened
	case d.Revision <= 1:
		n.State = api.Opened
	}
	return n
}
