package main

import (
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"ferry/internal/job"
	"ferry/playground/chaos/verdict"
	"ferry/playground/slack"
)

func answering(text string) slack.Message {
	return slack.Message{Text: text, Metadata: []byte(`{"event_payload":{"key":"message/T/C/1.1/answer"}}`)}
}

// TestADeedIsInTheTrailOnce, as that and nothing else.
func TestADeedIsInTheTrailOnce(t *testing.T) {
	t.Parallel()
	c := &command{play: playOf(endKind), text: "unsilence s1", channel: "C1"}
	c.root.set("1.1")
	did := job.Entry{Deed: job.Unsilenced, Key: "deed/message/T/C1/1.1", Command: c.text, Channel: "C1"}
	refused, other := did, did
	refused.Deed, other.Key = job.Denied, "deed/message/T/C1/1.2"
	for name, entries := range map[string][]job.Entry{
		"never": {}, "by somebody else": {other}, "twice": {did, did}, "and was refused": {did, refused}, "refused": {refused}, "": {did, other},
	} {
		if err := c.done(&verdict.State{Entries: entries}); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestALineRunsAsOftenAsSomebodySaid, and does what it is said to have done.
func TestALineRunsAsOftenAsSomebodySaid(t *testing.T) {
	t.Parallel()
	const took, cut, had = "It took 300ms", "ferry ended while `works take 300ms 7` ran, and nobody knows how far it came", "`works take 300ms 7` was asked for already"
	for name, c := range map[string]struct {
		begun   int
		presses int32
		said    []string
		fine    bool
	}{
		"once":                           {1, 0, []string{took}, true},
		"twice":                          {2, 0, []string{took}, false},
		"never, and said so":             {0, 0, []string{took}, false},
		"interrupted":                    {1, 0, []string{cut}, true},
		"interrupted before it began":    {0, 0, []string{cut}, true},
		"interrupted, and run again":     {2, 0, []string{cut}, false},
		"run again by a press":           {2, 1, []string{cut, took}, true},
		"run again by a press, and more": {3, 1, []string{cut, took}, false},
		"a press that did nothing":       {0, 1, []string{cut, took}, false},
		"two presses":                    {2, 2, []string{cut, had, took}, true},
		"refused":                        {0, 0, []string{"No executor plugin answers `works`"}, false},
	} {
		w := &world{held: newHeld(t.TempDir())}
		line := &command{play: playOf(lineKind), text: "works take 300ms 7"}
		line.chain = []*command{{play: playOf(againKind), head: line}}
		line.chain[0].presses.Store(c.presses)
		if err := os.WriteFile(w.held.begun, []byte(strings.Repeat("take 300ms 7\n", c.begun)+"take 300ms 77\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var said []slack.Message
		for _, s := range c.said {
			said = append(said, answering(s))
		}
		if err := w.ran(line, said); (err == nil) != c.fine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTheStoreHoldsWhatWasSaid, over all episodes.
func TestTheStoreHoldsWhatWasSaid(t *testing.T) {
	t.Parallel()
	of := func(k kind, trouble, channel string) *command {
		return &command{play: playOf(k), trouble: trouble, channel: channel}
	}
	asked := []*command{
		of(silenceKind, "q1", ""), of(endKind, "q1", ""), of(hushKind, "q2", ""),
		of(offKind, "", "C1"), of(onKind, "", "C1"), of(stillKind, "", "C2"), of(resendKind, "t1", ""),
	}
	labels := func(name string) map[string]string { return map[string]string{"trouble": name} }
	for name, harm := range map[string]func(*verdict.State, *held){
		"":                         func(*verdict.State, *held) {},
		"a silence that ended":     func(s *verdict.State, _ *held) { s.Silences = append(s.Silences, `trouble="q1"`) },
		"a silence twice":          func(s *verdict.State, _ *held) { s.Silences = append(s.Silences, `trouble="q2"`) },
		"no silence":               func(s *verdict.State, _ *held) { s.Silences = nil },
		"placed again and ended":   func(s *verdict.State, _ *held) { s.Placed = 3 },
		"a channel that is on":     func(s *verdict.State, _ *held) { s.Off = append(s.Off, "C1") },
		"a channel that is off":    func(s *verdict.State, _ *held) { s.Off = nil },
		"given up, and not kept":   func(s *verdict.State, _ *held) { s.Dead = nil },
		"resent, and still kept":   func(s *verdict.State, _ *held) { s.Dead = append(s.Dead, labels("t1")) },
		"a line that goes on":      func(s *verdict.State, _ *held) { s.Begun = []string{"line/row/x"} },
		"resent, and never heard":  func(_ *verdict.State, h *held) { h.deaf.heard = nil },
		"resent as something else": func(_ *verdict.State, h *held) { h.deaf.heard["t1"] = []string{"y/1"} },
		"resent as two":            func(_ *verdict.State, h *held) { h.deaf.heard["t1"] = []string{"x/1", "x/2"} },
	} {
		w := &world{held: newHeld("")}
		for _, name := range []string{"t1", "t2"} {
			l := &letter{alarm: &alarm{name: name}, resent: name == "t1"}
			l.taken.Store(1)
			w.held.letters = append(w.held.letters, l)
		}
		tell(t, &w.held.deaf, `{"id":"x/1","labels":{"trouble":"t1"}}`, 404)
		w.held.deaf.take("t1")
		tell(t, &w.held.deaf, `{"id":"x/1","labels":{"trouble":"t1"}}`, 200)
		tell(t, &w.held.deaf, `{"id":"x/1","labels":{"trouble":"t1"}}`, 200)
		s := &verdict.State{Silences: []string{`trouble="q2"`}, Placed: 2, Off: []string{"C2"}, Dead: []map[string]string{labels("t2")}}
		harm(s, w.held)
		if err := w.kept(asked, s); (err == nil) != (name == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func tell(t *testing.T, d *deaf, body string, want int) {
	t.Helper()
	w := httptest.NewRecorder()
	if d.ServeHTTP(w, httptest.NewRequest("POST", deafPath, strings.NewReader(body))); w.Code != want {
		t.Errorf("%s is answered with %d, want %d", body, w.Code, want)
	}
}

// TestWhatFerryCalledItIsFound in a sentence, and in the row of a table.
func TestWhatFerryCalledItIsFound(t *testing.T) {
	t.Parallel()
	table := slack.Message{Text: "2 notifications were given up", Blocks: []byte(`[{"rows":[[{"text":"11111111"},{"text":"Trouble t12 on x"}],[{"text":"22222222"},{"text":"Trouble t1 on x"}]]}]`)}
	for _, c := range []struct {
		kind kind
		said slack.Message
		want string
	}{
		{endKind, answering("it is silent\n`unsilence s12` ends it."), "s12"},
		{resendKind, table, "22222222"},
		{silencesKind, table, "ID"},
	} {
		cmd := &command{play: playOf(c.kind), id: "ID", trouble: "t1"}
		if cmd.identify([]slack.Message{c.said}); cmd.id != c.want {
			t.Errorf("%s: %s, want %s", c.kind, cmd.id, c.want)
		}
	}
}

// TestATableThatDoesNotHoldTogetherIsSaid before anything is drawn from it.
func TestATableThatDoesNotHoldTogetherIsSaid(t *testing.T) {
	t.Parallel()
	if err := checkPlays(plays()); err != nil {
		t.Fatal(err)
	}
	for want, table := range map[string][]play{
		"does not have":              {{kind: "a", says: "x", then: []kind{"b"}}},
		"twice":                      {{kind: "a", says: "x"}, {kind: "a", says: "x"}},
		"neither words nor a button": {{kind: "a"}},
		"what it waits for":          {{kind: "a", says: "x", then: []kind{"b"}}, {kind: "b", says: "y"}},
	} {
		if err := checkPlays(table); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
