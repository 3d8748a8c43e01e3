package outbox

import (
	"cmp"
	"context"
	"errors"
	"io"
	"sync"
	"time"
	"unicode/utf8"

	"ferry/internal/chat"
)

// streamTail is how much of a stream's end its message shows, in bytes.
const streamTail = 7000

// stream is a message that grows. Its text is put at most once per
// Pace.StreamGap, by Run; the writer never waits for that.
type stream struct {
	o      *Outbox
	thread chat.Thread
	key    string
	title  string

	mu      sync.Mutex
	text    []byte
	cut     bool
	whole   whole
	says    string // of what is not shown, once it is closed
	outcome string // stands in place of the title, once it is closed
	dirty   bool
	busy    bool
	flushed time.Time
	closed  bool
	failed  bool
}

// Stream implements chat.Streamer. The message exists before anything is
// written. Close fails if the last state could not be stored.
func (o *Outbox) Stream(ctx context.Context, thread chat.Thread, key, title string) (io.WriteCloser, error) {
	s := &stream{o: o, thread: thread, key: key, title: title, flushed: time.Now()}
	if err := o.Put(ctx, thread, key, s.message()); err != nil {
		return nil, err
	}
	o.mu.Lock()
	o.streams[s] = true
	o.mu.Unlock()
	return s, nil
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errors.New("write to a stream that is closed")
	}
	s.whole.count(p)
	if s.cut || len(s.text)+len(p) > streamTail {
		s.keep(p)
	}
	s.text = append(s.text, p...)
	if over := len(s.text) - streamTail; over > 0 {
		s.cut = true
		s.text = append(s.text[:0], s.text[lineStart(s.text, over):]...)
	}
	s.dirty = true
	s.o.signal()
	return len(p), nil
}

// lineStart returns where the first whole line after from begins, or, if that
// would be far, the first whole character.
func lineStart(text []byte, from int) int {
	for i := from; i < min(len(text), from+500); i++ {
		if text[i] == '\n' && i+1 < len(text) {
			return i + 1
		}
	}
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return from
}

// Fail implements chat.Failer.
func (s *stream) Fail() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = true
}

// Title implements chat.Titler.
func (s *stream) Title(outcome string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcome = outcome
}

// Close implements io.Closer.
func (s *stream) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var promised *file
	s.says, promised = s.finish()
	m := s.message()
	s.mu.Unlock()
	s.o.mu.Lock()
	delete(s.o.streams, s)
	s.o.mu.Unlock()
	// The command that wrote is often over because its context is.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if promised != nil { // stored before it is promised
		if err := s.o.wish(ctx, s.thread, promised); err != nil {
			return err
		}
	}
	return s.o.Put(ctx, s.thread, s.key, m)
}

// message is the present state.
func (s *stream) message() chat.Message {
	m := chat.Message{Tone: chat.Progress, Title: s.title}
	if s.closed {
		m.Tone, m.Final, m.Title = chat.Done, true, cmp.Or(s.outcome, s.title)
		if s.failed {
			m.Tone = chat.Failure
		}
	}
	if s.says != "" {
		m.Lines = []string{s.says}
	}
	if len(s.text) > 0 {
		text := string(s.text)
		if s.cut {
			text = "…\n" + text
		}
		m.Code = &chat.Code{Text: text}
	}
	return m
}

// flush puts the present state; Close has the last word.
func (s *stream) flush(ctx context.Context) {
	s.mu.Lock()
	m, closed := s.message(), s.closed
	s.dirty = false
	s.mu.Unlock()
	var err error
	if !closed {
		err = s.o.put(ctx, s.thread, s.key, m, false)
	}
	s.mu.Lock()
	s.busy, s.flushed = false, time.Now()
	s.dirty = s.dirty || err != nil
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		s.o.log.Warn("a stream's state could not be stored", "key", s.key, "error", err)
	}
	s.o.mu.Lock()
	s.o.signal()
	s.o.mu.Unlock()
}

// flushable picks the streams that have something new and tells when to look
// again.
func (o *Outbox) flushable(now time.Time) (out []*stream, next time.Time) {
	o.mu.Lock()
	all := make([]*stream, 0, len(o.streams))
	for s := range o.streams {
		all = append(all, s)
	}
	o.mu.Unlock()
	next = now.Add(idle)
	for _, s := range all {
		s.mu.Lock()
		at := s.flushed.Add(o.pace.StreamGap)
		switch {
		case !s.dirty || s.busy || s.closed:
		case at.After(now):
			next = earlier(next, at)
		default:
			s.busy = true
			out = append(out, s)
		}
		s.mu.Unlock()
	}
	return out, next
}
