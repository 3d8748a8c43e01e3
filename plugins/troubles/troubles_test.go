package troubles_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/plugins/host"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/sink"
	"ferry/plugins/troubles"
)

const (
	noPlugin  = "The source events does not run"
	unseen    = "Ferry cannot see what happens on prod"
	noHook    = "Nothing reaches ops:hook"
	givenUp   = "A message to ops:hook was given up"
	aMoment   = 30 * time.Second // in which what is so is told
	aLittle   = 70 * time.Second
	longSince = 24*time.Hour + time.Minute
)

// TestAClusterThatIsNotSeen is told after a while, for as long as it is so, and until
// it is not.
func TestAClusterThatIsNotSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lasts time.Duration
		want  string
	}{
		"a restart":  {2 * time.Minute, ""},
		"an outage":  {10 * time.Minute, "1 " + unseen + "; 1 Resolved: " + unseen},
		"a long one": {3 * longSince, "1 " + unseen + "; 1 Resolved: " + unseen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{clusters: []deploy.ClusterState{stale(time.Now()), {Name: "dev"}}}
				w.live(t, 0, false, c.lasts+aLittle, func(*pipeline.Pipeline) {
					time.Sleep(c.lasts)
					w.set(func() { w.clusters[0].Stale = false })
				})
				if got := heard(&w.chat); got != c.want {
					t.Errorf("heard %q, want %q", got, c.want)
				}
				if all := w.chat.All(); len(all) > 0 {
					want := "Since 00:00 UTC: no connection: connection refused. What `list` shows of it is from before, and nothing is promoted there until it answers."
					if d := all[0]; d.Text != want || d.Severity != "error" || d.Labels["cluster"] != "prod" || d.Labels["reason"] != troubles.ClusterUnreachable {
						t.Errorf("told %+v", d)
					}
				}
			})
		})
	}
}

// TestPlugins: what runs again within a minute is no trouble, what ends again and again
// is, and it is over after a minute without.
func TestPlugins(t *testing.T) {
	t.Parallel()
	type step struct {
		after    time.Duration
		status   host.Status
		why      string
		restarts int
	}
	const s, m = time.Second, time.Minute
	told, over := "1 "+noPlugin, "; 1 Resolved: "+noPlugin
	for name, c := range map[string]struct {
		steps []step
		want  string
	}{
		"runs":                     {[]step{{0, host.Running, "", 0}, {m, host.Running, "", 0}}, ""},
		"starts slowly":            {[]step{{0, host.Starting, "", 0}, {45 * s, host.Running, "", 0}}, ""},
		"never starts":             {[]step{{0, host.Starting, "", 0}, {2 * m, host.Starting, "", 0}}, told},
		"is refused":               {[]step{{0, host.Refused, "wrong checksum", 0}, {aMoment, host.Refused, "wrong checksum", 0}}, told},
		"was refused":              {[]step{{0, host.Refused, "wrong checksum", 0}, {m, host.Running, "", 1}, {2 * m, host.Running, "", 1}}, told + over},
		"ends once":                {[]step{{0, host.Running, "", 0}, {5 * m, host.Waiting, "it ended", 0}, {3 * s, host.Running, "", 1}, {5 * m, host.Running, "", 1}}, ""},
		"ends twice, far apart":    {[]step{{0, host.Waiting, "it ended", 0}, {3 * s, host.Running, "", 1}, {5 * m, host.Waiting, "it ended", 1}, {3 * s, host.Running, "", 2}, {m, host.Running, "", 2}}, ""},
		"ends again and again":     {[]step{{0, host.Running, "", 0}, {5 * m, host.Waiting, "it ended", 0}, {s, host.Running, "", 1}, {50 * s, host.Waiting, "it ended", 1}, {40 * s, host.Running, "", 2}, {3 * m, host.Running, "", 2}}, told + over},
		"ends between two looks":   {[]step{{0, host.Waiting, "it ended", 0}, {9 * s, host.Running, "", 1}, {10 * s, host.Running, "", 2}, {10 * s, host.Running, "", 3}, {10 * s, host.Running, "", 4}, {10 * s, host.Running, "", 5}, {10 * s, host.Running, "", 6}, {10 * s, host.Running, "", 7}, {aMoment, host.Running, "", 7}}, told},
		"its stream does not last": {[]step{{0, host.Running, "stream ended: EOF", 0}, {2 * m, host.Running, "stream ended: EOF", 0}}, told},
		"ferry stops":              {[]step{{0, host.Ended, "", 0}, {10 * m, host.Ended, "", 0}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, all := &world{}, time.Duration(0)
				for _, one := range c.steps {
					all += one.after
				}
				first := c.steps[0]
				w.plugins = []host.State{{Name: "events", Kind: "source", Status: first.status, Why: first.why}}
				w.live(t, 0, false, all+5*s, func(*pipeline.Pipeline) {
					for _, one := range c.steps {
						time.Sleep(one.after)
						w.set(func() {
							p := &w.plugins[0]
							p.Status, p.Why, p.Restarts, p.Err = one.status, one.why, one.restarts, "it ended before"
						})
					}
				})
				if got := heard(&w.chat); got != c.want {
					t.Errorf("heard %q, want %q", got, c.want)
				}
			})
		})
	}
}

