package point

import (
	"math/rand/v2"
	"slices"
)

// atOnce is how many spots are wanted at a time. With one, ferry would run for
// seconds until it comes there; with all, the first that comes would always win.
const atOnce = 12

// deck is where the draws come from: all spots in an order that the seed decides,
// and again when they have all been drawn.
type deck struct {
	rand  *rand.Rand
	spots []Spot
	left  []Spot
}

func newDeck(r *rand.Rand, spots []Spot) *deck { return &deck{rand: r, spots: spots} }

// draw takes the next one that is not among those that are wanted already.
func (d *deck) draw(wanted []Spot) (Spot, bool) {
	for range 2 {
		for i, s := range d.left {
			if !slices.Contains(wanted, s) {
				d.left = slices.Delete(d.left, i, i+1)
				return s, true
			}
		}
		again := slices.Clone(d.spots)
		d.rand.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		d.left = append(d.left, again...)
	}
	return Spot{}, false
}
