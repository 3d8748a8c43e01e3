// Package point knows where ferry can be killed: the table of docs/effects.md
// (table.go), how requests and transactions name themselves in its terms (names.go),
// which of its points are drawn and what came of that (draw.go, tally.go), and whoever
// stands there and kills (killer.go). It serves the emulated worlds of playground/chaos
// and the real clusters of e2e alike.
//
// A spot is one side of a point. Draws are a shuffled deck of all spots that the seed
// decides; some of them are wanted at a time, and the first that ferry comes to ends
// it. So rare ones stay wanted until they come, and each comes as often as any other.
package point

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Row is one effect of docs/effects.md.
type Row struct {
	Effect string
	Points []string
	// Why there is nothing to kill at, for a row without points: what its column says
	// after "none:".
	Why string
	// Rare: whether it is met is chance, as its column says with "rare:". Nobody has to
	// be killed there.
	Rare bool
}

// Table is that of docs/effects.md.
type Table struct{ Rows []Row }

var code = regexp.MustCompile("`([^`]+)`")

// Read reads the column "point" of the first table that has one.
func Read(file string) (*Table, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the effects: %w", err)
	}
	t, column := &Table{}, -1
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
			r := Row{Effect: strings.TrimSpace(cells[0])}
			for _, m := range code.FindAllStringSubmatch(cells[column], -1) {
				r.Points = append(r.Points, m[1])
			}
			r.Rare = strings.HasPrefix(strings.TrimSpace(cells[column]), "rare: ")
			if len(r.Points) == 0 {
				why, ok := strings.CutPrefix(strings.TrimSpace(cells[column]), "none: ")
				if r.Why = why; !ok || why == "" {
					return nil, fmt.Errorf("%s: %q has neither a point nor \"none: \" and a reason", file, r.Effect)
				}
			}
			t.Rows = append(t.Rows, r)
		}
	}
	if column < 0 || len(t.Rows) == 0 {
		return nil, fmt.Errorf("%s has no table with a column \"point\"", file)
	}
	return t, nil
}

// Spots are both sides of each point that keep keeps, in the order of the table.
// Where effects share a point it is there once.
func (t *Table) Spots(keep func(point string) bool) (out []Spot) {
	for _, r := range t.Rows {
		for _, p := range r.Points {
			if s := (Spot{p, false}); keep(p) && !slices.Contains(out, s) {
				out = append(out, s, Spot{p, true})
			}
		}
	}
	return out
}

// Spot is one side of a point.
type Spot struct {
	Point string
	After bool
}

func (s Spot) String() string {
	if s.After {
		return "after " + s.Point
	}
	return "before " + s.Point
}
