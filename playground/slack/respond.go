package slack

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// responder is what a response_url may do: five messages within 30 minutes,
// to one person or their channel, or on the message that was clicked.
type responder struct {
	app     *app
	channel *channel
	user    string
	message *Message
	left    int
	till    time.Time
}

// newResponder returns the URL; mu is held.
func (s *Server) newResponder(r *responder) string {
	r.left, r.till = 5, s.clock.Now().Add(30*time.Minute)
	id := newUUID()
	s.answers[id] = r
	return s.baseURL + "/actions/" + id
}

func (s *Server) serveResponseURL(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.answers[r.PathValue("id")]
	switch {
	case err != nil:
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	case to == nil, to.left == 0, s.clock.Now().After(to.till):
		http.Error(w, "used_url", http.StatusNotFound)
		return
	}
	to.left--
	if err := s.respond(to, raw); err != nil {
		writeAnswer(w, nil, err)
		return
	}
	_, _ = io.WriteString(w, "ok") // the caller went away
}

// respond shows a message that came by a response_url or in the
// acknowledgement of a slash command. mu is held.
func (s *Server) respond(to *responder, raw json.RawMessage) error {
	var v struct {
		Text            *string         `json:"text"`
		Blocks          json.RawMessage `json:"blocks"`
		Attachments     json.RawMessage `json:"attachments"`
		ResponseType    string          `json:"response_type"`
		ReplaceOriginal bool            `json:"replace_original"`
		DeleteOriginal  bool            `json:"delete_original"`
		ThreadTS        string          `json:"thread_ts"`
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return slackError("invalid_payload", fmt.Sprintf("parse message: %v", err))
	}
	if v.DeleteOriginal && to.message != nil {
		s.remove(to.channel, to.message)
		return nil
	}
	c := &call{app: to.app, args: map[string]json.RawMessage{"blocks": v.Blocks, "attachments": v.Attachments}}
	if v.Text != nil {
		c.args["text"] = mustJSON(*v.Text)
	}
	next, err := s.content(c)
	if err != nil {
		return err
	}
	if next.empty() {
		return slackError("no_text")
	}
	if v.ReplaceOriginal && to.message != nil {
		if next.blocks == nil {
			next.blocks = json.RawMessage("[]")
		}
		before := s.wire(to.message, true)
		s.replace(to.message, next)
		if !to.message.Ephemeral {
			s.announceChange(to.channel, to.message, before)
		}
		return nil
	}
	if v.ThreadTS != "" {
		c.args["thread_ts"] = mustJSON(v.ThreadTS)
	}
	m, err := s.newMessage(c, to.channel, next)
	if err != nil {
		return err
	}
	if v.ResponseType != "in_channel" {
		m.Ephemeral, m.To = true, to.user
	}
	s.add(to.channel, m)
	if !m.Ephemeral {
		s.announce(to.channel, m)
	}
	return nil
}
