package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Keys of the outbox.
const (
	outboxRow  = "outbox/row/"  // + key → the row
	outboxOpen = "outbox/open/" // + key → nothing, while the row is to be sent
	outboxIdle = "outbox/idle/" // + time/key → key, for forgetting
)

// rememberSent is how long a message that needs nothing more is kept: it may be
// edited, and its buttons pressed.
const rememberSent = 7 * 24 * time.Hour

// Outbox keeps messages that are to be shown and what is known of them.
type Outbox struct {
	kv  KV
	now func() time.Time
}

// NewOutbox returns the outbox in a store.
func NewOutbox(kv KV, now func() time.Time) *Outbox { return &Outbox{kv: kv, now: now} }

// wrapped is a stored row: the outbox's own bytes and when they were saved.
type wrapped struct {
	Saved time.Time       `json:"saved"`
	Open  bool            `json:"open,omitempty"`
	Row   json.RawMessage `json:"row"`
}

// Load returns the row of a key; ok is false if there is none.
func (o *Outbox) Load(ctx context.Context, key string) (row []byte, ok bool, err error) {
	w, ok, err := o.load(ctx, key)
	return w.Row, ok, err
}

func (o *Outbox) load(ctx context.Context, key string) (w wrapped, ok bool, err error) {
	e, ok, err := o.kv.Get(ctx, outboxRow+key)
	if err != nil || !ok {
		return w, false, err
	}
	if err := json.Unmarshal(e.Value, &w); err != nil {
		return w, false, fmt.Errorf("decode message %s: %w", key, err)
	}
	return w, true, nil
}

// Save writes the row of a key, JSON. An open row is kept; one that is not is
// kept for a week after its last Save.
func (o *Outbox) Save(ctx context.Context, key string, row []byte, open bool) error {
	now := o.now()
	v, err := json.Marshal(wrapped{Saved: now, Open: open, Row: row})
	if err != nil {
		return fmt.Errorf("encode message %s: %w", key, err)
	}
	t := Txn{Put: []Put{{Key: outboxRow + key, Value: v}}}
	if open {
		t.Put = append(t.Put, Put{Key: outboxOpen + key})
	} else {
		t.Put = append(t.Put, Put{Key: outboxIdle + stamp(now) + "/" + key, Value: []byte(key)})
		t.Delete = []string{outboxOpen + key}
		if err := o.forget(ctx, key, now, &t); err != nil {
			return err
		}
	}
	if _, err := o.kv.Commit(ctx, t); err != nil {
		return fmt.Errorf("save message %s: %w", key, err)
	}
	return nil
}

// forget adds the deletion of a few rows that were idle for long enough. A row
// that was saved again since has a later entry in the index and stays.
func (o *Outbox) forget(ctx context.Context, saving string, now time.Time, t *Txn) error {
	edge := now.Add(-rememberSent)
	old, err := expired(ctx, o.kv, outboxIdle, edge)
	if err != nil {
		return err
	}
	for _, e := range old {
		t.Delete = append(t.Delete, e.Key)
		key := string(e.Value)
		w, ok, err := o.load(ctx, key)
		if err != nil {
			return err
		}
		if ok && !w.Open && key != saving && w.Saved.Before(edge) {
			t.Delete = append(t.Delete, outboxRow+key)
		}
	}
	return nil
}

// Open calls fn with all open rows, in any order, until fn returns false.
func (o *Outbox) Open(ctx context.Context, fn func(key string, row []byte) (more bool)) error {
	const page = 100
	for after := ""; ; {
		entries, err := o.kv.Scan(ctx, Scan{Prefix: outboxOpen, After: after, Limit: page})
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			key := e.Key[len(outboxOpen):]
			w, ok, err := o.load(ctx, key)
			if err != nil {
				return err
			}
			if ok && !fn(key, w.Row) {
				return nil
			}
		}
		after = entries[len(entries)-1].Key
	}
}
