package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// row is one effect of docs/effects.md.
type row struct {
	effect string
	points []string
	// why there is nothing to kill at, for a row without points: what its column
	// says in brackets.
	why string
}

// table is that of docs/effects.md.
type table struct{ rows []row }

var code = regexp.MustCompile("`([^`]+)`")

// readTable reads the column "point" of the first table that has one.
func readTable(file string) (*table, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the effects: %w", err)
	}
	t, column := &table{}, -1
	for line := range strings.Lines(string(raw)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		switch {
		case !strings.HasPrefix(line, "|"):
			if column >= 0 {
				return t, nil
			}
		case column < 0:
			column = slices.IndexFunc(cells, func(c string) bool { return strings.TrimSpace(c) == "point" })
		case strings.HasPrefix(line, "|-"):
		case column >= len(cells):
			return nil, fmt.Errorf("%s: a row has no point: %s", file, line)
		default:
			r := row{effect: strings.TrimSpace(cells[0])}
			for _, m := range code.FindAllStringSubmatch(cells[column], -1) {
				r.points = append(r.points, m[1])
			}
			if len(r.points) == 0 {
				why, ok := strings.CutPrefix(strings.TrimSpace(cells[column]), "none: ")
				if r.why = why; !ok || why == "" {
					return nil, fmt.Errorf("%s: %q has neither a point nor \"none: \" and a reason", file, r.effect)
				}
			}
			t.rows = append(t.rows, r)
		}
	}
	if column < 0 || len(t.rows) == 0 {
		return nil, fmt.Errorf("%s has no table with a column \"point\"", file)
	}
	return t, nil
}

// spot is one side of a point.
type spot struct {
	point string
	after bool
}

func (s spot) String() string {
	if s.after {
		return s.point + " after"
	}
	return s.point + " before"
}

// tally counts, for all worlds.
type tally struct {
	table *table
	mu    sync.Mutex
	kills map[spot]int
	blind int // kills at random moments
	seen  map[string]int
	stray map[string]bool
	found map[string]int // outcomes
	asked map[string]int // kinds of commands
	fails map[string]int // failures of GitHub and Slack, by kind
	took  []time.Duration
}

func newTally(t *table) *tally {
	y := &tally{
		table: t, kills: map[spot]int{}, seen: map[string]int{}, stray: map[string]bool{},
		found: map[string]int{}, asked: map[string]int{}, fails: map[string]int{},
	}
	for _, r := range t.rows {
		for _, p := range r.points {
			y.kills[spot{p, false}], y.kills[spot{p, true}] = 0, 0
		}
	}
	return y
}

// meet notes that a point was reached, whether or not anybody is killed there.
func (y *tally) meet(point string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.seen[point]++
	if _, ok := y.kills[spot{point, false}]; !ok {
		y.stray[point] = true
	}
}

// odds are those of a kill at a spot: the more often somebody was killed there
// than elsewhere, the worse. Reading happens all the time.
func (y *tally) odds(s spot) float64 {
	y.mu.Lock()
	defer y.mu.Unlock()
	n, known := y.kills[s]
	if !known {
		return 0
	}
	least := n
	for other, k := range y.kills {
		if y.seen[other.point] > 0 {
			least = min(least, k)
		}
	}
	odds := math.Pow(0.03, float64(n-least))
	if s.point == reading {
		odds /= 20
	}
	return odds
}

func (y *tally) killed(s *spot) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if s == nil {
		y.blind++
	} else {
		y.kills[*s]++
	}
}

func (y *tally) ended(asked, outcome string, took time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.asked[asked]++
	y.found[outcome]++
	y.took = append(y.took, took)
}

func (y *tally) failed(kind string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.fails[kind]++
}

// unknown is an error if something happened that the table does not have.
func (y *tally) unknown() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.stray) == 0 {
		return nil
	}
	return fmt.Errorf("these effects have no row in docs/effects.md: %s", strings.Join(slices.Sorted(maps.Keys(y.stray)), ", "))
}

// complete is an error if a row has points and nobody was killed at any.
func (y *tally) complete() error {
	y.mu.Lock()
	defer y.mu.Unlock()
	var errs []error
	for _, r := range y.table.rows {
		n := 0
		for _, p := range r.points {
			n += y.kills[spot{p, false}] + y.kills[spot{p, true}]
		}
		if n == 0 && r.why == "" {
			errs = append(errs, fmt.Errorf("no point of this row was met: %s (%s)", r.effect, strings.Join(r.points, ", ")))
		}
	}
	return errors.Join(errs...)
}

func (y *tally) report(out io.Writer, mode string, took time.Duration) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if mode == modeKill {
		fmt.Fprintf(out, "%-44s %8s %8s %8s\n", "point", "met", "before", "after")
		for _, r := range y.table.rows {
			for _, p := range r.points {
				fmt.Fprintf(out, "%-44s %8d %8d %8d\n", p, y.seen[p], y.kills[spot{p, false}], y.kills[spot{p, true}])
			}
		}
		fmt.Fprintf(out, "%-44s %8s %8d\n", "random moments", "", y.blind)
	}
	for _, kind := range slices.Sorted(maps.Keys(y.asked)) {
		fmt.Fprintf(out, "%-60s %4d\n", "asked: "+kind, y.asked[kind])
	}
	for _, kind := range slices.Sorted(maps.Keys(y.fails)) {
		fmt.Fprintf(out, "%-44s %8d\n", kind, y.fails[kind])
	}
	var outcomes []string
	for _, o := range slices.Sorted(maps.Keys(y.found)) {
		outcomes = append(outcomes, fmt.Sprintf("%d %s", y.found[o], o))
	}
	slices.Sort(y.took)
	if n := len(y.took); n > 0 {
		fmt.Fprintf(out, "asked to answered: half within %s, 99%% within %s, all within %s\n",
			y.took[n/2].Round(100*time.Millisecond), y.took[n*99/100].Round(100*time.Millisecond), y.took[n-1].Round(100*time.Millisecond))
	}
	fmt.Fprintf(out, "%s in %s\n", strings.Join(outcomes, ", "), took.Round(time.Second))
}
