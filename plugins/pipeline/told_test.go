package pipeline_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/match"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
)

// told runs a history through a pipeline for so long and returns what a sink was
// told, as lines of when, what state, how often.
func told(t *testing.T, o pipeline.Options, s *pipelinetest.Sink, most time.Duration, history ...pipelinetest.Timed) []string {
	t.Helper()
	began := time.Now()
	var at []string
	fails := s.Fails
	s.Fails = func(d sink.Delivery) (before, after error) {
		line := fmt.Sprintf("%s %s %d", time.Since(began).Truncate(time.Second), d.State, d.Count)
		if d.Repeat > 0 {
			line += fmt.Sprintf(" repeat %d", d.Repeat)
		}
		at = append(at, line)
		if fails != nil {
			return fails(d)
		}
		return nil, nil
	}
	if o.Store == nil {
		o.Store = new(rowstest.Memory).Open(0, false, nil)
	}
	if o.Route.Receiver == "" {
		o.Route.Receiver = "chat"
	}
	for i := range history {
		e := &history[i].Event
		if e.ID == "" {
			e.ID = event.ID(fmt.Sprint("e", i))
		}
	}
	o.Sources = append(o.Sources, pipeline.Binding{Name: "test", Source: &pipelinetest.Source{History: history, Began: began}})
	o.Receivers = append(o.Receivers, pipeline.Receiver{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: s}}})
	p, err := pipeline.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	return at
}

func after(d time.Duration, name string, more ...func(*event.Event)) pipelinetest.Timed {
	e := event.Event{Cluster: "prod", Kind: "Node", Name: name, Reason: "NotReady"}
	for _, fn := range more {
		fn(&e)
	}
	return pipelinetest.Timed{After: d, Event: e}
}

func resolved(e *event.Event) { e.Resolved = true }

