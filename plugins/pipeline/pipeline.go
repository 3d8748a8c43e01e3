// Package pipeline takes events from sources to sinks: durably, in order, and as
// incidents where people are told.
//
// The chain, in Alertmanager's words:
//
//	source → filter → enrich → log → route → group → inhibit, silence → render → deliver
//
// What stands before the log happens once per event; the log is the durable order of
// all events, written in batches, each with the cursors of its sources in the same
// transaction. Behind it are readers, each with a durable position of its own:
//
//   - dispatch makes incidents: it groups events of the same trouble, deduplicates
//     by what they are about, and tells of an incident when group_wait, group_interval or
//     repeat_interval say so. Incidents and position are one transaction, and so are an
//     incident that was told of and the deliveries that tell it;
//   - a feed for each sink that wants every event (group_by: ["..."]): its position
//     is what was delivered.
//
// A courier for each sink brings deliveries, one at a time within an incident. A
// delivery of an incident is a row until it arrived, and a newer state takes the
// older one's place; what cannot be delivered becomes a dead letter, which is kept,
// shown, and can be sent again. IDs of incidents and deliveries follow from what is in
// the log, so that after a crash the same ones are made.
//
// Grouping comes after routing, because group_by is a property of a route.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/internal/event"
	"ferry/plugins/rows"
)

// Receiver is who hears of things: sinks that all get the same.
type Receiver struct {
	Name  string
	Sinks []Integration
}

// Options of a pipeline. Store, Route and Receivers are needed.
type Options struct {
	Store     rows.Store
	Sources   []Binding
	Route     Route
	Receivers []Receiver
	Inhibit   []InhibitRule
	// Silences mute what people do not want to hear of; nil for none.
	Silences Muter
	// ResolveTimeout is how long an incident is open of which nothing is heard; 24 h.
	ResolveTimeout time.Duration
	// Keep is how long incidents that ended and dead letters are kept; 7 days.
	Keep time.Duration
	// Linger is how long an event of a stream waits for others to be written with;
	// 80 ms. One that comes alone waits a tenth of that.
	Linger time.Duration
	// LogSize is how many bytes of events are kept that everybody read, 32 MiB;
	// LogMost how many at most if somebody did not, 1 GiB.
	LogSize, LogMost int
	Log              *slog.Logger
}

// Pipeline is made by New and works while Run does.
type Pipeline struct {
	o        Options
	log      *Log
	dispatch *dispatch
	couriers map[string]*courier
	feeds    []*feed
	given    given
}

// New checks how everything fits together. Nothing is read or written before Run.
func New(o Options) (*Pipeline, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	orElse(&o.ResolveTimeout, 24*time.Hour)
	orElse(&o.Keep, 7*24*time.Hour)
	orElse(&o.Linger, 80*time.Millisecond)
	orElse(&o.LogSize, 32<<20)
	orElse(&o.LogMost, 1<<30)
	p := &Pipeline{o: o, couriers: map[string]*courier{}}
	route, err := o.Route.ready(Route{GroupBy: []string{"about"}, Timing: defaultTiming()})
	if err != nil {
		return nil, err
	}
	for i := range o.Sources {
		if o.Sources[i].Name == "" {
			return nil, errors.New("a source has no name")
		}
	}
	p.log = newLog(o.Store, logPace{linger: min(10*time.Millisecond, o.Linger), gap: o.Linger, most: 512, mostSize: 256 << 10, keepSize: o.LogSize, hardSize: o.LogMost, recent: 16}, p.now, o.Log)
	inhibitor := NewInhibitor(o.Inhibit, o.ResolveTimeout)
	mute := Chain{Mute{inhibitor}}
	if o.Silences != nil {
		mute = append(mute, Mute{o.Silences})
	}
	notify, err := p.receivers(&route, mute)
	if err != nil {
		return nil, err
	}
	var missing error
	route.walk(func(r *Route) {
		if _, ok := notify[r.Receiver]; !ok {
			missing = errors.Join(missing, fmt.Errorf("a route leads to receiver %q, which there is none of", r.Receiver))
		}
	})
	if missing != nil {
		return nil, missing
	}
	p.dispatch = &dispatch{
		log: o.Log, from: p.log, store: o.Store, route: &route, quiet: o.ResolveTimeout, now: p.now,
		sparing: sparing{inhibitor, o.Silences}, notify: notify, sent: p.wanted,
	}
	return p, nil
}

