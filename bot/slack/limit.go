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
// channel, in bursts of three. The budget for edits stands with the outbox,
// which decides what is worth an edit.
type limiter struct {
	perSecond float64

	mu       sync.Mutex
	closed   map[string]time.Time // until when, by method
	channels map[string]bucket    // of chat.postMessage
}

type bucket struct {
	tokens float64
	at     time.Time
}

const (
	postBurst       = 3
	maxBuckets      = 1000
	defaultRetry    = 30 * time.Second // after a 429 that does not say
	maxRetry        = 10 * time.Minute
	methodOfPosting = "chat.postMessage"
)

func newLimiter(perSecond float64) *limiter {
	return &limiter{perSecond: perSecond, closed: map[string]time.Time{}, channels: map[string]bucket{}}
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
	b, ok := l.channels[channel]
	if !ok {
		b = bucket{postBurst, now}
		l.sweep(now)
	}
	b.tokens = min(postBurst, b.tokens+l.perSecond*now.Sub(b.at).Seconds())
	b.at = now
	if b.tokens < 1 {
		l.channels[channel] = b
		return &outbox.Wait{For: time.Duration((1-b.tokens)/l.perSecond*float64(time.Second)) + time.Millisecond}
	}
	b.tokens--
	l.channels[channel] = b
	return nil
}

// sweep forgets the channels that have their whole burst again.
func (l *limiter) sweep(now time.Time) {
	if len(l.channels) < maxBuckets {
		return
	}
	for name, b := range l.channels {
		if b.tokens+l.perSecond*now.Sub(b.at).Seconds() >= postBurst {
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
