package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
	"ferry/playground/slack"
)

// TestThreadsAreCounted: a button makes a second job in the thread or an answer, each
// press beyond the first may be answered, and nothing else may stand there.
func TestThreadsAreCounted(t *testing.T) {
	t.Parallel()
	said := func(what ...string) (out []slack.Message) {
		for i, w := range what {
			kind, text, _ := strings.Cut(w, " ")
			out = append(out, slack.Message{Text: text, Metadata: fmt.Appendf(nil, `{"event_payload":{"key":"job/%d/%s"}}`, i, kind)})
		}
		return out
	}
	of := func(k, next kind, times int32) *command {
		c := &command{play: playOf(k)}
		c.head = c
		if next != "" {
			c.chain = []*command{{play: playOf(next), head: c}}
			c.chain[0].presses.Store(times)
		}
		return c
	}
	for name, c := range map[string]struct {
		of   *command
		said []slack.Message
		fine bool
	}{
		"a job":                       {of(promoteKind, "", 0), said("status", "closing"), true},
		"two closings":                {of(promoteKind, "", 0), said("status", "closing", "closing"), false},
		"two status messages":         {of(promoteKind, "", 0), said("status", "status", "closing"), false},
		"no status":                   {of(promoteKind, "", 0), said("closing"), false},
		"something else":              {of(promoteKind, "", 0), said("status", "closing", "surprise"), false},
		"a root where there is none":  {of(promoteKind, "", 0), said("status", "closing", "root"), false},
		"refused":                     {of(promoteKind, "", 0), said("status", "closing", "answer"), false},
		"a question":                  {of(promoteKind, "", 0), said("status", "closing", "approval/1"), false},
		"an answer":                   {of(cancelKind, "", 0), said("answer"), true},
		"an answer twice":             {of(cancelKind, "", 0), said("answer", "answer"), false},
		"an answer after a long wait": {of(cancelKind, "", 0), said("waiting Job x has ended"), true},
		"no answer but a wait":        {of(cancelKind, "", 0), said("waiting ferry goes on trying"), false},
		"a button":                    {of(sharedKind, allKind, 1), said("status", "closing", "status", "closing"), true},
		"a button that did nothing":   {of(sharedKind, allKind, 1), said("status", "closing"), false},
		"a button heard twice":        {of(sharedKind, allKind, 1), said("status", "closing", "status", "closing", "status", "closing"), false},
		"one press answered":          {of(sharedKind, allKind, 1), said("status", "closing", "status", "closing", "answer"), false},
		"two presses, one answered":   {of(sharedKind, allKind, 2), said("status", "closing", "status", "closing", "answer"), true},
		"begun with a button":         {of(setKind, beginKind, 1), said("status", "closing"), true},
		"begun, and answered":         {of(setKind, beginKind, 1), said("status", "answer", "closing"), false},
		"a line run again":            {of(lineKind, againKind, 1), said("answer", "answer", "output", "output"), true},
		"approved":                    {of(pressedKind, pressKind, 1), said("status", "approval/1", "answer", "closing"), true},
		"approved, asked twice":       {of(pressedKind, pressKind, 1), said("status", "approval/1", "approval/2", "answer", "closing"), false},
		"approved, not answered":      {of(pressedKind, pressKind, 1), said("status", "approval/1", "closing"), false},
		"a slash command":             {of(slashKind, "", 0), said("root", "status", "closing"), true},
	} {
		if err := c.of.thread(aftermathOf(c.said)).Check(verdict.Count(c.said)); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAPairMayArriveEitherWay: of two commands about one target the one whose job was
// made later counts, whichever was asked first: Slack delivers the first one again
// behind the second if nobody acknowledged it.
func TestAPairMayArriveEitherWay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		swapped       bool
		first, second string
		now           string // "" for an error
	}{
		"in order":                       {false, "superseded", "done", "1.2.0"},
		"in order, both merged":          {false, "done", "done", "1.2.0"},
		"swapped":                        {true, "done", "superseded", "1.1.0"},
		"in order, the later superseded": {false, "done", "superseded", ""},
		"swapped, the later superseded":  {true, "superseded", "done", ""},
	} {
		where := target{proposed, "a00"}
		a, b := &command{play: playOf(pairKind), target: where, want: "1.1.0"}, &command{play: playOf(pairKind), target: where, want: "1.2.0"}
		a.mate, b.mate, a.head, b.head = b, a, a, b
		a.made, b.made = time.Unix(1, 0), time.Unix(2, 0)
		if c.swapped {
			a.made, b.made = b.made, a.made
		}
		how := map[*command]string{a: c.first, b: c.second}
		err := errors.Join(a.rivalry(how), b.rivalry(how))
		w := &world{targets: map[target]*version{where: {now: first}}}
		w.learn([]*command{a, b}, how)
		if got := w.targets[where].now; (err != nil) != (c.now == "") || err == nil && got != c.now {
			t.Errorf("%s: %v, runs %s", name, err, got)
		}
	}
}

