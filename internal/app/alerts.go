package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"ferry/internal/config"
	"ferry/internal/event"
	"ferry/plugins/api"
	"ferry/plugins/pipeline"
	"ferry/plugins/silence"
	"ferry/plugins/sink"
	"ferry/plugins/sink/slack"
	"ferry/plugins/troubles"
	"ferry/storage"
)

// alerts are what is made of events: the pipeline, and what people may say to it.
type alerts struct {
	pipeline *pipeline.Pipeline
	silences *silence.Silences
	channels *channels
	// hosting runs the notifiers; it is made after the pipeline, which it feeds.
	hosting notifying
	sources map[string]*taker // by binding
	own     own
}

// taker takes the events of a binding.
type taker struct {
	pipeline.Binding
	cluster string // of a source that watches one
	taken   atomic.Int64
}

// alertNeeds are what the pipeline needs of the house.
type alertNeeds struct {
	kv      storage.KV
	trail   *storage.Trail
	slack   slack.Outbox
	context pipeline.Context
	fleet   troubles.Clusters
	out     io.Writer
	log     *slog.Logger
}

// newAlerts makes what the configuration says of alerts; nil if that is nothing.
func newAlerts(ctx context.Context, c *config.Config, n alertNeeds) (*alerts, error) {
	if !c.Alerts.IsSet() {
		return nil, nil //nolint:nilnil // there are none
	}
	a, store := &alerts{sources: map[string]*taker{}}, alertRows{n.kv, n.trail}
	var err error
	if a.silences, err = silence.Load(ctx, store, time.Now); err != nil {
		return nil, fmt.Errorf("read silences: %w", err)
	}
	if a.channels, err = loadChannels(ctx, store); err != nil {
		return nil, fmt.Errorf("read which channels are told: %w", err)
	}
	plan, err := planAlerts(c, n.log, func(receiver string, s *config.Sink) (sink.Sink, error) { return a.sink(n, receiver, s) })
	if err != nil {
		return nil, err
	}
	a.pipeline, err = pipeline.New(pipeline.Options{
		Sources: a.ownSources(plan), Store: store, Route: plan.route, Receivers: plan.receivers, Inhibit: plan.inhibit, Silences: a.silences,
		ResolveTimeout: c.Alerts.ResolveTimeout, Log: n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: alerts: %w", c.At("alerts"), err)
	}
	a.watchOwn(c, n)
	for i := range c.Plugins.Sources {
		p := &c.Plugins.Sources[i]
		members := membersOf(c, p)
		stages := append(plan.stages(p.Name), pipeline.Enrich{Context: n.context})
		if len(members) <= 1 {
			one := &taker{Binding: pipeline.Binding{Name: p.Name, Stages: stages}}
			if len(members) == 1 {
				one.cluster = string(members[0].Name)
			}
			a.sources[p.Name] = one
			continue
		}
		for _, m := range members {
			name := p.Name + "/" + string(m.Name)
			a.sources[name] = &taker{Binding: pipeline.Binding{Name: name, Stages: stages}, cluster: string(m.Name)}
		}
	}
	return a, nil
}

// sink makes a sink.
func (a *alerts) sink(n alertNeeds, receiver string, s *config.Sink) (sink.Sink, error) {
	switch {
	case s.Slack.Channel != "":
		to, err := slack.New(slack.Config{Outbox: n.slack, Channel: chatChannel(s), Prefix: receiver + "/" + s.Called()})
		if err != nil {
			return nil, err
		}
		return a.channels.guard(chatChannel(s), to), nil
	case s.Stdout:
		return &printed{out: n.out}, nil
	}
	return &notifier{name: s.Notifier, to: s.To, ask: func() notifying { return a.hosting }}, nil
}

// house is the host of the plugins, as alerts know it.
type house interface {
	notifying
	troubles.Plugins
}

// hosted is told who runs the plugins, and where numbers are shown.
func (a *alerts) hosted(h house, m *metrics) {
	if a != nil {
		a.hosting = h
		a.own.hosted(h)
		m.registry.MustRegister(alertCollector{a})
	}
}

// events is what the host of the plugins is to do with events; nothing takes them if
// there are no alerts.
func (a *alerts) events() events {
	if a == nil {
		return events{}
	}
	return events{
		take: func(ctx context.Context, binding string, e api.Event) error {
			t := a.sources[binding]
			if t == nil {
				return fmt.Errorf("nothing takes the events of %s", binding)
			}
			one := eventOf(&e)
			if one.Cluster == "" {
				one.Cluster = t.cluster
			}
			if err := a.pipeline.Take(ctx, t.Binding, one); err != nil {
				return err
			}
			t.taken.Add(1)
			return nil
		},
		cursor: a.pipeline.Cursor,
		stored: a.pipeline.Flush,
	}
}

// services are what runs of it: none for a nil one.
func (a *alerts) services() []service {
	if a == nil {
		return nil
	}
	// A delivery under way is waited for, ten seconds: nobody would know what became of it.
	return []service{{name: "events", run: a.pipeline.Run, patience: 15 * time.Second}}
}

// eventOf is a plugin's event in the house's words.
func eventOf(e *api.Event) event.Event {
	return event.Event{
		ID: event.ID(e.ID), Cursor: e.Cursor, At: e.At, Cluster: e.Cluster, Kind: e.Kind, Namespace: e.Namespace, Name: e.Name,
		Reason: e.Reason, Severity: event.Severity(strings.ToLower(e.Severity)), Title: e.Title, Text: e.Text, Labels: e.Labels,
		Object: e.Object, About: event.About(e.About), Resolved: e.Resolved, Moment: e.Moment, Still: e.Still, Count: e.Count,
	}
}
