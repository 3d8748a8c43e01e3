package clustertest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/plugins/api"
)

// patience is for how long what should take a moment is waited for.
const patience = time.Minute

// Listener is what ferry is to a source: it keeps events and the cursor of the last.
type Listener struct {
	source api.Source
	config string
	server *Server

	mu     sync.Mutex
	events []api.Event
	more   chan struct{}
	cursor string
	stop   context.CancelFunc
	ended  chan error
}

// Listen opens a source's stream on a server.
func Listen(t testing.TB, source api.Source, s *Server, config string) *Listener {
	return ListenFrom(t, source, s, config, "")
}

// ListenFrom opens it after a cursor.
func ListenFrom(t testing.TB, source api.Source, s *Server, config, cursor string) *Listener {
	l := &Listener{source: source, config: config, server: s, more: make(chan struct{}), cursor: cursor}
	l.Start(t)
	t.Cleanup(func() { l.Stop(t) })
	return l
}

// Start opens the stream again, after the last event.
func (l *Listener) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	l.mu.Lock()
	r := api.StreamRequest{Binding: "b", Config: []byte(l.config), Cluster: "prod", Kubeconfig: l.server.Kubeconfig(), Cursor: l.cursor}
	l.stop, l.ended = cancel, make(chan error, 1)
	ended := l.ended
	l.mu.Unlock()
	go func() {
		ended <- l.source.Stream(ctx, r, func(e api.Event) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			if e.ID != "" || e.Title != "" {
				l.events = append(l.events, e)
			}
			if e.Cursor != "" {
				l.cursor = e.Cursor
			}
			close(l.more)
			l.more = make(chan struct{})
			return nil
		})
	}()
}

// Stop ends the stream, which has to be no error.
func (l *Listener) Stop(t testing.TB) {
	t.Helper()
	if l.stop == nil {
		return
	}
	l.stop()
	l.stop = nil
	select {
	case err := <-l.ended:
		if err != nil {
			t.Errorf("the stream ended: %v", err)
		}
	case <-time.After(patience):
		t.Error("the stream does not end")
	}
}

// AwaitEnd waits until the stream ends by itself, and returns why; the listener may be
// started again.
func (l *Listener) AwaitEnd(t testing.TB) error {
	t.Helper()
	select {
	case err := <-l.ended:
		l.stop()
		l.stop = nil
		return err
	case <-time.After(patience):
		t.Fatalf("the stream does not end; it told %q", l.Titles())
		return nil
	}
}

// Cursor is that of the last event.
func (l *Listener) Cursor() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cursor
}

// Events are all that came.
func (l *Listener) Events() []api.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]api.Event{}, l.events...)
}

// Await waits for an event whose title begins with a text, and returns the latest
// such; count is how many there have to be.
func (l *Listener) Await(t testing.TB, title string, count int) api.Event {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		more := l.more
		var hits []api.Event
		for _, e := range l.events {
			if strings.HasPrefix(e.Title, title) {
				hits = append(hits, e)
			}
		}
		l.mu.Unlock()
		if len(hits) >= count {
			return hits[len(hits)-1]
		}
		select {
		case <-more:
		case err := <-l.ended:
			l.ended <- err
			t.Fatalf("the stream ended: %v", err)
		case <-timeout:
			t.Fatalf("%d of %d %q came; there are %q", len(hits), count, title, l.Titles())
		}
	}
}

// AwaitCursor waits until there is one that says a word.
func (l *Listener) AwaitCursor(t testing.TB, word string) {
	t.Helper()
	timeout := time.After(patience)
	for {
		l.mu.Lock()
		more, there := l.more, l.cursor != "" && strings.Contains(l.cursor, word)
		l.mu.Unlock()
		if there {
			return
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatal("no cursor came")
		}
	}
}

// Titles are those of all events, in their order, with "*" behind those that end something.
func (l *Listener) Titles() []string {
	var out []string
	for _, e := range l.Events() {
		title := e.Title
		if e.Resolved {
			title += " *"
		}
		out = append(out, title)
	}
	return out
}
