package slack

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"ferry/bot/outbox"
)

// limiter keeps Slack's rate limits: it refuses a call that would break one,
// and says when to come back. Nothing in it waits; whoever calls knows better
// what else to do meanwhile, and what will be worth sending then.
//
// It knows two limits. A 429 closes its method for as long as Retry-After says
// (it is for that method and workspace only). New messages are bounded per
// channel: Slack wants one a second and lets a short burst through, so no five
// seconds see more than five of them. The budget for edits stands with the outbox,
// which decides what is worth an edit.
type limiter struct {
	perSecond float64

	mu       sync.Mutex
	closed   map[string]time.Time   // until when, by method
	channels map[string][]time.Time // the latest posts of each, at most postBurst
}

const (
	postBurst       = 5
	travelTime      = 50 * time.Millisecond // by which a burst may be closer together when it arrives
	maxChannels     = 1000
	defaultRetry    = 30 * time.Second // after a 429 that does not say
	maxRetry        = 10 * time.Minute
	methodOfPosting = "chat.postMessage"
)

func newLimiter(perSecond float64) *limiter {
	return &limiter{perSecond: perSecond, closed: map[string]time.Time{}, channels: map[string][]time.Time{}}
}

// allow returns *outbox.Wait if a call must wait.
func (l *limiter) allow(method, channel string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if until, ok := l.closed[method]; ok {
		if wait := until.Sub(now); wait > 0 {
			return &outbox.Wait{For: wait}
		}
		delete(l.closed, method)
	}
	if method != methodOfPosting {
		return nil
	}
	posts, window := l.channels[channel], time.Duration(postBurst/l.perSecond*float64(time.Second))+travelTime
	if len(posts) == postBurst {
		if wait := posts[0].Add(window).Sub(now); wait > 0 {
			return &outbox.Wait{For: wait}
		}
		posts = posts[1:]
	}
	if posts == nil {
		l.sweep(now.Add(-window))
	}
	l.channels[channel] = append(posts, now)
	return nil
}

// sweep forgets the channels in which nothing was posted lately.
func (l *limiter) sweep(lately time.Time) {
	if len(l.channels) < maxChannels {
		return
	}
	for name, posts := range l.channels {
		if posts[len(posts)-1].Before(lately) {
			delete(l.channels, name)
		}
	}
}

// blocked notes a 429.
func (l *limiter) blocked(method, retryAfter string) error {
	wait := defaultRetry
	if seconds, err := strconv.ParseFloat(strings.TrimSpace(retryAfter), 64); err == nil && seconds >= 0 {
		wait = min(maxRetry, max(time.Duration(seconds*float64(time.Second)), 100*time.Millisecond))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed[method] = time.Now().Add(wait)
	return &outbox.Wait{For: wait}
}