func orElse[T int | time.Duration](v *T, other T) {
	if *v <= 0 {
		*v = other
	}
}

// receivers makes the couriers, the feeds, and the stages behind grouping.
func (p *Pipeline) receivers(route *Route, mute Stage) (Routing, error) {
	notify := Routing{}
	for _, r := range p.o.Receivers {
		if _, twice := notify[r.Name]; twice || !word(r.Name) {
			return nil, fmt.Errorf("receiver %q: a name is a word, and nobody else's", r.Name)
		}
		each := false
		route.walk(func(n *Route) { each = each || n.each() && n.Receiver == r.Name })
		var sinks Fanout
		for _, i := range r.Sinks {
			c := newCourier(r.Name, i, p.o.Store, p.now, p.o.Log)
			if p.couriers[c.id] != nil || !word(i.Name) || i.Sink == nil {
				return nil, fmt.Errorf("receiver %s: sink %q: a name is a word, and no other sink's of this receiver", r.Name, i.Name)
			}
			p.couriers[c.id] = c
			sinks = append(sinks, Chain{c.Render, queue(c.id, p.now)})
			if each {
				p.feeds = append(p.feeds, &feed{courier: c, from: p.log, route: route, receiver: r.Name, mute: mute})
			}
		}
		notify[r.Name] = sinks
	}
	return notify, nil
}

// word reports whether a name can stand in a key.
func word(s string) bool { return s != "" && len(s) <= 63 && !strings.ContainsAny(s, "/: \t\n") }

func (p *Pipeline) now() time.Time { return time.Now() }

// wanted tells the couriers of wants that are durable.
func (p *Pipeline) wanted(q queued) {
	for _, w := range q {
		p.couriers[w.sink].add(w.order, w.place, 0, time.Time{})
	}
}

// Run reads what was left of an earlier run and works until ctx ends.
func (p *Pipeline) Run(ctx context.Context) error {
	if err := p.load(ctx); err != nil {
		return fmt.Errorf("read events: %w", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.log.run(ctx) })
	g.Go(func() error { return p.dispatch.run(ctx) })
	for _, c := range p.couriers {
		g.Go(func() error { return c.run(ctx) })
	}
	for _, f := range p.feeds {
		g.Go(func() error { return f.run(ctx) })
	}
	g.Go(func() error { return p.sweeping(ctx) })
	for _, b := range p.o.Sources {
		g.Go(func() error { return p.log.feedFrom(ctx, b) })
	}
	return g.Wait()
}

func (p *Pipeline) load(ctx context.Context) error {
	if err := p.log.load(ctx); err != nil {
		return err
	}
	if err := p.dispatch.load(ctx); err != nil {
		return err
	}
	for _, c := range p.couriers {
		if err := c.load(ctx); err != nil {
			return err
		}
	}
	for _, f := range p.feeds {
		if err := f.load(ctx); err != nil {
			return err
		}
	}
	return nil
}

// sweeping forgets what is old, every hour.
func (p *Pipeline) sweeping(ctx context.Context) error {
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
		n, err := p.sweep(ctx, p.now().Add(-p.o.Keep))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			p.o.Log.Warn("old incidents could not be forgotten", "error", err)
		case n > 0:
			p.o.Log.Info("old incidents were forgotten", "rows", n)
		}
	}
}

// Append writes an event of a binding that is not streamed, such as an incoming
// webhook's, and returns when it is durable.
func (p *Pipeline) Append(ctx context.Context, b Binding, e event.Event) error {
	return p.log.Append(ctx, b, e)
}

// Incidents returns what is open and what ended lately, the last changed first.
func (p *Pipeline) Incidents() []event.Incident { return p.dispatch.incidents() }

// SinkState is how deliveries to a sink go.
type SinkState struct {
	Sink string
	// Delivered, Retried and Dead are since the start; Waiting is now.
	Delivered, Retried, Dead int64
	Waiting                  int
	// Stuck is how many of those that wait fail again and again while others arrive.
	Stuck int
	// Why is what went wrong last with what was to be tried again; "" if nothing did.
	Why string
}

// Sinks returns how deliveries go.
func (p *Pipeline) Sinks() (out []SinkState) {
	for _, r := range p.o.Receivers {
		for _, i := range r.Sinks {
			c := p.couriers[r.Name+":"+i.Name]
			waiting, _ := c.waiting("")
			out = append(out, c.count.state(c.id, waiting, c.stuck()))
		}
	}
	return out
}
