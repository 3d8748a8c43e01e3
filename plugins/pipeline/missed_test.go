package pipeline_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
)

// pod is an event of a pod on a node, which is what an outage of the node inhibits.
func pod(d time.Duration, name, node string, more ...func(*event.Event)) pipelinetest.Timed {
	return after(d, name, append([]func(*event.Event){func(e *event.Event) {
		e.Kind, e.Reason, e.Labels = "Pod", "BackOff", map[string]string{"node": node}
	}}, more...)...)
}

// down is what is said of a node.
func down(d time.Duration, name string, more ...func(*event.Event)) pipelinetest.Timed {
	return after(d, name, append([]func(*event.Event){func(e *event.Event) { e.Labels = map[string]string{"node": name} }}, more...)...)
}

func moment(e *event.Event) { e.Moment, e.Reason = true, "FailedMount" }

// aboutP is the same, whatever the reason.
func aboutP(e *event.Event) { e.About = "p" }

// elsewhere is another group than that of its pods.
func elsewhere(e *event.Event) { e.Cluster = "infra" }

// job is what no node inhibits.
func job(e *event.Event) { e.Kind = "Job" }

// outages is the pipeline of which a node's trouble inhibits that of its pods.
func outages(t *testing.T, keep time.Duration) pipeline.Options {
	t.Helper()
	return pipeline.Options{
		Route:   pipeline.Route{Receiver: "chat", Timing: pipeline.Timing{GroupWait: 5 * time.Second, GroupInterval: time.Minute, RepeatInterval: -1}},
		Inhibit: []pipeline.InhibitRule{{Source: matchers(t, "kind=Node"), Target: matchers(t, "kind=Pod"), Equal: []string{"node"}, KeepFiringFor: keep}},
	}
}

// lives runs a history through one pipeline after the other, each for so long, and
// returns what a sink was told: when, of what, what state, how often.
func lives(t *testing.T, o pipeline.Options, each, all time.Duration, history ...pipelinetest.Timed) string {
	t.Helper()
	began := time.Now()
	var said []string
	s := &pipelinetest.Sink{Fails: func(d sink.Delivery) (error, error) {
		line := fmt.Sprintf("%s %s %s", time.Since(began).Truncate(time.Second), d.Labels["name"], d.State)
		if strings.Contains(d.Title, "torm") {
			line = fmt.Sprintf("%s %s", time.Since(began).Truncate(time.Second), d.Title)
		} else if d.Count > 1 {
			line += fmt.Sprint(" ", d.Count)
		}
		if d.Repeat > 0 {
			line += " still"
		}
		said = append(said, line)
		return nil, nil
	}}
	for i := range history {
		history[i].Event.ID = event.ID(fmt.Sprint("e", i))
	}
	var disk rowstest.Memory
	o.Sources = []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: began}}}
	o.Receivers = []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: s}}}}
	for time.Since(began) < all {
		o.Store = disk.Open(0, false, nil)
		p, err := pipeline.New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), each)
		if err := p.Run(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	return strings.Join(said, "; ")
}

