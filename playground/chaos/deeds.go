package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"ferry/internal/job"
	"ferry/playground/chaos/verdict"
	"ferry/playground/slack"
)

// What is done at once, without a job: silences, whether channels are told, what is
// sent again, and lines of an executor.
const (
	silenceKind  kind = "silence"
	hushKind     kind = "silence that stays"
	deniedKind   kind = "silence by who may not"
	offKind      kind = "notify off"
	stillKind    kind = "notify off that stays"
	lettersKind  kind = "undelivered"
	lineKind     kind = "line of an executor"
	silencesKind kind = "silences"
	endKind      kind = "unsilence"
	endedKind    kind = "unsilence what has ended"
	offTwiceKind kind = "notify off where it is off"
	onKind       kind = "notify on"
	resendKind   kind = "resend"
	resentKind   kind = "resend what was sent"
	againKind    kind = "press run it again"
)

// Where deeds are about.
const (
	quietChannels = 24 // receivers lead there, and nothing is told
	deafPath      = "/deaf"
	worksPlugin   = "works"
)

func quietChannel(i int) string { return fmt.Sprintf("C0QUIET%02d", i) }

// deeds are the plays of these kinds. TROUBLE is what the chain is about, and ID what
// ferry called it in its first answer.
func deeds() []play {
	const silences = "silence trouble=TROUBLE for 1h because of number NUMBER"
	return []play{
		{kind: silenceKind, weight: 2, says: silences, tells: "is silent for 60 min", deed: job.Silenced, then: []kind{silencesKind, endKind, endedKind}},
		{kind: hushKind, weight: 1, says: silences, tells: "is silent for 60 min", deed: job.Silenced},
		{kind: deniedKind, weight: 1, by: lead, says: silences, tells: "you may not silence", deed: job.Denied},
		{kind: offKind, weight: 2, quiet: true, says: "notify off", tells: "Notifications are off in", deed: job.Notified, then: []kind{offTwiceKind, onKind}},
		{kind: stillKind, weight: 1, quiet: true, says: "notify off", tells: "Notifications are off in", deed: job.Notified},
		{kind: lettersKind, weight: 4, says: "undelivered", tells: "Trouble TROUBLE", then: []kind{resendKind, resentKind}},
		{kind: lineKind, weight: 3, says: worksPlugin + " take 300ms NUMBER", then: []kind{againKind}},
		{kind: silencesKind, says: "silences", tells: "TROUBLE", waits: "answer"},
		{kind: endKind, says: "unsilence ID", tells: "has ended", deed: job.Unsilenced, waits: "answer"},
		{kind: endedKind, says: "unsilence ID", tells: "there is no silence", deed: job.Denied, waits: "answer"},
		{kind: offTwiceKind, says: "notify off", tells: "Notifications are off already", deed: job.Notified, waits: "answer"},
		{kind: onKind, says: "notify on", tells: "Notifications are on in", deed: job.Notified, waits: "answer"},
		{kind: resendKind, says: "resend ID", tells: "On its way to deaf:deaf again", deed: job.Resent, waits: "answer"},
		{kind: resentKind, says: "resend ID", tells: "no notification `ID` could", deed: job.Denied, waits: "answer"},
		{kind: againKind, button: "Run it again", perhaps: true, waits: "answer"},
	}
}

// held is what the deeds of all episodes leave in the store, and what they are about.
type held struct {
	silenced map[string]bool // trouble: in force
	placed   int             // silences, ever
	off      map[string]bool // channels that are not told
	fresh    int             // so many quiet channels were used
	begun    string          // the file in which the executor writes down what it begins
	letters  []*letter
	deaf     deaf
}

// letter is a notification that an address refuses, until somebody resends it.
type letter struct {
	*alarm
	resent bool
}

// deaf is an address that refuses what it is told, for good, unless it was told to take
// it. It is safe for concurrent use.
type deaf struct {
	mu             sync.Mutex
	takes          map[string]bool     // troubles
	refused, heard map[string][]string // IDs of deliveries by trouble
}

