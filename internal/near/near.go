// Package near finds the names that somebody may have meant. It is a leaf with
// behaviour, because a person who mistypes a command, a configuration key or an
// app deserves the same help in every room.
package near

import (
	"cmp"
	"slices"
	"strings"
)

// Names returns at most n of the known names that are close to what was
// written, the closest first. Close means: equal but for case, one a part of
// the other, or few edits apart (a third of the length, rounded up).
func Names(written string, known []string, n int) []string {
	type candidate struct {
		name string
		cost int
	}
	w := strings.ToLower(written)
	limit := (len(w) + 2) / 3
	var found []candidate
	for _, name := range known {
		k := strings.ToLower(name)
		cost := Distance(w, k)
		if cost > limit && len(w) >= 3 && len(k) >= 3 && (strings.Contains(k, w) || strings.Contains(w, k)) {
			cost = limit
		}
		if cost <= limit {
			found = append(found, candidate{name, cost})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	out := make([]string, 0, min(n, len(found)))
	for _, c := range found[:min(n, len(found))] {
		out = append(out, c.name)
	}
	return out
}

// Distance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b (optimal string alignment over bytes).
func Distance(a, b string) int {
	width := len(b) + 1
	before, above, row := make([]int, width), make([]int, width), make([]int, width)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above, row = above, row, before
	}
	return above[len(b)]
}
