package app

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strconv"
	"strings"

	"ferry/internal/config"
	"ferry/plugins/match"
	"ferry/plugins/pipeline"
	"ferry/plugins/sink"
	"ferry/plugins/sink/discord"
	"ferry/plugins/sink/elasticsearch"
	"ferry/plugins/sink/mattermost"
	"ferry/plugins/sink/teams"
	"ferry/plugins/sink/webhook"
)

// alertPlan is what the configuration says of alerts, as the pipeline wants it. To
// make it has no effect, so that what is wrong is known before anything starts.
type alertPlan struct {
	route   pipeline.Route
	inhibit []pipeline.InhibitRule
	filters []sourceFilter
	// receivers lack the sinks that were left out.
	receivers []pipeline.Receiver
}

// sourceFilter is a filter for some sources.
type sourceFilter struct {
	stage   pipeline.Stage
	sources []string
}

// planner collects everything that is wrong.
type planner struct {
	c    *config.Config
	log  *slog.Logger
	errs []error
	// outside makes the sinks that need something of ferry's: Slack, files, plugins. With
	// nil they are left out.
	outside func(receiver string, s *config.Sink) (sink.Sink, error)
}

func planAlerts(c *config.Config, log *slog.Logger, outside func(receiver string, s *config.Sink) (sink.Sink, error)) (*alertPlan, error) {
	p := planner{c: c, log: log, outside: outside}
	a := &c.Alerts
	out := &alertPlan{route: p.route("alerts.route", &a.Route)}
	for i, r := range a.InhibitRules {
		key := fmt.Sprintf("alerts.inhibit_rules[%d]", i)
		out.inhibit = append(out.inhibit, pipeline.InhibitRule{
			Source: p.matchers(key+".source_matchers", r.SourceMatchers), Target: p.matchers(key+".target_matchers", r.TargetMatchers), Equal: r.Equal,
			KeepFiringFor: cmp.Or(r.KeepFiringFor, config.DefaultKeepFiringFor),
		})
	}
	for i, f := range a.Filters {
		stage, err := pipeline.NewFilter(f.Keep, p.place(fmt.Sprintf("alerts.filters[%d].keep", i)), log)
		if err != nil {
			p.errs = append(p.errs, err)
			continue
		}
		out.filters = append(out.filters, sourceFilter{stage, f.Sources})
	}
	for i := range a.Receivers {
		out.receivers = append(out.receivers, p.receiver(&a.Receivers[i]))
	}
	return out, errors.Join(p.errs...)
}

// checkAlerts finds what is wrong with alerts that the configuration's types cannot say.
func checkAlerts(c *config.Config) error {
	_, err := planAlerts(c, slog.New(slog.DiscardHandler), nil)
	return err
}

// wrong notes an error of a key.
func (p *planner) wrong(key string, err error, help string) {
	if err == nil {
		return
	}
	says := fmt.Sprintf("%s: %s: %v", p.c.At(key), key, err)
	if help != "" {
		says += "; " + help
	}
	p.errs = append(p.errs, errors.New(says))
}

func (p *planner) place(key string) pipeline.Place {
	at := p.c.At(key)
	i := strings.LastIndexByte(at, ':')
	line, err := strconv.Atoi(at[i+1:])
	if err != nil {
		return pipeline.Place{File: at}
	}
	return pipeline.Place{File: at[:i], Line: line}
}

func (p *planner) matchers(key string, texts []string) match.Matchers {
	var out match.Matchers
	for i, text := range texts {
		ms, err := match.Parse(text)
		if err == nil && len(ms) == 0 {
			err = errors.New("no label is named")
		}
		p.wrong(fmt.Sprintf("%s[%d]", key, i), err, `for example: severity=~"error|critical"`)
		out = append(out, ms...)
	}
	return out
}

func (p *planner) route(key string, r *config.AlertRoute) pipeline.Route {
	out := pipeline.Route{
		Match: p.matchers(key+".matchers", r.Matchers), Receiver: r.Receiver, Continue: r.Continue, GroupBy: r.GroupBy,
		Timing: pipeline.Timing{
			GroupWait: r.GroupWait, GroupInterval: r.GroupInterval, RepeatInterval: r.RepeatInterval, After: int(r.After),
			Storm: pipeline.Storm{MoreThan: int(r.Storm.MoreThan), Within: r.Storm.Within},
		},
	}
	if r.Storm.Off {
		out.Storm.MoreThan = -1
	}
	for i := range r.Routes {
		out.Routes = append(out.Routes, p.route(fmt.Sprintf("%s.routes[%d]", key, i), &r.Routes[i]))
	}
	return out
}

func (p *planner) receiver(r *config.Receiver) pipeline.Receiver {
	out := pipeline.Receiver{Name: r.Name}
	for i := range r.Sinks {
		s, key := &r.Sinks[i], fmt.Sprintf("alerts.receivers.%s.sinks[%d]", r.Name, i)
		one := pipeline.Integration{Name: s.Called(), Retries: int(s.Retries)}
		var err error
		where := key + ".title"
		if s.Title == "" {
			where = key + ".text"
		}
		if one.Render, err = pipeline.NewRender(s.Title, s.Text, p.place(where), p.log); err != nil {
			p.errs = append(p.errs, err)
		}
		if one.Sink, err = p.sink(r.Name, s); err != nil {
			p.wrong(key+"."+s.Kinds()[0], err, "")
		}
		if one.Sink != nil {
			out.Sinks = append(out.Sinks, one)
		}
	}
	return out
}

// sink makes a sink; nil for one that is left out.
func (p *planner) sink(receiver string, s *config.Sink) (sink.Sink, error) {
	switch s.Kinds()[0] {
	case config.SinkWebhook:
		w := s.Webhook
		return webhook.New(webhook.Config{URL: w.Address.Reveal(), Secret: w.Secret.Reveal(), Template: w.Template, ContentType: w.ContentType, Headers: w.Headers, Batch: int(w.Batch)})
	case config.SinkElasticsearch:
		e := s.Elasticsearch
		return orNone(elasticsearch.New(elasticsearch.Config{URL: e.URL, Stream: e.Stream, APIKey: e.APIKey.Reveal(), User: e.User, Password: e.Password.Reveal()}))
	case config.SinkMattermost:
		m := s.Mattermost
		return orNone(mattermost.New(mattermost.Config{URL: m.URL, Token: m.Token.Reveal(), Channel: m.Channel}))
	case config.SinkDiscord:
		return orNone(discord.New(discord.Config{URL: s.Discord.Address.Reveal(), Username: s.Discord.Username}))
	case config.SinkTeams:
		return orNone(teams.New(teams.Config{URL: s.Teams.Address.Reveal(), Updates: s.Teams.Updates}))
	}
	if p.outside == nil {
		return nil, nil //nolint:nilnil // left out: nothing is started yet
	}
	return p.outside(receiver, s)
}

// orNone keeps a nil pointer from becoming a sink that is none.
func orNone[T sink.Sink](s T, err error) (sink.Sink, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// stages are the filters of a source.
func (a *alertPlan) stages(source string) pipeline.Chain {
	var out pipeline.Chain
	for _, f := range a.filters {
		if len(f.sources) == 0 || slices.ContainsFunc(f.sources, func(pattern string) bool { ok, _ := path.Match(pattern, source); return ok }) {
			out = append(out, f.stage)
		}
	}
	return out
}
