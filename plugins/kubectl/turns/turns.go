// Package turns bounds how much a process does at once for all the lines that it runs.
// Each line brings the bound that its own configuration names and holds it against
// what all of them do, so that no line's bound holds for another's.
package turns

import (
	"context"
	"sync"
)

// Turns are those that are taken. The zero value is ready; its methods may be called
// from several goroutines.
type Turns struct {
	mu      sync.Mutex
	busy    int
	changed chan struct{} // closed when one is given back; nil if nobody waits
}

// Take waits until fewer than most are taken, and takes one. Whoever has it gives it
// back once. Its error is that of ctx.
func (t *Turns) Take(ctx context.Context, most int) (back func(), err error) {
	for {
		free, changed := t.try(most)
		if free {
			return t.back, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (t *Turns) try(most int) (free bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busy < most {
		t.busy++
		return true, nil
	}
	if t.changed == nil {
		t.changed = make(chan struct{})
	}
	return false, t.changed
}

func (t *Turns) back() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy--
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}
