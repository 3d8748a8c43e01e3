package main

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"ferry/playground/chaos/point"
	"ferry/playground/github"
	"ferry/playground/slack"
)

// faults lets requests fail.
type faults struct {
	account *account
	mu      sync.Mutex
	rand    *rand.Rand
	off     bool
	// push has somebody else push to the branch.
	push func() error
}

// failing is how often a request fails while faults are on.
const failing = 0.2

// fault is one way to fail. With effect the request does its work first.
type fault struct {
	kind   string
	effect bool
	cut    bool
	// The others are of what changes something: twice is a proxy that sends it again,
	// so that the answer is that to the second (422, a stale head), overtaken somebody
	// who pushes just before it.
	twice     bool
	overtaken bool
	slow      time.Duration
	status    int
	header    map[string]string
	body      string
}

func slackFaults() []fault {
	retry := map[string]string{"Retry-After": "1"}
	return []fault{
		{kind: "Slack: 500", status: 500},
		{kind: "Slack: 503 after the effect", status: 503, effect: true},
		{kind: "Slack: no answer", cut: true},
		{kind: "Slack: no answer after the effect", cut: true, effect: true},
		{kind: "Slack: 429 with Retry-After", status: 429, header: retry, body: `{"ok":false,"error":"ratelimited"}`},
		{kind: "Slack: internal_error", status: 200, body: `{"ok":false,"error":"internal_error"}`},
		{kind: "Slack: slow", slow: time.Second},
	}
}

func githubFaults() []fault {
	limit := github.SecondaryLimit(time.Second)
	retry := map[string]string{"Retry-After": "1"}
	return []fault{
		{kind: "GitHub: 500", status: 500, body: `{"message":"Server Error"}`},
		{kind: "GitHub: 502 after the effect", status: 502, effect: true},
		{kind: "GitHub: no answer", cut: true},
		{kind: "GitHub: no answer after the effect", cut: true, effect: true},
		{kind: "GitHub: secondary limit", status: 403, header: retry, body: limit.Body},
		{kind: "GitHub: 429 with Retry-After", status: 429, header: retry, body: limit.Body},
		{kind: "GitHub: 409", status: 409, body: `{"message":"Conflict"}`},
		{kind: "GitHub: slow", slow: time.Second},
		{kind: "GitHub: sent twice", twice: true},
		{kind: "GitHub: somebody pushes first", overtaken: true},
	}
}

// draw decides whether a request fails, and how.
func (f *faults) draw(kinds []fault, changes bool) (fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off || f.rand.Float64() >= failing {
		return fault{}, false
	}
	if changes && f.rand.IntN(3) == 0 { // there are few of them
		if few := slices.DeleteFunc(slices.Clone(kinds), func(b fault) bool { return !b.meddles() }); len(few) > 0 {
			kinds = few
		}
	}
	bad := kinds[f.rand.IntN(len(kinds))]
	return bad, changes || !bad.meddles()
}

// meddles reports whether the request itself gets its right answer.
func (b fault) meddles() bool { return b.twice || b.overtaken }

// calm ends it, or lets it begin again.
func (f *faults) calm(off bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = off
}

// sockets disconnects Slack's sockets in every way it has, until ctx ends.
func (f *faults) sockets(ctx context.Context, people *slack.Server) {
	ways := []string{"warning", "refresh_requested", "too_many_websockets", "drop"}
	for {
		f.mu.Lock()
		wait, way := time.Second+time.Duration(f.rand.IntN(3000))*time.Millisecond, ways[f.rand.IntN(len(ways))]
		f.mu.Unlock()
		if !pause(ctx, wait) {
			return
		}
		if people.Sockets("") > 0 && people.Disconnect(way) == nil {
			f.account.failed("Slack: socket, " + way)
		}
	}
}

// meddle does what a fault does before the request; false means that nothing of
// it is left to do.
func (f *faults) meddle(bad fault, next http.Handler, w http.ResponseWriter, r *http.Request) (left bool) {
	switch {
	case bad.twice:
		raw := point.Body(r)
		next.ServeHTTP(httptest.NewRecorder(), r)
		r.Body = io.NopCloser(bytes.NewReader(raw))
	case bad.overtaken:
		if err := f.push(); err != nil {
			panic(err) // the repository is the harness's own
		}
	default:
		return true
	}
	next.ServeHTTP(w, r)
	return false
}

func (f *faults) around(next http.Handler, kinds func() []fault, pointOf func(*http.Request) string) http.Handler {
	all := kinds()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bad, fails := f.draw(all, pointOf(r) != point.Reading)
		if !fails {
			next.ServeHTTP(w, r)
			return
		}
		f.account.failed(bad.kind)
		if !f.meddle(bad, next, w, r) {
			return
		}
		if bad.slow > 0 {
			timer := time.NewTimer(bad.slow)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-r.Context().Done():
			}
			next.ServeHTTP(w, r)
			return
		}
		if bad.effect {
			next.ServeHTTP(httptest.NewRecorder(), r)
		}
		if bad.cut {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		for k, v := range bad.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(bad.status)
		_, _ = w.Write([]byte(bad.body)) // ferry may be gone
	})
}
