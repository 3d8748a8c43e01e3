package cluster

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// State is how a cluster's API server can be reached.
type State string

// The states.
const (
	Up   State = "up"
	Down State = "down" // connections are reset, those that exist and those to come
	Slow State = "slow" // each request takes longer
	Hang State = "hang" // requests are taken and not answered
)

// gate is the listener of an API server that can be shut. The port is kept while
// it is shut: nobody else may take it.
type gate struct {
	net.Listener
	slow time.Duration

	mu      sync.Mutex
	now     State
	changed chan struct{} // closed at the next change
	conns   map[*conn]struct{}
}

func newGate(l net.Listener, slow time.Duration) *gate {
	return &gate{Listener: l, slow: slow, now: Up, changed: make(chan struct{}), conns: map[*conn]struct{}{}}
}

func (g *gate) state() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *gate) set(state State) error {
	switch state {
	case Up, Down, Slow, Hang:
	default:
		return fmt.Errorf("unknown state %q: up, down, slow or hang", state)
	}
	g.mu.Lock()
	g.now = state
	close(g.changed)
	g.changed = make(chan struct{})
	g.mu.Unlock()
	if state == Down {
		g.cut()
	}
	return nil
}

// cut resets all connections.
func (g *gate) cut() {
	g.mu.Lock()
	conns := make([]*conn, 0, len(g.conns))
	for c := range g.conns {
		conns = append(conns, c)
	}
	g.mu.Unlock()
	for _, c := range conns {
		c.reset()
	}
}

// Accept waits for the next connection that is let in.
func (g *gate) Accept() (net.Conn, error) {
	for {
		accepted, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: accepted, gate: g}
		g.mu.Lock()
		g.conns[c] = struct{}{}
		down := g.now == Down
		g.mu.Unlock()
		if !down {
			return c, nil
		}
		c.reset()
	}
}

// handler delays requests as the state says.
func (g *gate) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for {
			g.mu.Lock()
			state, changed := g.now, g.changed
			g.mu.Unlock()
			if state != Slow && state != Hang {
				break
			}
			after := g.slow
			if state == Hang {
				after = time.Hour
			}
			timer := time.NewTimer(after)
			select {
			case <-r.Context().Done():
				timer.Stop()
				return
			case <-changed:
				timer.Stop()
				continue
			case <-timer.C:
			}
			break
		}
		next.ServeHTTP(w, r)
	})
}

type conn struct {
	net.Conn
	gate *gate
}

// reset closes at once, with a reset instead of a farewell.
func (c *conn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // it may be closed already
	}
	_ = c.Close()
}

func (c *conn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}
