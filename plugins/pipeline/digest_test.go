package pipeline_test

import (
	"context"
	"fmt"
	"regexp"
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

// digestOf has a sink remember the states of its digest: when, what, how often it was
// said before.
func digestOf(s *pipelinetest.Sink, said *[]string) {
	began := time.Now()
	s.Fails = func(d sink.Delivery) (error, error) {
		if strings.Contains(d.Title, "torm") {
			line := fmt.Sprintf("%s %s", time.Since(began).Truncate(time.Minute), d.Title)
			if d.Repeat > 0 {
				line += fmt.Sprint(" still ", d.Repeat)
			}
			*said = append(*said, line)
		}
		return nil, nil
	}
}

// TestADigestIsNotEditedForNothing: one of it that has a message of its own as well is
// told again there, and nothing of that is news to the digest.
func TestADigestIsNotEditedForNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		var said []string
		digestOf(&chat, &said)
		history := workloads("w", 12, 100*time.Millisecond)
		worse := history[11]
		worse.After, worse.Event.ID, worse.Event.Severity = 10*time.Minute, "worse", event.Critical
		o := pipeline.Options{Route: ten()}
		o.Route.Timing.RepeatInterval = time.Hour
		told(t, o, &chat, 3*time.Hour, append(history, worse)...)
		own := 0
		for _, d := range chat.All() {
			if d.Labels["name"] == "w11" && d.Repeat > 0 {
				own++
			}
		}
		want := []string{
			"0s Storm on prod: 2 more incidents open", "10m0s Storm on prod: 2 more incidents open, 1 critical",
			"1h10m0s Storm on prod: 2 more incidents open, 1 critical still 1", "2h10m0s Storm on prod: 2 more incidents open, 1 critical still 2",
		}
		if !slices.Equal(said, want) || own != 2 {
			t.Errorf("it said %q, want %q; of the critical one people were told again %d times, want 2", said, want, own)
		}
	})
}

// TestADigestAndInhibitions: those of a digest that are inhibited are left out of it
// when it is told meanwhile, and stand in it again when they still are so after the
// while; after a restart, too.
func TestADigestAndInhibitions(t *testing.T) {
	t.Parallel()
	const s, m = time.Second, time.Minute
	on := func(node string) func(*event.Event) {
		return func(e *event.Event) { e.Labels = map[string]string{"node": node} }
	}
	few, some, others := workloads("w", 3, s, on("n3")), workloads("x", 4, s, on("n1")), workloads("y", 2, s, on("n2"))
	storm := slices.Concat(few, some, others, []pipelinetest.Timed{down(5*m, "n1")})
	for name, c := range map[string]struct {
		then []pipelinetest.Timed
		want string
	}{
		"some of it": {over(m, others[:1]), "6m9s Storm on prod: 1 of 2 more incidents open; 15m9s n1 resolved; 17m9s Storm on prod: 5 of 6 more incidents open"},
		"all of it":  {over(m, slices.Concat(others, some[:1])), "15m9s n1 resolved; 17m9s Storm on prod: 3 of 6 more incidents open"},
		"none of it": {nil, "14m9s n1 resolved"},
		"it is over": {over(m, slices.Concat(some, others)), "6m9s The storm on prod is over: 6 more incidents resolved; 15m9s n1 resolved"},
	} {
		for _, each := range []time.Duration{time.Hour, 99300 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) {
				o := outages(t, 2*m)
				o.Route.Timing = pipeline.Timing{RepeatInterval: -1}
				o.Inhibit[0].Target = matchers(t, "kind=Deployment")
				_, got, _ := strings.Cut(lives(t, o, each, time.Hour, slices.Concat(storm, c.then, []pipelinetest.Timed{down(9*m, "n1", resolved)})...), "n1 firing; ")
				if got != c.want {
					t.Errorf("%s, %s each: told\n%s, want\n%s", name, each, got, c.want)
				}
			})
		}
	}
}

// TestADigestOfMoments is told once, and that it was not heard of any more.
func TestADigestOfMoments(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		var said []string
		digestOf(&chat, &said)
		o := pipeline.Options{Route: ten()}
		told(t, o, &chat, 30*time.Hour, workloads("w", 12, 100*time.Millisecond, moment)...)
		if want := []string{"0s Storm on prod: 2 more incidents open", "24h0m0s Storm on prod: 1 of 2 more incidents open", "24h0m0s Storm on prod: of 2 more incidents nothing is heard any more"}; !slices.Equal(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	})
}

// aSilence is of one name, for a time.
type aSilence struct {
	name       string
	from, till time.Time
}

func (a aSilence) Mutes(e *event.Event) bool {
	return e.Name == a.name && !time.Now().Before(a.from) && time.Now().Before(a.till)
}

// TestASilenceInADigest: one that was left out of it when it was told stands in it again
// soon after the silence, also where nothing is ever told again, and after a restart.
func TestASilenceInADigest(t *testing.T) {
	t.Parallel()
	const m = time.Minute
	for _, each := range []time.Duration{time.Hour, 99300 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			o := outages(t, 0)
			o.Route.Timing = pipeline.Timing{RepeatInterval: -1}
			o.Silences = aSilence{"w7", time.Now().Add(5 * m), time.Now().Add(20 * m)}
			all := workloads("w", 8, time.Second)
			_, got, _ := strings.Cut(lives(t, o, each, time.Hour, append(all, over(6*m, all[6:7])...)...), "6m")
			got = regexp.MustCompile(`20m\d+s`).ReplaceAllString(got, "20m")
			if want := "8s Storm on prod: 3 of 4 more incidents open; 20m Storm on prod: 4 of 5 more incidents open"; got != want {
				t.Errorf("%s each: told\n6m%s, want\n6m%s", each, got, want)
			}
		})
	}
}

// TestADigestThatIsHeldCostsNothing while all of it is inhibited, or some
// of it silenced.
func TestADigestThatIsHeldCostsNothing(t *testing.T) {
	t.Parallel()
	for what, n := range map[string]int{"inhibited": 1, "silenced": 0} {
		synctest.Test(t, func(t *testing.T) {
			const m = time.Minute
			node := func(e *event.Event) { e.Labels = map[string]string{"node": "n1"} }
			history := workloads("w", 6, time.Second, node)
			history = slices.Concat(history, []pipelinetest.Timed{down(2*m, fmt.Sprint("n", n))}, over(m, history[5:]))
			history[6].Event.ID = "down"
			store := new(rowstest.Memory).Open(0, false, nil)
			o := outages(t, m)
			if n == 0 {
				o.Silences = aSilence{"w4", time.Now().Add(m), time.Now().Add(time.Hour)}
			}
			o.Inhibit[0].Target = matchers(t, "kind=Deployment")
			o.Store, o.Sources = store, []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: history, Began: time.Now()}}}
			o.Receivers = []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: &pipelinetest.Sink{}}}}}
			p, err := pipeline.New(o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 40*m)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- p.Run(ctx) }()
			time.Sleep(10 * m)
			before := store.Ops()
			time.Sleep(20 * m)
			if n := store.Ops() - before; n > 0 {
				t.Errorf("%s: %d operations of the store while nothing happened", what, n)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}
