package pipeline

import (
	"maps"
	"slices"
	"time"

	"ferry/internal/event"
)

// end lets what says that a problem is over end it wherever it is open, and calls fn
// with each incident that it changed. It is not routed: it seldom has all the labels,
// the severity and the reason by which the problem found its way.
func (d *dispatch) end(e *event.Event, now time.Time, fn func(*Trouble)) {
	for _, t := range d.groups {
		if t.has(e.About) && t.add(&Route{Timing: t.Timing}, e, false, now) {
			fn(t)
		}
	}
}

// has reports whether a problem fires in an incident.
func (t *Trouble) has(a event.About) bool {
	if i, known := t.index[a]; known {
		return !t.Problems[i].Resolved
	}
	return len(t.Rest) > 0 && slices.Contains(t.Rest, short(a))
}

// ended is the end of a problem: of its labels it keeps those that it does not say
// otherwise.
func ended(problem, e event.Event) event.Event {
	labels := maps.Clone(problem.Labels)
	if labels == nil {
		return e
	}
	maps.Copy(labels, e.Labels)
	e.Labels = labels
	return e
}