// many are events of one thing each, a minute after the other.
func many(n int) (out []pipelinetest.Timed) {
	for i := range n {
		out = append(out, pipelinetest.Timed{After: time.Minute, Event: event.Event{ID: event.ID(fmt.Sprint(i)), Name: fmt.Sprint("n", i), Reason: "Bad", Title: fmt.Sprint("Thing ", i, " is bad")}})
	}
	return out
}

// TestASinkThatFails is told when nothing has arrived for five minutes, and over with
// the next delivery that does.
func TestASinkThatFails(t *testing.T) {
	t.Parallel()
	busy := sink.Limited(20*time.Second, errors.New("429 Too Many Requests"))
	for name, c := range map[string]struct {
		down, up time.Duration
		err      error
		every    bool
		want     string
	}{
		"one long wait":           {9 * time.Minute, 15 * time.Minute, sink.Limited(14*time.Minute, pipelinetest.ErrDown), false, ""},
		"a failure":               {time.Minute, 3 * time.Minute, pipelinetest.ErrDown, false, ""},
		"down":                    {time.Minute, 20 * time.Minute, pipelinetest.ErrDown, false, "1 " + noHook + "; 1 Resolved: " + noHook},
		"down, events":            {time.Minute, 20 * time.Minute, pipelinetest.ErrDown, true, "1 " + noHook + "; 1 Resolved: " + noHook},
		"busy for long, events":   {time.Minute, 20 * time.Minute, busy, true, "1 " + noHook + "; 1 Resolved: " + noHook},
		"down, and nothing waits": {30 * time.Minute, 50 * time.Minute, pipelinetest.ErrDown, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, began := &world{every: c.every}, time.Now()
				w.source = pipelinetest.Source{History: many(10), Began: began}
				w.hook.Fails = func(sink.Delivery) (error, error) {
					if at := time.Since(began); at >= c.down && at < c.up {
						return c.err, nil
					}
					return nil, nil
				}
				w.live(t, 0, false, time.Hour, nil)
				if got := heard(&w.chat); got != c.want {
					t.Errorf("heard %q, want %q", got, c.want)
				}
				if all := w.chat.All(); len(all) > 0 && !strings.Contains(all[0].Text, c.err.Error()+". What waits is tried again") {
					t.Errorf("told %s", all[0].Text)
				}
				if n := len(w.hook.Once()); n != 10 {
					t.Errorf("%d of 10 arrived", n)
				}
			})
		})
	}
}

// TestOneThatFailsAmongOthers is no trouble of the sink.
func TestOneThatFailsAmongOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{source: pipelinetest.Source{History: many(20), Began: time.Now()}}
		w.hook.Fails = func(d sink.Delivery) (error, error) {
			if strings.Contains(d.Title, "Thing 0") {
				return pipelinetest.ErrDown, nil
			}
			return nil, nil
		}
		w.live(t, 0, false, 20*time.Minute, nil)
		if got := heard(&w.chat); got != "" {
			t.Errorf("heard %q", got)
		}
	})
}

// TestOneThatFailsAmongFewOthers is no trouble of the sink as soon as that is clear: two
// others arrived meanwhile.
func TestOneThatFailsAmongFewOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{source: pipelinetest.Source{History: many(20), Began: time.Now()}}
		for i := range w.source.History {
			w.source.History[i].After = 20 * time.Minute
		}
		w.hook.Fails = func(d sink.Delivery) (error, error) {
			if strings.Contains(d.Title, "Thing 0") {
				return pipelinetest.ErrDown, nil
			}
			return nil, nil
		}
		w.live(t, 0, false, 7*time.Hour, nil)
		if got, want := heard(&w.chat), fmt.Sprintf("1 %s; 1 Resolved: %s; 2 %s; 2 Resolved: %s", noHook, noHook, noHook, noHook); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

// TestASinkThatFailsWhileFerryRestarts is one trouble: right after a start nothing says
// that it is over.
func TestASinkThatFailsWhileFerryRestarts(t *testing.T) {
	t.Parallel()
	for _, failure := range []error{pipelinetest.ErrDown, sink.Limited(20*time.Second, errors.New("429 Too Many Requests"))} {
		for _, every := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				w, began := &world{every: every}, time.Now()
				w.source = pipelinetest.Source{History: many(10), Began: began}
				w.hook.Fails = func(sink.Delivery) (error, error) {
					if time.Since(began) < 40*time.Minute {
						return failure, nil
					}
					return nil, nil
				}
				for range 4 {
					w.live(t, 0, false, 15*time.Minute, nil)
				}
				if got, want := heard(&w.chat), fmt.Sprintf("1 %s; 1 Resolved: %s", noHook, noHook); got != want {
					t.Errorf("%v, each event: %v: heard %q, want %q", failure, every, got, want)
				}
			})
		}
	}
}

