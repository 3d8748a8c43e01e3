package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"ferry/playground/chaos/point"
)

// lag is how far a replica may be behind.
const lag = 5 * time.Second

// past remembers what was answered to requests that only read, so that they can be
// answered as a replica would that lags.
type past struct {
	mu      sync.Mutex
	answers map[string]answer
}

type answer struct {
	at     time.Time
	code   int
	header http.Header
	body   []byte
}

func keyOf(r *http.Request) string {
	return r.Method + " " + r.URL.String() + " " + r.Header.Get("If-None-Match") + " " + string(point.Body(r))
}

// serve answers and remembers what it answered. What is asked again within the lag
// keeps its first answer: a replica does not catch up because somebody asks.
func (p *past) serve(next http.Handler, w http.ResponseWriter, r *http.Request, changes bool) {
	if changes || r.Header.Get("Upgrade") != "" {
		next.ServeHTTP(w, r)
		return
	}
	key, now, rec := keyOf(r), time.Now(), httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	p.mu.Lock()
	if p.answers == nil {
		p.answers = map[string]answer{}
	}
	// Who went away in between got half of it, which no replica would answer.
	if r.Context().Err() == nil && rec.Code < http.StatusBadRequest && now.Sub(p.answers[key].at) > lag {
		p.answers[key] = answer{now, rec.Code, rec.Header(), rec.Body.Bytes()}
	}
	p.mu.Unlock()
	write(w, rec.Code, rec.Header(), rec.Body.Bytes())
}

// replay answers as it was, if that is known and not too long ago.
func (p *past) replay(w http.ResponseWriter, r *http.Request) bool {
	key := keyOf(r)
	p.mu.Lock()
	was, ok := p.answers[key]
	p.mu.Unlock()
	if !ok || time.Since(was.at) > lag {
		return false
	}
	write(w, was.code, was.header, was.body)
	return true
}

func write(w http.ResponseWriter, code int, header http.Header, body []byte) {
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(code)
	_, _ = bytes.NewReader(body).WriteTo(w) // ferry may be gone
}
