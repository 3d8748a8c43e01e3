package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
)

// each is a pipeline that sends each event to one sink.
func each(t *testing.T, o pipeline.Options, s sink.Sink) *pipeline.Pipeline {
	t.Helper()
	o.Route = pipeline.Route{Receiver: "all", GroupBy: []string{pipeline.Every}}
	o.Receivers = []pipeline.Receiver{{Name: "all", Sinks: []pipeline.Integration{{Name: "one", Sink: s}}}}
	p, err := pipeline.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// flow runs such a pipeline while fn runs.
func flow(t *testing.T, o pipeline.Options, s sink.Sink, fn func(p *pipeline.Pipeline)) {
	t.Helper()
	p := each(t, o, s)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	fn(p)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func many(n int) (out []pipelinetest.Timed) {
	for i := range n {
		out = append(out, after(100*time.Millisecond, fmt.Sprint("n", i), func(e *event.Event) { e.ID = event.ID(fmt.Sprint(i)) }))
	}
	return out
}

// TestLogStaysSmall: what everybody read goes, what somebody did not stays up to a
// limit, and what goes all the same is said.
func TestLogStaysSmall(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		down            bool
		most            int
		batches, events int // at least, after the sink is up again
		says            bool
	}{
		"read":            {false, 1 << 30, 0, 500, false},
		"not read":        {true, 1 << 30, 400, 500, false},
		"not for so long": {true, 20_000, 0, 50, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var disk rowstest.Memory
				var log strings.Builder
				var down atomic.Bool
				down.Store(c.down)
				s := &pipelinetest.Sink{Fails: func(sink.Delivery) (error, error) {
					if down.Load() {
						return sink.Limited(time.Minute, pipelinetest.ErrDown), nil
					}
					return nil, nil
				}}
				o := pipeline.Options{
					Store: disk.Open(0, false, nil), LogSize: 5000, LogMost: c.most, Linger: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil)),
					Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: many(500), Began: time.Now()}}},
				}
				flow(t, o, s, func(*pipeline.Pipeline) {
					time.Sleep(time.Minute)
					n := len(disk.Keys("event/log/"))
					if n < c.batches || c.batches == 0 && n > 150 {
						t.Errorf("%d batches are kept", n)
					}
					if ids := len(disk.Keys("event/ids/")); ids != n {
						t.Errorf("%d rows of IDs for %d batches", ids, n)
					}
					down.Store(false)
					time.Sleep(10 * time.Minute)
				})
				if got := len(s.All()); got < c.events || (got < 500) != c.says || strings.Contains(log.String(), "events are gone") != c.says {
					t.Errorf("%d events were delivered; the log says so: %v", got, !c.says)
				}
			})
		})
	}
}

// TestAppend: whoever waits for his event is told when it is durable.
func TestAppend(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		s := &pipelinetest.Sink{}
		flow(t, pipeline.Options{Store: disk.Open(0, false, nil)}, s, func(p *pipeline.Pipeline) {
			synctest.Wait()
			drop, err := pipeline.NewFilter(`event.name != "noise"`, pipeline.Place{}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			b := pipeline.Binding{Name: "hook", Stages: pipeline.Chain{drop}}
			for _, name := range []string{"n1", "noise", "n1"} {
				e := event.Event{Name: name, At: time.Now(), Title: "x", Object: []byte("{broken")}
				if err := p.Append(t.Context(), b, e); err != nil {
					t.Error(err)
				}
				if n := len(disk.Keys("event/log/")); n != 1 {
					t.Errorf("%d batches after %s, want 1", n, name)
				}
			}
			time.Sleep(time.Second)
		})
		if all := s.All(); len(all) != 1 || !strings.HasPrefix(all[0].ID, "hook/") || strings.Contains(string(all[0].Event), "broken") {
			t.Errorf("delivered: %+v", all)
		}
	})
}

type knows map[string]string

func (k knows) Labels(context.Context, *event.Event) map[string]string { return k }

