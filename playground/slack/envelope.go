package slack

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"
)

// desk is what is under way between people and apps.
type desk struct {
	conns     []*conn
	envelopes []*envelope // the last keepEnvelopes, oldest first
	tickets   map[string]*app
	triggers  map[string]*trigger
	answers   map[string]*responder
	turn      int // round robin over conns
}

const keepEnvelopes = 2000

func newDesk() desk {
	return desk{tickets: map[string]*app{}, triggers: map[string]*trigger{}, answers: map[string]*responder{}}
}

// Kinds of envelopes.
const (
	kindEvent       = "events_api"
	kindSlash       = "slash_commands"
	kindInteractive = "interactive"
)

// envelope is one payload on its way to an app.
type envelope struct {
	id, kind string
	app      *app
	payload  json.RawMessage
	accepts  bool
	about    string // event type, command or interaction, for people
	sends    int
	retries  int
	reason   string
	on       *conn // the socket it was last written to
	acked    bool
	over     bool // acknowledged or given up
	timer    Timer
	// done gets the outcome of slash commands and interactions, once.
	done chan Ack
}

// Ack is how an app took a slash command, a click or a submitted view.
type Ack struct {
	// OK is false if the app did not acknowledge: Problem is then
	// "operation_timeout" or, with no socket open, "dispatch_failed".
	OK      bool            `json:"acknowledged"`
	Problem string          `json:"problem,omitempty"`
	Payload json.RawMessage `json:"payload,omitempty"`
	// Envelope is the ID, for Redeliver.
	Envelope string `json:"envelope_id,omitempty"`
}

func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// send puts a payload on its way. mu is held.
func (s *Server) send(a *app, kind, about string, accepts bool, payload map[string]any) *envelope {
	e := &envelope{
		id: newUUID(), kind: kind, app: a, about: about, accepts: accepts,
		payload: mustJSON(payload), done: make(chan Ack, 1),
	}
	s.envelopes = append(s.envelopes, e)
	if len(s.envelopes) > keepEnvelopes {
		s.envelopes = append([]*envelope(nil), s.envelopes[len(s.envelopes)-keepEnvelopes:]...)
	}
	s.deliver(e)
	return e
}

// deliver writes an envelope to one socket of its app. Without a socket an
// event waits for one; anything else fails at once. mu is held.
func (s *Server) deliver(e *envelope) {
	if s.closed {
		return
	}
	c := s.pick(e.app)
	if c == nil {
		if e.on = nil; e.kind != kindEvent {
			e.finish(Ack{Problem: "dispatch_failed"})
		}
		return
	}
	e.write(c)
	e.stopTimer()
	e.timer = s.clock.AfterFunc(s.opts.AckTimeout, func() { s.unacked(e) })
}

func (e *envelope) write(c *conn) {
	e.on = c
	e.sends++
	frame := map[string]any{
		"envelope_id": e.id, "type": e.kind, "payload": e.payload, "accepts_response_payload": e.accepts,
	}
	if e.kind == kindEvent {
		frame["retry_attempt"], frame["retry_reason"] = e.retries, e.reason
	}
	c.queue(mustJSON(frame))
}

func (e *envelope) stopTimer() {
	if e.timer != nil {
		e.timer.Stop()
	}
}

func (e *envelope) finish(a Ack) {
	if e.over {
		return
	}
	e.over = true
	e.stopTimer()
	a.Envelope = e.id
	e.done <- a
}

// unacked is called when the time for an acknowledgement is over.
func (s *Server) unacked(e *envelope) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.over || s.closed {
		return
	}
	if e.kind != kindEvent {
		e.finish(Ack{Problem: "operation_timeout"})
		return
	}
	s.retry(e, "timeout")
}

// retry plans the next delivery of an event, or gives it up. mu is held.
func (s *Server) retry(e *envelope, reason string) {
	if e.retries >= len(s.opts.Retries) {
		e.finish(Ack{Problem: "operation_timeout"})
		return
	}
	wait := s.opts.Retries[e.retries]
	e.retries++
	e.reason = reason
	e.stopTimer()
	if wait == 0 {
		s.deliver(e)
		return
	}
	e.timer = s.clock.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !e.over {
			s.deliver(e)
		}
	})
}

// pick chooses a socket of the app, in turn; one that is being closed only if
// there is no other. mu is held.
func (s *Server) pick(a *app) *conn {
	var open, draining []*conn
	for _, c := range s.conns {
		switch {
		case c.app != a:
		case c.draining:
			draining = append(draining, c)
		default:
			open = append(open, c)
		}
	}
	if len(open) == 0 {
		open = draining
	}
	if len(open) == 0 {
		return nil
	}
	s.turn++
	return open[s.turn%len(open)]
}

// acknowledged takes an app's answer to an envelope.
func (s *Server) acknowledged(a *app, id string, payload json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.envelopes) - 1; i >= 0; i-- {
		e := s.envelopes[i]
		if e.id != id || e.app != a {
			continue
		}
		e.acked = true
		if !e.accepts {
			payload = nil
		}
		e.finish(Ack{OK: true, Payload: payload})
		return
	}
}

// flush delivers the events that found no socket. mu is held.
func (s *Server) flush(a *app) {
	for _, e := range s.envelopes {
		if e.app == a && !e.over && e.on == nil && e.kind == kindEvent {
			s.deliver(e)
		}
	}
}

// Envelope is what the control interface tells of an envelope.
type Envelope struct {
	ID      string          `json:"envelope_id"`
	Type    string          `json:"type"`
	About   string          `json:"about"`
	App     string          `json:"app"`
	Sends   int             `json:"sends"`
	Acked   bool            `json:"acked"`
	Over    bool            `json:"over"`
	Payload json.RawMessage `json:"payload"`
}

// Envelopes returns the last envelopes, oldest first.
func (s *Server) Envelopes() []Envelope {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Envelope{}
	for _, e := range s.envelopes {
		out = append(out, Envelope{e.id, e.kind, e.about, e.app.ID, e.sends, e.acked, e.over, e.payload})
	}
	return out
}

// Redeliver sends an envelope n times more, acknowledged or not, as Slack
// does at times. An empty ID is the latest one.
func (s *Server) Redeliver(id string, n int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.envelopes) - 1; i >= 0; i-- {
		e := s.envelopes[i]
		if id != "" && e.id != id {
			continue
		}
		for range n {
			c := s.pick(e.app)
			if c == nil {
				return refusal("no_socket", "no socket of %s is open", e.app.Name)
			}
			e.write(c)
		}
		return nil
	}
	return refusal("unknown_envelope", "no envelope %q", id)
}

// waitFor blocks until the app answered or time ran out. mu is not held.
func (e *envelope) wait(limit <-chan struct{}) Ack {
	select {
	case a := <-e.done:
		return a
	case <-limit:
		return Ack{Problem: "cancelled", Envelope: e.id}
	}
}

// triggerLife is how long a trigger_id may be used.
const triggerLife = 3 * time.Second
