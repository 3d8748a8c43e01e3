package slack

import "time"

// limiter keeps Slack's rate limits: calls of a method per minute and app, and
// one message a second per channel (a short burst is let through). A slice of
// times per key is enough: limits are low by nature.
type limiter struct {
	on      bool
	perMin  map[string]int
	windows map[string][]time.Time
}

// postBurst is how many messages a channel takes at once before one a second.
const postBurst = 5

func newLimiter(opts Options) limiter {
	l := limiter{on: opts.RateLimits, perMin: map[string]int{}, windows: map[string][]time.Time{}}
	for name, m := range methods() {
		l.perMin[name] = m.perMin
	}
	for name, n := range opts.Limits {
		l.perMin[name] = n
	}
	return l
}

// take counts a call. It returns 0 if the call may go on, else the seconds to
// wait. A refused call does not count.
func (l *limiter) take(now time.Time, c *call) int {
	if !l.on {
		return 0
	}
	key := c.app.ID + " " + c.method
	if c.method == "chat.postMessage" && l.perMin[c.method] == special {
		return l.window(now, key+" "+c.str("channel"), postBurst, postBurst*time.Second)
	}
	if n := l.perMin[c.method]; n > 0 {
		return l.window(now, key, n, time.Minute)
	}
	return 0
}

func (l *limiter) window(now time.Time, key string, most int, length time.Duration) int {
	times := l.windows[key]
	for len(times) > 0 && now.Sub(times[0]) >= length {
		times = times[1:]
	}
	if len(times) >= most {
		l.windows[key] = times
		return int((length-now.Sub(times[0]))/time.Second) + 1
	}
	l.windows[key] = append(times, now)
	return 0
}

// SetRateLimits turns Slack's rate limits on or off.
func (s *Server) SetRateLimits(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.on = on
	s.limits.windows = map[string][]time.Time{}
}
