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

// workloads are so many that fail, one after the other.
func workloads(prefix string, n int, every time.Duration, more ...func(*event.Event)) (out []pipelinetest.Timed) {
	for i := range n {
		out = append(out, after(every, fmt.Sprint(prefix, i), append([]func(*event.Event){func(e *event.Event) {
			e.ID, e.Kind, e.Namespace, e.Reason, e.Severity = event.ID(fmt.Sprint(e.Name, " fails")), "Deployment", "shop", "Unavailable", event.Error
		}}, more...)...))
	}
	return out
}

// over ends what a history began, after a while.
func over(wait time.Duration, history []pipelinetest.Timed) (out []pipelinetest.Timed) {
	for i, one := range history {
		one.After = 0
		if i == 0 {
			one.After = wait
		}
		one.Event.Resolved, one.Event.ID = true, event.ID(fmt.Sprint(one.Event.Name, " is well"))
		out = append(out, one)
	}
	return out
}

// shows are the messages as a channel shows them in the end, and how many states each
// had; in the order in which they came.
func shows(ds []sink.Delivery) (out []sink.Delivery, states map[string]int) {
	states = map[string]int{}
	for _, d := range ds {
		if states[d.Key]++; states[d.Key] == 1 {
			out = append(out, d)
			continue
		}
		out[slices.IndexFunc(out, func(o sink.Delivery) bool { return o.Key == d.Key })] = d
	}
	return out, states
}

// titles are what messages say, those of single incidents in short.
func titles(ds []sink.Delivery) string {
	var out []string
	singles := 0
	for _, d := range ds {
		if strings.Contains(d.Title, "torm") {
			out = append(out, d.Title)
		} else {
			singles++
		}
	}
	slices.Sort(out)
	return strings.Join(append([]string{fmt.Sprint(singles, " single")}, out...), "; ")
}

// ten is a bound that leaves room for what a test wants to see.
func ten() pipeline.Route {
	return pipeline.Route{Timing: pipeline.Timing{Storm: pipeline.Storm{MoreThan: 10}}}
}

// TestAStormIsADigest: what becomes of many incidents.
func TestAStormIsADigest(t *testing.T) {
	t.Parallel()
	const ms, s, m = time.Millisecond, time.Second, time.Minute
	critical := func(e *event.Event) { e.Severity = event.Critical }
	unlike := func(e *event.Event) { e.Reason = "Reason" + e.Name }
	kinds := func(e *event.Event) { e.Reason = "Reason" + e.Name[max(1, len(e.Name)-2):] } // a hundred
	many := workloads("w", 60, 100*ms)
	for name, c := range map[string]struct {
		storm   pipeline.Storm
		history []pipelinetest.Timed
		want    string
	}{
		"as many as may be":         {history: workloads("w", 10, 100*ms), want: "10 single"},
		"two more":                  {history: workloads("w", 12, 100*ms), want: "10 single; Storm on prod: 2 more incidents open"},
		"many":                      {history: many, want: "10 single; Storm on prod: 50 more incidents open"},
		"many, in their own time":   {history: workloads("w", 60, 7*s), want: "60 single"},
		"off":                       {storm: pipeline.Storm{MoreThan: -1}, history: many, want: "60 single"},
		"a bound of one's own":      {storm: pipeline.Storm{MoreThan: 3, Within: 10 * s}, history: workloads("w", 9, s), want: "3 single; Storm on prod: 6 more incidents open"},
		"a bound within a minute":   {storm: pipeline.Storm{MoreThan: 3}, history: workloads("w", 9, 5*s), want: "3 single; Storm on prod: 6 more incidents open"},
		"ten within an hour":        {storm: pipeline.Storm{Within: time.Hour}, history: workloads("w", 12, 3*m), want: "10 single; Storm on prod: 2 more incidents open"},
		"and not beyond it":         {storm: pipeline.Storm{MoreThan: 3, Within: 10 * s}, history: workloads("w", 9, 5*s), want: "9 single"},
		"what has ended":            {history: slices.Concat(many, over(5*m, many[:30])), want: "10 single; Storm on prod: 30 of 50 more incidents open"},
		"all have ended":            {history: slices.Concat(many, over(5*m, many)), want: "10 single; The storm on prod is over: 50 more incidents resolved"},
		"over before anybody heard": {history: slices.Concat(many, over(1050*ms, many)), want: "10 single; The storm on prod is over: 40 more incidents resolved"},
		"later ones":                {history: slices.Concat(many, workloads("x", 2, 2*m)), want: "12 single; Storm on prod: 50 more incidents open"},
		"a second storm":            {history: slices.Concat(many, workloads("x", 1, 5*m), workloads("y", 60, 100*ms)), want: "20 single; Storm on prod: 101 more incidents open"},
		"another one":               {history: slices.Concat(many, workloads("x", 1, 20*m), workloads("y", 60, 100*ms)), want: "20 single; Storm on prod: 50 more incidents open; Storm on prod: 51 more incidents open"},
		"critical":                  {history: slices.Concat(many, workloads("c", 4, 100*ms, critical)), want: "14 single; Storm on prod: 50 more incidents open"},
		"all critical":              {history: workloads("c", 60, 100*ms, critical), want: "10 single; Storm on prod: 50 more incidents open, 50 critical"},
		"then many critical":        {history: slices.Concat(many, workloads("c", 60, 100*ms, critical)), want: "20 single; Storm on prod: 100 more incidents open, 50 critical"},
		"nothing to do with it":     {history: slices.Concat(many, workloads("u", 3, 100*ms, unlike)), want: "13 single; Storm on prod: 50 more incidents open"},
		"everything differs":        {history: workloads("u", 60, 100*ms, unlike), want: "15 single; Storm on prod: 45 more incidents open"},
		"both":                      {history: slices.Concat(many, workloads("u", 8, 100*ms, unlike), workloads("c", 20, 100*ms, critical)), want: "25 single; Storm on prod: 63 more incidents open, 10 critical"},
		"the same kinds for long":   {history: workloads("u", 300, s, kinds), want: "30 single; Storm on prod: 270 more incidents open"},
		"on three clusters": {
			history: slices.Concat(many, workloads("x", 20, 100*ms, func(e *event.Event) { e.Cluster = "stage" }), workloads("y", 5, 100*ms, func(e *event.Event) { e.Cluster = "dev" })),
			want:    "12 single; Storm on prod and 2 more clusters: 73 more incidents open",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var chat pipelinetest.Sink
				if c.storm.MoreThan == 0 {
					c.storm.MoreThan = 10
				}
				told(t, pipeline.Options{Route: pipeline.Route{Timing: pipeline.Timing{RepeatInterval: -1, Storm: c.storm}}}, &chat, time.Hour, c.history...)
				all, _ := shows(chat.All())
				if got := titles(all); got != c.want {
					t.Errorf("the channel shows %q, want %q", got, c.want)
				}
				if all, once := len(chat.All()), len(chat.Once()); all != once {
					t.Errorf("%d deliveries, %d of them different", all, once)
				}
			})
		})
	}
}