func newHeld(home string) *held {
	return &held{
		silenced: map[string]bool{}, off: map[string]bool{}, begun: filepath.Join(home, "begun"),
		deaf: deaf{takes: map[string]bool{}, refused: map[string][]string{}, heard: map[string][]string{}},
	}
}

func (d *deaf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var h heard
	if err := json.NewDecoder(r.Body).Decode(&h); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	trouble, into := h.Labels["trouble"], d.heard
	if !d.takes[trouble] {
		into = d.refused
		w.WriteHeader(http.StatusNotFound)
	}
	into[trouble] = append(into[trouble], h.ID)
}

func (d *deaf) take(trouble string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takes[trouble] = true
}

// executorSection is the configuration's part about the executor, a line of plugins.
func (w *world) executorSection() string {
	return fmt.Sprintf("  executors: {%s: {plugin: local/%s, config: {dir: %q}}}\n", worksPlugin, worksPlugin, w.home)
}

// quietNotifiers are the notifiers of quietReceivers.
func (w *world) quietNotifiers() string {
	return fmt.Sprintf("deaf: {plugin: local/webhook, config: {url: %q}}", w.url+deafPath)
}

// quietReceivers are the receivers that deeds are about, and quietRoutes lead there.
func quietReceivers() string {
	var sinks []string
	for i := range quietChannels {
		sinks = append(sinks, fmt.Sprintf("{name: quiet%d, slack: {channel: %s}}", i, quietChannel(i)))
	}
	return fmt.Sprintf("deaf: {sinks: [{notifier: deaf}]}, quiet: {sinks: [%s]}", strings.Join(sinks, ", "))
}

const quietRoutes = "[{matchers: [ear=deaf], receiver: deaf}, {matchers: [ear=nobody], receiver: quiet}]"

// refuse makes an alarm of which an address does not want to hear.
func (w *world) refuse() *alarm {
	w.alarmed++
	a := &alarm{kind: deafAlarm, name: fmt.Sprintf("t%d", w.alarmed), spared: true}
	one := a.alert("/1", false)
	one["labels"].(map[string]string)["ear"] = "deaf" //nolint:forcetypeassert // it was made so
	w.then(a, "", one)
	w.held.letters = append(w.held.letters, &letter{alarm: a})
	return a
}

// about gives a chain what it is about; false if there is nothing left of it.
func (h *held) about(c *command) bool {
	c.id = "ID"
	switch {
	case c.kind == lettersKind:
		i := slices.IndexFunc(h.letters, func(l *letter) bool { return l.done.Load() && !l.resent })
		if i < 0 {
			return false
		}
		h.letters[i].resent, c.trouble = true, h.letters[i].name
		h.deaf.take(c.trouble)
	case c.quiet:
		if h.fresh == quietChannels {
			return false
		}
		c.channel = quietChannel(h.fresh)
		h.fresh++
	default:
		c.trouble = fmt.Sprintf("q%d", c.number)
	}
	return true
}

// follow gives what follows a command what that is about.
func (c *command) follow(next *command) {
	next.id, next.trouble = c.id, c.trouble
	if c.quiet {
		next.channel = c.channel
	}
}

var placedAs = regexp.MustCompile("`unsilence (s[0-9]+)`")

// identify finds what ferry called what a chain is about: in its first answer.
func (c *command) identify(said []slack.Message) {
	if !strings.Contains(c.says, "ID") {
		return
	}
	inTable := regexp.MustCompile(`"([0-9a-f]{8})"[^\]]*Trouble ` + c.trouble + `\b`)
	for _, m := range said {
		for _, found := range [][]string{placedAs.FindStringSubmatch(textOf(m)), inTable.FindStringSubmatch(textOf(m))} {
			if found != nil {
				c.id = found[1]
			}
		}
	}
}

func textOf(m slack.Message) string { return m.Text + "\n" + string(m.Blocks) }

