package gate

import (
	"fmt"
	"strings"
	"time"

	"ferry/internal/deploy"
)

// moment is how a time is told.
const moment = "Mon 2006-01-02 15:04"

// Calendar is a freeze: times in one place of the world at which nothing may change.
type Calendar struct {
	Name string
	Scope
	Zone *time.Location
	When []deploy.Window
}

// freezes notes the freezes that lie over a target.
func (v *Verdict) freezes(r *Rules, f *Facts, t *deploy.Target) {
	for i := range r.Freezes {
		c := &r.Freezes[i]
		if !c.about(f.Verb) || !c.covers(t) {
			continue
		}
		until, frozen := c.frozen(f.At)
		if !frozen {
			continue
		}
		says := "is frozen"
		if !until.IsZero() {
			says += " until " + until.In(c.Zone).Format(moment+" MST")
		}
		v.shut(r, f, Reason{
			Kind: Freeze, Target: *t, Name: c.Name, Until: until,
			Says: fmt.Sprintf("%s by `%s`", says, c.Name),
			Help: fmt.Sprintf("`%s` is %s in %s", c.Name, c.spoken(), c.Zone),
		})
	}
}

func (c *Calendar) spoken() string {
	texts := make([]string, len(c.When))
	for i, w := range c.When {
		texts[i] = w.Text
	}
	return strings.Join(texts, ", ")
}

// chained bounds the search for the end of windows that follow on each other.
const chained = 40

// frozen reports whether a moment lies in one of the windows, and when the last one
// of those that follow without a gap ends; zero if no end is in sight.
func (c *Calendar) frozen(at time.Time) (until time.Time, frozen bool) {
	until, frozen = c.end(at)
	if !frozen {
		return time.Time{}, false
	}
	for range chained {
		next, more := c.end(until)
		if !more {
			return until, true
		}
		until = next
	}
	return time.Time{}, true
}

// end is when the longest window ends that a moment lies in.
func (c *Calendar) end(at time.Time) (until time.Time, in bool) {
	for i := range c.When {
		if to, ok := within(&c.When[i], at, c.Zone); ok && (!in || to.After(until)) {
			until, in = to, true
		}
	}
	return until, in
}
