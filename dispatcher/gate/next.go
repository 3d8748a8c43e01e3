package gate

import (
	"fmt"
	"slices"
	"time"

	"ferry/internal/deploy"
)

// Next is when a verdict on these facts may become another one by itself. Says
// tells of the first freeze that begins over one of the targets when that is and what it
// is called; At is that moment or, if it is sooner, the one at which an approval that
// counts runs out. All are zero if nothing is in sight.
type Next struct {
	At, Freeze time.Time
	Says       string
}

// Next looks ahead.
func (r *Rules) Next(f *Facts) (n Next) {
	sooner := func(t, than time.Time) bool { return t.After(f.At) && (than.IsZero() || t.Before(than)) }
	for i := range r.Freezes {
		c := &r.Freezes[i]
		t := r.frozenBy(c, f)
		if t == nil {
			continue
		}
		if begins := c.begins(f.At); sooner(begins, n.Freeze) {
			n.At, n.Freeze = begins, begins
			n.Says = fmt.Sprintf("%s, when %s is frozen by `%s`", begins.In(c.Zone).Format(moment+" MST"), named(f, t), c.Name)
		}
	}
	for i := range r.Approvals {
		q := &r.Approvals[i]
		for j := range f.Approvals {
			a := &f.Approvals[j]
			if over := a.At.Add(q.Expires); q.Expires > 0 && q.over(f) != nil && f.counts(q, a) && sooner(over, n.At) {
				n.At = over
			}
		}
	}
	return n
}

// frozenBy is the first target that a freeze will lie over and that is not passed
// then, nil if there is none.
func (r *Rules) frozenBy(c *Calendar, f *Facts) *deploy.Target {
	if !c.about(f.Verb) || f.Cause != "" {
		return nil
	}
	broken := f.Glass.Reason != "" && slices.Contains(f.Glass.Gates, Freeze)
	for i := range len(f.Targets) + len(f.Plan.Touched) {
		if t, fresh := f.target(i); fresh && c.covers(t) && (!broken || !r.passes(f, Freeze, t)) {
			return t
		}
	}
	return nil
}

// named is the target's name where that is not clear.
func named(f *Facts, t *deploy.Target) string {
	if len(f.Targets) == 1 && *t == f.Targets[0] {
		return "it"
	}
	return fmt.Sprintf("%s on %s", t.App.Name, t.Cluster)
}

// begins is the first moment after another one at which a window begins; zero if
// none does in this period of it or the next.
func (c *Calendar) begins(after time.Time) (first time.Time) {
	for i := range c.When {
		if t := begins(&c.When[i], after, c.Zone); !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// begins is begins of a Calendar for one window.
func begins(w *deploy.Window, after time.Time, zone *time.Location) time.Time {
	var today date
	today.year, today.month, today.day = after.In(zone).Date()
	for period := range 3 { // one of the first two may be a window that no clock shows
		first, last := days(w, today, period)
		from, end := onTheWall(first.utc(w.From.Minute), zone, false), onTheWall(last.utc(w.To.Minute), zone, true)
		if from.After(after) && end.After(from) {
			return from
		}
	}
	return time.Time{}
}