// TestAfterAnInhibition: what still is so is told when what inhibits it is over and a
// while has gone by; what merely happened is not; whether ferry is restarted meanwhile
// or not.
func TestAfterAnInhibition(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	byCluster := []string{"cluster"}
	on := func(ts ...pipelinetest.Timed) []pipelinetest.Timed { return ts }
	for name, c := range map[string]struct {
		keep    time.Duration
		groupBy []string
		history []pipelinetest.Timed
		want    string
	}{
		"it is still so":         {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved)), "6s n1 firing; 10m2s n1 resolved; 12m2s p1 firing"},
		"at once":                {0, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(20*s, "n1", resolved)), "6s n1 firing; 22s p1 firing; 1m6s n1 resolved"},
		"it is well again soon":  {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved), pod(119*s, "p1", "n1", resolved)), "6s n1 firing; 10m2s n1 resolved"},
		"it is well too late":    {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved), pod(3*m, "p1", "n1", resolved)), "6s n1 firing; 10m2s n1 resolved; 12m2s p1 firing; 13m2s p1 resolved"},
		"it begins in the end":   {2 * m, nil, on(down(s, "n1"), down(10*m, "n1", resolved), pod(m, "p1", "n1")), "6s n1 firing; 10m1s n1 resolved; 12m1s p1 firing"},
		"it begins afterwards":   {2 * m, nil, on(down(s, "n1"), down(10*m, "n1", resolved), pod(2*m, "p1", "n1")), "6s n1 firing; 10m1s n1 resolved; 12m6s p1 firing"},
		"the node is down again": {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved), down(m, "n1"), down(20*m, "n1", resolved)), "6s n1 firing; 10m2s n1 resolved; 11m2s n1 firing 2; 31m2s n1 resolved 2; 33m2s p1 firing"},
		"its end is said twice":  {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved), down(m, "n1", resolved)), "6s n1 firing; 10m2s n1 resolved; 12m2s p1 firing"},
		"another node":           {2 * m, nil, on(down(0, "n1"), down(s, "n2"), pod(s, "p1", "n1"), pod(0, "p2", "n2"), down(10*m, "n1", resolved), down(10*m, "n2", resolved)), "5s n1 firing; 6s n2 firing; 10m2s n1 resolved; 12m2s p1 firing; 20m2s n2 resolved; 22m2s p2 firing"},
		"it was told before":     {2 * m, nil, on(pod(s, "p1", "n1"), down(m, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved)), "6s p1 firing; 1m6s n1 firing; 11m2s n1 resolved; 13m2s p1 firing 2"},
		"nothing changed":        {2 * m, nil, on(pod(s, "p1", "n1"), down(m, "n1"), down(10*m, "n1", resolved)), "6s p1 firing; 1m6s n1 firing; 11m1s n1 resolved"},

		"it merely happened":                 {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved)), "6s n1 firing; 10m2s n1 resolved"},
		"and once more in the end":           {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved), pod(m, "p1", "n1", moment)), "6s n1 firing; 10m2s n1 resolved"},
		"it happens again":                   {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved), pod(3*m, "p1", "n1", moment)), "6s n1 firing; 10m2s n1 resolved; 13m7s p1 firing"},
		"it happens again at once":           {0, nil, on(down(s, "n1"), pod(s, "p1", "n1", moment), down(10*s, "n1", resolved), pod(s, "p1", "n1", moment)), "6s n1 firing; 18s p1 firing 2; 1m6s n1 resolved"},
		"it happened shortly before":         {0, nil, on(pod(s, "p1", "n1", moment), down(s, "n1"), down(10*m, "n1", resolved)), "7s n1 firing; 10m2s n1 resolved"},
		"it happened shortly before the end": {0, nil, on(down(s, "n1"), pod(10*m, "p1", "n1", moment), down(s, "n1", resolved)), "6s n1 firing; 10m2s n1 resolved"},
		"it was told, and happens":           {2 * m, nil, on(pod(s, "p1", "n1", moment), down(m, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved), pod(5*m, "p1", "n1", moment)), "6s p1 firing; 1m6s n1 firing; 11m2s n1 resolved; 16m2s p1 firing 3"},
		"it was told, and is late":           {2 * m, nil, on(pod(s, "p1", "n1", moment), pod(20*s, "p1", "n1", moment), down(s, "n1"), down(10*m, "n1", resolved)), "6s p1 firing; 27s n1 firing; 10m22s n1 resolved"},
		"it was told, is late, and happens":  {2 * m, nil, on(pod(s, "p1", "n1", moment), pod(20*s, "p1", "n1", moment), down(s, "n1"), down(10*m, "n1", resolved), pod(5*m, "p1", "n1", moment)), "6s p1 firing; 27s n1 firing; 10m22s n1 resolved; 15m22s p1 firing 3"},
		"a moment of what goes on":           {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1", aboutP), pod(s, "p1", "n1", moment, aboutP), down(10*m, "n1", resolved)), "6s n1 firing; 10m3s n1 resolved; 12m3s p1 firing 2"},
		"a moment of what is over":           {2 * m, nil, on(pod(s, "p1", "n1", aboutP), pod(20*s, "p1", "n1", aboutP, resolved), down(s, "n1"), pod(s, "p1", "n1", moment, aboutP), down(10*m, "n1", resolved)), "6s p1 firing; 27s n1 firing; 1m6s p1 resolved 2; 10m23s n1 resolved"},
		"a moment that is resolved":          {2 * m, nil, on(down(s, "n1"), pod(s, "p1", "n1", moment), pod(s, "p1", "n1", moment, resolved), down(10*m, "n1", resolved)), "6s n1 firing; 10m3s n1 resolved"},

		"with what is not inhibited":         {2 * m, byCluster, on(pod(s, "j1", "n1", job), down(0, "n1"), pod(s, "p1", "n1"), down(10*m, "n1", resolved)), "6s  firing 3; 10m2s  firing 3; 12m2s  firing 3"},
		"moments with what goes on":          {2 * m, byCluster, on(pod(s, "j1", "n1", job), down(0, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved), pod(5*m, "j1", "n1", job, resolved)), "6s  firing 3; 10m2s  firing 3; 15m2s  resolved 3"},
		"a moment before what is over first": {2 * m, byCluster, on(pod(s, "p1", "n1", moment), down(s, "n1"), down(10*m, "n1", resolved)), "6s n1 firing 2; 10m2s n1 resolved 2"},
		"it was told with others":            {2 * m, byCluster, on(pod(s, "p1", "n1"), pod(0, "j1", "n1", job), down(m, "n1"), down(10*m, "n1", resolved)), "6s  firing 2; 1m6s  firing 3; 11m1s  firing 3; 13m1s  firing 3"},
		"all is over before anybody hears":   {2 * m, byCluster, on(pod(s, "j1", "n1", job), pod(s, "p1", "n1", moment), down(s, "n1", elsewhere), pod(s, "j1", "n1", job, resolved)), "8s n1 firing"},
		"moments with what is over first":    {2 * m, byCluster, on(down(s, "n1"), pod(s, "p1", "n1", moment), down(10*m, "n1", resolved)), "6s n1 firing 2; 10m2s n1 resolved 2"},
	} {
		for _, each := range []time.Duration{2 * time.Hour, 47300 * time.Millisecond} {
			t.Run(fmt.Sprint(name, " ", each), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := outages(t, c.keep)
					o.Route.GroupBy = c.groupBy
					if got := lives(t, o, each, 2*time.Hour, append([]pipelinetest.Timed(nil), c.history...)...); got != c.want {
						t.Errorf("told\n%s, want\n%s", got, c.want)
					}
				})
			})
		}
	}
}

