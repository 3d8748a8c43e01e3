package main

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"ferry/playground/github"
)

// faults lets requests fail.
type faults struct {
	tally *tally
	mu    sync.Mutex
	rand  *rand.Rand
	off   bool
}

// failing is how often a request fails while faults are on.
const failing = 0.2

// fault is one way to fail. With effect the request does its work first.
type fault struct {
	kind   string
	effect bool
	cut    bool
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
	}
}

// draw decides whether a request fails, and how.
func (f *faults) draw(kinds []fault) (fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.off || f.rand.Float64() >= failing {
		return fault{}, false
	}
	return kinds[f.rand.IntN(len(kinds))], true
}

// calm ends it, or lets it begin again.
func (f *faults) calm(off bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.off = off
}

func (f *faults) around(next http.Handler, kinds func() []fault) http.Handler {
	all := kinds()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		bad, fails := f.draw(all)
		if !fails {
			next.ServeHTTP(w, r)
			return
		}
		f.tally.failed(bad.kind)
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
