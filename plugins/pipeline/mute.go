package pipeline

import (
	"context"
	"slices"

	"ferry/internal/event"
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

// sparing is why people are not told of something. What an inhibition keeps back is
// looked at again when that ends, which is known; a silence may end at any time.
type sparing struct {
	inhibitor *Inhibitor
	silences  Muter // nil for none
}

func (s *sparing) mutes(e *event.Event) (inhibited, silenced bool) {
	if s.inhibitor.Mutes(e) {
		return true, false
	}
	return false, s.silences != nil && s.silences.Mutes(e)
}

// hidden are the problems of an incident that fire and that people are spared.
type hidden struct {
	places []int // among its problems, in their order
	// inhibited and silenced say why those are that may go on: they are told when that
	// is over.
	inhibited, silenced bool
}

func (h *hidden) has(place int) bool {
	_, yes := slices.BinarySearch(h.places, place)
	return yes
}

// show fills a parcel with the problems of its incident that people are not spared.
func (s *sparing) show(p *Parcel) (h hidden) {
	for i := range p.Incident.Problems {
		one := &p.Incident.Problems[i]
		if one.Past {
			continue
		}
		inhibited, silenced := false, false
		if !one.Resolved {
			inhibited, silenced = s.mutes(&one.Event)
		}
		if !inhibited && !silenced {
			p.Events = append(p.Events, one.Event)
			continue
		}
		h.places = append(h.places, i)
		h.inhibited, h.silenced = h.inhibited || inhibited && !one.Moment, h.silenced || silenced && !one.Moment
	}
	return h
}
