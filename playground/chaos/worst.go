package main

import (
	"bytes"
	"context"
	"fmt"
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
	began   time.Time // the storm
	past    past
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
	// stale is a replica that lags: what only reads is answered as it was up to a few
	// seconds ago.
	stale bool
	// hang does the work and never answers: whoever asked gives up.
	hang   bool
	slow   time.Duration
	status int
	header map[string]string
	body   string
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
		{kind: "Slack: no answer in time, after the effect", effect: true, hang: true},
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
		{kind: "GitHub: no answer in time, after the effect", effect: true, hang: true},
		{kind: "GitHub: a stale head", stale: true},
		{kind: "GitHub: a stale head", stale: true},
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
	if bad.hang && f.rand.IntN(3) > 0 { // each takes as long as ferry's patience
		return fault{}, false
	}
	return bad, bad.stale && !changes || !bad.stale && (changes || !bad.meddles())
}

// meddles reports whether the request itself gets its right answer.
func (b fault) meddles() bool { return b.twice || b.overtaken }

// calm ends it, or lets it begin again.
func (f *faults) calm(off bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off = off; !off {
		f.began = time.Now()
	}
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
			f.account.flawed(fmt.Errorf("push before ferry does: %w", err))
		}
	default:
		return true
	}
	next.ServeHTTP(w, r)
	return false
}

// blackout is how long GitHub answers nothing at all, in the middle of a storm.
const blackout = 6 * time.Second

// away reports whether GitHub is.
func (f *faults) away() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := time.Since(f.began) - storm/3
	return !f.off && since > 0 && since < blackout
}

// slack lets requests to Slack fail.
func (f *faults) slack(next http.Handler) http.Handler {
	all := slackFaults()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if bad, fails := f.draw(all, point.OfSlack(r) != point.Reading); fails {
			f.fail(bad, next, w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// github lets requests to GitHub fail.
func (f *faults) github(next http.Handler) http.Handler {
	all := githubFaults()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		changes := point.OfGitHub(r) != point.Reading
		if f.away() {
			f.account.failed("GitHub: away")
			http.Error(w, `{"message":"Service Unavailable"}`, http.StatusServiceUnavailable)
			return
		}
		bad, fails := f.draw(all, changes)
		switch {
		case fails && bad.stale && f.past.replay(w, r):
			f.account.failed(bad.kind)
		case fails && !bad.stale:
			f.fail(bad, next, w, r)
		default:
			f.past.serve(next, w, r, changes)
		}
	})
}

// fail lets one request fail.
func (f *faults) fail(bad fault, next http.Handler, w http.ResponseWriter, r *http.Request) {
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
		raw := point.Body(r) // the server notices that the client is gone once it is read
		next.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		r.Body = io.NopCloser(bytes.NewReader(raw))
	}
	if bad.hang {
		<-r.Context().Done()
	}
	if bad.cut || bad.hang {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	for k, v := range bad.header {
		w.Header().Set(k, v)
	}
	w.WriteHeader(bad.status)
	_, _ = w.Write([]byte(bad.body)) // ferry may be gone
}
