package bottest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Slack is as much of Slack as the bot uses, with hooks for its failures. It
// listens on the loopback.
type Slack struct {
	*httptest.Server
	// Fail, if set, is asked before a method runs; a status other than 0 is
	// answered instead, with code as the error or, for 429, as Retry-After.
	Fail func(method string, form url.Values) (status int, code string)
	// Lose, if set, is asked after a method ran; true cuts the connection
	// instead of answering.
	Lose func(method string, form url.Values) bool
	// Users are members by ID; anybody else is a plain member.
	Users map[string]map[string]any
	// Groups are the members of user groups by ID.
	Groups map[string][]string
	// Shared are the channels that are shared with another organisation.
	Shared map[string]bool
	// Scopes is the value of X-OAuth-Scopes.
	Scopes string
	// Gone refuses edits at the addresses that come with clicks.
	Gone bool
	// Events, if set, is told "ack ID" when an envelope is acknowledged.
	Events func(what string)

	mu       sync.Mutex
	sockets  map[*websocket.Conn]*sync.Mutex
	messages []*Message
	calls    []Call
	acked    map[string]int
	response []string
	ts       int
}

// Message is a message as it stands in Slack.
type Message struct {
	Channel, Thread, TS, Text, Blocks, Metadata string
	For                                         string // who alone sees it
	Edits                                       int
}

// Call is a call of the Web API.
type Call struct {
	Method string
	Form   url.Values
	At     time.Time
}

// NewSlack starts one; it ends with the test.
func NewSlack(t testing.TB) *Slack {
	t.Helper()
	s := &Slack{sockets: map[*websocket.Conn]*sync.Mutex{}, acked: map[string]int{}, Users: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.api)
	mux.HandleFunc("/link", s.link)
	mux.HandleFunc("/response", s.responded)
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.Drop()
		s.Close()
	})
	return s
}

// API is the address of its Web API.
func (s *Slack) API() string { return s.URL + "/api/" }

func (s *Slack) api(w http.ResponseWriter, r *http.Request) {
	method := r.PathValue("method")
	_ = r.ParseForm()
	s.mu.Lock()
	s.calls = append(s.calls, Call{method, r.Form, time.Now()})
	s.mu.Unlock()
	if s.Fail != nil {
		switch status, code := s.Fail(method, r.Form); {
		case status == http.StatusTooManyRequests:
			w.Header().Set("Retry-After", code)
			w.WriteHeader(status)
			return
		case status == http.StatusOK:
			s.answer(w, map[string]any{"ok": false, "error": code})
			return
		case status != 0:
			w.WriteHeader(status)
			return
		}
	}
	out := s.run(method, r.Form)
	if s.Lose != nil && s.Lose(method, r.Form) {
		panic(http.ErrAbortHandler)
	}
	s.answer(w, out)
}

func (s *Slack) answer(w http.ResponseWriter, out map[string]any) {
	if _, ok := out["ok"]; !ok {
		out["ok"] = true
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-OAuth-Scopes", s.Scopes)
	_ = json.NewEncoder(w).Encode(out)
}

func (s *Slack) run(method string, form url.Values) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch method {
	case "auth.test":
		return map[string]any{"team": "Here", "team_id": "T1", "user": "ferry", "user_id": "UFERRY", "bot_id": "BFERRY", "url": s.URL}
	case "apps.connections.open":
		return map[string]any{"url": "ws" + strings.TrimPrefix(s.URL, "http") + "/link"}
	case "users.info":
		return map[string]any{"user": s.user(form.Get("user"))}
	case "usergroups.users.list":
		members, ok := s.Groups[form.Get("usergroup")]
		if !ok {
			return map[string]any{"ok": false, "error": "no_such_subteam"}
		}
		return map[string]any{"users": members}
	case "conversations.info":
		return map[string]any{"channel": map[string]any{"id": form.Get("channel"), "is_ext_shared": s.Shared[form.Get("channel")]}}
	case "users.list":
		var members []any
		for id := range s.Users {
			members = append(members, s.user(id))
		}
		return map[string]any{"members": members}
	case "chat.postMessage":
		s.ts++
		m := &Message{
			Channel: form.Get("channel"), Thread: form.Get("thread_ts"), TS: fmt.Sprintf("%d.%06d", time.Now().Unix(), s.ts),
			Text: form.Get("text"), Blocks: form.Get("blocks"), Metadata: form.Get("metadata"),
		}
		s.messages = append(s.messages, m)
		return map[string]any{"channel": m.Channel, "ts": m.TS}
	case "chat.postEphemeral":
		return s.whisper(form)
	case "chat.update":
		for _, m := range s.messages {
			if m.For == "" && m.TS == form.Get("ts") && m.Channel == form.Get("channel") {
				m.Text, m.Blocks, m.Edits = form.Get("text"), form.Get("blocks"), m.Edits+1
				return map[string]any{"ts": m.TS}
			}
		}
		return map[string]any{"ok": false, "error": "message_not_found"}
	case "conversations.replies", "conversations.history":
		var found []any
		for _, m := range s.messages {
			if m.Channel == form.Get("channel") && m.Thread == form.Get("ts") && m.TS >= form.Get("oldest") {
				found = append(found, map[string]any{"ts": m.TS, "bot_id": "BFERRY", "text": m.Text, "metadata": json.RawMessage(m.Metadata)})
			}
		}
		return map[string]any{"messages": found}
	}
	return map[string]any{"ok": false, "error": "unknown_method"}
}

