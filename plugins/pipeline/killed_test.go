package pipeline_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
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

var histories = flag.Int("histories", 1000, "random histories that are killed")

// house is a pipeline's world: what outlives a kill.
type house struct {
	disk   rowstest.Memory
	source pipelinetest.Source
	chat   pipelinetest.Sink // incidents by cluster
	plain  pipelinetest.Sink // the same, another sink
	every  pipelinetest.Sink // each event
	storm  pipelinetest.Sink // incidents by what they are about, few of them by themselves
	// digests is how many digests were judged.
	digests int
}

func (h *house) sinks() []*pipelinetest.Sink {
	return []*pipelinetest.Sink{&h.chat, &h.plain, &h.every, &h.storm}
}

func matchers(t *testing.T, text string) match.Matchers {
	t.Helper()
	ms, err := match.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return ms
}

// live runs a pipeline until it is killed at the n-th operation of its store (0 for
// never), or for so long.
func (h *house) live(t *testing.T, n int, after bool, most time.Duration) (killed bool, ops int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	for _, s := range h.sinks() {
		s.Dead(false)
	}
	store := h.disk.Open(n, after, func() {
		killed = true
		for _, s := range h.sinks() {
			s.Dead(true)
		}
		cancel()
	})
	p, err := pipeline.New(pipeline.Options{
		Store:   store,
		Sources: []pipeline.Binding{{Name: "test", Source: &h.source}},
		Route: pipeline.Route{
			Receiver: "chat", GroupBy: []string{"cluster"},
			Timing: pipeline.Timing{GroupWait: 2 * time.Second, GroupInterval: 10 * time.Minute, RepeatInterval: -1},
			Routes: []pipeline.Route{
				{Receiver: "every", GroupBy: []string{pipeline.Every}, Continue: true},
				{Receiver: "storm", GroupBy: []string{"about"}, Continue: true, Timing: pipeline.Timing{Storm: pipeline.Storm{MoreThan: 2, Within: 20 * time.Second}}},
				{Receiver: "chat", Match: matchers(t, `cluster=~".*"`)},
			},
		},
		Receivers: []pipeline.Receiver{
			{Name: "chat", Sinks: []pipeline.Integration{{Name: "keyed", Sink: &h.chat}, {Name: "plain", Sink: &h.plain}}},
			{Name: "every", Sinks: []pipeline.Integration{{Name: "keyed", Sink: &h.every}}},
			{Name: "storm", Sinks: []pipeline.Integration{{Name: "keyed", Sink: &h.storm}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); err != nil && !killed {
		t.Fatalf("the pipeline ended: %v", err)
	}
	synctest.Wait()
	return killed, store.Ops()
}

// group is what a history makes of one cluster.
type group struct {
	count, firing int
	fires         map[event.About]bool
}

// judge compares what reached the sinks with the history alone.
func (h *house) judge() []string {
	groups := map[string]*group{}
	for _, one := range h.source.History {
		e := one.Event
		g := groups[e.Cluster]
		if g == nil {
			g = &group{fires: map[event.About]bool{}}
			groups[e.Cluster] = g
		}
		if _, known := g.fires[e.About]; known || !e.Resolved {
			g.fires[e.About] = !e.Resolved
		}
		if !e.Resolved {
			g.count++
		}
	}
	for _, g := range groups {
		for _, f := range g.fires {
			if f {
				g.firing++
			}
		}
	}
	return slices.Concat(h.judgeEvents(), h.judgeStorms(), judgeIncidents("keyed", &h.chat, groups), judgeIncidents("plain", &h.plain, groups))
}

// judgeEvents: each event once where IDs are known, those about the same thing in
// their order.
func (h *house) judgeEvents() (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	var ids []string
	for _, one := range h.source.History {
		ids = append(ids, "test/"+string(one.Event.ID))
	}
	once, last := h.every.Once(), map[event.About]int{}
	if len(once) != len(ids) {
		say("%d of %d events were delivered", len(once), len(ids))
	}
	for _, d := range once {
		i := slices.Index(ids, d.ID)
		if i < 0 {
			say("event %s was delivered, which there is none of", d.ID)
			continue
		}
		a := h.source.History[i].Event.About
		if i < last[a] {
			say("event %s came after a later one about %s", d.ID, a)
		}
		last[a] = max(last[a], i)
	}
	return problems
}

// judgeIncidents: of each cluster one message, whose states come in order and are as
// few as were called for, and whose last one is how the history ends.
func judgeIncidents(name string, s *pipelinetest.Sink, groups map[string]*group) (problems []string) {
	say := func(format string, args ...any) {
		problems = append(problems, name+": "+fmt.Sprintf(format, args...))
	}
	final, keys, states := map[string]sink.Delivery{}, map[string]map[string]bool{}, map[string]int{}
	for _, d := range s.Once() {
		c := d.Labels["cluster"]
		if keys[c] == nil {
			keys[c] = map[string]bool{}
		}
		if d.Revision <= final[c].Revision {
			say("%s: revision %d came after %d", c, d.Revision, final[c].Revision)
		}
		keys[c][d.Key], final[c] = true, d
		states[c]++
	}
	for _, c := range slices.Sorted(maps.Keys(groups)) {
		g, d := groups[c], final[c]
		want := event.Firing
		if g.firing == 0 {
			want = event.Resolved
		}
		switch {
		case len(keys[c]) > 1:
			say("%d messages for one incident of %s", len(keys[c]), c)
		case states[c] > 2:
			say("%d states of %s, when two were called for", states[c], c)
		case d.ID == "" && g.firing > 0:
			say("nobody heard of %s", c)
		case d.ID == "": // it was over before anybody was to hear of it
		case d.State != string(want), d.Count != g.count, d.Firing != g.firing:
			say("%s is shown as %s with count %d and %d firing, want %s, %d and %d", c, d.State, d.Count, d.Firing, want, g.count, g.firing)
		}
	}
	return problems
}

// history makes up events of a few things on two clusters within a minute.
func history(r *rand.Rand) (out []pipelinetest.Timed) {
	for i := range 1 + r.IntN(25) {
		e := event.Event{
			ID: event.ID(fmt.Sprint("e", i)), Cluster: []string{"prod", "stage"}[r.IntN(2)], Kind: "Pod", Namespace: "shop",
			Reason: "BackOff", Text: fmt.Sprint("back-off ", i, "s"), Resolved: r.IntN(3) == 0, Severity: event.Warning,
		}
		if r.IntN(6) == 0 {
			e.Severity = event.Critical
		}
		e.Name = []string{"web", "api", "db"}[r.IntN(3)]
		e.About = event.About(e.Cluster + "/" + e.Name)
		after := time.Duration(0)
		if r.IntN(2) == 0 {
			after = time.Duration(r.IntN(4000)) * time.Millisecond
		}
		out = append(out, pipelinetest.Timed{After: after, Event: e})
	}
	return out
}

// flaky fails now and then: before a delivery takes effect, after it, and with a
// wish to be left alone.
func flaky(r *rand.Rand, one int) func(sink.Delivery) (error, error) {
	var mu sync.Mutex // couriers and feeds deliver side by side
	own := rand.New(rand.NewPCG(r.Uint64(), r.Uint64()))
	return func(sink.Delivery) (before, after error) {
		mu.Lock()
		defer mu.Unlock()
		switch own.IntN(one) {
		case 0:
			return pipelinetest.ErrDown, nil
		case 1:
			return nil, pipelinetest.ErrDown
		case 2:
			return sink.Limited(3*time.Second, pipelinetest.ErrDown), nil
		}
		return nil, nil
	}
}

const enough = 3 * time.Hour

// TestKilledAnywhere kills random histories at random operations of the store, again
// and again, while sinks fail, and asks whether every incident and event arrived,
// once where the sink knows IDs, and in order.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	kills, events, digests := 0, 0, 0
	for seed := range *histories {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(seed), 1))
			h := &house{}
			h.source = pipelinetest.Source{History: history(r), Again: r.IntN(4), Began: time.Now().Add(time.Second)}
			for _, s := range h.sinks() {
				s.Refs = r.IntN(2) == 0
				if r.IntN(2) == 0 {
					s.Fails = flaky(r, 5+r.IntN(20))
				}
			}
			events += len(h.source.History)
			for range r.IntN(6) {
				if killed, _ := h.live(t, 1+r.IntN(60), r.IntN(2) == 0, time.Duration(r.IntN(60))*time.Second); killed {
					kills++
				}
				time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
			}
			h.live(t, 0, false, enough)
			for _, p := range h.judge() {
				t.Errorf("seed %d: %s", seed, p)
			}
			digests += h.digests
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d histories of %d events and %d digests, killed %d times", *histories, events, digests, kills)
	if kills < *histories/2 || digests < *histories/4 {
		t.Errorf("only %d kills and %d digests: the test does not do what it is for", kills, digests)
	}
}

// TestKilledEverywhere kills one history at every operation of the store, before it
// took effect and after.
func TestKilledEverywhere(t *testing.T) {
	t.Parallel()
	run := func(n int, after bool) (ops int) {
		synctest.Test(t, func(t *testing.T) {
			h := &house{}
			h.source = pipelinetest.Source{History: history(rand.New(rand.NewPCG(7, 7))), Again: 1, Began: time.Now().Add(time.Second)}
			killed, all := h.live(t, n, after, enough)
			if ops = all; killed {
				h.live(t, 0, false, enough)
			}
			for _, p := range h.judge() {
				t.Errorf("killed at operation %d (after: %v): %s", n, after, p)
			}
		})
		return ops
	}
	all := run(0, false)
	for n := 1; n <= all; n++ {
		run(n, false)
		run(n, true)
	}
	t.Logf("%d operations", all)
	if all < 50 {
		t.Errorf("only %d operations: the history does not need the store", all)
	}
}