// TestEnrich: what is known is added, what a source said stays.
func TestEnrich(t *testing.T) {
	t.Parallel()
	p := &pipeline.Parcel{Events: []event.Event{{Cluster: "prod", Kind: "Pod", Name: "web-7d9f8b6c5-x2x4z", Reason: "BackOff", Labels: map[string]string{"app": "mine"}}, {Title: "x"}}}
	if err := (pipeline.Enrich{Context: knows{"app": "web", "owner": "Deployment/web", "promotion": ""}}).Exec(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if e := p.Events[0]; e.Labels["app"] != "mine" || e.Labels["owner"] != "Deployment/web" || len(e.Labels) != 2 || e.About != "prod/Pod//web/BackOff" {
		t.Errorf("enriched: %+v", e)
	}
	if p.Events[1].Labels["app"] != "web" {
		t.Errorf("an event without labels: %+v", p.Events[1])
	}
}

// moody panics, ends and fails before it streams.
type moody struct {
	pipelinetest.Source
	opened atomic.Int32
}

func (m *moody) Stream(ctx context.Context, cursor string, emit func(event.Event) error) error {
	switch m.opened.Add(1) {
	case 1:
		panic("a defect")
	case 2:
		return nil
	case 3:
		return errors.New("EOF")
	}
	return m.Source.Stream(ctx, cursor, emit)
}

// TestASourceIsOpenedAgain whatever it does, and others go on meanwhile.
func TestASourceIsOpenedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &pipelinetest.Sink{}
		m := &moody{Source: pipelinetest.Source{History: many(3), Began: time.Now()}}
		o := pipeline.Options{Store: new(rowstest.Memory).Open(0, false, nil), Sources: []pipeline.Binding{
			{Name: "moody", Source: m}, {Name: "calm", Source: &pipelinetest.Source{History: many(2), Began: time.Now()}},
		}}
		flow(t, o, s, func(*pipeline.Pipeline) {
			time.Sleep(500 * time.Millisecond)
			if n := len(s.All()); n != 2 {
				t.Errorf("%d events of the other source came, want 2", n)
			}
			time.Sleep(time.Minute)
		})
		if n := len(s.All()); n != 5 || m.opened.Load() != 4 {
			t.Errorf("%d events, opened %d times", n, m.opened.Load())
		}
	})
}

// full is a store whose disk is full for a while.
type full struct {
	*rowstest.Store
	until time.Time
}

func (f full) Commit(ctx context.Context, t rows.Txn) error {
	if time.Now().Before(f.until) && len(t.Put) > 0 && !strings.HasPrefix(t.Put[0].Key, "event/at/") {
		return errors.New("no space left on device")
	}
	return f.Store.Commit(ctx, t)
}

// TestADiskThatIsFull holds events up and loses none.
func TestADiskThatIsFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &pipelinetest.Sink{}
		o := pipeline.Options{
			Store:   full{new(rowstest.Memory).Open(0, false, nil), time.Now().Add(time.Minute)},
			Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: many(50), Began: time.Now()}}},
		}
		flow(t, o, s, func(*pipeline.Pipeline) { time.Sleep(2 * time.Minute) })
		if n := len(s.All()); n != 50 {
			t.Errorf("%d events, want 50", n)
		}
	})
}

// bulk is a sink that takes many at once, and refuses some.
type bulk struct {
	pipelinetest.Sink
	requests int
}

func (b *bulk) DeliverAll(ctx context.Context, ds []sink.Delivery) []sink.Result {
	b.requests++
	out := make([]sink.Result, len(ds))
	for i, d := range ds {
		switch {
		case d.Labels["name"] == "n3":
			out[i].Err = sink.Refused(pipelinetest.ErrDown)
		case d.Labels["name"] == "n5" && b.requests < 4:
			out[i].Err = pipelinetest.ErrDown
		default:
			out[i].Receipt, out[i].Err = b.Deliver(ctx, d)
		}
	}
	return out
}

// TestBatches: of many deliveries at once only what failed is tried again, and what is
// refused is kept.
func TestBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bulk{}
		history := many(8)
		for i := range history {
			history[i].After = 0
		}
		o := pipeline.Options{Store: new(rowstest.Memory).Open(0, false, nil), Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: time.Now()}}}}
		flow(t, o, b, func(p *pipeline.Pipeline) {
			time.Sleep(time.Minute)
			dead, err := p.Dead(t.Context(), 10)
			if err != nil || len(dead) != 1 || dead[0].Delivery.Labels["name"] != "n3" {
				t.Errorf("dead: %+v, %v", dead, err)
			}
			if st := p.Sinks(); len(st) != 1 || st[0].Delivered != 7 || st[0].Dead != 1 || st[0].Waiting != 0 {
				t.Errorf("sinks: %+v", st)
			}
		})
		if n := len(b.All()); n != 7 || len(b.Once()) != 7 || b.requests < 4 || b.requests > 6 {
			t.Errorf("%d deliveries in %d requests", n, b.requests)
		}
	})
}

// TestWhatIsFilteredMovesTheCursor: a source does not tell of it again.
func TestWhatIsFilteredMovesTheCursor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		s := &pipelinetest.Sink{}
		drop, err := pipeline.NewFilter(`event.name == "n4"`, pipeline.Place{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		store := disk.Open(0, false, nil)
		o := pipeline.Options{Store: store, Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: many(10), Began: time.Now()}, Stages: pipeline.Chain{drop}}}}
		flow(t, o, s, func(*pipeline.Pipeline) { time.Sleep(10 * time.Second) })
		r, ok, err := store.Get(t.Context(), "event/cursor/test")
		if err != nil || !ok || string(r.Value) != "10" || len(s.All()) != 1 {
			t.Errorf("the cursor is %q, %v; %d events were delivered", r.Value, err, len(s.All()))
		}
	})
}

