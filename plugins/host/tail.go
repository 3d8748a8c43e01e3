package host

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// Bounds of what a plugin may say beside the protocol.
const (
	tailSize     = 4 << 10
	linesAtOnce  = 20
	linePause    = time.Second // until one more line is logged
	longestLine  = 500
	handshakeMax = 4 << 10
)

// tail takes what a plugin writes to its outputs, in any amount: it keeps the last
// of it for explanations, and logs lines, no more than a few a second and none
// twice in a row.
type tail struct {
	log *slog.Logger

	mu      sync.Mutex
	kept    []byte
	partial []byte
	last    string
	fatal   string // the latest word of Go's runtime, which a long trace follows
	dropped int64
	tokens  int
	refill  time.Time
}

// Write never fails and never blocks for long.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p[max(0, len(p)-tailSize):]...)
	t.kept = t.kept[max(0, len(t.kept)-tailSize):]
	for rest := p; ; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := longestLine - len(t.partial); room > 0 {
			t.partial = append(t.partial, line[:min(room, len(line))]...)
		}
		if !ended {
			return len(p), nil
		}
		t.line(strings.TrimSpace(strings.ToValidUTF8(string(t.partial), "?")))
		t.partial, rest = t.partial[:0], after
	}
}

func (t *tail) line(text string) {
	if strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: ") {
		t.fatal = text
	}
	if text == "" || text == t.last {
		return
	}
	t.last = text
	now := time.Now()
	if gained := int(now.Sub(t.refill) / linePause); gained > 0 {
		t.tokens, t.refill = min(linesAtOnce, t.tokens+gained), now
	}
	if t.tokens == 0 {
		t.dropped++
		return
	}
	t.tokens--
	t.log.LogAttrs(context.Background(), slog.LevelDebug, "plugin says", slog.String("line", text), slog.Int64("dropped", t.dropped))
	t.dropped = 0
}

// reason is the line that explains best why a process ended: what the runtime of
// Go says of a panic, else the last one.
func (t *tail) reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fatal != "" {
		return clip(t.fatal)
	}
	var last string
	for line := range strings.Lines(strings.ToValidUTF8(string(t.kept), "?")) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
	}
	return clip(last)
}

// clip makes a text short enough for one line.
func clip(s string) string {
	const most = 160
	r := []rune(s)
	if len(r) <= most {
		return s
	}
	return string(r[:most-1]) + "…"
}
