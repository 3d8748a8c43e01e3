package pipeline

import (
	"context"
	"time"

	"ferry/plugins/rows"
)

// boarding is how long a position waits for a batch of events to be written with.
const boarding = 200 * time.Millisecond

// ride writes a reader's position with the next batch of events, or soon without one:
// alone it costs as much as a batch. What is read meanwhile is read again if the
// process is killed before.
func (l *Log) ride(ctx context.Context, name string, at Position) error {
	l.mu.Lock()
	l.aboard[name] = at
	l.mu.Unlock()
	return l.hand(ctx, entry{})
}

// save writes a reader's position at once.
func (l *Log) save(ctx context.Context, name string, at Position) error {
	l.carrying.Lock()
	defer l.carrying.Unlock()
	l.mu.Lock()
	delete(l.aboard, name)
	l.mu.Unlock()
	if err := persist(ctx, l.store, rows.Txn{Put: []rows.Row{at.row(name)}}, l.log); err != nil {
		return err
	}
	l.passed(name, at)
	return nil
}

// board takes the positions that go with a batch.
func (l *Log) board() map[string]Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]Position{}
	for name, at := range l.aboard {
		if len(out) < rows.MaxOps/4 {
			out[name] = at
			delete(l.aboard, name)
		}
	}
	return out
}

// waits reports whether an entry is there for the sake of a position alone.
func (e *entry) waits() bool { return e.event == nil && e.cursor == "" && e.done == nil }

// depart waits for what an entry can be written with.
func (l *Log) depart(ctx context.Context, first entry) entry {
	if !first.waits() {
		return first
	}
	timer := time.NewTimer(boarding)
	defer timer.Stop()
	for first.waits() {
		select {
		case first = <-l.in:
		case <-timer.C:
			return first
		case <-ctx.Done():
			return first
		}
	}
	return first
}
