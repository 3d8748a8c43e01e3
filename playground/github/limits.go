package github

import (
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Count of requests: those that the rate limit counts, and those answered by a free 304.
type Count struct {
	Counted     int
	NotModified int
}

// counts are requests by the route that took them.
type counts struct {
	mu sync.Mutex
	by map[string]Count
}

func (c *counts) add(route string, free bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.by == nil {
		c.by = map[string]Count{}
	}
	n := c.by[route]
	if free {
		n.NotModified++
	} else {
		n.Counted++
	}
	c.by[route] = n
}

// Requests counts what has been asked since the start by route, as in "GET /repos/{owner}/{repo}/commits/{ref}",
// "POST /graphql" or "GIT upload-pack". What met a fault without effect is not in it.
func (s *Server) Requests() map[string]Count {
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	return maps.Clone(s.counts.by)
}

// TotalRequests is the sum over the API's routes (not over git's).
func (s *Server) TotalRequests() Count {
	var sum Count
	for route, n := range s.Requests() {
		if len(route) < 4 || route[:4] != "GIT " {
			sum.Counted += n.Counted
			sum.NotModified += n.NotModified
		}
	}
	return sum
}

// limits is GitHub's primary limit: so many requests per token, resource and hour.
type limits struct {
	mu   sync.Mutex
	used map[limitKey]*window
}

type limitKey struct{ secret, resource string }

type window struct {
	used  int
	reset time.Time
}

const limitWindow = time.Hour

// now returns the window as it is, beginning a new one where the old has passed. The caller holds the lock.
func (l *limits) now(k limitKey, now time.Time) *window {
	if l.used == nil {
		l.used = map[limitKey]*window{}
	}
	w := l.used[k]
	if w == nil || !now.Before(w.reset) {
		w = &window{reset: now.Add(limitWindow)}
		l.used[k] = w
	}
	return w
}

func (l *limits) state(k limitKey, now time.Time) window {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *l.now(k, now)
}

func (l *limits) spend(k limitKey, now time.Time) window {
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.now(k, now)
	w.used++
	return *w
}

func (w window) header(h http.Header, limit int, resource string) {
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(max(0, limit-w.used)))
	h.Set("X-RateLimit-Used", strconv.Itoa(min(w.used, limit)))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(w.reset.Unix(), 10))
	h.Set("X-RateLimit-Resource", resource)
}