// TestTiming is group_wait, group_interval, repeat_interval, after and the end of an
// incident, by the clock.
func TestTiming(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	timing := pipeline.Timing{GroupWait: 5 * s, GroupInterval: m, RepeatInterval: -1}
	for name, c := range map[string]struct {
		timing  pipeline.Timing
		quiet   time.Duration
		history []pipelinetest.Timed
		want    string
	}{
		"once":                             {timing, 0, []pipelinetest.Timed{after(s, "n1")}, "6s firing 1"},
		"what comes meanwhile":             {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(2*s, "n1"), after(s, "n1")}, "6s firing 3"},
		"a change waits for the interval":  {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(9*s, "n1"), after(s, "n1")}, "6s firing 1; 1m6s firing 3"},
		"a later change does not":          {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(5*m, "n1")}, "6s firing 1; 5m1s firing 2"},
		"resolved":                         {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(5*m, "n1", resolved)}, "6s firing 1; 5m1s resolved 1"},
		"resolved before anybody heard":    {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(s, "n1", resolved)}, ""},
		"resolved twice":                   {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(5*m, "n1", resolved), after(30*s, "n1", resolved)}, "6s firing 1; 5m1s resolved 1"},
		"resolved, nobody knows what":      {timing, 0, []pipelinetest.Timed{after(s, "n1", resolved)}, ""},
		"flapping is one incident":         {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(2*m, "n1", resolved), after(10*s, "n1"), after(10*s, "n1", resolved)}, "6s firing 1; 2m1s resolved 1; 3m1s resolved 2"},
		"the next one is another":          {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(2*m, "n1", resolved), after(2*m, "n1")}, "6s firing 1; 2m1s resolved 1; 4m6s firing 1"},
		"two things":                       {timing, 0, []pipelinetest.Timed{after(s, "n1"), after(2*s, "n2")}, "6s firing 1; 8s firing 1"},
		"again after the repeat interval":  {pipeline.Timing{GroupWait: 5 * s, GroupInterval: m, RepeatInterval: 30 * m}, 0, []pipelinetest.Timed{after(s, "n1")}, "6s firing 1; 30m6s firing 1 repeat 1"},
		"a change puts the repeat off":     {pipeline.Timing{GroupWait: 5 * s, GroupInterval: m, RepeatInterval: 40 * m}, 0, []pipelinetest.Timed{after(s, "n1"), after(30*m, "n1")}, "6s firing 1; 30m1s firing 2"},
		"after so many":                    {pipeline.Timing{GroupWait: 5 * s, GroupInterval: m, RepeatInterval: -1, After: 3}, 0, []pipelinetest.Timed{after(s, "n1"), after(m, "n1"), after(m, "n1")}, "2m6s firing 3"},
		"not after fewer":                  {pipeline.Timing{GroupWait: 5 * s, GroupInterval: m, RepeatInterval: -1, After: 3}, 0, []pipelinetest.Timed{after(s, "n1"), after(m, "n1")}, ""},
		"nothing is heard of it any more":  {timing, 20 * m, []pipelinetest.Timed{after(s, "n1")}, "6s firing 1; 20m1s expired 1"},
		"what is heard of does not expire": {timing, 20 * m, []pipelinetest.Timed{after(s, "n1"), after(15*m, "n1"), after(15*m, "n1"), after(15*m, "n1")}, "6s firing 1; 15m1s firing 2; 30m1s firing 3; 45m1s firing 4"},
		"the source counts":                {timing, 0, []pipelinetest.Timed{after(s, "n1", func(e *event.Event) { e.Count = 4 }), after(m, "n1", func(e *event.Event) { e.Count = 7 })}, "6s firing 4; 1m6s firing 7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var chat pipelinetest.Sink
				o := pipeline.Options{Route: pipeline.Route{Timing: c.timing}, ResolveTimeout: c.quiet}
				if got := strings.Join(told(t, o, &chat, time.Hour, c.history...), "; "); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestResync: a source that tells of the same things again, under new IDs, changes
// nothing.
func TestResync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		echo := func(e *event.Event) { e.ID = "again" }
		p := after(time.Second, "n1")
		again := after(0, "n1", echo) // at the same time, word for word
		if got := strings.Join(told(t, pipeline.Options{}, &chat, time.Hour, p, again), "; "); got != "3s firing 1" {
			t.Errorf("told %q", got)
		}
	})
}

// TestStorm: 300 pods of one node are one message, and an unrelated alert still
// arrives.
func TestStorm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		var history []pipelinetest.Timed
		for i := range 300 {
			history = append(history, after(10*time.Millisecond, fmt.Sprint("p", i), func(e *event.Event) {
				e.Kind, e.Namespace, e.Labels = "Pod", fmt.Sprint("team-", i%7), map[string]string{"node": "n1"}
			}))
			if i == 150 {
				history = append(history, after(0, "other", func(e *event.Event) { e.Cluster = "stage" }))
			}
		}
		o := pipeline.Options{Route: pipeline.Route{GroupBy: []string{"cluster", "node"}}}
		began := time.Now()
		told(t, o, &chat, 10*time.Minute, history...)
		keys, unrelated := map[string]int{}, sink.Delivery{}
		var last sink.Delivery
		for _, d := range chat.All() {
			keys[d.Key]++
			if d.Labels["cluster"] == "stage" {
				unrelated = d
			} else {
				last = d
			}
		}
		if len(keys) != 2 || keys[last.Key] > 3 {
			t.Errorf("messages and their states: %v, want one for the storm, told at most three times, and one for the other", keys)
		}
		if last.Things != 300 || last.Firing != 300 || last.Title != "300 in trouble: NotReady (cluster prod, node n1)" || len(last.Details) != 21 {
			t.Errorf("the storm reads %q: %d things, %d firing, %d details", last.Title, last.Things, last.Firing, len(last.Details))
		}
		if took := unrelated.At.Sub(began); unrelated.ID == "" || took > 5*time.Second {
			t.Errorf("the other one came after %v: %+v", took, unrelated)
		}
	})
}

