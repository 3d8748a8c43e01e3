package point

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
)

// Killer stands in every way out of ferry and ends it there, when it is armed. It is
// safe for concurrent use.
type Killer struct {
	end   func()
	tally *Tally
	// Done gets where it happened, once nobody is armed any more.
	Done chan Spot

	mu     sync.Mutex
	rand   *rand.Rand
	deck   *deck
	wanted []Spot
	armed  bool
	wide   bool // any point will do
}

// NewKiller returns one that draws among some spots of the tally's table, by a seed.
// end ends ferry with SIGKILL and returns when it is gone.
func NewKiller(tally *Tally, spots []Spot, seed [2]uint64, end func()) *Killer {
	r := rand.New(rand.NewPCG(seed[0], seed[1]))
	return &Killer{end: end, tally: tally, rand: r, deck: newDeck(rand.New(rand.NewPCG(seed[0], seed[1]+1)), spots), Done: make(chan Spot, 1)}
}

// Arm lets the next wanted spot be the last one, and returns what was drawn for that.
func (k *Killer) Arm() (drawn []Spot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.wanted) < atOnce {
		s, ok := k.deck.draw(k.wanted)
		if !ok {
			break
		}
		k.wanted, drawn = append(k.wanted, s), append(drawn, s)
	}
	k.armed, k.wide = true, false
	return drawn
}

// Widen lets any spot do where none that is wanted came.
func (k *Killer) Widen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wide = true
}

// Disarm takes it back; too late, it reports false: then Done tells.
func (k *Killer) Disarm() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.armed
	k.armed = false
	return was
}

// At kills at a spot, if this is the one. It returns when ferry is gone.
func (k *Killer) At(s Spot) (killed bool) {
	if !s.After {
		k.tally.Meet(s.Point)
	}
	k.mu.Lock()
	at := slices.Index(k.wanted, s)
	if !k.armed || at < 0 && !(k.wide && s.Point != Reading) || k.rand.Float64() >= k.tally.odds(s) {
		k.mu.Unlock()
		return false
	}
	k.armed = false
	if at >= 0 {
		k.wanted = slices.Delete(k.wanted, at, at+1)
	}
	k.mu.Unlock()
	k.tally.killed(s, at >= 0)
	k.end()
	k.Done <- s
	return true
}

// Around lets a server meet kills. Of watches and sockets only the beginning is
// met.
func (k *Killer) Around(pointOf func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		point := pointOf(r)
		if k.At(Spot{point, false}) {
			panic(http.ErrAbortHandler)
		}
		if point == Reading {
			next.ServeHTTP(w, r)
			if r.Header.Get("Upgrade") == "" && r.URL.Query().Get("watch") == "" {
				k.At(Spot{point, true})
			}
			return
		}
		// What was begun is ended: the real ones do not stop because a client is gone.
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r.WithContext(context.WithoutCancel(r.Context())))
		if k.At(Spot{point, true}) {
			panic(http.ErrAbortHandler)
		}
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // ferry may be gone
	})
}

// Ack is for the local Slack.
func (k *Killer) Ack(take func()) {
	if k.At(Spot{"slack/ack", false}) {
		return
	}
	take()
	k.At(Spot{"slack/ack", true})
}

// ServeHTTP hears of ferry's durable steps.
func (k *Killer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if k.At(Spot{r.FormValue("point"), r.FormValue("side") == "after"}) {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(http.StatusNoContent)
}
