package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Keys of the lines that were handed to plugins.
const (
	lineRow   = "line/row/"   // + key → the row
	lineBegun = "line/begun/" // + time/key → key, for forgetting
)

// rememberLine is how long it is known that a line was begun: as long as messages
// are, and so for longer than anything that asks for it comes again.
const rememberLine = rememberSent

// Lines remembers which command lines were begun, and how they ended.
type Lines struct {
	kv  KV
	now func() time.Time
}

// NewLines returns the lines in a store.
func NewLines(kv KV, now func() time.Time) *Lines { return &Lines{kv: kv, now: now} }

// line is a row.
type line struct {
	Begun time.Time       `json:"begun"`
	Ended json.RawMessage `json:"ended,omitempty"` // how; none while nobody knows
}

// Begin notes that the line of a key is begun, durably on return. If it was begun
// before, fresh is false and nothing is written; ended is then what End was given,
// nil if that never came. Otherwise ready is called first, however long it takes: its
// error is returned, and nothing is written then either.
func (l *Lines) Begin(ctx context.Context, key string, ready func() error) (fresh bool, ended []byte, err error) {
	if known, ended, err := l.look(ctx, key); err != nil || known {
		return false, ended, err
	}
	if err := ready(); err != nil {
		return false, nil, err
	}
	now := l.now()
	row, err := json.Marshal(line{Begun: now})
	if err != nil {
		return false, nil, fmt.Errorf("encode line %s: %w", key, err)
	}
	t := Txn{
		If:  []Compare{{Key: lineRow + key}},
		Put: []Put{{Key: lineRow + key, Value: row}, {Key: lineBegun + stamp(now) + "/" + key, Value: []byte(key)}},
	}
	// Each line that begins makes room for itself, as envelopes do.
	old, err := expired(ctx, l.kv, lineBegun, now.Add(-rememberLine))
	if err != nil {
		return false, nil, err
	}
	for _, o := range old {
		if t.Delete = append(t.Delete, o.Key); string(o.Value) != key {
			t.Delete = append(t.Delete, lineRow+string(o.Value))
		}
	}
	switch _, err = l.kv.Commit(ctx, t); {
	case err == nil:
		return true, nil, nil
	case !errors.Is(err, ErrConflict):
		return false, nil, fmt.Errorf("note that line %s begins: %w", key, err)
	}
	known, ended, err := l.look(ctx, key)
	if err == nil && !known {
		err = fmt.Errorf("read line %s: it is there and is not", key)
	}
	return false, ended, err
}

// look reads how the line of a key ended, nil if that is not known.
func (l *Lines) look(ctx context.Context, key string) (known bool, ended []byte, err error) {
	e, ok, err := l.kv.Get(ctx, lineRow+key)
	if err != nil {
		return false, nil, fmt.Errorf("read line %s: %w", key, err)
	}
	if !ok {
		return false, nil, nil
	}
	var row line
	if err := json.Unmarshal(e.Value, &row); err != nil {
		return false, nil, fmt.Errorf("decode line %s: %w", key, err)
	}
	return true, row.Ended, nil
}

// Known tells whether the line of a key was begun.
func (l *Lines) Known(ctx context.Context, key string) (bool, error) {
	_, ok, err := l.kv.Get(ctx, lineRow+key)
	return ok, err
}

// End notes how the line of a key ended, JSON. One that is not known was forgotten.
func (l *Lines) End(ctx context.Context, key string, how []byte) error {
	e, ok, err := l.kv.Get(ctx, lineRow+key)
	if err != nil || !ok {
		return err
	}
	var known line
	if err := json.Unmarshal(e.Value, &known); err != nil {
		return fmt.Errorf("decode line %s: %w", key, err)
	}
	known.Ended = how
	row, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("encode line %s: %w", key, err)
	}
	if _, err := l.kv.Commit(ctx, Txn{If: []Compare{{Key: lineRow + key, Revision: e.Revision}}, Put: []Put{{Key: lineRow + key, Value: row}}}); err != nil {
		return fmt.Errorf("note how line %s ended: %w", key, err)
	}
	return nil
}

// Forget takes back that a line was begun: nothing of it was done.
func (l *Lines) Forget(ctx context.Context, key string) error {
	if _, err := l.kv.Commit(ctx, Txn{Delete: []string{lineRow + key}}); err != nil {
		return fmt.Errorf("forget line %s: %w", key, err)
	}
	return nil
}
