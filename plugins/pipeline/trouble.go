package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"ferry/internal/event"
)

// Limits of what is kept of one incident.
const (
	maxProblems = 300  // with their last event
	maxRest     = 3000 // by name alone
	maxText     = 300  // of the text of a problem, in bytes
	maxLabel    = 100  // of a label's value
	maxLabels   = 16
)

// incidentRow is the key of an incident: + its ID.
const incidentRow = "event/incident/"

// Trouble is an incident with what is known of its message. Methods that change it
// decide by their arguments alone.
type Trouble struct {
	event.Incident
	// Key is that of the group; Timing as its route was when it was heard of last.
	Key    string `json:"key"`
	Timing Timing `json:"timing"`
	// Due is when people are to be told next; zero for never.
	Due time.Time `json:"due,omitzero"`
	// Told is when they were told last, Revision how often, Repeat how often of those
	// nothing had changed.
	Told     time.Time `json:"told,omitzero"`
	Revision int       `json:"revision,omitempty"`
	Repeat   int       `json:"repeat,omitempty"`
	// Dirty is true if there is something that they were not told.
	Dirty bool `json:"dirty,omitempty"`
	// Held is true if people are spared something of it because of an inhibition: it is
	// looked at again when that ends.
	Held bool `json:"held,omitempty"`
	// Begun is how people came to know of it; nil before.
	Begun *begun `json:"begun,omitempty"`
	// Rest are digests of further problems that fire.
	Rest []uint64 `json:"rest,omitempty"`

	index map[event.About]int
	size  int // of the row, when it was written last
}

// open begins an incident. The same event always begins the same one.
func open(r *Route, labels map[string]string, key string, e *event.Event, now time.Time) *Trouble {
	d := digestOf(key + "\x00" + e.Source + "\x00" + string(e.ID))
	return &Trouble{
		Incident: event.Incident{ID: fmt.Sprintf("%x", d[:10]), Receiver: r.Receiver, Group: labels, State: event.Firing, Opened: now},
		Key:      key, Timing: r.Timing, index: map[event.About]int{},
	}
}

// decodeTrouble reads a row.
func decodeTrouble(key string, value []byte) (*Trouble, error) {
	t := &Trouble{size: len(value), index: map[event.About]int{}}
	if err := json.Unmarshal(value, t); err != nil {
		return nil, fmt.Errorf("decode row %s: %w", key, err)
	}
	for i := range t.Problems {
		t.index[t.Problems[i].About] = i
	}
	t.inherit()
	return t, nil
}

// over reports whether an event belongs to a new incident of the same group: this
// one ended, and long enough ago that it did not just flap.
func (t *Trouble) over(now time.Time) bool {
	return t.State != event.Firing && now.Sub(t.Ended) > t.Timing.GroupInterval
}

// add takes an event in; it reports whether that changed anything. What is resolved
// that was never heard of is none of its business, and what says the same as
// before at no later time is the echo of a resync. Of what is missed, a moment that
// people are spared, nobody is told.
func (t *Trouble) add(r *Route, e *event.Event, missed bool, now time.Time) bool {
	i, known := t.index[e.About]
	switch {
	case e.Still && !e.Resolved && t.State == event.Firing && t.fires(e.About):
		t.Changed = now // which is all that is new
		return true
	case known && echoes(&t.Problems[i], e):
		return false
	case known:
		t.again(&t.Problems[i], e, missed)
	case e.Resolved:
		before := len(t.Rest)
		if t.Rest = slices.DeleteFunc(t.Rest, func(d uint64) bool { return d == short(e.About) }); len(t.Rest) == before {
			return false
		}
	case len(t.Problems) < maxProblems, !missed && t.evict():
		t.index[e.About] = len(t.Problems)
		t.Problems = append(t.Problems, event.Problem{Event: brief(e, e.Count), First: e.At, Seen: 1, Past: missed})
		t.Count += max(1, e.Count)
	default:
		t.Count += max(1, e.Count)
		if d := short(e.About); !missed && len(t.Rest) < maxRest && !slices.Contains(t.Rest, d) {
			t.Rest = append(t.Rest, d)
		}
	}
	t.Timing, t.Changed, t.Further = r.Timing, now, len(t.Rest)
	t.settle(now)
	if !missed {
		t.Dirty = true
		t.plan(now)
	}
	return true
}