// TestADigestDevelops: what it says, and how often it is edited.
func TestADigestDevelops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		in := func(namespace string, s event.Severity) func(*event.Event) {
			return func(e *event.Event) { e.Namespace, e.Severity, e.Title = namespace, s, e.Name+" is not available" }
		}
		first, bad := workloads("w", 60, 100*time.Millisecond), workloads("b", 12, 100*time.Millisecond, in("pay", event.Critical))
		one := workloads("o", 1, 0, in("ops", event.Warning))
		history := slices.Concat(first, bad, one, over(5*time.Minute, first[20:]), over(10*time.Minute, slices.Concat(first[:20], bad, one)))
		began := time.Now()
		told(t, pipeline.Options{Route: pipeline.Route{Timing: pipeline.Timing{RepeatInterval: -1, Storm: pipeline.Storm{MoreThan: 10}}}}, &chat, time.Hour, history...)
		var digest []sink.Delivery
		for _, d := range chat.All() {
			if strings.Contains(d.Title, "torm") {
				digest = append(digest, d)
			}
		}
		var said []string
		for _, d := range digest {
			said = append(said, fmt.Sprintf("%s %s", d.At.Sub(began).Round(100*time.Millisecond), d.Title))
		}
		t.Logf("the digest says\n%s", strings.Join(said, "\n"))
		if n := len(digest); n < 5 || n > 8 {
			t.Errorf("it has %d states", n)
		}
		grown := digest[len(digest)-3]
		want := []string{
			"critical: 2 × Unavailable in pay on prod (b10, b11)",
			"error: 50 × Unavailable in shop on prod (w10, w11, w12, …)",
			"warning: o0 is not available in ops on prod",
		}
		if !slices.Equal(grown.Details, want) || grown.Severity != "critical" || grown.Things != 53 || grown.Firing != 53 || grown.Count != 53 {
			t.Errorf("grown: %+v", grown)
		}
		if want := "More than 10 began within 1 min: these share this message. `events cluster=prod` shows each."; grown.Text != want || grown.Labels["cluster"] != "prod" || grown.Labels["namespace"] != "" {
			t.Errorf("grown: %q, %v", grown.Text, grown.Labels)
		}
		half, end := digest[len(digest)-2], digest[len(digest)-1]
		if half.Details[1] != "error: 10 × Unavailable in shop on prod (w10, w11, w12, …), 40 over" || half.State != "firing" {
			t.Errorf("half of it: %+v", half)
		}
		if end.State != "resolved" || end.Text != "It lasted 15 min." || end.Firing != 0 || end.Things != 53 || end.Details[0] != "over: 12 × Unavailable in pay on prod" && end.Details[0] != "over: 2 × Unavailable in pay on prod" {
			t.Errorf("in the end: %+v", end)
		}
	})
}

