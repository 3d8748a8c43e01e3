package forge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"ferry/internal/fault"
)

// limits is the transport: it adds the token, holds requests back while GitHub
// wants to be left alone, paces commits, and counts.
//
// go-github does not recognise today's secondary limits (facts of 2024 on: a
// 403 or 429 whose message says so), so they are recognised here: Retry-After,
// then x-ratelimit-reset, else a minute and longer each time. A request that
// would have to wait longer than its context allows fails at once with
// Unavailable and the time at which it may be tried again.
type limits struct {
	next  http.RoundTripper
	token func(context.Context) (string, error)
	now   func() time.Time
	seen  func(Request)

	mu      sync.Mutex
	until   time.Time // nothing is sent before
	strikes int
	commits []time.Time // of the last hour
}

// GitHub's limits on requests that create content, with a margin for others
// that use the same token.
const (
	commitsPerMinute = 70
	commitsPerHour   = 450
	longestWait      = 30 * time.Second
)

func newLimits(o Options) *limits {
	return &limits{next: o.Transport, token: o.Token, now: o.Clock, seen: o.OnRequest}
}

// RoundTrip sends a request when the limits allow it. A limited request is sent
// again once, if the wait is short.
func (l *limits) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		_ = req.Body.Close()
	}
	if l.token != nil {
		token, err := l.token(req.Context())
		if err != nil {
			return nil, fmt.Errorf("get token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	creates := bytes.Contains(body, []byte("createCommitOnBranch"))
	for try := 0; ; try++ {
		if err := l.wait(req.Context(), creates); err != nil {
			return nil, err
		}
		if body != nil {
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		start := l.now()
		resp, err := l.next.RoundTrip(req)
		l.count(req, resp, start)
		if err != nil {
			return nil, err
		}
		if !l.limited(resp) || try > 0 {
			return resp, nil
		}
		drain(resp.Body)
	}
}

func (l *limits) count(req *http.Request, resp *http.Response, start time.Time) {
	if l.seen == nil {
		return
	}
	r := Request{Method: req.Method, Path: req.URL.Path, Took: l.now().Sub(start)}
	if resp != nil {
		r.Status = resp.StatusCode
	}
	l.seen(r)
}

// wait returns when a request may be sent.
func (l *limits) wait(ctx context.Context, creates bool) error {
	for {
		d := l.delay(creates)
		if d <= 0 {
			return nil
		}
		deadline, bounded := ctx.Deadline()
		if d > longestWait || (bounded && l.now().Add(d).After(deadline)) {
			return fault.Newf(fault.Unavailable, "GitHub limits ferry's requests for another %s", d.Round(time.Second)).
				WithHelp("it is tried again after that")
		}
		timer := time.NewTimer(d)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// delay says how long to hold a request back, and takes its place if not.
func (l *limits) delay(creates bool) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if d := l.until.Sub(now); d > 0 {
		return d
	}
	if !creates {
		return 0
	}
	for len(l.commits) > 0 && now.Sub(l.commits[0]) >= time.Hour {
		l.commits = l.commits[1:]
	}
	if n := len(l.commits); n >= commitsPerHour {
		return l.commits[0].Add(time.Hour).Sub(now)
	} else if n >= commitsPerMinute {
		if d := l.commits[n-commitsPerMinute].Add(time.Minute).Sub(now); d > 0 {
			return d
		}
	}
	l.commits = append(l.commits, now)
	return 0
}

// limited reports whether GitHub refused a request for its limits, and notes
// until when.
func (l *limits) limited(resp *http.Response) bool {
	spent := resp.Header.Get("X-Ratelimit-Remaining") == "0"
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
	case resp.StatusCode == http.StatusForbidden && (spent || resp.Header.Get("Retry-After") != ""):
	case resp.StatusCode == http.StatusForbidden:
		data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		_ = resp.Body.Close()
		resp.Body = io.NopCloser(bytes.NewReader(data))
		if err != nil || !strings.Contains(strings.ToLower(string(data)), "secondary rate limit") {
			return false
		}
	default:
		if resp.StatusCode < 400 {
			l.mu.Lock()
			l.strikes = 0
			l.mu.Unlock()
		}
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.strikes++
	l.until = l.now().Add(pause(resp.Header, spent, l.now(), l.strikes))
	return true
}

func pause(h http.Header, spent bool, now time.Time, strikes int) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	if at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64); err == nil && spent {
		return time.Unix(at, 0).Sub(now) + time.Second
	}
	return time.Minute << min(strikes-1, 5)
}