// fires reports whether something of it goes on, as far as is known.
func (t *Trouble) fires(a event.About) bool {
	if i, known := t.index[a]; known {
		return !t.Problems[i].Resolved && !t.Problems[i].Past
	}
	return slices.Contains(t.Rest, short(a))
}

// settle makes the state follow from the problems.
func (t *Trouble) settle(now time.Time) {
	if t.Firing() > 0 || len(t.Rest) > 0 {
		t.State, t.Ended = event.Firing, time.Time{}
	} else if t.State == event.Firing {
		t.State, t.Ended = event.Resolved, now
		if !slices.ContainsFunc(t.Problems, func(p event.Problem) bool { return !p.Past }) {
			t.State = event.Expired // nobody said that it is over
		}
	}
}

// plan decides when people are told of a change: after the wait if they know
// nothing yet, and else at most once per interval. Of what was over before they heard
// of it they hear nothing, and nothing before it happened often enough.
func (t *Trouble) plan(now time.Time) {
	switch {
	case t.Revision == 0 && (t.State != event.Firing || t.Count < t.Timing.After):
		t.Due = time.Time{}
	case t.Revision == 0 && t.Due.IsZero():
		t.Due = now.Add(t.Timing.GroupWait)
	case t.Revision > 0 && t.own():
		t.Due = later(now, t.Told.Add(t.Timing.GroupInterval))
	case t.Revision > 0: // its digest has a pace of its own
		t.Due = now
	}
}

// own reports whether it has a message of its own, if people know of it.
func (t *Trouble) own() bool { return t.Digest == "" || t.Begun != nil && t.Begun.Apart }

// told says that people were told.
func (t *Trouble) told(now time.Time) {
	t.Repeat++
	if t.Dirty {
		t.Repeat = 0
	}
	t.Told, t.Dirty, t.Due = now, false, time.Time{}
	t.Revision++
	if t.State == event.Firing && t.repeated() {
		t.Due = now.Add(t.Timing.RepeatInterval)
	}
}

// later says that it is looked at again after the interval, if it goes on.
func (t *Trouble) later(now time.Time) {
	t.Due = time.Time{}
	if t.State == event.Firing {
		t.Due = now.Add(t.Timing.GroupInterval)
	}
}

// expire ends an incident of which nothing was heard since the edge.
func (t *Trouble) expire(edge, now time.Time) bool {
	if t.State != event.Firing || !t.Changed.Before(edge) || t.ends() {
		return false
	}
	t.State, t.Ended, t.Dirty, t.Rest, t.Further = event.Expired, now, true, nil, 0
	t.plan(now)
	return true
}

// endedBefore reports whether it ended before an edge, and people know.
func (t *Trouble) endedBefore(edge time.Time) bool {
	return t.State != event.Firing && t.Due.IsZero() && t.Ended.Before(edge)
}

// next is when this incident needs to be looked at; zero for never.
func (t *Trouble) next(quiet time.Duration) time.Time {
	if t.State != event.Firing || t.ends() {
		return t.Due
	}
	end := t.Changed.Add(quiet + time.Nanosecond)
	if t.Due.IsZero() || end.Before(t.Due) {
		return end
	}
	return t.Due
}

// echoes reports whether an event says nothing that the last one did not.
func echoes(p *event.Problem, e *event.Event) bool {
	if e.Resolved && p.Resolved {
		return true
	}
	return !e.At.After(p.At) && e.Count == p.Count && e.Resolved == p.Resolved && e.Title == p.Title && clip(e.Text, maxText) == p.Text
}

// brief is what an incident keeps of an event.
func brief(e *event.Event, count int) event.Event {
	b := *e
	b.Object, b.Text, b.Title, b.Count = nil, clip(b.Text, maxText), clip(b.Title, maxText), count
	if len(e.Labels) > 0 {
		b.Labels = make(map[string]string, min(len(e.Labels), maxLabels))
		for _, k := range slices.Sorted(maps.Keys(e.Labels)) {
			if len(b.Labels) < maxLabels && len(k) <= maxLabel {
				b.Labels[k] = clip(e.Labels[k], maxLabel)
			}
		}
	}
	return b
}

func short(a event.About) uint64 {
	d := digestOf(string(a))
	n := uint64(0)
	for _, b := range d[:6] { // fits a JSON number
		n = n<<8 | uint64(b)
	}
	return n
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