type muted struct{ name atomic.Value }

func (m *muted) Mutes(e *event.Event) bool { return e.Name == m.name.Load() }

// TestSpared: what is silenced is told when the silence is over, and the end of what
// was told is told in any case.
func TestSpared(t *testing.T) {
	t.Parallel()
	timing := pipeline.Timing{GroupWait: 5 * time.Second, GroupInterval: time.Minute, RepeatInterval: -1}
	for name, c := range map[string]struct {
		before, after string
		history       []pipelinetest.Timed
		want          string
	}{
		"silenced":             {"n1", "n1", []pipelinetest.Timed{after(time.Second, "n1")}, ""},
		"until it is over":     {"n1", "", []pipelinetest.Timed{after(time.Second, "n1")}, "10m6s firing 1"},
		"others are told":      {"n2", "n2", []pipelinetest.Timed{after(time.Second, "n1"), after(0, "n2")}, "6s firing 1"},
		"no changes":           {"", "n1", []pipelinetest.Timed{after(time.Second, "n1"), after(15*time.Minute, "n1")}, "6s firing 1"},
		"but that it is over":  {"", "n1", []pipelinetest.Timed{after(time.Second, "n1"), after(15*time.Minute, "n1", resolved)}, "6s firing 1; 15m1s resolved 1"},
		"nor what nobody knew": {"n1", "n1", []pipelinetest.Timed{after(time.Second, "n1"), after(15*time.Minute, "n1", resolved)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var chat pipelinetest.Sink
				m := &muted{}
				m.name.Store(c.before)
				timer := time.AfterFunc(10*time.Minute, func() { m.name.Store(c.after) })
				defer timer.Stop()
				if got := strings.Join(told(t, pipeline.Options{Route: pipeline.Route{Timing: timing}, Silences: m}, &chat, time.Hour, c.history...), "; "); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestInhibited: pods are not told of while their node is known to be down, also
// after a restart.
func TestInhibited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		rule := pipeline.InhibitRule{Source: matchers(t, "kind=Node"), Target: matchers(t, `kind!=""`), Equal: []string{"cluster", "node"}}
		on := func(node string, kind string) func(*event.Event) {
			return func(e *event.Event) { e.Kind, e.Labels = kind, map[string]string{"node": node} }
		}
		run := func(history ...pipelinetest.Timed) []string {
			var chat pipelinetest.Sink
			told(t, pipeline.Options{Store: disk.Open(0, false, nil), Inhibit: []pipeline.InhibitRule{rule}}, &chat, 20*time.Minute, history...)
			var names []string
			for _, d := range chat.All() {
				names = append(names, d.Labels["name"]+" "+d.State)
			}
			slices.Sort(names)
			return slices.Compact(names)
		}
		first := run(after(0, "n1", on("n1", "Node")), after(0, "p1", on("n1", "Pod")), after(0, "p2", on("n2", "Pod")))
		if got := strings.Join(first, ", "); got != "n1 firing, p2 firing" {
			t.Errorf("told of %s", got)
		}
		// The source's cursor stands behind the first three.
		skip := []pipelinetest.Timed{after(0, "n1"), after(0, "p1"), after(0, "p2")}
		skip = append(skip, after(0, "p3", on("n1", "Pod")))
		if got := run(skip...); len(got) != 0 {
			t.Errorf("after a restart: told of %s", got)
		}
		third := run(append(skip, after(time.Minute, "n1", on("n1", "Node"), resolved))...)
		if got := strings.Join(third, ", "); got != "n1 resolved, p1 firing, p3 firing" {
			t.Errorf("after another and the node's recovery: told of %s", got)
		}
	})
}

// TestGivenUp: a delivery is tried as often as it is said, is kept then, and can be
// sent again.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for _, each := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var disk rowstest.Memory
			var up atomic.Bool
			s := &pipelinetest.Sink{Fails: func(sink.Delivery) (error, error) {
				if !up.Load() {
					return pipelinetest.ErrDown, nil
				}
				return nil, nil
			}}
			route := pipeline.Route{Receiver: "chat"}
			if each {
				route.GroupBy = []string{pipeline.Every}
			}
			p, err := pipeline.New(pipeline.Options{
				Store: disk.Open(0, false, nil), Route: route,
				Sources:   []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: []pipelinetest.Timed{after(0, "n1")}, Began: time.Now()}}},
				Receivers: []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: s, Retries: 3}}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- p.Run(ctx) }()
			time.Sleep(10 * time.Minute)
			dead, err := p.Dead(ctx, 10)
			if err != nil || len(dead) != 1 || dead[0].Tries != 4 || dead[0].Why != "the sink is down" || s.Calls() != 4 {
				t.Fatalf("dead: %+v, %v, after %d calls", dead, err, s.Calls())
			}
			up.Store(true)
			if err := p.Resend(ctx, dead[0].ID); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
			if all := s.All(); len(all) != 1 || all[0].ID != dead[0].Delivery.ID {
				t.Errorf("sent again: %+v", all)
			}
			if dead, err := p.Dead(ctx, 10); err != nil || len(dead) != 0 {
				t.Errorf("it is still dead: %+v, %v", dead, err)
			}
			if err := p.Resend(ctx, dead[0].ID); err == nil {
				t.Error("it was sent again twice")
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestANewerStateIsNotLost: a state that comes while the one before is under way is
// delivered after it.
func TestANewerStateIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &pipelinetest.Sink{Refs: true, Fails: func(d sink.Delivery) (error, error) {
			if d.Revision == 1 {
				time.Sleep(8 * time.Second)
			} else if d.Ref == "" {
				t.Error("the second state does not know where the message is")
			}
			return nil, nil
		}}
		o := pipeline.Options{Route: pipeline.Route{Timing: pipeline.Timing{GroupWait: time.Second, GroupInterval: 2 * time.Second, RepeatInterval: -1}}}
		got := strings.Join(told(t, o, slow, time.Hour, after(0, "n1"), after(4*time.Second, "n1")), "; ")
		if got != "1s firing 1; 9s firing 2" {
			t.Errorf("told %q", got)
		}
	})
}

