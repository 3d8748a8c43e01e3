package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"ferry/playground/slack"
)

// TestThreadsAreCounted: a button makes a second job in the thread, each press
// beyond the first may be answered, and nothing else may stand there.
func TestThreadsAreCounted(t *testing.T) {
	t.Parallel()
	said := func(what ...string) (out []slack.Message) {
		for i, w := range what {
			kind, text, _ := strings.Cut(w, " ")
			out = append(out, slack.Message{Text: text, Metadata: fmt.Appendf(nil, `{"event_payload":{"key":"job/%d/%s"}}`, i, kind)})
		}
		return out
	}
	pressed := func(times int32) *command {
		c := &command{kind: sharedKind}
		c.next = &command{kind: allKind, after: c}
		c.next.presses.Store(times)
		return c
	}
	for name, c := range map[string]struct {
		of   *command
		said []slack.Message
		fine bool
	}{
		"a job":                       {&command{kind: promoteKind}, said("status", "closing"), true},
		"two closings":                {&command{kind: promoteKind}, said("status", "closing", "closing"), false},
		"no status":                   {&command{kind: promoteKind}, said("closing"), false},
		"something else":              {&command{kind: promoteKind}, said("status", "closing", "root"), false},
		"refused":                     {&command{kind: promoteKind}, said("status", "closing", "answer"), false},
		"an answer":                   {&command{kind: cancelKind}, said("answer"), true},
		"an answer twice":             {&command{kind: cancelKind}, said("answer", "answer"), false},
		"an answer after a long wait": {&command{kind: cancelKind}, said("waiting Job x has ended"), true},
		"no answer but a wait":        {&command{kind: cancelKind}, said("waiting ferry goes on trying"), false},
		"a button":                    {pressed(1), said("status", "closing", "status", "closing"), true},
		"a button that did nothing":   {pressed(1), said("status", "closing"), false},
		"a button heard twice":        {pressed(1), said("status", "closing", "status", "closing", "status", "closing"), false},
		"one press answered":          {pressed(1), said("status", "closing", "status", "closing", "answer"), false},
		"two presses, one answered":   {pressed(2), said("status", "closing", "status", "closing", "answer"), true},
	} {
		if err := c.of.check(count(c.said)); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEachKindIsDrawn: what follows a command is in the same episode behind it.
func TestEachKindIsDrawn(t *testing.T) {
	t.Parallel()
	w := &world{rand: rand.New(rand.NewPCG(1, 1)), targets: map[target]*version{}}
	for _, c := range []string{direct, proposed} {
		for _, app := range []string{"a00", "a01", "a02", "a03", "a04", "a05", "a06", "a07", "a08", "a09", "u00", "w00", "w01", "w02"} {
			w.targets[target{c, app}] = &version{now: "1.1.0", before: "1.0.5"}
		}
		w.targets[target{c, "p00"}] = &version{}
	}
	drawn := map[kind]bool{}
	for range 60 {
		list := w.draw(perEpisode)
		if len(list) > channels {
			t.Fatalf("%d commands for %d channels", len(list), channels)
		}
		for i, c := range list {
			drawn[c.kind] = true
			if k, ok := follower(c.kind); ok && (c.next == nil || c.next.kind != k || list[i+1] != c.next || c.next.after != c) {
				t.Fatalf("%s is followed by %v", c.kind, c.next)
			}
		}
	}
	for _, k := range append(slices.Clone(deck[:]), cancelKind, retryKind, allKind, backKind) {
		if !drawn[k] {
			t.Errorf("%s is not drawn", k)
		}
	}
}

// TestMeddlingLeavesTheRequest: a request that is sent twice is whole both times,
// one that is overtaken meets the push before it, and neither happens to one that
// only reads.
func TestMeddlingLeavesTheRequest(t *testing.T) {
	t.Parallel()
	var heard []string
	f := &faults{tally: newTally(&table{}), rand: rand.New(rand.NewPCG(1, 1)), push: func() error {
		heard = append(heard, "push")
		return nil
	}}
	end := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard = append(heard, string(body(r))) })
	meet := func(bad fault, method string) string {
		heard = nil
		h := f.around(end, func() []fault { return []fault{bad} }, func(r *http.Request) string {
			if r.Method == http.MethodGet {
				return reading
			}
			return "x"
		})
		for range 50 {
			h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, "/", strings.NewReader("it")))
		}
		return strings.Join(slices.Compact(slices.Clone(heard)), " ")
	}
	if got := meet(fault{overtaken: true}, http.MethodPost); !strings.Contains(got, "push it") {
		t.Errorf("overtaken: %s", got)
	}
	if got := meet(fault{overtaken: true}, http.MethodGet); got != "it" {
		t.Errorf("overtaken while reading: %s", got)
	}
	if meet(fault{twice: true}, http.MethodPost); len(heard) <= 50 || slices.Contains(heard, "") {
		t.Errorf("of 50 requests that are sent twice now and then, %d arrived", len(heard))
	}
	if meet(fault{twice: true}, http.MethodGet); len(heard) != 50 {
		t.Errorf("reading is sent twice: %d of 50", len(heard))
	}
}
