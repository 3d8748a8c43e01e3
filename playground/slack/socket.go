package slack

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/sync/errgroup"
)

// conn is one Socket Mode connection. Frames go through out, so that nobody
// who holds mu waits for a network.
type conn struct {
	app      *app
	ws       *websocket.Conn
	out      chan []byte
	done     chan struct{}
	draining bool
	ended    bool
}

const (
	maxConns     = 10
	outBacklog   = 4096
	writeTimeout = 10 * time.Second
	maxFrame     = 1 << 20
)

// queue hands over a frame; mu is held. A reader that is far behind loses its
// connection, as a slow consumer of Slack's does.
func (c *conn) queue(frame []byte) {
	if c.ended {
		return
	}
	select {
	case c.out <- frame:
	default:
		c.close()
	}
}

// close ends the connection; mu is held.
func (c *conn) close() {
	if !c.ended {
		c.ended = true
		close(c.done)
	}
}

// serveSocket is one connection, from its ticket to its end.
func (s *Server) serveSocket(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	ticket := r.URL.Query().Get("ticket")
	a := s.tickets[ticket]
	delete(s.tickets, ticket)
	s.mu.Unlock()
	if a == nil {
		http.Error(w, "the ticket is unknown or used", http.StatusForbidden)
		return
	}
	up := websocket.Upgrader{WriteBufferSize: 32 << 10, CheckOrigin: func(*http.Request) bool { return true }}
	ws, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	c := &conn{app: a, ws: ws, out: make(chan []byte, outBacklog), done: make(chan struct{})}
	if !s.join(c) {
		return
	}
	var g errgroup.Group
	g.Go(func() error { return s.writeFrames(c) })
	g.Go(func() error { return s.readFrames(c) })
	_ = g.Wait() // how a connection ends concerns nobody but its peer
	s.leave(c)
}

// join adds the connection and greets it.
func (s *Server) join(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || c.app.conns >= maxConns {
		frame := mustJSON(map[string]any{"type": "disconnect", "reason": "too_many_websockets", "debug_info": s.debugInfo()})
		_ = c.ws.SetWriteDeadline(time.Now().Add(writeTimeout))
		_ = c.ws.WriteMessage(websocket.TextMessage, frame) // it is closed anyway
		_ = c.ws.Close()
		return false
	}
	c.app.conns++
	s.conns = append(s.conns, c)
	info := s.debugInfo()
	info["build_number"], info["approximate_connection_time"] = 137, 18060
	c.queue(mustJSON(map[string]any{
		"type": "hello", "num_connections": c.app.conns,
		"connection_info": map[string]any{"app_id": c.app.ID}, "debug_info": info,
	}))
	s.flush(c.app)
	s.hub.send("presence", s.presence())
	return true
}

func (s *Server) debugInfo() map[string]any { return map[string]any{"host": "applink-playground-0"} }

// leave removes the connection; events it did not acknowledge go to another.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.close()
	c.app.conns--
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	for _, e := range s.envelopes {
		if e.on == c && !e.over && e.kind == kindEvent {
			e.stopTimer()
			e.on = nil
			e.retries, e.reason = e.retries+1, "connection_closed"
			s.deliver(e)
		}
	}
	s.hub.send("presence", s.presence())
}

// presence tells which apps have a socket open. mu is held.
func (s *Server) presence() map[string]bool {
	out := map[string]bool{}
	for _, a := range s.apps {
		out[a.BotUserID] = a.conns > 0
	}
	return out
}

// writeFrames is the only writer of data frames. It pings at once and then
// every PingInterval: a client hangs up if it hears none for 30 s.
func (s *Server) writeFrames(c *conn) error {
	defer c.ws.Close()
	ping := func() error {
		return c.ws.WriteControl(websocket.PingMessage, []byte("Ping from "+c.app.ID), time.Now().Add(writeTimeout))
	}
	if err := ping(); err != nil {
		return err
	}
	tick := time.NewTicker(s.opts.PingInterval)
	defer tick.Stop()
	for {
		select {
		case frame := <-c.out:
			if err := c.ws.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
				return fmt.Errorf("set deadline: %w", err)
			}
			if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
				return fmt.Errorf("write frame: %w", err)
			}
		case <-tick.C:
			if err := ping(); err != nil {
				return err
			}
		case <-c.done:
			return s.lastFrames(c)
		}
	}
}

// lastFrames writes what is still queued (a disconnect frame, say) and says
// goodbye.
func (s *Server) lastFrames(c *conn) error {
	deadline := time.Now().Add(time.Second)
	_ = c.ws.SetWriteDeadline(deadline)
	for {
		select {
		case frame := <-c.out:
			if err := c.ws.WriteMessage(websocket.TextMessage, frame); err != nil {
				return fmt.Errorf("write last frame: %w", err)
			}
		default:
			bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
			return c.ws.WriteControl(websocket.CloseMessage, bye, deadline)
		}
	}
}

// readFrames takes acknowledgements until the connection ends. Client pings
// are answered by the library's own handler.
func (s *Server) readFrames(c *conn) error {
	defer func() {
		s.mu.Lock()
		c.close()
		s.mu.Unlock()
	}()
	c.ws.SetReadLimit(maxFrame)
	for {
		_, raw, err := c.ws.ReadMessage()
		if err != nil {
			return fmt.Errorf("read frame: %w", err)
		}
		var ack struct {
			EnvelopeID string          `json:"envelope_id"`
			Payload    json.RawMessage `json:"payload"`
		}
		if json.Unmarshal(raw, &ack) == nil && ack.EnvelopeID != "" {
			s.opts.OnAck(func() { s.acknowledged(c.app, ack.EnvelopeID, ack.Payload) })
		}
	}
}

// Sockets returns how many connections the app (ID or name) has open.
func (s *Server) Sockets(ref string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.conns {
		if ref == "" || c.app.ID == ref || c.app.Name == ref {
			n++
		}
	}
	return n
}

// Disconnect ends every open connection the way kind says: "warning" and
// "refresh_requested" announce it and close after DisconnectGrace,
// "link_disabled" and "too_many_websockets" announce it and close at once,
// "drop" closes without a word.
func (s *Server) Disconnect(kind string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch kind {
	case "warning", "refresh_requested", "link_disabled", "too_many_websockets", "drop":
	default:
		return refusal("unknown_kind", "no disconnect of kind %q; there are warning, refresh_requested, link_disabled, too_many_websockets, drop", kind)
	}
	for _, c := range slices.Clone(s.conns) {
		if kind == "drop" {
			_ = c.ws.Close() // abruptly: no close frame
			continue
		}
		c.draining = true
		c.queue(mustJSON(map[string]any{"type": "disconnect", "reason": kind, "debug_info": s.debugInfo()}))
		if kind == "link_disabled" || kind == "too_many_websockets" {
			c.close()
			continue
		}
		s.clock.AfterFunc(s.opts.DisconnectGrace, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			c.close()
		})
	}
	return nil
}