func TestWhatDoesNotFitTogether(t *testing.T) {
	t.Parallel()
	one := []pipeline.Integration{{Name: "one", Sink: &pipelinetest.Sink{}}}
	for want, o := range map[string]pipeline.Options{
		"leads to receiver":  {Route: pipeline.Route{Receiver: "nobody"}, Receivers: []pipeline.Receiver{{Name: "chat", Sinks: one}}},
		"nobody else's":      {Route: pipeline.Route{Receiver: "chat"}, Receivers: []pipeline.Receiver{{Name: "chat", Sinks: one}, {Name: "chat"}}},
		"a name is a word":   {Route: pipeline.Route{Receiver: "a b"}, Receivers: []pipeline.Receiver{{Name: "a b"}}},
		"no other sink's":    {Route: pipeline.Route{Receiver: "chat"}, Receivers: []pipeline.Receiver{{Name: "chat", Sinks: append(one, one...)}}},
		"stands alone":       {Route: pipeline.Route{Receiver: "chat", GroupBy: []string{"...", "x"}}, Receivers: []pipeline.Receiver{{Name: "chat", Sinks: one}}},
		"source has no name": {Route: pipeline.Route{Receiver: "chat"}, Receivers: []pipeline.Receiver{{Name: "chat", Sinks: one}}, Sources: []pipeline.Binding{{}}},
	} {
		if _, err := pipeline.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want an error with %q", err, want)
		}
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	e := event.Event{Cluster: "prod", Kind: "Pod", Severity: event.Error, Labels: map[string]string{"app": "web"}, Object: []byte(`{"spec":{"replicas":3}}`)}
	for text, want := range map[string]bool{
		`event.kind == "Pod" && event.severity in ["error", "critical"]`: true,
		`event.cluster.startsWith("stage")`:                              false,
		`event.labels["app"] == "web"`:                                   true,
		`has(object.spec) && object.spec.replicas > 2.0`:                 true,
		`object.spec.replicas > 5.0`:                                     false,
		`object.status.phase == "Running"`:                               true, // it cannot tell
		`event.count == 1 && !event.resolved`:                            true,
		`event.at < timestamp("2026-01-01T00:00:00Z")`:                   true,
		`[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, a+b+c+d+e == 0 || event.count != 7))))) && false`: true, // it would cost too much
	} {
		f, err := pipeline.NewFilter(text, pipeline.Place{File: "config.yaml", Line: 12}, logger)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		p := &pipeline.Parcel{Events: []event.Event{e}}
		if err := f.Exec(t.Context(), p); err != nil || (len(p.Events) == 1) != want {
			t.Errorf("%s: passes = %v, %v; want %v", text, len(p.Events) == 1, err, want)
		}
	}
	if n := strings.Count(log.String(), "cannot judge"); n != 2 || !strings.Contains(log.String(), "filter=config.yaml:12") {
		t.Errorf("%d lines in the log, want 2 that name the place: %s", n, log.String())
	}
	for text, want := range map[string]string{
		`event.kindd == "Pod"`:          "config.yaml:12: filter: an event has no kindd; did you mean event.kind, or the label event.labels[\"kindd\"]? (column 1 of ",
		`event.owner == "a"`:            `an event has no owner; it has at, cluster, count, id, kind, labels, name, namespace, reason, resolved, severity, source, text, title; a label is event.labels["owner"]`,
		"event.kind == \"Pod\" &&\n  x": "config.yaml:13: filter: undeclared reference to 'x'",
		`event.kind`:                    "is a string, not true or false",
		`event.kind == 3`:               "no matching overload",
		`event.kind ==`:                 "config.yaml:12: filter: Syntax error",
		strings.Repeat("x", 5000):       "at most 4096",
	} {
		if _, err := pipeline.NewFilter(text, pipeline.Place{File: "config.yaml", Line: 12}, logger); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", text, err, want)
		}
	}
}