// done is an error unless the audit trail has it once what a command did at once, or
// that it was refused.
func (c *command) done(s *verdict.State) error {
	if c.deed == "" {
		return nil
	}
	n := map[job.Deed]int{}
	for _, e := range s.Entries {
		if e.Channel == c.channel && e.Command == c.text && strings.Contains(e.Key, c.root.get()) {
			n[e.Deed]++
		}
	}
	if n[c.deed] != 1 || len(n) != 1 {
		return fmt.Errorf("the trail has %v of it, want %q once", n, c.deed)
	}
	return nil
}

// ran is an error if a line ran more often than somebody said, or not as it was answered.
func (w *world) ran(c *command, said []slack.Message) error {
	if c.kind != lineKind {
		return nil
	}
	raw, err := os.ReadFile(w.held.begun)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("read what the executor began: %w", err)
	}
	_, line, _ := strings.Cut(c.text, " ")
	n := 0
	for one := range strings.Lines(string(raw)) {
		if strings.TrimSpace(one) == line {
			n++
		}
	}
	most, least := 1, 0
	if c.chain[0].presses.Load() > 0 {
		most = 2
	}
	for text := range answers(said) {
		switch {
		case strings.Contains(text, verdict.Took):
			least++
		case !strings.Contains(text, "and nobody knows how far it came") && !strings.Contains(text, "was asked for already"):
			return fmt.Errorf("the line was answered %q", text)
		}
	}
	if n < least || n > most {
		return fmt.Errorf("the line ran %d times, want %d to %d", n, least, most)
	}
	return nil
}

// kept compares what deeds left in the store with what was said, all episodes long.
func (w *world) kept(commands []*command, s *verdict.State) error {
	h := w.held
	for _, c := range commands {
		switch c.kind {
		case silenceKind, hushKind:
			h.placed++
			h.silenced[c.trouble] = true
		case endKind:
			delete(h.silenced, c.trouble)
		case offKind, stillKind:
			h.off[c.channel] = true
		case onKind:
			delete(h.off, c.channel)
		}
	}
	var silenced, dead, undead []string
	for _, one := range s.Silences {
		silenced = append(silenced, strings.TrimSuffix(strings.TrimPrefix(one, `trouble="`), `"`))
	}
	for _, l := range h.letters {
		if !l.resent && l.taken.Load() > 0 {
			dead = append(dead, l.name)
		}
	}
	for _, one := range s.Dead {
		undead = append(undead, one["trouble"])
	}
	// What was posted and never answered with 2xx may have been taken all the same.
	undead = slices.DeleteFunc(undead, func(name string) bool {
		return slices.ContainsFunc(h.letters, func(l *letter) bool { return l.name == name && !l.resent && l.taken.Load() == 0 })
	})
	for _, c := range []struct {
		what       string
		have, want []string
	}{
		{"silences in force", silenced, slices.Collect(maps.Keys(h.silenced))},
		{"channels that are off", s.Off, slices.Collect(maps.Keys(h.off))},
		{"notifications given up", undead, dead},
		{"silences ever placed", []string{fmt.Sprint(s.Placed)}, []string{fmt.Sprint(h.placed)}},
		{"lines that have not ended", s.Begun, nil},
	} {
		slices.Sort(c.have)
		slices.Sort(c.want)
		if !slices.Equal(c.have, c.want) {
			return fmt.Errorf("%s: the store has %v, want %v", c.what, c.have, c.want)
		}
	}
	return h.delivered(commands)
}

// delivered is an error unless what was sent again arrived, with the ID that it had.
func (h *held) delivered(commands []*command) error {
	h.deaf.mu.Lock()
	defer h.deaf.mu.Unlock()
	for _, c := range commands {
		if c.kind != resendKind {
			continue
		}
		refused, heard := h.deaf.refused[c.trouble], h.deaf.heard[c.trouble]
		if len(heard) == 0 || !slices.Contains(refused, heard[0]) || len(slices.Compact(slices.Clone(heard))) != 1 {
			return fmt.Errorf("%s was refused as %v, and sent again it arrived as %v", c.trouble, refused, heard)
		}
	}
	return nil
}
