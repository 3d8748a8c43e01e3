package events

import (
	"slices"
	"strings"
	"time"
)

// pulse is how long a kind that is watched says nothing at most: API servers set a
// bookmark each minute.
const pulse = 2 * time.Minute

// absence is a time in which nobody saw what happened to the objects of a kind: ferry
// or the source was down, or the API server. What happened in it is news, however long
// ago that is.
type absence struct {
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// happens says whether there is something that happens once to objects of a kind, and
// that is looked for in what they are.
func happens(resource string) bool { return resource == "pods" || resource == "jobs" }

// looks is what the cursor knows of such a kind.
type looks struct {
	// Until is when it was last seen.
	Until time.Time `json:"until"`
	Away  absence   `json:"away,omitzero"`
}

// looked notes that what there is of a kind is seen now, before it is looked at. first
// is true for the first time in this life. An absence from pods soon after another one goes on
// with it: nodes come back, and tell what happened on them, one after the other. What became
// of jobs is all there at once: it would be told again.
func (w *watcher) looked(resource string, first bool) {
	if !happens(resource) {
		return
	}
	now, l := w.now(), w.cursor.Looks[resource]
	if !l.Until.IsZero() && (first || now.Sub(l.Until) > pulse) {
		from := l.Until
		if resource == "pods" && !l.Away.To.IsZero() && now.Sub(l.Away.To) < time.Duration(w.config.Recent) {
			from = l.Away.From
		}
		l.Away = absence{From: from, To: now}
	}
	l.Until = now
	w.cursor.Looks[resource] = l
}

// in says whether something happened in it, by a clock that may be behind by so much.
func (a absence) in(at time.Time, behind time.Duration) bool {
	return at.After(a.From.Add(-behind)) && at.Before(a.To)
}

// recently says whether what happened once is still a problem: until it is `recent` ago,
// or as long after an absence in which it happened. Nodes write down the time by their
// own clocks, and tell it somewhat later.
func (s *seeing) recently(at time.Time) bool {
	recent := time.Duration(s.config.Recent)
	if s.away.in(at, recent/2) {
		at = s.away.To
	}
	return s.until(at.Add(recent))
}

// inOrder are the places of objects by what happened to them last: of one problem that
// several have the latest is remembered, and would hide those before.
func inOrder(marks []string) []int {
	order := make([]int, len(marks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(marks[a], marks[b]) })
	return order
}
