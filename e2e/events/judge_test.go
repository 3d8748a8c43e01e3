package events

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/playground/slack"
	"ferry/plugins/api"
)

// ideal is what arrives if nothing goes wrong.
func ideal(p *plan) *seen {
	s := &seen{}
	each := func(id, title string, state api.State, count int) {
		a := arrival{Notification: api.Notification{ID: id, Title: title, State: state, Count: count}}
		s.documents, s.every = append(s.documents, a), append(s.every, a)
	}
	for _, one := range p.steps {
		switch one.of.manner {
		case ailing:
			each(one.id(), one.of.name+" was killed because it took too much memory", api.Happened, one.nth)
		default:
			each(one.id(), one.of.name+": Unhealthy: "+note(&one), api.Happened, 1)
		}
	}
	for _, t := range p.things {
		if t.manner == noise {
			continue
		}
		title := t.name + " fails"
		for n := 1; n <= t.times; n++ {
			s.incidents = append(s.incidents, arrival{Notification: api.Notification{ID: fmt.Sprint(t.name, n), Incident: t.name, Revision: n, State: api.Updated, Count: n, Title: title}})
		}
		if t.manner == ailing {
			title = t.name + ": OOMKilled is over"
			each(t.name+"/over", title, api.Resolved, 0)
			s.incidents = append(s.incidents, arrival{Notification: api.Notification{ID: t.name + "over", Incident: t.name, Revision: t.times + 1, State: api.Resolved, Count: t.times, Title: title}})
		}
		s.messages = append(s.messages, slack.Message{
			TS: "1.0", Text: fmt.Sprintf("%s (%d times) on c0", title, t.times), Edits: []slack.Edit{{Text: t.name + " fails on c0"}, {Text: t.name + " fails (2 times) on c0"}},
		})
	}
	return s
}

// TestTheVerdict breaks what arrived in every way that there is a word for.
func TestTheVerdict(t *testing.T) {
	p := draw(rand.New(rand.NewPCG(1, 0)), 3000)
	made := map[string]time.Time{}
	for _, s := range p.steps {
		made[s.id()] = time.Now()
	}
	if p.count(ailing) < 3 || p.count(counted) < 3 || p.count(noise) < 3 {
		t.Fatalf("the plan has too little of something: %d things", len(p.things))
	}
	if v := judge(p, made, ideal(p)); len(v.all()) > 0 {
		t.Fatalf("all is well, and it says %q", v.all())
	}
	find := func(all []arrival, part string) int {
		return slices.IndexFunc(all, func(a arrival) bool { return strings.Contains(a.Title, part) })
	}
	for _, c := range []struct {
		name, want string
		breaks     func(s *seen)
	}{
		{"an event is lost", "webhook: quiet0-n0002", func(s *seen) { i := find(s.every, "quiet0-n0002"); s.every = slices.Delete(s.every, i, i+1) }},
		{"a document is lost", "elasticsearch: loud0-n0001", func(s *seen) { i := find(s.documents, "loud0-n0001"); s.documents = slices.Delete(s.documents, i, i+1) }},
		{"a document stands there twice", "several IDs", func(s *seen) {
			twice := s.documents[3]
			twice.ID = "another"
			s.documents = append(s.documents, twice)
		}},
		{"events overtake each other", "came after number", func(s *seen) {
			a, b := find(s.every, "quiet0-n0001"), find(s.every, "quiet0-n0002")
			s.every[a], s.every[b] = s.every[b], s.every[a]
		}},
		{"an end is lost", "that ill0 is over", func(s *seen) { i := find(s.every, "ill0: OOMKilled is over"); s.every = slices.Delete(s.every, i, i+1) }},
		{"an incident is lost", "slack (incidents): the incident of", func(s *seen) { s.messages = s.messages[1:] }},
		{"an incident has two messages", "2 incidents of", func(s *seen) { s.messages = append(s.messages, s.messages[0]) }},
		{"an answer has two messages", "2 incidents of asking", func(s *seen) {
			s.messages = append(s.messages, slack.Message{Text: "asking-c0-2: are you there"}, slack.Message{Text: "asking-c0-2: are you there"})
		}},
		{"a message ends too early", "want {over:true", func(s *seen) {
			i := slices.IndexFunc(s.messages, func(m slack.Message) bool { return strings.Contains(m.Text, "is over") })
			s.messages[i].Text = strings.Replace(s.messages[i].Text, ": OOMKilled is over", " fails", 1)
		}},
		{"something is counted twice", "want {over:false times:", func(s *seen) {
			i := slices.IndexFunc(s.messages, func(m slack.Message) bool { return strings.HasPrefix(m.Text, "loud0") })
			s.messages[i].Text = "loud0 fails (999 times)"
		}},
		{"a message goes back", "went from", func(s *seen) { slices.Reverse(s.messages[0].Edits) }},
		{"a state goes back", "came after", func(s *seen) {
			i := slices.IndexFunc(s.incidents, func(a arrival) bool { return a.Revision == 2 })
			s.incidents[i-1], s.incidents[i] = s.incidents[i], s.incidents[i-1]
		}},
		{"noise is told of", "nobody wants to hear of", func(s *seen) { s.messages = append(s.messages, slack.Message{Text: "quiet0 fails"}) }},
		{"a message of nothing", "nobody asked for", func(s *seen) { s.messages = append(s.messages, slack.Message{Text: "hello"}) }},
	} {
		s := ideal(p)
		c.breaks(s)
		if all := judge(p, made, s).all(); len(all) == 0 || !strings.Contains(strings.Join(all, "\n"), c.want) {
			t.Errorf("%s: it says %q, want %q", c.name, all, c.want)
		}
	}
}
