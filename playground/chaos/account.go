package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/playground/chaos/point"
)

// account is what all worlds found. It is safe for concurrent use.
type account struct {
	table *point.Table
	kills *point.Tally

	mu    sync.Mutex
	found map[string]int // outcomes
	asked map[string]int // kinds of commands
	fails map[string]int // failures of GitHub and Slack, by kind
	took  []time.Duration
}

func newAccount(t *point.Table) *account {
	return &account{table: t, kills: point.NewTally(t), found: map[string]int{}, asked: map[string]int{}, fails: map[string]int{}}
}

func (a *account) ended(asked, outcome string, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[asked]++
	a.found[outcome]++
	a.took = append(a.took, took)
}

func (a *account) failed(kind string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fails[kind]++
}

func (a *account) report(out io.Writer, mode string, took time.Duration) {
	if mode == modeKill {
		a.kills.Report(out)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(a.asked)) {
		fmt.Fprintf(out, "%-60s %4d\n", "asked: "+kind, a.asked[kind])
	}
	for _, kind := range slices.Sorted(maps.Keys(a.fails)) {
		fmt.Fprintf(out, "%-44s %8d\n", kind, a.fails[kind])
	}
	var outcomes []string
	for _, o := range slices.Sorted(maps.Keys(a.found)) {
		outcomes = append(outcomes, fmt.Sprintf("%d %s", a.found[o], o))
	}
	if n := len(a.took); n > 0 {
		slices.Sort(a.took)
		within := func(i int) time.Duration { return a.took[i].Round(100 * time.Millisecond) }
		fmt.Fprintf(out, "asked to answered: half within %s, 99%% within %s, all within %s\n", within(n/2), within(n*99/100), within(n-1))
	}
	fmt.Fprintf(out, "%s in %s\n", strings.Join(outcomes, ", "), took.Round(time.Second))
}
