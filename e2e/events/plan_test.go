package events

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
)

// What a thing does decides what is to become of it.
type manner int

const (
	noise   manner = iota // Events that nobody is told of: they go to the sinks of everything
	counted               // Events that are one incident, which ends with the test: how many there were is in its message
	ailing                // a pod that is killed for its memory again and again until somebody mends it: an incident that is resolved
)

// thing is what happens again and again to one object of one cluster.
type thing struct {
	manner  manner
	name    string
	cluster int
	lane    int // of its cluster; what happens in a lane happens one after the other
	times   int // that it is to happen
}

// step is one thing happening.
type step struct {
	of    *thing
	nth   int // of the thing, from 1
	place int // in the whole plan: what happens at 500 a second in this order
}

// id names what happened in everything that is told of it.
func (s *step) id() string { return fmt.Sprintf("%s-n%04d", s.of.name, s.nth) }

const (
	clusters = 3
	lanes    = 4 // of each cluster
	pace     = 500
	// A thing that is killed for its memory is killed at most once in a second: Kubernetes writes no finer time.
	between = pace * 5 / 4
)

// plan is what is to happen, drawn from a seed.
type plan struct {
	things []*thing
	steps  []step
}

// draw plans so many events. One thing of fifty is an incident that counts, one of a hundred and sixty events is the
// begin of one that is resolved.
func draw(r *rand.Rand, events int) *plan {
	p := &plan{}
	add := func(m manner, name string, n int) (out []*thing) {
		for i := range n {
			t := &thing{manner: m, name: fmt.Sprintf("%s%d", name, i), cluster: i % clusters, lane: r.IntN(lanes)}
			p.things, out = append(p.things, t), append(out, t)
		}
		return out
	}
	quiet, loud, ill := add(noise, "quiet", max(10, events/40)), add(counted, "loud", max(3, events/500)), add(ailing, "ill", max(3, events/160))
	taken := map[int]*thing{}
	for _, t := range ill {
		first := r.IntN(max(1, events*6/10))
		for range 2 + r.IntN(5) {
			for taken[first] != nil {
				first++
			}
			if first >= events {
				break
			}
			taken[first] = t
			first += between + r.IntN(between/2)
		}
	}
	for place := range events {
		t := taken[place]
		switch {
		case t != nil:
		case r.IntN(5) == 0:
			t = loud[r.IntN(len(loud))]
		default:
			t = quiet[r.IntN(len(quiet))]
		}
		t.times++
		p.steps = append(p.steps, step{of: t, nth: t.times, place: place})
	}
	p.things = slices.DeleteFunc(p.things, func(t *thing) bool { return t.times == 0 })
	return p
}

// lane returns what happens in a lane, in its order.
func (p *plan) lane(cluster, lane int) (out []step) {
	for _, s := range p.steps {
		if s.of.cluster == cluster && s.of.lane == lane {
			out = append(out, s)
		}
	}
	return out
}

// count is how many things there are of a manner.
func (p *plan) count(m manner) (n int) {
	for _, t := range p.things {
		if t.manner == m {
			n++
		}
	}
	return n
}

// wave is harm of one kind: what it is, and how long after the one before.
type wave struct {
	kind  string
	after float64 // seconds
	which uint64  // chooses among those that are there
}

// drawWaves plans so many kinds of harm; gaps are in seconds.
func drawWaves(r *rand.Rand, n int, kinds []string, least, most float64) (out []wave) {
	for i := range n {
		out = append(out, wave{kind: kinds[i%len(kinds)], after: least + (most-least)*r.Float64(), which: r.Uint64()})
	}
	r.Shuffle(n, func(a, b int) { out[a].kind, out[b].kind = out[b].kind, out[a].kind })
	return out
}

// percentile of what is sorted here.
func percentile[T cmp.Ordered](all []T, p int) (v T) {
	if len(all) == 0 {
		return v
	}
	slices.Sort(all)
	return all[min(len(all)-1, len(all)*p/100)]
}