// TestAfterASilence: the same rule, without the while.
func TestAfterASilence(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	for name, c := range map[string]struct {
		from    time.Duration // until ten minutes later than the start
		history []pipelinetest.Timed
		want    string
	}{
		"it is still so":               {0, []pipelinetest.Timed{pod(s, "p1", "n1")}, "10m6s p1 firing"},
		"it merely happened":           {0, []pipelinetest.Timed{pod(s, "p1", "n1", moment)}, ""},
		"shortly before the end":       {0, []pipelinetest.Timed{pod(599*s, "p1", "n1", moment)}, ""},
		"it happens again":             {0, []pipelinetest.Timed{pod(s, "p1", "n1", moment), pod(15*m, "p1", "n1", moment)}, "15m6s p1 firing"},
		"it happens at the same place": {0, []pipelinetest.Timed{pod(s, "p1", "n1"), pod(0, "p1", "n1", moment)}, "10m6s p1 firing"},
		"it was told, and is late":     {m, []pipelinetest.Timed{pod(s, "p1", "n1", moment), pod(20*s, "p1", "n1", moment)}, "6s p1 firing"},
		"it was told, and goes on":     {m, []pipelinetest.Timed{pod(s, "p1", "n1"), pod(20*s, "p1", "n1")}, "6s p1 firing; 10m6s p1 firing 2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := outages(t, 0)
				m := &muted{}
				m.name.Store("")
				for name, at := range map[string]time.Duration{"p1": c.from, "": 10 * time.Minute} {
					timer := time.AfterFunc(at, func() { m.name.Store(name) })
					defer timer.Stop()
				}
				o.Silences = m
				if got := lives(t, o, 2*time.Hour, 2*time.Hour, c.history...); got != c.want {
					t.Errorf("told %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestWhatInhibitsIsNotHeardOfAnyMore: nobody says that it is over; what it kept back is
// told when it counts no more.
func TestWhatInhibitsIsNotHeardOfAnyMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := outages(t, 2*time.Minute)
		o.ResolveTimeout = 20 * time.Minute
		const want = "5s n1 firing; 20m0s p1 firing 2; 20m0s n1 expired"
		got := strings.Split(lives(t, o, 30*time.Minute, 30*time.Minute, down(0, "n1"), pod(time.Second, "p1", "n1"), pod(15*time.Minute, "p1", "n1")), "; ")
		slices.Sort(got[1:])
		if slices.Reverse(got[1:]); strings.Join(got, "; ") != want {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestRepeatsOfWhatIsSpared: people are told again of what they know and what goes on
// once it is not inhibited any more, and never of a moment.
func TestRepeatsOfWhatIsSpared(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	for want, c := range map[string]struct {
		first   pipelinetest.Timed
		groupBy []string
	}{
		"6s p1 firing; 1m6s n1 firing; 31m6s n1 firing still; 51m1s n1 resolved; 53m1s p1 firing still; 1h23m1s p1 firing still": {pod(s, "p1", "n1"), nil},
		"6s p1 firing; 1m6s n1 firing; 31m6s n1 firing still; 51m1s n1 resolved":                                                 {pod(s, "p1", "n1", moment), nil},
		"6s j1 firing; 1m6s  firing 3; 31m6s  firing 3 still; 51m1s  firing 3; 1h21m1s  firing 3 still":                          {pod(s, "j1", "n1", job), []string{"cluster"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := outages(t, 2*m)
			o.Route.Timing.RepeatInterval, o.Route.GroupBy = 30*m, c.groupBy
			history := []pipelinetest.Timed{c.first, down(m, "n1"), down(50*m, "n1", resolved)}
			if c.groupBy != nil {
				history = slices.Insert(history, 2, pod(0, "p1", "n1", moment))
			}
			if got := lives(t, o, 85*m, 85*m, history...); got != want {
				t.Errorf("told\n%s, want\n%s", got, want)
			}
		})
	}
}

// TestMomentsMakeRoom: as many as may be kept of one incident are past, and what goes on
// is told of all the same.
func TestMomentsMakeRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		history := []pipelinetest.Timed{down(0, "n1")}
		for i := range 400 {
			history = append(history, pod(0, fmt.Sprint("m", i), "n1", moment))
		}
		history = append(history, pod(0, "p1", "n1"), pod(0, "p2", "n1"), down(time.Minute, "n1", resolved))
		var chat pipelinetest.Sink
		o := outages(t, time.Minute)
		o.Route.GroupBy = []string{"kind"}
		told(t, o, &chat, time.Hour, history...)
		all := chat.All()
		if d := all[len(all)-1]; d.Labels["kind"] != "Pod" || d.Title != "2 in trouble: BackOff (kind Pod)" || d.Firing != 2 || d.Things != 2 || len(d.Details) != 2 {
			t.Errorf("told at last: %+v", d)
		}
	})
}

// TestWhatIsHeldCostsNothing: while something is inhibited it is neither looked at nor
// written, and when that ends what inhibited it is soon forgotten.
func TestWhatIsHeldCostsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		history := []pipelinetest.Timed{down(0, "n1")}
		for i := range 50 {
			history = append(history, pod(0, fmt.Sprint("p", i), "n1"))
		}
		history = append(history, down(0, "n9"), down(9*time.Hour+50*time.Minute, "n1", resolved)) // n9 is gone for good
		for i := range history {
			history[i].Event.ID = event.ID(fmt.Sprint("e", i))
		}
		var disk rowstest.Memory
		store := disk.Open(0, false, nil)
		o := outages(t, 30*time.Minute)
		o.ResolveTimeout = 11 * time.Hour
		o.Store, o.Sources = store, []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: time.Now()}}}
		o.Receivers = []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: &pipelinetest.Sink{}}}}}
		p, err := pipeline.New(o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 14*time.Hour)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(30 * time.Minute)
		before := store.Ops()
		time.Sleep(25 * time.Minute) // between two sweeps
		if n := store.Ops() - before; n > 0 {
			t.Errorf("%d operations of the store while nothing happened", n)
		}
		time.Sleep(9*time.Hour + 10*time.Minute) // it is over, and counts: one more sweep
		if n := len(disk.Keys("event/firing/")); n != 2 {
			t.Errorf("%d rows of what inhibits while it counts, want 2", n)
		}
		time.Sleep(2 * time.Hour)
		if n := len(disk.Keys("event/firing/")); n != 0 {
			t.Errorf("%d rows of what inhibits when it is over", n)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestARuleThatIsGone keeps nothing back any more, after a restart.
func TestARuleThatIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		source := &pipelinetest.Source{History: []pipelinetest.Timed{pod(0, "j1", "n1", job), down(0, "n1"), pod(0, "p1", "n1")}, Began: time.Now()}
		for i := range source.History {
			source.History[i].Event.ID = event.ID(fmt.Sprint("e", i))
		}
		var chat pipelinetest.Sink
		for _, rules := range [][]pipeline.InhibitRule{outages(t, 0).Inhibit, nil} {
			o := outages(t, 0)
			o.Route.GroupBy, o.Inhibit, o.Store = []string{"cluster"}, rules, disk.Open(0, false, nil)
			o.Sources = []pipeline.Binding{{Name: "test", Source: source}}
			o.Receivers = []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: &chat}}}}
			p, err := pipeline.New(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if err := p.Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		var firing []int
		for _, d := range chat.All() {
			firing = append(firing, d.Firing)
		}
		if !slices.Equal(firing, []int{2, 3}) {
			t.Errorf("%v of three were told, want 2 and then 3", firing)
		}
	})
}

// TestWhatExpiresWhileItIsHeld is over, and forgotten like anything else.
func TestWhatExpiresWhileItIsHeld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		history := []pipelinetest.Timed{pod(0, "p1", "n1")}
		for range 18 {
			history = append(history, down(12*time.Hour, "n1"))
		}
		for i := range history {
			history[i].Event.ID = event.ID(fmt.Sprint("e", i))
		}
		o := outages(t, time.Minute)
		var chat pipelinetest.Sink
		o.Store = disk.Open(0, false, nil)
		told(t, o, &chat, 9*24*time.Hour, history...)
		if left := disk.Keys("event/incident/"); len(left) != 1 {
			t.Errorf("%d incidents are left, want the node's", len(left))
		}
	})
}
