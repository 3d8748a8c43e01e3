package main

import (
	"errors"
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

	mu           sync.Mutex
	found        map[string]int // outcomes
	asked        map[string]int // kinds of commands
	fails        map[string]int // failures of GitHub and Slack, by kind
	took         []time.Duration
	posts, taken int             // of alarms: tries, and those that were answered with 2xx
	first        []time.Duration // until something was said
	// puzzle is how long status messages did not say what they waited for.
	puzzle []time.Duration
	flaws  []error // of the harness itself
}

func newAccount(t *point.Table) *account {
	return &account{table: t, kills: point.NewTally(t), found: map[string]int{}, asked: map[string]int{}, fails: map[string]int{}}
}

func (a *account) ended(c *command, outcome string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked[string(c.kind)]++
	if c.fell {
		outcome += " after it fell over"
	}
	a.found[outcome]++
	a.took = append(a.took, c.answered)
	if c.first > 0 {
		a.first = append(a.first, c.first)
	}
	a.puzzle = append(a.puzzle, c.puzzle)
}

// sounded counts the alarms of an episode.
func (a *account) sounded(alarms []*alarm) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range alarms {
		a.asked[string(one.kind)]++
		a.posts += int(one.posts.Load())
		a.taken += int(one.taken.Load())
	}
}

// flawed notes that the harness could not do what it is for.
func (a *account) flawed(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flaws = append(a.flaws, fmt.Errorf("the harness: %w", err))
}

// flawless is an error if there was such a thing.
func (a *account) flawless() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return errors.Join(a.flaws...)
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
	fmt.Fprintf(out, "alarms were posted %d times, %d times answered with 2xx\n", a.posts, a.taken)
	quantiles(out, "asked to answered", a.took)
	quantiles(out, "asked to the first word", a.first)
	if mode == modeWorst {
		quantiles(out, "a status message that does not say what it waits for", a.puzzle)
	}
	fmt.Fprintf(out, "%s in %s\n", strings.Join(outcomes, ", "), took.Round(time.Second))
}

// quantiles tells how long something took.
func quantiles(out io.Writer, what string, took []time.Duration) {
	if n := len(took); n > 0 {
		slices.Sort(took)
		within := func(i int) time.Duration { return took[i].Round(100 * time.Millisecond) }
		fmt.Fprintf(out, "%s: half within %s, 99%% within %s, all within %s\n", what, within(n/2), within(n*99/100), within(n-1))
	}
}
