package bottest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// whisper is chat.postEphemeral: a message that one person sees, with no metadata, that
// nobody finds again. The lock is held.
func (s *Slack) whisper(form url.Values) map[string]any {
	s.ts++
	m := &Message{
		Channel: form.Get("channel"), Thread: form.Get("thread_ts"), TS: fmt.Sprintf("%d.%06d", time.Now().Unix(), s.ts),
		Text: form.Get("text"), Blocks: form.Get("blocks"), For: form.Get("user"),
	}
	s.messages = append(s.messages, m)
	return map[string]any{"message_ts": m.TS}
}

// responded takes what is sent to an address that a slash command or a click brought:
// with replace_original it edits the message of the click.
func (s *Slack) responded(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Text    string
		Replace bool `json:"replace_original"`
		Blocks  json.RawMessage
	}
	_ = json.NewDecoder(r.Body).Decode(&body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !body.Replace {
		s.response = append(s.response, body.Text)
		return
	}
	if s.Gone {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	for _, m := range s.messages {
		if m.TS == r.URL.Query().Get("ts") {
			m.Text, m.Blocks, m.Edits = body.Text, string(body.Blocks), m.Edits+1
		}
	}
}

// Fill makes the envelope of a menu or a field of a message that somebody filled in. The
// state is what all of them hold, by action.
func (s *Slack) Fill(envelope, user string, m Message, action, actionTS string, state map[string]any) string {
	var act map[string]any
	raw, _ := json.Marshal(state[action])
	_ = json.Unmarshal(raw, &act)
	act["action_id"], act["action_ts"] = action, actionTS
	values := map[string]any{}
	for id, e := range state {
		values["block of "+id] = map[string]any{id: e}
	}
	return frame(envelope, "interactive", map[string]any{
		"type": "block_actions", "api_app_id": "A1", "team": map[string]any{"id": "T1"}, "user": map[string]any{"id": user, "team_id": "T1"},
		"channel":   map[string]any{"id": m.Channel},
		"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "thread_ts": m.Thread, "is_ephemeral": m.For != ""},
		"actions":   []any{act}, "state": map[string]any{"values": values}, "response_url": s.URL + "/response?ts=" + m.TS,
	})
}