// TestEachKindIsDrawn: what follows a command is in the same episode behind it.
func TestEachKindIsDrawn(t *testing.T) {
	t.Parallel()
	w := &world{size: sizes(modeKill), rand: rand.New(rand.NewPCG(1, 1)), targets: map[target]*version{}, held: newHeld("")}
	for _, c := range []string{direct, proposed} {
		for _, app := range []string{"a00", "a01", "a02", "a03", "a04", "a05", "a06", "a07", "a08", "a09", "u00", "w00", "w01", "w02", "g00", "g01", "g02", "g03", "g04", "q00"} {
			w.targets[target{c, app}] = &version{now: "1.1.0", before: "1.0.5"}
		}
		w.targets[target{c, "p00"}] = &version{}
	}
	for _, t := range retreating() {
		w.targets[t] = &version{now: "1.1.0"}
	}
	drawn := map[kind]bool{}
	for n := range 60 {
		given := &letter{alarm: &alarm{name: fmt.Sprintf("t%d", n)}}
		given.done.Store(true)
		w.held.letters = append(w.held.letters, given)
		list := w.draw(20)
		if len(list) > channels {
			t.Fatalf("%d commands for %d channels", len(list), channels)
		}
		for i, c := range list {
			drawn[c.kind] = true
			for n, k := range c.then {
				if next := list[i+1+n]; next.kind != k || next.head != c || c.chain[n] != next {
					t.Fatalf("%s is followed by %s", c.kind, next.kind)
				}
			}
			if strings.Contains(c.text, "APP") || strings.Contains(c.text, "VERSION") || strings.Contains(c.text, "NUMBER") || strings.Contains(c.text, "TROUBLE") {
				t.Fatalf("%s says %q", c.kind, c.text)
			}
		}
	}
	for _, p := range plays() {
		if !drawn[p.kind] {
			t.Errorf("%s is not drawn", p.kind)
		}
	}
}

// TestMeddlingLeavesTheRequest: a request that is sent twice is whole both times,
// one that is overtaken meets the push before it, and neither happens to one that
// only reads.
func TestMeddlingLeavesTheRequest(t *testing.T) {
	t.Parallel()
	var heard []string
	f := &faults{account: newAccount(&point.Table{}), rand: rand.New(rand.NewPCG(1, 1)), push: func() error {
		heard = append(heard, "push")
		return nil
	}}
	end := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard = append(heard, string(point.Body(r))) })
	meet := func(bad fault, method string) string {
		heard = nil
		for range 50 {
			r, w := httptest.NewRequest(method, "/", strings.NewReader("it")), httptest.NewRecorder()
			if drawn, fails := f.draw([]fault{bad}, method != http.MethodGet); fails {
				f.fail(drawn, end, w, r)
			} else {
				end.ServeHTTP(w, r)
			}
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

// TestAReplicaLags: what only reads may be answered as it was, what changes never.
func TestAReplicaLags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		head := "old"
		end := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(head)) })
		f := &faults{account: newAccount(&point.Table{}), rand: rand.New(rand.NewPCG(1, 1)), off: true}
		get := func() (string, bool) {
			w := httptest.NewRecorder()
			stale := f.past.replay(w, httptest.NewRequest(http.MethodGet, "/head", nil))
			return w.Body.String(), stale
		}
		f.github(end).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/head", nil))
		head = "new"
		if got, stale := get(); !stale || got != "old" {
			t.Errorf("at once: %q, %v", got, stale)
		}
		time.Sleep(lag + time.Second)
		if got, stale := get(); stale {
			t.Errorf("after the lag: %q", got)
		}
		for range 200 {
			if bad, fails := f.draw([]fault{{stale: true}}, true); fails {
				t.Fatalf("a change is answered %+v", bad)
			}
			f.off = false
		}
	})
}
