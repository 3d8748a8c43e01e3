package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/event"
)

// What people are spared while it is inhibited or silenced, and what becomes of it:
//
//   - what may go on is told afterwards, if it still does (Trouble.Held, or a look after
//     each group_interval for a silence);
//   - a moment (event.Event.Moment) is past when they could be told, and stays so until
//     it happens again (event.Problem.Past).

// misses reports whether an event is a moment that people are spared.
func (d *dispatch) misses(e *event.Event) bool {
	if !e.Moment {
		return false
	}
	inhibited, silenced := d.mutes(e)
	return inhibited || silenced
}

// again takes a further event of a problem in. One that may go on is not ended by a
// moment; one that is over stays so, as people are told, when they miss a moment of it.
func (t *Trouble) again(p *event.Problem, e *event.Event, missed bool) {
	over := p.Resolved || p.Past
	moment := e.Moment && (over || p.Moment)
	count := max(p.Seen, p.Count)
	if !e.Resolved {
		p.Seen++
	}
	if !e.At.Before(p.At) && !(missed && p.Resolved) {
		before := p.Event
		if p.Event = brief(e, max(p.Count, e.Count)); e.Resolved {
			p.Event = ended(before, p.Event)
		}
	}
	p.Moment = moment
	switch {
	case missed:
		p.Past = over && !p.Resolved
	case !e.Resolved:
		p.Past = false
	}
	t.Count += max(p.Seen, p.Count) - count
}

// things is how many problems there are or were, without those that people missed.
func (t *Trouble) things() int {
	n := len(t.Problems) + len(t.Rest)
	for i := range t.Problems {
		if t.Problems[i].Past {
			n--
		}
	}
	return n
}

// evict makes room among the problems if one of them is past.
func (t *Trouble) evict() bool {
	i := slices.IndexFunc(t.Problems, func(p event.Problem) bool { return p.Past })
	if i < 0 {
		return false
	}
	t.Problems = slices.Delete(t.Problems, i, i+1)
	clear(t.index)
	for i := range t.Problems {
		t.index[t.Problems[i].About] = i
	}
	return true
}

// miss makes moments past that people did not hear of before they were spared them. It
// reports whether there were any.
func (t *Trouble) miss(h hidden, now time.Time) (some bool) {
	for _, i := range h.places {
		if p := &t.Problems[i]; p.Moment && !p.Known {
			p.Past, some = true, true
		}
	}
	if some {
		t.settle(now)
	}
	return some
}

// news reports whether people do not know of something that fires and is not hidden.
func (t *Trouble) news(h hidden) bool {
	for i := range t.Problems {
		if p := &t.Problems[i]; p.Fires() && !p.Known && !h.has(i) {
			return true
		}
	}
	return false
}

// heard says that people were told of all that is not hidden. Of what is hidden they are
// told anew, unless it was a moment.
func (t *Trouble) heard(h hidden) {
	for i := range t.Problems {
		p := &t.Problems[i]
		if shown := !p.Past && !h.has(i); shown || !p.Moment {
			p.Known = shown
		}
	}
}

// inherit takes over what was told before an incident knew of what: a ferry that knows
// tells no incident without anything of it. Of such a one people were told all.
func (t *Trouble) inherit() {
	told := func(p event.Problem) bool { return p.Known || p.Past }
	if t.Revision == 0 || !t.own() || slices.ContainsFunc(t.Problems, told) {
		return
	}
	for i := range t.Problems {
		t.Problems[i].Known = true
	}
}

// repeated reports whether people are told again and again of an incident: by a message
// of its own, as long as something goes on.
func (t *Trouble) repeated() bool {
	return t.Timing.RepeatInterval > 0 && t.own() && (t.lasts() || len(t.Problems) == 0) // a digest has no problems of its own
}

func (t *Trouble) lasts() bool {
	return len(t.Rest) > 0 || slices.ContainsFunc(t.Problems, func(p event.Problem) bool { return p.Fires() && !p.Moment })
}

// repeats reports whether that is due.
func (t *Trouble) repeats(now time.Time) bool {
	return t.repeated() && !now.Before(t.Told.Add(t.Timing.RepeatInterval))
}

// await plans when an incident is looked at of which something is hidden, or of which
// there was nothing to tell.
func (t *Trouble) await(h hidden, now time.Time) {
	if t.State != event.Firing || !t.own() {
		t.Due, t.Held = time.Time{}, false
		return
	}
	t.Due, t.Held = time.Time{}, h.inhibited
	if at := t.Told.Add(t.Timing.RepeatInterval); t.Revision > 0 && t.repeated() && at.After(now) {
		t.Due = at
	}
	if next := now.Add(t.Timing.GroupInterval); h.silenced && (t.Due.IsZero() || next.Before(t.Due)) {
		t.Due = next
	}
}

// wake has everything looked at that an inhibition kept back.
func (d *dispatch) wake(now time.Time) {
	for _, t := range d.groups {
		if t.Held {
			t.Due, t.Held = now, false
		}
	}
	for _, g := range d.storms.digests {
		if g.Hidden == "" || g.State != event.Firing {
			continue
		}
		var all []hidden
		for _, t := range g.members {
			all = append(all, d.show(&Parcel{Incident: t}))
		}
		if g.hides(all) != g.Hidden {
			d.storms.touch(g, now)
		}
	}
}

// hides stands for what is inhibited or silenced of a digest, by what is hidden of its
// incidents, whatever their order; "" for nothing.
func (g *stormDigest) hides(all []hidden) string {
	var these []string
	for i, h := range all {
		if h.inhibited || h.silenced {
			these = append(these, fmt.Sprint(g.members[i].ID, h.places))
		}
	}
	if len(these) == 0 {
		return ""
	}
	slices.Sort(these)
	return fmt.Sprintf("%x", digestOf(strings.Join(these, "")))
}
