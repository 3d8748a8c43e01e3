package chat

import (
	"strconv"
	"time"
)

// MaxSpan is the longest time that a command may name.
const MaxSpan = 366 * 24 * time.Hour

// Span reads a time as people write it: 90m, 4h, 3d, 2w, or several of them from
// the longest to the shortest, as in 1d12h. ok is false for anything else, and for
// no time at all or more than MaxSpan.
func (w Word) Span() (d time.Duration, ok bool) {
	units := []struct {
		sign byte
		is   time.Duration
	}{{'w', 7 * 24 * time.Hour}, {'d', 24 * time.Hour}, {'h', time.Hour}, {'m', time.Minute}}
	rest := string(w)
	for rest != "" {
		n := 0
		for n < len(rest) && rest[n] >= '0' && rest[n] <= '9' {
			n++
		}
		count, err := strconv.Atoi(rest[:n])
		if err != nil || n == len(rest) || n > 5 {
			return 0, false
		}
		for len(units) > 0 && units[0].sign != rest[n] {
			units = units[1:]
		}
		if len(units) == 0 {
			return 0, false
		}
		d += time.Duration(count) * units[0].is
		units, rest = units[1:], rest[n+1:]
	}
	return d, d > 0 && d <= MaxSpan
}
