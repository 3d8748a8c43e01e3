package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"syscall"
)

// killer stands in every way out of ferry and ends it there, when it is armed.
type killer struct {
	ferry *process
	tally *tally

	mu    sync.Mutex
	rand  *rand.Rand
	armed bool
	// done gets what happened once armed is false again.
	done chan spot
}

// often is how often somebody is killed at a spot that would do: below 1, so that
// not only the first one of its kind is met.
const often = 0.7

// arm lets one of the next spots be the last one.
func (k *killer) arm() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.armed = true
}

// disarm takes it back; too late, it reports false.
func (k *killer) disarm() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.armed
	k.armed = false
	return was
}

// at kills at a spot, if this is the one. It returns when ferry is gone.
func (k *killer) at(s spot) (killed bool) {
	if !s.after {
		k.tally.meet(s.point)
	}
	k.mu.Lock()
	if !k.armed || k.rand.Float64() >= often*k.tally.odds(s) {
		k.mu.Unlock()
		return false
	}
	k.armed = false
	k.mu.Unlock()
	k.tally.killed(&s)
	_ = k.ferry.end(syscall.SIGKILL) // the next start tells
	k.done <- s
	return true
}

// around lets a server meet kills. Of watches and sockets only the beginning is
// met.
func (k *killer) around(pointOf func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		point := pointOf(r)
		if k.at(spot{point, false}) {
			panic(http.ErrAbortHandler)
		}
		if point == reading {
			next.ServeHTTP(w, r)
			if r.Header.Get("Upgrade") == "" && r.URL.Query().Get("watch") == "" {
				k.at(spot{point, true})
			}
			return
		}
		// What was begun is ended: the real ones do not stop because a client is gone.
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		if k.at(spot{point, true}) {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // ferry may be gone
	})
}

// ack is for the local Slack.
func (k *killer) ack(take func()) {
	if k.at(spot{"slack/ack", false}) {
		return
	}
	take()
	k.at(spot{"slack/ack", true})
}

// ServeHTTP hears of ferry's durable steps.
func (k *killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k.at(spot{r.FormValue("point"), r.FormValue("side") == "after"}) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}
