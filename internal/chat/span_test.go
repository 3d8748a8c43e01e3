package chat

import (
	"testing"
	"time"
)

func TestSpan(t *testing.T) {
	for text, want := range map[Word]time.Duration{
		"90m": 90 * time.Minute, "4h": 4 * time.Hour, "3d": 72 * time.Hour, "2w": 14 * 24 * time.Hour, "1d12h": 36 * time.Hour, "1w2d3h4m": 9*24*time.Hour + 3*time.Hour + 4*time.Minute,
		"366d": MaxSpan, "00001m": time.Minute,
		"": 0, "0m": 0, "m": 0, "1": 0, "1s": 0, "1h1h": 0, "1h1d": 0, "-1h": 0, "1.5h": 0, "367d": 0, "99999w": 0, "100000m": 0, "1H": 0, "1h ": 0, "9999999999999999999h": 0,
	} {
		if d, ok := text.Span(); ok != (want > 0) || ok && d != want {
			t.Errorf("%q = %s, %v; want %s", text, d, ok, want)
		}
	}
}