func (s *Slack) user(id string) map[string]any {
	u := map[string]any{"id": id, "team_id": "T1", "name": strings.ToLower(id)}
	for k, v := range s.Users[id] {
		u[k] = v
	}
	return u
}

func (s *Slack) link(w http.ResponseWriter, r *http.Request) {
	up := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	lock := &sync.Mutex{}
	_ = conn.WriteControl(websocket.PingMessage, []byte("hi"), time.Now().Add(time.Second))
	_ = conn.WriteJSON(map[string]any{"type": "hello", "num_connections": 1, "connection_info": map[string]any{"app_id": "A1"}})
	s.mu.Lock()
	s.sockets[conn] = lock
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.sockets, conn)
		s.mu.Unlock()
		_ = conn.Close()
	}()
	for {
		var ack struct {
			ID string `json:"envelope_id"`
		}
		if err := conn.ReadJSON(&ack); err != nil {
			return
		}
		s.mu.Lock()
		s.acked[ack.ID]++
		s.mu.Unlock()
		if s.Events != nil {
			s.Events("ack " + ack.ID)
		}
	}
}

// Send delivers a raw frame to one of the sockets.
func (s *Slack) Send(raw string) error {
	if raw == "" {
		return errors.New("the frame could not be encoded")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn, lock := range s.sockets {
		lock.Lock()
		defer lock.Unlock()
		return conn.WriteMessage(websocket.TextMessage, []byte(raw))
	}
	return fmt.Errorf("no socket is open")
}

// Drop cuts all sockets.
func (s *Slack) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.sockets {
		_ = conn.Close()
	}
}

// Sockets is how many are open.
func (s *Slack) Sockets() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sockets)
}

// Messages returns all messages in order.
func (s *Slack) Messages() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Message, len(s.messages))
	for i, m := range s.messages {
		out[i] = *m
	}
	return out
}

// Calls returns the calls of a method.
func (s *Slack) Calls(method string) (out []Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.calls {
		if c.Method == method {
			out = append(out, c)
		}
	}
	return out
}

// Acked is how often an envelope was acknowledged.
func (s *Slack) Acked(id string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked[id]
}

// Responses are the texts sent to response addresses.
func (s *Slack) Responses() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.response...)
}

// Say makes the envelope of a mention.
func Say(envelope, user, ts, text string) string {
	return Event(envelope, map[string]any{"type": "app_mention", "user": user, "text": text, "ts": ts, "channel": "C1"})
}

// Event makes the envelope of an event of the Events API.
func Event(envelope string, event map[string]any) string {
	return frame(envelope, "events_api", map[string]any{"team_id": "T1", "api_app_id": "A1", "type": "event_callback", "event": event})
}

// Slash makes the envelope of a slash command.
func (s *Slack) Slash(envelope, user, text string) string {
	return frame(envelope, "slash_commands", map[string]any{
		"team_id": "T1", "api_app_id": "A1", "command": "/ferry", "user_id": user, "channel_id": "C1", "text": text,
		"response_url": s.URL + "/response",
	})
}

// Press makes the envelope of a click.
func Press(envelope, user, ts, operation, actionTS string) string {
	return frame(envelope, "interactive", map[string]any{
		"type": "block_actions", "api_app_id": "A1", "team": map[string]any{"id": "T1"}, "user": map[string]any{"id": user, "team_id": "T1"},
		"channel": map[string]any{"id": "C1"}, "container": map[string]any{"type": "message", "message_ts": ts, "channel_id": "C1"},
		"actions": []any{map[string]any{"action_id": "ferry/0", "type": "button", "value": operation, "action_ts": actionTS}},
	})
}

// frame is empty if the payload has no JSON: Send refuses that.
func frame(id, kind string, payload map[string]any) string {
	raw, err := json.Marshal(map[string]any{"envelope_id": id, "type": kind, "payload": payload, "accepts_response_payload": kind == "slash_commands"})
	if err != nil {
		return ""
	}
	return string(raw)
}
