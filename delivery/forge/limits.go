package forge

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ferry/internal/fault"
)

// limits is the transport: it adds the token, sends one change at a time, holds
// requests back while GitHub wants to be left alone or a limit is near, and
// counts.
//
// go-github does not recognise today's secondary limits (facts of 2024 on: a
// 403 or 429 whose message says so), so they are recognised here: Retry-After,
// then x-ratelimit-reset, else a minute and longer each time. A limited request
// had no effect and is sent again once, if the wait is short. One that would have
// to wait longer than its context allows fails at once with Unavailable and the
// time at which it may be tried again.
type limits struct {
	next     http.RoundTripper
	token    func(context.Context) (string, error)
	rejected func(token string)
	timeout  time.Duration
	now      func() time.Time
	seen     func(Request)
	pace     *Pace
	changes  turn
}

// longestWait is how long a request is held back; what takes longer is for the
// caller to try again.
const longestWait = 30 * time.Second

func newLimits(o Options) *limits {
	l := &limits{next: o.Transport, timeout: o.Timeout, token: o.Token, now: o.Clock, seen: o.OnRequest, pace: o.Pace, changes: make(turn, 1)}
	if o.App != nil {
		l.token, l.rejected = o.App.Token, o.App.Rejected
	}
	return l
}

// RoundTrip sends a request when the limits allow it.
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
	s := classOf(req, body)
	if s.change {
		if err := l.changes.take(req.Context()); err != nil {
			return nil, fault.New(fault.Unavailable, "ferry has other changes to make on GitHub first", "it is tried again").Because(err)
		}
		defer l.changes.give()
	}
	limited, renewed := false, false
	for {
		token, err := l.authorize(req)
		if err != nil {
			return nil, err
		}
		if err := l.wait(req.Context(), s); err != nil {
			return nil, err
		}
		if body != nil {
			req.Body = io.NopCloser(bytes.NewReader(body))
		}
		resp, err := l.send(req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode == http.StatusUnauthorized && l.rejected != nil && !renewed:
			renewed = true
			l.rejected(token)
		case !l.limited(s, resp):
			// Limits are kept here alone: go-github would keep some of its own from these.
			resp.Header.Del("X-Ratelimit-Remaining")
			resp.Header.Del("X-Ratelimit-Reset")
			return resp, nil
		case limited:
			drain(resp.Body)
			return nil, l.busy(l.pace.delay(s, l.now()))
		default:
			limited = true
		}
		drain(resp.Body)
	}
}

func classOf(req *http.Request, body []byte) class {
	s := class{change: req.Method != http.MethodGet && req.Method != http.MethodHead, graph: strings.HasSuffix(req.URL.Path, "/graphql")}
	if s.graph {
		s.change = bytes.Contains(body, []byte(`"query":"mutation`))
	}
	return s
}

func (l *limits) authorize(req *http.Request) (token string, err error) {
	if l.token == nil {
		return "", nil
	}
	if token, err = l.token(req.Context()); err != nil {
		return "", fmt.Errorf("get token: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return token, nil
}

// send sends a request and counts it. Its time begins here: waiting for a turn or
// a limit is not GitHub's slowness.
func (l *limits) send(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(req.Context(), l.timeout)
	start := l.now()
	resp, err := l.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		cancel()
	} else {
		resp.Body = &timed{resp.Body, cancel}
	}
	if l.seen != nil {
		r := Request{Method: req.Method, Path: req.URL.Path, Took: l.now().Sub(start)}
		if resp != nil {
			r.Status = resp.StatusCode
		}
		l.seen(r)
	}
	return resp, err
}

// timed is a body whose time ends with it.
type timed struct {
	io.ReadCloser
	end context.CancelFunc
}

// Close implements io.Closer.
func (t *timed) Close() error {
	defer t.end()
	return t.ReadCloser.Close()
}

// wait returns when a request may be sent.
func (l *limits) wait(ctx context.Context, s class) error {
	for {
		d := l.pace.delay(s, l.now())
		if d <= 0 {
			return nil
		}
		deadline, bounded := ctx.Deadline()
		if d > longestWait || (bounded && l.now().Add(d).After(deadline)) {
			return l.busy(d)
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

func (l *limits) busy(d time.Duration) error {
	return fault.Newf(fault.Unavailable, "GitHub limits ferry's requests for another %s", max(d, time.Second).Round(time.Second)).
		WithHelp("it is tried again after that")
}

// limited reports whether GitHub refused a request for its limits, and notes
// until when; also when it took the last of the hour.
func (l *limits) limited(s class, resp *http.Response) bool {
	spent := resp.Header.Get("X-Ratelimit-Remaining") == "0"
	at, known := reset(resp.Header)
	if spent && known {
		l.pace.spent(s, at)
	}
	switch {
	case spent && known && resp.StatusCode >= 400 && resp.Header.Get("Retry-After") == "":
		return resp.StatusCode == http.StatusForbidden || resp.StatusCode == http.StatusTooManyRequests
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
			l.pace.calm()
		}
		return false
	}
	l.pace.hold(func(strikes int) time.Time { return l.now().Add(pause(resp.Header, strikes)) })
	return true
}

// spent notes that GraphQL's hour is used up, which it says with status 200.
func (l *limits) spent() error {
	graph := class{graph: true}
	if l.pace.delay(graph, l.now()) <= 0 { // without saying until when
		l.pace.spent(graph, l.now().Add(time.Minute))
	}
	return l.busy(l.pace.delay(graph, l.now()))
}

// pause is how long GitHub wants to be left alone; strikes are the times in a row.
func pause(h http.Header, strikes int) time.Duration {
	if s, err := strconv.Atoi(h.Get("Retry-After")); err == nil && s >= 0 {
		return time.Duration(s) * time.Second
	}
	return time.Minute << min(strikes-1, 5)
}

// reset is when the hour ends that is used up.
func reset(h http.Header) (time.Time, bool) {
	at, err := strconv.ParseInt(h.Get("X-Ratelimit-Reset"), 10, 64)
	return time.Unix(at, 0).Add(time.Second), err == nil
}
