package pipeline

import (
	"context"
	"strings"
	"sync"
	"time"

	"ferry/internal/event"
	"ferry/plugins/match"
)

// Muter decides whether people are to be spared an event.
type Muter interface {
	// Mutes reports whether an event is muted. It is safe for concurrent use and
	// answers from memory.
	Mutes(e *event.Event) bool
}

// Mute takes out what a Muter mutes. What is resolved goes through: whoever was
// told of the trouble hears of its end.
type Mute struct{ Muter Muter }

// Exec implements Stage.
func (m Mute) Exec(_ context.Context, p *Parcel) error {
	p.keep(func(e *event.Event) bool { return e.Resolved || !m.Muter.Mutes(e) })
	return nil
}

// InhibitRule mutes events that match Target while something fires that matches
// Source and has the same values of the labels Equal. A rule never mutes what
// matches both.
type InhibitRule struct {
	Source, Target match.Matchers
	Equal          []string
}

// Inhibitor knows what fires of the rules' sources. It implements Muter.
type Inhibitor struct {
	rules []InhibitRule
	// quiet is after how long something counts as over of which nobody said so.
	quiet time.Duration

	mu     sync.RWMutex
	firing []map[string]map[event.About]time.Time // by rule, by equal labels
}

// NewInhibitor returns an inhibitor that has heard of nothing.
func NewInhibitor(rules []InhibitRule, quiet time.Duration) *Inhibitor {
	in := &Inhibitor{rules: rules, quiet: quiet}
	for range rules {
		in.firing = append(in.firing, map[string]map[event.About]time.Time{})
	}
	return in
}

// Observe takes note of an event; it reports whether the event is any rule's source.
// What ends a source ends it whatever else it says.
func (in *Inhibitor) Observe(e *event.Event, now time.Time) (source bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for i, r := range in.rules {
		if e.Resolved {
			for key, set := range in.firing[i] {
				if _, fires := set[e.About]; !fires {
					continue
				}
				source = true
				if delete(set, e.About); len(set) == 0 {
					delete(in.firing[i], key)
				}
			}
			continue
		}
		if !r.Source.Matches(e) {
			continue
		}
		source = true
		key := equal(r.Equal, e)
		if in.firing[i][key] == nil {
			in.firing[i][key] = map[event.About]time.Time{}
		}
		in.firing[i][key][e.About] = now
	}
	return source
}

// Mutes implements Muter.
func (in *Inhibitor) Mutes(e *event.Event) bool {
	for i, r := range in.rules {
		if !r.Target.Matches(e) || r.Source.Matches(e) {
			continue
		}
		in.mu.RLock()
		fires := false
		for _, at := range in.firing[i][equal(r.Equal, e)] {
			fires = fires || time.Since(at) < in.quiet
		}
		in.mu.RUnlock()
		if fires {
			return true
		}
	}
	return false
}

func equal(names []string, e *event.Event) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(e.Label(name))
		b.WriteByte(0)
	}
	return b.String()
}
