package pipeline

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"ferry/internal/event"
	"ferry/plugins/match"
	"ferry/plugins/rows"
)

// InhibitRule mutes events that match Target while something fires that matches
// Source and has the same values of the labels Equal. A rule never mutes what
// matches both.
type InhibitRule struct {
	Source, Target match.Matchers
	Equal          []string
	// KeepFiringFor is how long a source counts as firing after it is over: what
	// follows from it takes a while to be well again. Zero is not at all.
	KeepFiringFor time.Duration
}

// Inhibitor knows what fires of the rules' sources. It implements Muter.
type Inhibitor struct {
	rules []InhibitRule
	// quiet is after how long something counts as over of which nobody said so.
	quiet time.Duration

	mu     sync.RWMutex
	firing []map[string]map[event.About]spell // by rule, by equal labels
	// lapses is no later than the first of them counts no more; zero if none does.
	lapses time.Time
}

// spell is for how long a source counts. One that ends does not expire, as its incident
// does not (Trouble.ends).
type spell struct {
	heard, over time.Time
	ends        bool
}

// always is as good as for ever.
const always = 100 * 365 * 24 * time.Hour

func (in *Inhibitor) until(rule int, s spell) time.Time {
	switch {
	case !s.over.IsZero():
		return s.over.Add(in.rules[rule].KeepFiringFor)
	case s.ends:
		return s.heard.Add(always)
	}
	return s.heard.Add(in.quiet)
}

// NewInhibitor returns an inhibitor that has heard of nothing.
func NewInhibitor(rules []InhibitRule, quiet time.Duration) *Inhibitor {
	in := &Inhibitor{rules: rules, quiet: quiet}
	for range rules {
		in.firing = append(in.firing, map[string]map[event.About]spell{})
	}
	return in
}

// Observe takes note of an event; it reports whether that changes how long a rule's
// source counts. What ends a source ends it whatever else it says.
func (in *Inhibitor) Observe(e *event.Event, now time.Time) (changed bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, r := range in.rules {
		if e.Resolved {
			for _, set := range in.firing[i] {
				if s, known := set[e.About]; known && s.over.IsZero() {
					s.over, changed = now, true
					set[e.About] = s
					in.sooner(in.until(i, s))
				}
			}
			continue
		}
		if !r.Source.Matches(e) {
			continue
		}
		changed = true
		key := equal(r.Equal, e)
		if in.firing[i][key] == nil {
			in.firing[i][key] = map[event.About]spell{}
		}
		s := spell{heard: now, ends: e.Source == event.Ferry}
		in.firing[i][key][e.About] = s
		in.sooner(in.until(i, s))
	}
	return changed
}

func (in *Inhibitor) sooner(at time.Time) {
	if in.lapses.IsZero() || at.Before(in.lapses) {
		in.lapses = at
	}
}

// Mutes implements Muter.
func (in *Inhibitor) Mutes(e *event.Event) bool {
	for i, r := range in.rules {
		if !r.Target.Matches(e) || r.Source.Matches(e) {
			continue
		}
		in.mu.RLock()
		fires := false
		for _, s := range in.firing[i][equal(r.Equal, e)] {
			fires = fires || time.Now().Before(in.until(i, s))
		}
		in.mu.RUnlock()
		if fires {
			return true
		}
	}
	return false
}

// lapse forgets the sources that count no more. It reports whether there were any: what
// they kept back can be told.
func (in *Inhibitor) lapse(now time.Time) (some bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.lapses.IsZero() || now.Before(in.lapses) {
		return false
	}
	in.lapses = time.Time{}
	for i, byLabels := range in.firing {
		for key, set := range byLabels {
			for about, s := range set {
				if until := in.until(i, s); now.Before(until) {
					in.sooner(until)
					continue
				}
				some = true
				delete(set, about)
			}
			if len(set) == 0 {
				delete(byLabels, key)
			}
		}
	}
	return some
}

// next is when a source may lapse; later than that if none does.
func (in *Inhibitor) next(at time.Time) time.Time {
	in.mu.RLock()
	defer in.mu.RUnlock()
	if !in.lapses.IsZero() && in.lapses.Before(at) {
		return in.lapses
	}
	return at
}

func equal(names []string, e *event.Event) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(e.Label(name))
		b.WriteByte(0)
	}
	return b.String()
}

// firingRow is the key of what fires of the sources of inhibition, or did: + a digest
// of what it is about.
const firingRow = "event/firing/"

// firing is such a row: the event that made it a source, At when it was heard of last.
type firing struct {
	event.Event
	// Over is when it ended; it counts for a while longer.
	Over time.Time `json:"over,omitzero"`
}

func decodeFiring(r rows.Row) (f firing, err error) {
	if err = json.Unmarshal(r.Value, &f); err != nil {
		return f, fmt.Errorf("decode row %s: %w", r.Key, err)
	}
	return f, nil
}

// restore takes note of a row.
func (in *Inhibitor) restore(f *firing) {
	in.Observe(&f.Event, f.At)
	if !f.Over.IsZero() {
		in.Observe(&event.Event{About: f.About, Resolved: true}, f.Over)
	}
}

// forgets reports whether a row counts no more, whatever the rules.
func (in *Inhibitor) forgets(f *firing, now time.Time) bool {
	longest := time.Duration(0)
	for _, r := range in.rules {
		longest = max(longest, r.KeepFiringFor)
	}
	if f.Over.IsZero() {
		return f.Source != event.Ferry && f.At.Add(in.quiet).Before(now)
	}
	return f.Over.Add(longest).Before(now)
}

// source remembers what fires of the inhibition's sources, and when it ended.
func (d *dispatch) source(ctx context.Context, e *event.Event, now time.Time) error {
	key := fmt.Sprintf("%s%x", firingRow, digestOf(string(e.About)))
	f := firing{Event: brief(e, e.Count)}
	f.At = now
	if e.Resolved {
		last, known := d.sources[e.About]
		if !known {
			var err error
			if last, known, err = d.store.Get(ctx, key); err != nil || !known {
				return err
			}
		}
		var err error
		if f, err = decodeFiring(last); err != nil {
			return err
		}
		f.Over = now
	}
	raw, err := json.Marshal(&f)
	if err != nil {
		return fmt.Errorf("encode row %s: %w", key, err)
	}
	d.sources[e.About] = rows.Row{Key: key, Value: raw}
	return nil
}
