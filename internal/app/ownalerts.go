package app

import (
	"context"
	"slices"
	"sync/atomic"

	"ferry/internal/config"
	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/troubles"
)

// own is ferry as a source of events: of its own troubles.
type own struct {
	source troubles.Source
	off    bool
}

// ownSources makes ferry a source of the pipeline. What it looks at it is told later, by
// watchOwn and hosted: the pipeline itself is among it.
func (a *alerts) ownSources(plan *alertPlan) []pipeline.Binding {
	t := &taker{Binding: pipeline.Binding{Name: event.Ferry, Stages: pipeline.Chain{beginnings{plan.stages(event.Ferry)}}}}
	t.Source = counting{&a.own.source, &t.taken}
	a.sources[event.Ferry] = t
	return []pipeline.Binding{t.Binding}
}

// beginnings are filters that the end of a trouble passes: one that was told before they
// were so would else never be over, because ferry's own do not expire.
type beginnings struct{ filters pipeline.Chain }

// Exec implements pipeline.Stage.
func (b beginnings) Exec(ctx context.Context, p *pipeline.Parcel) error {
	if !slices.ContainsFunc(p.Events, func(e event.Event) bool { return !e.Resolved }) {
		return nil
	}
	return b.filters.Exec(ctx, p)
}

// watchOwn has the pipeline and the fleet looked at. With alerts.own.off nothing is, and
// what was told before is ended.
func (a *alerts) watchOwn(c *config.Config, n alertNeeds) {
	a.own.source.Log, a.own.off = n.log, c.Alerts.Own.Off
	if !a.own.off {
		a.own.source.Sinks, a.own.source.Clusters = a.pipeline, n.fleet
	}
}

// hosted has the plugins looked at.
func (o *own) hosted(h troubles.Plugins) {
	if !o.off {
		o.source.Plugins = h
	}
}

// counting counts what a source tells.
type counting struct {
	pipeline.Source
	taken *atomic.Int64
}

// Stream implements pipeline.Source.
func (c counting) Stream(ctx context.Context, cursor string, emit func(event.Event) error) error {
	return c.Source.Stream(ctx, cursor, func(e event.Event) error {
		err := emit(e)
		if err == nil {
			c.taken.Add(1)
		}
		return err
	})
}