// TestRoutes is Alertmanager's tree: the first child that matches, the next ones too
// if it says continue, the node itself if none does.
func TestRoutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		names := []string{"root", "prod", "prod-db", "also", "stage"}
		sinks := map[string]*pipelinetest.Sink{}
		var receivers []pipeline.Receiver
		for _, n := range names {
			sinks[n] = &pipelinetest.Sink{}
			receivers = append(receivers, pipeline.Receiver{Name: n, Sinks: []pipeline.Integration{{Name: "one", Sink: sinks[n]}}})
		}
		m := func(text string) match.Matchers { return matchers(t, text) }
		var chat pipelinetest.Sink
		told(t, pipeline.Options{Receivers: receivers, Route: pipeline.Route{Receiver: "root", Routes: []pipeline.Route{
			{Match: m("cluster=prod"), Receiver: "prod", Continue: true, Routes: []pipeline.Route{{Match: m("name=~\"db.*\""), Receiver: "prod-db"}}},
			{Match: m("name=~\".*-x\""), Receiver: "also"},
			{Match: m("cluster=stage"), Receiver: "stage"},
			{Match: m("cluster=stage"), Receiver: "also"},
		}}}, &chat, time.Minute, after(0, "a"), after(0, "db1"), after(0, "db-x"),
			after(0, "b", func(e *event.Event) { e.Cluster = "stage" }), after(0, "c", func(e *event.Event) { e.Cluster = "dev" }))
		for name, want := range map[string]string{"root": "c", "prod": "a", "prod-db": "db-x db1", "also": "db-x", "stage": "b"} {
			var got []string
			for _, d := range sinks[name].All() {
				got = append(got, d.Labels["name"])
			}
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				t.Errorf("%s was told of %q, want %q", name, got, want)
			}
		}
	})
}
