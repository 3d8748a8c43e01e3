package host

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTail writes what a plugin should not: it costs a few lines and 4 KiB.
func TestTail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &tail{log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), tokens: linesAtOnce, refill: time.Now()}
		for i := range 10_000 {
			fmt.Fprintf(s, "%d %s\n\n", i, strings.Repeat("x", i))
		}
		if n := strings.Count(log.String(), "\n"); n != linesAtOnce || log.Len() > linesAtOnce*(longestLine+200) || len(s.kept) > tailSize {
			t.Errorf("%d lines, %d bytes are logged, %d kept", n, log.Len(), len(s.kept))
		}
		log.Reset()
		time.Sleep(3 * time.Second)
		for range 5 {
			_, _ = s.Write([]byte("the sa"))
			_, _ = s.Write([]byte("me\n"))
		}
		if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, `line="the same" dropped=9980`) {
			t.Errorf("log = %q", got)
		}
	})
}

func TestReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		"one\ntwo\n\n":                        "two",
		"x\npanic: boom\n\ngoroutine 1\nmain": "panic: boom",
		"fatal error: out of memory\nx":       "fatal error: out of memory",
		"panic: boom\n" + strings.Repeat("goroutine 1\n", 1000): "panic: boom",
		"\xff\n": "?",
	} {
		s := &tail{log: slog.New(slog.DiscardHandler)}
		_, _ = s.Write([]byte(text))
		if got := s.reason(); got != want {
			t.Errorf("reason of %q = %q, want %q", text, got, want)
		}
	}
}
