package point

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
)

// Tally counts what was met and where ferry was killed, for all worlds. It is safe
// for concurrent use.
type Tally struct {
	table *Table
	mu    sync.Mutex
	kills map[Spot]int
	seen  map[string]int
	stray map[string]bool
	// drawn are kills at a spot that was wanted, nearby at another one because none
	// of those came, random at any moment.
	drawn, nearby, random int
}

// NewTally counts for a table.
func NewTally(t *Table) *Tally {
	y := &Tally{table: t, kills: map[Spot]int{}, seen: map[string]int{}, stray: map[string]bool{}}
	for _, s := range t.Spots(func(string) bool { return true }) {
		y.kills[s] = 0
	}
	return y
}

// Meet notes that a point was reached, whether or not anybody is killed there.
func (y *Tally) Meet(point string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.seen[point]++
	if _, ok := y.kills[Spot{point, false}]; !ok {
		y.stray[point] = true
	}
}

// odds are those of a kill at a spot that would do: below 1 where ferry comes often,
// so that not only the first one of its kind is met, and where it was not wanted and
// somebody was killed before.
func (y *Tally) odds(s Spot, wanted bool) float64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	n, known := y.kills[s]
	if !known {
		return 0
	}
	visits := float64(y.seen[s.Point]) / float64(y.drawn+y.nearby+y.random+1) // for each kill
	odds := min(1, max(0.1, 2/max(visits, 1)))
	if !wanted {
		odds /= float64(n + 1)
	}
	return odds
}

// struck reports whether somebody was killed at a spot.
func (y *Tally) struck(s Spot) bool {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.kills[s] > 0
}

func (y *Tally) killed(s Spot, wanted bool) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.kills[s]++
	if wanted {
		y.drawn++
	} else {
		y.nearby++
	}
}

// atRandom notes a kill at no point in particular.
func (y *Tally) atRandom() {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.random++
}

// Unknown is an error if something happened that the table does not have.
func (y *Tally) Unknown() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.stray) == 0 {
		return nil
	}
	return fmt.Errorf("these effects have no row in docs/effects.md: %s", strings.Join(slices.Sorted(maps.Keys(y.stray)), ", "))
}

// Complete is an error if a row has points and nobody was killed at any; with each,
// if nobody was killed on one side of any point. What is rare may be missing.
func (y *Tally) Complete(each bool) error {
	y.mu.Lock()
	defer y.mu.Unlock()
	var errs []error
	for _, r := range y.table.Rows {
		n := 0
		for _, p := range r.Points {
			n += y.kills[Spot{p, false}] + y.kills[Spot{p, true}]
		}
		if n == 0 && r.Why == "" && !r.Rare {
			errs = append(errs, fmt.Errorf("nobody was killed at any point of this row: %s (%s)", r.Effect, strings.Join(r.Points, ", ")))
		}
	}
	rare := func(point string) bool {
		return slices.ContainsFunc(y.table.Rows, func(r Row) bool { return r.Rare && slices.Contains(r.Points, point) })
	}
	for _, s := range y.table.Spots(func(point string) bool { return each && !rare(point) }) {
		if y.kills[s] == 0 {
			errs = append(errs, fmt.Errorf("nobody was killed %s", s))
		}
	}
	return errors.Join(errs...)
}

// Report tells how many kills there were where.
func (y *Tally) Report(out io.Writer) {
	y.mu.Lock()
	defer y.mu.Unlock()
	fmt.Fprintf(out, "%-44s %8s %8s %8s\n", "point", "met", "before", "after")
	told := map[string]bool{}
	for _, r := range y.table.Rows {
		for _, p := range r.Points {
			if !told[p] {
				fmt.Fprintf(out, "%-44s %8d %8d %8d\n", p, y.seen[p], y.kills[Spot{p, false}], y.kills[Spot{p, true}])
			}
			told[p] = true
		}
	}
	all := y.drawn + y.nearby + y.random
	fmt.Fprintf(out, "%d kills: %d at a drawn point, %d at another point, %d (%d%%) at random moments\n",
		all, y.drawn, y.nearby, y.random, 100*y.random/max(1, all))
}