// TestWhatComesInAStormIsSoonSeen: an alert that nothing sets apart from the storm is
// in the digest within five seconds, and one that has nothing to do with it has a message.
func TestWhatComesInAStormIsSoonSeen(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]func(*event.Event){
		"like all others": func(*event.Event) {}, "on another cluster": func(e *event.Event) { e.Cluster = "stage" },
		"critical": func(e *event.Event) { e.Severity = event.Critical }, "another reason": func(e *event.Event) { e.Reason = "OOMKilled" },
	} {
		for _, at := range []int{12, 50, 150, 290} {
			synctest.Test(t, func(t *testing.T) {
				var chat pipelinetest.Sink
				when := map[string]time.Time{}
				chat.Fails = func(d sink.Delivery) (error, error) {
					for _, l := range append([]string{d.Title}, d.Details...) {
						if _, seen := when[l]; !seen {
							when[l] = time.Now()
						}
					}
					return nil, nil
				}
				history := workloads("w", 300, 100*time.Millisecond)
				special := workloads("s", 1, 0, func(e *event.Event) { e.Namespace, e.Title = "ops", "What matters" }, more)
				began := time.Now()
				told(t, pipeline.Options{}, &chat, time.Hour, slices.Insert(history, at, special...)...)
				happened := began.Add(time.Duration(at) * 100 * time.Millisecond)
				seen := time.Time{}
				for l, at := range when {
					if strings.Contains(l, "What matters") && (seen.IsZero() || at.Before(seen)) {
						seen = at
					}
				}
				if took := seen.Sub(happened); seen.IsZero() || took > 5*time.Second {
					t.Errorf("%s, %d-th: it is seen after %s", name, at, took)
				}
			})
		}
	}
}

// TestADigestOfOne is called as its incident is: that more will come nobody knows yet.
func TestADigestOfOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		history := workloads("w", 4, 100*time.Millisecond, func(e *event.Event) { e.Title, e.Text = e.Name+" is not available", "0 of 3 pods are ready." })
		told(t, pipeline.Options{}, &chat, time.Hour, slices.Concat(history, over(5*time.Minute, history))...)
		var said []string
		for _, d := range chat.All() {
			if d.Labels["name"] == "w3" {
				said = append(said, d.Title, d.Text)
			}
		}
		want := []string{
			"w3 is not available on prod", "0 of 3 pods are ready.\nMore than 3 incidents began within 1 min: further ones join this one.",
			"Resolved: w3 is not available on prod", "It lasted 4 min 58 s.",
		}
		if !slices.Equal(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	})
}

// TestOneOfADigestBecomesCritical: it gets a message of its own as well, and both end.
func TestOneOfADigestBecomesCritical(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		history := workloads("w", 30, 100*time.Millisecond)
		worse := history[20]
		worse.After, worse.Event.ID, worse.Event.Severity = 3*time.Minute, "worse", event.Critical
		again := worse
		again.After, again.Event.ID = time.Minute, "still"
		told(t, pipeline.Options{Route: ten()}, &chat, time.Hour, slices.Concat(history, []pipelinetest.Timed{worse, again}, over(5*time.Minute, history))...)
		all, states := shows(chat.All())
		if got := titles(all); got != "11 single; The storm on prod is over: 20 more incidents resolved" {
			t.Errorf("the channel shows %q", got)
		}
		own := all[len(all)-1]
		if own.Labels["name"] != "w20" || own.State != "resolved" || states[own.Key] != 3 {
			t.Errorf("its own message had %d states: %+v", states[own.Key], own)
		}
	})
}

