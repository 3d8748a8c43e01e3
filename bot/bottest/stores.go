// Package bottest has what tests of the bot and of what uses it need: stores in
// memory that keep the contracts of inbox.Journal and outbox.Store, and a small
// Slack. The stores survive a Bot, so that a test can "kill" one and start the
// next on the same state.
package bottest

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Journal is an inbox.Journal in memory. The zero value is empty.
type Journal struct {
	mu   sync.Mutex
	rows []journalRow
	// Fail, if set, is asked before each Append; its error is returned.
	Fail func(key string) error
	// Slow is how long an Append takes.
	Slow time.Duration
}

type journalRow struct {
	key  string
	at   time.Time
	raw  []byte
	done bool
}

// Append implements inbox.Journal.
func (j *Journal) Append(_ context.Context, key string, at time.Time, raw []byte) (bool, error) {
	time.Sleep(j.Slow)
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.Fail != nil {
		if err := j.Fail(key); err != nil {
			return false, err
		}
	}
	if slices.ContainsFunc(j.rows, func(r journalRow) bool { return r.key == key }) {
		return false, nil
	}
	j.rows = append(j.rows, journalRow{key: key, at: at, raw: slices.Clone(raw)})
	return true, nil
}

// Pending implements inbox.Journal.
func (j *Journal) Pending(_ context.Context, fn func(string, time.Time, []byte) bool) error {
	j.mu.Lock()
	rows := slices.Clone(j.rows)
	j.mu.Unlock()
	for _, r := range rows {
		if !r.done && !fn(r.key, r.at, r.raw) {
			return nil
		}
	}
	return nil
}

// Done implements inbox.Journal.
func (j *Journal) Done(_ context.Context, key string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for i := range j.rows {
		if j.rows[i].key == key {
			j.rows[i].done = true
		}
	}
	return nil
}

// Keys returns the keys in order, those that are done and those that are not.
func (j *Journal) Keys() (done, pending []string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.rows {
		if r.done {
			done = append(done, r.key)
		} else {
			pending = append(pending, r.key)
		}
	}
	return done, pending
}

// Outbox is an outbox.Store in memory. The zero value is empty.
type Outbox struct {
	mu   sync.Mutex
	rows map[string]outboxRow
}

type outboxRow struct {
	row  []byte
	open bool
}

// Load implements outbox.Store.
func (o *Outbox) Load(_ context.Context, key string) ([]byte, bool, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r, ok := o.rows[key]
	return slices.Clone(r.row), ok, nil
}

// Save implements outbox.Store.
func (o *Outbox) Save(_ context.Context, key string, row []byte, open bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.rows == nil {
		o.rows = map[string]outboxRow{}
	}
	o.rows[key] = outboxRow{slices.Clone(row), open}
	return nil
}

// Open implements outbox.Store.
func (o *Outbox) Open(_ context.Context, fn func(string, []byte) bool) error {
	o.mu.Lock()
	rows := make(map[string][]byte)
	for key, r := range o.rows {
		if r.open {
			rows[key] = slices.Clone(r.row)
		}
	}
	o.mu.Unlock()
	for key, row := range rows {
		if !fn(key, row) {
			return nil
		}
	}
	return nil
}
