package events

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"ferry/playground/slack"
	"ferry/plugins/api"
)

// seen is all that arrived anywhere.
type seen struct {
	documents, every, incidents []arrival // each in the order of the first sight
	messages                    []slack.Message
}

// verdict says what is wrong with what arrived.
type verdict struct {
	Lost, Doubled, Disordered, Wrong []string
	// Other is what arrived of which the plan knows nothing: of the source itself, and what the test asked with.
	Other int
	late  map[string][]time.Duration // of each sink, from when it was made until it arrived
}

func (v *verdict) all() []string { return slices.Concat(v.Lost, v.Doubled, v.Disordered, v.Wrong) }

var (
	nameOf  = regexp.MustCompile(`\b(?:quiet|loud|ill)\d+\b|\basking-c\d-\d+\b`)
	stepOf  = regexp.MustCompile(`\b((?:quiet|loud)\d+)-n(\d{4})\b`)
	timesOf = regexp.MustCompile(`\((\d+) times\)`)
)

func named(d *api.Notification) string { return nameOf.FindString(d.Title) }

// judge holds what arrived against what was made. It knows nothing of ferry but what its users are told: every Event
// once where there are IDs, things of one object in their order, one incident for each thing that people are told of, one
// message for each incident, and in it how often it happened and whether it is over.
func judge(p *plan, made map[string]time.Time, s *seen) *verdict {
	v := &verdict{late: map[string][]time.Duration{}}
	v.events("elasticsearch", false, p, made, s.documents) // which takes documents one by one, and shows them by their time
	v.events("webhook", true, p, made, s.every)
	v.told("webhook", p, made, incidentsOf(s.incidents))
	v.told("slack", p, made, messagesOf(s.messages))
	for _, m := range s.messages {
		if nameOf.FindString(m.Text) == "" {
			v.Wrong = append(v.Wrong, "slack: nobody asked for the message "+m.Text)
		}
	}
	return v
}

// events judges a sink that gets each event by itself.
func (v *verdict) events(where string, ordered bool, p *plan, made map[string]time.Time, got []arrival) {
	ids, last := map[string]int{}, map[string]int{}
	for _, a := range got {
		name, id, nth := named(&a.Notification), "", 0
		if m := stepOf.FindStringSubmatch(a.Title); m != nil {
			nth, _ = strconv.Atoi(m[2])
			id = m[0]
		} else if name != "" { // a problem, which counts by itself
			if nth = a.Count; a.State == api.Resolved {
				nth = over
			}
			id = fmt.Sprintf("%s-n%04d", name, nth)
		}
		if name == "" || strings.HasPrefix(name, "asking") {
			v.Other++
			continue
		}
		if ids[id]++; ids[id] == 2 {
			v.Doubled = append(v.Doubled, fmt.Sprintf("%s: %s has several IDs, one is %s", where, id, a.ID))
		}
		if ordered && nth < last[name] {
			v.Disordered = append(v.Disordered, fmt.Sprintf("%s: %s came after number %d", where, id, last[name]))
		}
		last[name] = max(last[name], nth)
		if at, ok := made[id]; ok {
			v.late[where] = append(v.late[where], a.at.Sub(at))
		}
	}
	for _, s := range p.steps {
		// Of a problem that happened several times while nobody looked the last one is told.
		if s.of.manner == ailing && s.nth < s.of.times {
			continue
		}
		if ids[s.id()] == 0 {
			v.Lost = append(v.Lost, fmt.Sprintf("%s: %s", where, s.id()))
		}
		if end := fmt.Sprintf("%s-n%04d", s.of.name, over); s.of.manner == ailing && ids[end] == 0 {
			v.Lost = append(v.Lost, fmt.Sprintf("%s: that %s is over", where, s.of.name))
		}
	}
}

// over stands for the number of what ends a problem.
const over = 9999

// state is what somebody could read of an incident at one time.
type state struct {
	over  bool
	times int
}

// story is what could be read of one incident, from its begin.
type story struct {
	key, about string
	states     []state
	opened     time.Time // when it could be read first
	problem    string
}

func incidentsOf(got []arrival) (out []*story) {
	byKey, revision := map[string]*story{}, map[string]int{}
	for _, a := range got {
		s := byKey[a.Incident]
		if s == nil {
			s = &story{key: a.Incident, about: named(&a.Notification), opened: a.at}
			byKey[a.Incident], out = s, append(out, s)
		}
		if a.Revision <= revision[a.Incident] {
			s.problem = fmt.Sprintf("state %d came after %d", a.Revision, revision[a.Incident])
		}
		revision[a.Incident] = a.Revision
		s.states = append(s.states, state{over: a.State == api.Resolved, times: a.Count})
	}
	return out
}

func messagesOf(all []slack.Message) (out []*story) {
	for _, m := range all {
		s := &story{key: m.TS, about: nameOf.FindString(m.Text), opened: posted(m)}
		texts := []string{m.Text}
		for _, e := range slices.Backward(m.Edits) {
			texts = append(texts, e.Text)
		}
		for _, text := range slices.Backward(texts) {
			one := state{over: strings.Contains(text, "is over"), times: 1}
			if m := timesOf.FindStringSubmatch(text); m != nil {
				one.times, _ = strconv.Atoi(m[1])
			}
			s.states = append(s.states, one)
		}
		out = append(out, s)
	}
	return out
}

// posted is when a message came into the channel.
func posted(m slack.Message) time.Time {
	seconds, _ := strconv.ParseFloat(m.TS, 64)
	return time.UnixMicro(int64(seconds * 1e6))
}

// told judges a sink that tells of incidents.
func (v *verdict) told(where string, p *plan, made map[string]time.Time, stories []*story) {
	where += " (incidents)"
	of := map[string][]*story{}
	for _, s := range stories {
		of[s.about] = append(of[s.about], s)
		if s.problem != "" {
			v.Disordered = append(v.Disordered, fmt.Sprintf("%s: of %s %s", where, s.about, s.problem))
		}
		for i := 1; i < len(s.states); i++ {
			if a, b := s.states[i-1], s.states[i]; b.times < a.times || a.over && !b.over {
				v.Disordered = append(v.Disordered, fmt.Sprintf("%s: %s went from %+v back to %+v", where, s.about, a, b))
			}
		}
	}
	for about, all := range of {
		if len(all) > 1 {
			v.Doubled = append(v.Doubled, fmt.Sprintf("%s: %d incidents of %s", where, len(all), about))
		}
	}
	for _, t := range p.things {
		all := of[t.name]
		switch {
		case t.manner == noise && len(all) > 0:
			v.Wrong = append(v.Wrong, fmt.Sprintf("%s: %s is told of, which nobody wants to hear of", where, t.name))
		case t.manner == noise:
		case len(all) == 0:
			v.Lost = append(v.Lost, fmt.Sprintf("%s: the incident of %s", where, t.name))
		case len(all) == 1:
			end, want := all[0].states[len(all[0].states)-1], state{over: t.manner == ailing, times: t.times}
			if end != want {
				v.Wrong = append(v.Wrong, fmt.Sprintf("%s: %s ends as %+v, want %+v", where, t.name, end, want))
			}
			v.late[where] = append(v.late[where], all[0].opened.Sub(made[fmt.Sprintf("%s-n%04d", t.name, 1)]))
		}
	}
}

// missing is how much has not come yet, or not come to its end.
func (v *verdict) missing() int { return len(v.Lost) + len(v.Wrong) }