// TestADigestAndSilences: what is silenced is not told in a digest; what was told is
// told to have ended.
func TestADigestAndSilences(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var chat pipelinetest.Sink
		m := &muted{}
		m.name.Store("w25")
		history := workloads("w", 30, 100*time.Millisecond)
		worse := history[20]
		worse.After, worse.Event.ID = 3*time.Minute, "again"
		timer := time.AfterFunc(time.Minute, func() { m.name.Store("w12") })
		defer timer.Stop()
		var said []string
		chat.Fails = func(d sink.Delivery) (error, error) {
			if strings.Contains(d.Title, "torm") {
				said = append(said, d.Title)
			}
			return nil, nil
		}
		told(t, pipeline.Options{Silences: m, Route: ten()}, &chat, time.Hour, slices.Concat(history, []pipelinetest.Timed{worse}, over(5*time.Minute, history))...)
		// w25 is told after the storm, when its silence is over; w12 is silenced then.
		want := []string{"Storm on prod: 11 more incidents open", "Storm on prod: 19 more incidents open", "Storm on prod: 18 more incidents open", "The storm on prod is over: 19 more incidents resolved"}
		if !slices.Equal(said, want) {
			t.Errorf("it said %q, want %q", said, want)
		}
	})
}

// TestADigestIsRepeatedAndForgotten like any message: people are told again that it is
// still so, what nobody speaks of expires, and after a week nothing is left.
func TestADigestIsRepeatedAndForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		chat := &pipelinetest.Sink{Refs: true}
		p, err := pipeline.New(pipeline.Options{
			Store: disk.Open(0, false, nil), Route: pipeline.Route{Receiver: "chat", Timing: ten().Timing},
			Sources:   []pipeline.Binding{{Name: "test", Source: &pipelinetest.Source{History: workloads("w", 30, 100*time.Millisecond), Began: time.Now()}}},
			Receivers: []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: chat}}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 9*24*time.Hour)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(5 * time.Hour)
		all, _ := shows(chat.All())
		if d := all[len(all)-1]; d.Title != "Storm on prod: 20 more incidents open" || d.Repeat != 1 {
			t.Errorf("after 5 h: repeat %d of %q", d.Repeat, d.Title)
		}
		digests := 0
		for _, i := range p.Incidents() {
			if i.Digest != "" {
				digests++
			}
		}
		if n := len(disk.Keys("event/digest/")); n != 1 || digests != 20 || len(p.Incidents()) != 30 {
			t.Errorf("%d digests, %d of %d incidents in one", n, digests, len(p.Incidents()))
		}
		time.Sleep(20 * time.Hour)
		if all, _ = shows(chat.All()); all[len(all)-1].State != "expired" || all[len(all)-1].Title != "Storm on prod: of 20 more incidents nothing is heard any more" {
			t.Errorf("after 25 h: %+v", all[len(all)-1])
		}
		if want := "The last was heard at 00:00 UTC on 2000-01-01; whether all are over, nobody said."; all[len(all)-1].Text != want {
			t.Errorf("after 25 h: %q, want %q", all[len(all)-1].Text, want)
		}
		time.Sleep(7*24*time.Hour + 2*time.Hour)
		for _, prefix := range []string{"event/digest/", "event/incident/", "event/sent/", "event/want/"} {
			if left := disk.Keys(prefix); len(left) > 0 {
				t.Errorf("after all of it, %d rows are left below %s", len(left), prefix)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestStormsOutliveRestarts: who began when is known after one, who is in a digest is,
// and what ended long ago counts as long as the digest lasts.
func TestStormsOutliveRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var disk rowstest.Memory
		chat := &pipelinetest.Sink{}
		const day = 24 * time.Hour
		first := workloads("w", 3, 100*time.Millisecond)
		more := workloads("x", 5, 100*time.Millisecond)
		more[0].After = 20 * time.Second
		history := slices.Concat(first, more, over(time.Minute, slices.Concat(first, more[1:])))
		for i := range 18 { // one is heard of twice a day
			again := more[0]
			again.After, again.Event.ID = day/2, event.ID(fmt.Sprint("again ", i))
			history = append(history, again)
		}
		history = append(history, over(time.Minute, more[:1])...)
		source := &pipelinetest.Source{History: history, Began: time.Now()}
		for _, most := range []time.Duration{10 * time.Second, time.Hour, 9*day - 2*time.Hour, day} {
			p, err := pipeline.New(pipeline.Options{
				Store: disk.Open(0, false, nil), Route: pipeline.Route{Receiver: "chat", Timing: pipeline.Timing{RepeatInterval: -1}},
				Sources:   []pipeline.Binding{{Name: "test", Source: source}},
				Receivers: []pipeline.Receiver{{Name: "chat", Sinks: []pipeline.Integration{{Name: "one", Sink: chat}}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), most)
			if err := p.Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		all, _ := shows(chat.All())
		if got := titles(all); got != "3 single; The storm on prod is over: 5 more incidents resolved" {
			t.Errorf("the channel shows %q", got)
		}
	})
}
