package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/pipeline"
	"ferry/plugins/pipeline/pipelinetest"
	"ferry/plugins/rows/rowstest"
	"ferry/plugins/sink"
)

// rack is a world in which a node goes down: what outlives a kill.
type rack struct {
	disk   rowstest.Memory
	source pipelinetest.Source
	chat   pipelinetest.Sink
	early  []string // told of while the node counted as down
	back   time.Time
}

const (
	upAgain = 40 * time.Second // the node's end
	keeps   = 5 * time.Minute
)

// live runs a pipeline until it is killed at the n-th operation of its store (0 for
// never), or for so long.
func (r *rack) live(t *testing.T, n int, after bool, most time.Duration) (killed bool, ops int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), most)
	defer cancel()
	r.chat.Dead(false)
	r.chat.Fails = func(d sink.Delivery) (error, error) {
		if d.Labels["kind"] == "Pod" && time.Now().Before(r.back) {
			r.early = append(r.early, d.Labels["name"])
		}
		return nil, nil
	}
	o := outages(t, keeps)
	o.Store = r.disk.Open(n, after, func() {
		killed = true
		r.chat.Dead(true)
		cancel()
	})
	o.Sources = []pipeline.Binding{{Name: "test", Source: &r.source}}
	o.Receivers = []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: &r.chat}}}}
	p, err := pipeline.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Run(ctx); err != nil && !killed {
		t.Fatalf("the pipeline ended: %v", err)
	}
	synctest.Wait()
	return killed, o.Store.(*rowstest.Store).Ops()
}

// outage makes up what becomes of some pods while their node is down and shortly
// afterwards; in the end some of what merely happened happens again.
func outage(r *rand.Rand) (out []pipelinetest.Timed) {
	out = append(out, down(0, "n1"))
	say := func(at time.Duration, one pipelinetest.Timed) {
		sum := time.Duration(0)
		for _, o := range out {
			sum += o.After
		}
		one.After, one.Event.ID = at-sum, event.ID(fmt.Sprint("e", len(out)))
		out = append(out, one)
	}
	at := time.Second
	for range 3 + r.IntN(8) {
		at += time.Duration(r.IntN(4000)) * time.Millisecond
		more := []func(*event.Event){}
		name := fmt.Sprint("lasts-", r.IntN(3))
		switch r.IntN(4) {
		case 0:
			more = append(more, resolved)
		case 1, 2:
			name, more = fmt.Sprint("moment-", r.IntN(3)), append(more, moment)
		}
		say(at, pod(0, name, "n1", more...))
	}
	say(upAgain, down(0, "n1", resolved))
	for i := range 3 {
		if r.IntN(3) == 0 {
			say(upAgain+time.Duration(1+i)*10*time.Second, pod(0, fmt.Sprint("lasts-", i), "n1", resolved))
		}
		if r.IntN(3) == 0 {
			say(upAgain+time.Duration(1+i)*10*time.Second, pod(0, fmt.Sprint("moment-", i), "n1", moment))
		}
	}
	if r.IntN(2) == 0 {
		say(time.Hour, pod(0, "moment-0", "n1", moment))
	}
	return out
}

// judge compares what was told of pods with the history alone.
func (r *rack) judge() (problems []string) {
	want := map[string]string{}
	at := time.Duration(0)
	for _, one := range r.source.History {
		e := one.Event
		at += one.After
		switch {
		case e.Kind != "Pod", e.Moment && at < time.Hour:
		case e.Resolved:
			delete(want, e.Name)
		default:
			want[e.Name] = "firing"
		}
	}
	got := map[string]string{}
	for _, d := range r.chat.Once() {
		if d.Labels["kind"] == "Pod" {
			got[d.Labels["name"]] = d.State
		}
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		problems = append(problems, fmt.Sprintf("people were told of %s, want %s", g, w))
	}
	if len(r.early) > 0 {
		problems = append(problems, fmt.Sprintf("people were told of %v while the node counted as down", r.early))
	}
	return problems
}

// TestAnInhibitionKilledAnywhere kills outages at random operations of the store, before
// the node is back and while it still counts, and asks whether people were told of what
// still was so, after a while, and of nothing else.
func TestAnInhibitionKilledAnywhere(t *testing.T) {
	t.Parallel()
	kills := 0
	for seed := range *histories {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 40))
			began := time.Now().Add(time.Second)
			r := &rack{source: pipelinetest.Source{History: outage(random), Again: random.IntN(4), Began: began}, back: began.Add(upAgain + keeps)}
			for range random.IntN(8) {
				if killed, _ := r.live(t, 1+random.IntN(40), random.IntN(2) == 0, time.Duration(random.IntN(60))*time.Second); killed {
					kills++
				}
				time.Sleep(time.Duration(random.IntN(3000)) * time.Millisecond)
			}
			r.live(t, 0, false, enough)
			for _, p := range r.judge() {
				t.Errorf("seed %d: %s", seed, p)
			}
		})
		if t.Failed() {
			t.FailNow()
		}
	}
	t.Logf("%d outages, killed %d times", *histories, kills)
	if kills < *histories/2 {
		t.Errorf("only %d kills: the test does not do what it is for", kills)
	}
}

// TestAnInhibitionKilledEverywhere kills one outage at every operation of the store,
// before it took effect and after.
func TestAnInhibitionKilledEverywhere(t *testing.T) {
	t.Parallel()
	history := []pipelinetest.Timed{
		down(0, "n1"), pod(time.Second, "lasts-0", "n1"), pod(0, "lasts-1", "n1"), pod(time.Second, "moment-0", "n1", moment), pod(0, "moment-1", "n1", moment),
		down(upAgain-2*time.Second, "n1", resolved), pod(time.Minute, "lasts-1", "n1", resolved), pod(time.Second, "moment-1", "n1", moment), pod(time.Hour, "moment-0", "n1", moment),
	}
	for i := range history {
		history[i].Event.ID = event.ID(fmt.Sprint("e", i))
	}
	run := func(n int, after bool) (ops int) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now().Add(time.Second)
			r := &rack{source: pipelinetest.Source{History: history, Again: 1, Began: began}, back: began.Add(upAgain + keeps)}
			killed, all := r.live(t, n, after, enough)
			if ops = all; killed {
				r.live(t, 0, false, enough)
			}
			for _, p := range r.judge() {
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
	if all < 30 {
		t.Errorf("only %d operations: the history does not need the store", all)
	}
}
