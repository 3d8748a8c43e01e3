package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// hub tells every open page what changed. A page that does not keep up loses
// its stream; it comes back by itself and starts from a fresh snapshot.
type hub struct {
	streams map[chan []byte]bool
}

const streamBacklog = 1024

func newHub() hub { return hub{streams: map[chan []byte]bool{}} }

// send is called with mu held and never waits.
func (h *hub) send(kind string, v any) {
	if len(h.streams) == 0 {
		return
	}
	frame := sse(kind, v)
	for stream := range h.streams {
		select {
		case stream <- frame:
		default:
			h.drop(stream)
		}
	}
}

func (h *hub) message(m *Message) {
	if len(h.streams) > 0 {
		h.send("message", m.clone())
	}
}

func (h *hub) drop(stream chan []byte) {
	if h.streams[stream] {
		delete(h.streams, stream)
		close(stream)
	}
}

func (h *hub) closeAll() {
	for stream := range h.streams {
		h.drop(stream)
	}
}

func sse(kind string, v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		raw = []byte("{}") // raw JSON from an app was checked before
	}
	return fmt.Appendf(nil, "event: %s\ndata: %s\n\n", kind, raw)
}

// snapshotMessages is how many messages of a channel a page starts with.
const snapshotMessages = 400

// snapshot is everything a page needs to start; mu is held.
func (s *Server) snapshot() map[string]any {
	messages := []Message{}
	for _, c := range s.channels {
		for _, m := range c.messages[max(0, len(c.messages)-snapshotMessages):] {
			messages = append(messages, m.clone())
		}
	}
	views, homes := []map[string]any{}, []map[string]any{}
	for _, u := range s.users {
		if top, depth := s.topView(u.ID); top != nil {
			views = append(views, map[string]any{"user": u.ID, "view": s.wireView(top), "depth": depth})
		}
	}
	for _, h := range s.homes {
		homes = append(homes, map[string]any{"user": h.user, "app": h.app.ID, "view": s.wireView(h)})
	}
	apps := []map[string]any{}
	for _, a := range s.apps {
		commands := []map[string]any{}
		for _, c := range a.Commands {
			commands = append(commands, map[string]any{"name": c.Name, "description": c.Description, "usage": c.Usage})
		}
		apps = append(apps, map[string]any{"id": a.ID, "name": a.Name, "user": a.BotUserID, "commands": commands})
	}
	return map[string]any{
		"team":  map[string]any{"id": s.opts.TeamID, "name": s.opts.TeamName},
		"users": s.userInfos(), "channels": s.channelInfos(true), "apps": apps, "messages": messages,
		"views": views, "homes": homes, "hints": s.opts.Hints, "hints_title": s.opts.HintsTitle,
		"presence": s.presence(), "groups": s.groupInfos(),
	}
}

func (w *workspace) groupInfos() map[string]string {
	out := map[string]string{}
	for _, g := range w.groups {
		out[g.ID] = g.Handle
	}
	return out
}

// serveLive streams a snapshot and then every change, until the page goes.
func (s *Server) serveLive(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Time{}) // not every server has deadlines
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		http.Error(w, "closing", http.StatusServiceUnavailable)
		return
	}
	stream := make(chan []byte, streamBacklog)
	s.hub.streams[stream] = true
	stream <- append([]byte("retry: 1000\n"), sse("snapshot", s.snapshot())...)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.hub.drop(stream)
	}()
	for {
		select {
		case frame, open := <-stream:
			if !open {
				return
			}
			if _, err := w.Write(frame); err != nil {
				return
			}
			if err := rc.Flush(); err != nil {
				return
			}
		case <-r.Context().Done():
			return
		}
	}
}
