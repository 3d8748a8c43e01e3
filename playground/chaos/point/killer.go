package point

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Killer stands in every way out of ferry and ends it there, when it is armed. It is
// safe for concurrent use.
type Killer struct {
	end   func()
	tally *Tally
	done  chan Spot // gets where it happened, once nobody is armed any more

	mu     sync.Mutex
	rand   *rand.Rand
	deck   *deck
	wanted []Spot
	age    map[Spot]int // how often it was wanted in vain
	armed  bool
	wide   bool // any point will do
	lurks  bool // only those will do at which nobody was killed yet
}

const (
	// unmet is how long a kill waits for one of the drawn spots before any other will
	// do, and again before it happens anyway.
	unmet = 1500 * time.Millisecond
	// random is the share of kills at no point in particular: between two effects
	// nothing happens that anybody could see, and that is to be proven too.
	random = 0.1
	// vain is after how many kills elsewhere another spot is drawn for one. The old one
	// stays wanted beside it if nobody was killed there yet.
	vain = 15
)

// NewKiller returns one that draws among some spots of the tally's table, by a seed.
// end ends ferry with SIGKILL and returns when it is gone.
func NewKiller(tally *Tally, spots []Spot, seed [2]uint64, end func()) *Killer {
	r := rand.New(rand.NewPCG(seed[0], seed[1]))
	return &Killer{end: end, tally: tally, rand: r, deck: newDeck(rand.New(rand.NewPCG(seed[0], seed[1]+1)), spots), age: map[Spot]int{}, done: make(chan Spot, 1)}
}

// Kill is one kill.
type Kill struct {
	Where string // "at a random moment" if at no point
	Drawn []Spot // what was drawn for it
	At    time.Time
}

// Strike kills once: at a drawn spot, at another one if ferry comes to none of those,
// or, for a declared share, at any moment. It returns when ferry is gone, or, with an
// empty Where, when ctx ends first.
func (k *Killer) Strike(ctx context.Context) (kill Kill) {
	defer func() { kill.At = time.Now() }()
	k.mu.Lock()
	blind := k.rand.Float64() < random
	wait := time.Duration(k.rand.IntN(1200)) * time.Millisecond
	k.mu.Unlock()
	if !blind {
		kill.Drawn, wait = k.arm(), unmet
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for widened := blind; ; widened = true {
		select {
		case s := <-k.done:
			kill.Where = s.String()
			return kill
		case <-ctx.Done():
			if !blind && !k.disarm() {
				<-k.done
			}
			return kill
		case <-timer.C:
		}
		if widened {
			break
		}
		k.widen()
		timer.Reset(unmet)
	}
	if !blind && !k.disarm() {
		kill.Where = (<-k.done).String()
		return kill
	}
	kill.Where = "at a random moment"
	k.tally.atRandom()
	k.end()
	return kill
}

// Lurk kills where nobody was killed yet, and nowhere else. It returns when ferry is gone, or, with an empty Where, when ctx ends first.
func (k *Killer) Lurk(ctx context.Context) (kill Kill) {
	k.mu.Lock()
	for _, s := range k.deck.spots {
		if !k.tally.struck(s) && !slices.Contains(k.wanted, s) {
			k.wanted, k.age[s] = append(k.wanted, s), vain // beside those that are drawn
		}
	}
	k.armed, k.wide, k.lurks = true, false, true
	k.mu.Unlock()
	select {
	case s := <-k.done:
		kill.Where = s.String()
	case <-ctx.Done():
		if !k.disarm() {
			kill.Where = (<-k.done).String()
		}
	}
	kill.At = time.Now()
	return kill
}

// arm lets the next wanted spot be the last one, and returns what was drawn for that.
func (k *Killer) arm() (drawn []Spot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fresh := 0
	k.wanted = slices.DeleteFunc(k.wanted, func(s Spot) bool {
		switch k.age[s]++; {
		case k.age[s] <= vain:
			fresh++
		case k.tally.struck(s):
			delete(k.age, s)
			return true
		}
		return false
	})
	for ; fresh < atOnce; fresh++ {
		s, ok := k.deck.draw(k.wanted)
		if !ok {
			break
		}
		k.wanted, drawn = append(k.wanted, s), append(drawn, s)
	}
	k.armed, k.wide, k.lurks = true, false, false
	return drawn
}

// widen lets any spot do where none that is wanted came.
func (k *Killer) widen() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.wide = true
}

// disarm takes it back; too late, it reports false: then done tells.
func (k *Killer) disarm() bool {
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
	if !k.armed || k.lurks && k.tally.struck(s) || at < 0 && !(k.wide && s.Point != Reading) || k.rand.Float64() >= k.tally.odds(s, at >= 0) {
		k.mu.Unlock()
		return false
	}
	k.armed = false
	if at >= 0 {
		k.wanted = slices.Delete(k.wanted, at, at+1)
		delete(k.age, s)
	}
	k.mu.Unlock()
	k.tally.killed(s, at >= 0)
	k.end()
	k.done <- s
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