// marking is a source that says how far it is, and nothing else.
type marking struct{}

func (marking) Stream(ctx context.Context, _ string, emit func(event.Event) error) error {
	if err := emit(event.Event{Cursor: "7"}); err != nil {
		return err
	}
	<-ctx.Done()
	return ctx.Err()
}

func TestACursorAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		s, store := &pipelinetest.Sink{}, disk.Open(0, false, nil)
		o := pipeline.Options{Store: store, Sources: []pipeline.Binding{{Name: "test", Source: marking{}}}}
		flow(t, o, s, func(*pipeline.Pipeline) { time.Sleep(10 * time.Second) })
		r, ok, err := store.Get(t.Context(), "event/cursor/test")
		if err != nil || !ok || string(r.Value) != "7" || len(s.All()) != 0 {
			t.Errorf("the cursor is %q, %v; %d events were delivered", r.Value, err, len(s.All()))
		}
	})
}

// TestForgotten: what ended is kept for a week, and then nothing is left of it; what
// still fires stays.
func TestForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		refused := &pipelinetest.Sink{Fails: func(sink.Delivery) (error, error) { return sink.Refused(pipelinetest.ErrDown), nil }}
		told := &pipelinetest.Sink{Refs: true}
		history := []pipelinetest.Timed{after(0, "n1"), after(time.Minute, "n1", resolved)}
		for i := range 12 { // it is heard of every day
			history = append(history, after(time.Duration(min(1, i))*23*time.Hour, "n2"))
		}
		for i := range history {
			history[i].Event.ID = event.ID(fmt.Sprint(i))
		}
		p, err := pipeline.New(pipeline.Options{
			Store: disk.Open(0, false, nil), Route: pipeline.Route{Receiver: "all"},
			Inhibit:   []pipeline.InhibitRule{{Source: matchers(t, "name=n1"), Target: matchers(t, "name=nothing")}},
			Sources:   []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: time.Now()}}},
			Receivers: []pipeline.Receiver{{Name: "all", Sinks: []pipeline.Integration{{Name: "told", Sink: told}, {Name: "refused", Sink: refused}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*24*time.Hour)
		defer cancel()
		days := func(n int, want map[string]int) {
			time.Sleep(time.Until(time.Date(2000, 1, 1+n, 2, 0, 0, 0, time.UTC)))
			for prefix, n := range want {
				if got := disk.Keys(prefix); len(got) != n {
					t.Errorf("%s: %d rows below %s, want %d", time.Now().Format(time.DateOnly), len(got), prefix, n)
				}
			}
		}
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		days(1, map[string]int{"event/incident/": 2, "event/dead/": 2, "event/sent/": 2, "event/want/": 0, "event/firing/": 0})
		days(8, map[string]int{"event/incident/": 1, "event/sent/": 1, "event/want/": 0})
		if i := p.Incidents(); len(i) != 1 || i[0].Problems[0].Name != "n2" || i[0].State != event.Firing {
			t.Errorf("incidents: %+v", i)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// strict keeps the order itself: what stands behind a failure is not tried.
type strict struct{ pipelinetest.Sink }

func (s *strict) DeliverAll(ctx context.Context, ds []sink.Delivery) []sink.Result {
	out, failed := make([]sink.Result, len(ds)), map[string]bool{}
	for i, d := range ds {
		switch {
		case failed[d.Order]:
			out[i].Err = sink.ErrHeld
		case d.Labels["name"] == "n3":
			failed[d.Order], out[i].Err = true, pipelinetest.ErrDown
		default:
			out[i].Receipt, out[i].Err = s.Deliver(ctx, d)
		}
	}
	return out
}

// TestWhatIsHeldHoldsNobodyUp: events behind one that fails again and again are put
// aside with it, and those that came later go by.
func TestWhatIsHeldHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &strict{}
		history := many(8)
		for i := range history {
			history[i].After = 0
		}
		same := history[3]
		same.Event.ID = "behind"
		history = append(append(history, same), after(30*time.Second, "late", func(e *event.Event) { e.ID = "late" }))
		o := pipeline.Options{Store: new(rowstest.Memory).Open(0, false, nil), Sources: []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: time.Now()}}}}
		flow(t, o, s, func(p *pipeline.Pipeline) {
			time.Sleep(time.Minute)
			if st := p.Sinks(); st[0].Delivered != 8 || st[0].Waiting != 1 || st[0].Dead != 0 {
				t.Errorf("%+v", st[0])
			}
		})
	})
}