// TestWhatIsGivenUp is one incident for each sink, which counts, and is over when
// nothing is kept any more.
func TestWhatIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, began := &world{}, time.Now()
		w.source = pipelinetest.Source{History: many(3), Began: began}
		w.hook.Fails = func(sink.Delivery) (error, error) {
			if time.Since(began) < time.Hour {
				return sink.Refused(errors.New("404 Not Found")), nil
			}
			return nil, nil
		}
		w.live(t, 0, false, 2*time.Hour, func(p *pipeline.Pipeline) {
			time.Sleep(time.Hour)
			dead, err := p.Dead(t.Context(), 10)
			if err != nil || len(dead) != 3 {
				t.Fatal(dead, err)
			}
			for i := range dead {
				if err := p.Resend(t.Context(), dead[i].ID); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Minute)
			}
		})
		want := "1 " + givenUp + "; 1 " + givenUp + " (2 times); 1 " + givenUp + " (3 times); 1 Resolved: " + givenUp + " (3 times)"
		if got := heard(&w.chat); got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
		if d := w.chat.All()[0]; d.Text != "The last: Thing 0 is bad. Why: refused: 404 Not Found. `undelivered` lists what is kept, for a week; `resend` delivers it again." {
			t.Errorf("told %q", d.Text)
		}
		if d := w.chat.All()[3]; d.At.Sub(began) < 80*time.Minute {
			t.Errorf("it is over at %s, when some was still kept", d.At)
		}
	})
}

// TestNobodyIsToldOfWhatHeCannotBeTold: where the way of ferry's own troubles leads to
// the sink that is in trouble, it ends there.
func TestNobodyIsToldOfWhatHeCannotBeTold(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]pipeline.Route{
		"incidents": {Receiver: "ops"},
		"events":    {Receiver: "ops", GroupBy: []string{pipeline.Every}},
		"together":  {Receiver: "ops", GroupBy: []string{"severity"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := &world{own: own, plugins: []host.State{{Name: "events", Kind: "source", Status: host.Refused, Why: "wrong"}}}
				w.source = pipelinetest.Source{History: many(2), Began: time.Now()}
				w.hook.Fails = func(sink.Delivery) (error, error) { return sink.Refused(pipelinetest.ErrDown), nil }
				var after, resent int
				w.live(t, 0, false, 5*time.Hour, func(p *pipeline.Pipeline) {
					time.Sleep(10 * time.Minute)
					dead, err := p.Dead(t.Context(), 10)
					if err != nil {
						t.Error(err)
					}
					for i := range dead {
						if strings.Contains(dead[i].Delivery.Title, "Thing") {
							continue
						}
						if err := p.Resend(t.Context(), dead[i].ID); err != nil { // and it fails again
							t.Error(err)
						}
						resent++
					}
					time.Sleep(aMoment)
					after = w.hook.Calls()
					time.Sleep(4 * time.Hour)
					given, err := p.Given(t.Context())
					if err != nil || len(given) != 1 || given["ops:hook"].Count != 2 {
						t.Errorf("given up: %+v, %v", given, err)
					}
				})
				// Two events; that they were given up, once or twice; the plugin.
				if told := after - resent; told < 4 || told > 5 || resent == 0 || w.hook.Calls() != after {
					t.Errorf("%d tries within ten minutes, %d of them again, and %d after hours", after, resent, w.hook.Calls())
				}
			})
		})
	}
}

// TestOff ends what was told before.
func TestOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{clusters: []deploy.ClusterState{stale(time.Now())}}
		w.live(t, 0, false, 10*time.Minute, nil)
		w.off = true
		w.live(t, 0, false, 10*time.Minute, nil)
		if got, want := heard(&w.chat), "1 "+unseen+"; 1 Resolved: "+unseen; got != want {
			t.Errorf("heard %q, want %q", got, want)
		}
	})
}

// TestWhatCannotBeLookedAt stays as it was told.
func TestWhatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &troubles.Source{Sinks: broken{}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cursor := `[{"reason":"DeliveriesGivenUp","name":"ops:hook","count":2},{"reason":"SinkFailing","name":"ops:hook"}]`
		var got []string
		err := s.Stream(ctx, cursor, func(e event.Event) error {
			got = append(got, fmt.Sprint(e.Reason, e.Resolved, " ", e.Cursor))
			return nil
		})
		want := `SinkFailingtrue [{"reason":"DeliveriesGivenUp","name":"ops:hook","count":2}]`
		if strings.Join(got, "; ") != want || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told %q (%v), want %q", got, err, want)
		}
	})
}

type broken struct{}

func (broken) Sinks() []pipeline.SinkState { return nil }

func (broken) Given(context.Context) (map[string]pipeline.Given, error) {
	return nil, errors.New("the disk is gone")
}
