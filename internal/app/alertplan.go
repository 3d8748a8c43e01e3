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
	// sink makes a sink. With nil they are left out.
	sink func(receiver string, s *config.Sink) (sink.Sink, error)
}

func planAlerts(c *config.Config, log *slog.Logger, to func(receiver string, s *config.Sink) (sink.Sink, error)) (*alertPlan, error) {
	p := planner{c: c, log: log, sink: to}
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
	p.possible(key, out)
	return out
}

// possible refuses matchers that no event can have: they would silently lead nowhere.
func (p *planner) possible(key string, ms match.Matchers) {
	if label, is := ms.Impossible(); is {
		p.wrong(key, fmt.Errorf("nothing has all of them: they demand two things of %s", label), `one that has either: `+label+`=~"a|b"`)
	}
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
		below, one := fmt.Sprintf("%s.routes[%d]", key, i), &r.Routes[i]
		if len(one.Matchers) == 0 && !one.Continue && i < len(r.Routes)-1 {
			p.wrong(below, errors.New("without matchers it takes everything, and the routes after it nothing"), "give it matchers, put it last, or write continue: true")
		}
		out.Routes = append(out.Routes, p.route(below, one))
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
		if p.sink == nil {
			continue
		}
		if one.Sink, err = p.sink(r.Name, s); err != nil {
			p.wrong(key+"."+s.Kinds()[0], err, "")
			continue
		}
		out.Sinks = append(out.Sinks, one)
	}
	return out
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
