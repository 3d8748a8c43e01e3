package pipeline

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"ferry/internal/event"
	"ferry/plugins/match"
)

// Every as the only word of group_by means that nothing is grouped: each event is a
// delivery of its own, in the order in which they came.
const Every = "..."

// Route is a node of the routing tree. What it leaves empty it has from its parent.
type Route struct {
	Match    match.Matchers
	Receiver string
	// Continue lets the following siblings match, too.
	Continue bool
	// GroupBy are the labels whose values make a group; default: about.
	GroupBy []string
	Timing
	Routes []Route
}

// Timing is when a group is told of. A zero is the parent's, and at the root the
// default.
type Timing struct {
	GroupWait      time.Duration `json:"wait"`     // before the first; 2 s
	GroupInterval  time.Duration `json:"interval"` // between two changes; 30 s
	RepeatInterval time.Duration `json:"repeat"`   // again, if nothing changes; 4 h, negative for never
	// After is how often something must happen before anybody hears of it.
	After int `json:"after,omitempty"`
	// Storm is when further incidents get no message of their own.
	Storm Storm `json:"storm,omitzero"`
}

func (t Timing) or(parent Timing) Timing {
	orElse := func(d *time.Duration, other time.Duration) {
		if *d == 0 {
			*d = other
		}
	}
	orElse(&t.GroupWait, parent.GroupWait)
	orElse(&t.GroupInterval, parent.GroupInterval)
	orElse(&t.RepeatInterval, parent.RepeatInterval)
	if t.After == 0 {
		t.After = parent.After
	}
	if t.Storm.MoreThan == 0 {
		t.Storm.MoreThan = parent.Storm.MoreThan
	}
	orElse(&t.Storm.Within, parent.Storm.Within)
	return t
}

// defaultTiming is for messages that are edited: a change makes no noise. Slack takes
// five messages of a channel at once: so many in a storm leave room for its digest and
// for what has nothing to do with it.
func defaultTiming() Timing {
	return Timing{
		GroupWait: 2 * time.Second, GroupInterval: 30 * time.Second, RepeatInterval: 4 * time.Hour, After: 1,
		Storm: Storm{MoreThan: 3, Within: time.Minute},
	}
}

// ready returns the route with all that it has from its parents.
func (r Route) ready(parent Route) (Route, error) {
	if r.Receiver == "" {
		r.Receiver = parent.Receiver
	}
	if r.GroupBy == nil {
		r.GroupBy = parent.GroupBy
	}
	if slices.Contains(r.GroupBy, Every) && len(r.GroupBy) > 1 {
		return r, fmt.Errorf("group_by: %q stands alone", Every)
	}
	r.Timing = r.Timing.or(parent.Timing)
	children := make([]Route, len(r.Routes))
	for i, c := range r.Routes {
		var err error
		if children[i], err = c.ready(r); err != nil {
			return r, err
		}
	}
	r.Routes = children
	return r, nil
}

func (r *Route) each() bool { return len(r.GroupBy) == 1 && r.GroupBy[0] == Every }

// walk calls fn with a route and all below it.
func (r *Route) walk(fn func(*Route)) {
	fn(r)
	for i := range r.Routes {
		r.Routes[i].walk(fn)
	}
}

// routes calls fn with the routes that an event takes: of the children the first
// that matches, and those after it as long as each says continue; the node itself
// if there is none.
func (r *Route) routes(e *event.Event, fn func(*Route)) (matched bool) {
	if !r.Match.Matches(e) {
		return false
	}
	below := false
	for i := range r.Routes {
		c := &r.Routes[i]
		if c.routes(e, fn) {
			below = true
			if !c.Continue {
				return true
			}
		}
	}
	if !below {
		fn(r)
	}
	return true
}

// group returns the labels by which a route groups an event, and the key of that
// group. Routes to the same receiver that group alike share their groups.
func (r *Route) group(e *event.Event) (labels map[string]string, key string) {
	raw := strconv.AppendQuote([]byte{'['}, r.Receiver)
	labels = make(map[string]string, len(r.GroupBy))
	for _, name := range r.GroupBy {
		labels[name] = e.Label(name)
		raw = strconv.AppendQuote(append(raw, ','), name)
		raw = strconv.AppendQuote(append(raw, ','), labels[name])
	}
	raw = append(raw, ']')
	return labels, string(raw)
}
