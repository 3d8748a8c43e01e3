package pipeline

import (
	"context"
	"errors"

	"ferry/internal/event"
	"ferry/plugins/sink"
)

// Parcel is what goes through stages: events, and what becomes of them.
type Parcel struct {
	// Events are what is left. A stage takes out what is not to go on.
	Events []event.Event
	// Raw are the events as the log holds them, if they come from there; one each.
	Raw [][]byte
	// Index are their places in the batch; one each, like Raw.
	Index []int
	// Receiver is who is to hear of it; "" before it is known.
	Receiver string
	// Incident is what the events belong to; nil if each stands for itself.
	Incident *Trouble
	// storm is the digest that is told of, if it is one; the events are one of each
	// incident in it.
	storm *shown
	// Deliveries are the rendered messages.
	Deliveries []sink.Delivery
	// Queue takes what is to be stored for delivery; nil if it is delivered at once.
	Queue *queued
}

// keep leaves in a parcel the events that fn wants.
func (p *Parcel) keep(fn func(*event.Event) bool) {
	n := 0
	for i := range p.Events {
		if !fn(&p.Events[i]) {
			continue
		}
		if n != i {
			p.Events[n] = p.Events[i]
			if p.Raw != nil {
				p.Raw[n], p.Index[n] = p.Raw[i], p.Index[i]
			}
		}
		n++
	}
	p.Events = p.Events[:n]
	if p.Raw != nil {
		p.Raw, p.Index = p.Raw[:n], p.Index[:n]
	}
}

// Stage is one step of the pipeline. It may change the parcel and own it until it
// returns; an error ends the parcel's way.
type Stage interface {
	Exec(ctx context.Context, p *Parcel) error
}

// Chain are stages one after the other, as long as there is anything left.
type Chain []Stage

// Exec implements Stage.
func (c Chain) Exec(ctx context.Context, p *Parcel) error {
	for _, s := range c {
		if len(p.Events) == 0 {
			return nil
		}
		if err := s.Exec(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// Fanout are stages that each get the same parcel. One that fails holds up none of
// the others.
type Fanout []Stage

// Exec implements Stage.
func (f Fanout) Exec(ctx context.Context, p *Parcel) error {
	var errs []error
	for _, s := range f {
		each := *p
		errs = append(errs, s.Exec(ctx, &each))
	}
	return errors.Join(errs...)
}

// Routing are stages by the receiver that a parcel is for. A receiver that is no
// more takes nothing.
type Routing map[string]Stage

// Exec implements Stage.
func (r Routing) Exec(ctx context.Context, p *Parcel) error {
	if s := r[p.Receiver]; s != nil {
		return s.Exec(ctx, p)
	}
	return nil
}

// StageFunc is a function that is a stage.
type StageFunc func(ctx context.Context, p *Parcel) error

// Exec implements Stage.
func (f StageFunc) Exec(ctx context.Context, p *Parcel) error { return f(ctx, p) }
