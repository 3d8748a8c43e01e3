package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Keys of the journal.
const (
	journalPending = "journal/pending/" // + time/key → the envelope
	journalKnown   = "journal/known/"   // + key → key of the pending row, "" once done
	journalDone    = "journal/done/"    // + time/key → key, for forgetting
)

// rememberDone is how long the key of a decided envelope is known. Slack
// delivers again for some minutes; a day outlasts every outage it retries over.
const rememberDone = 24 * time.Hour

// Journal keeps envelopes from the moment they arrive until they are decided.
type Journal struct {
	kv  KV
	now func() time.Time
}

// NewJournal returns the journal in a store.
func NewJournal(kv KV, now func() time.Time) *Journal { return &Journal{kv: kv, now: now} }

// envelope is a pending row.
type envelope struct {
	Key string    `json:"key"`
	At  time.Time `json:"at"`
	Raw []byte    `json:"raw"`
}

// Append stores an envelope that arrived then under its key unless the key is known, pending or
// done; fresh tells whether it was stored. It is durable on return.
func (j *Journal) Append(ctx context.Context, key string, at time.Time, raw []byte) (fresh bool, err error) {
	row, err := json.Marshal(envelope{Key: key, At: at, Raw: raw})
	if err != nil {
		return false, fmt.Errorf("encode envelope %s: %w", key, err)
	}
	pending := journalPending + stamp(at) + "/" + key
	_, err = j.kv.Commit(ctx, Txn{
		If:  []Compare{{Key: journalKnown + key}},
		Put: []Put{{Key: pending, Value: row}, {Key: journalKnown + key, Value: []byte(pending)}},
	})
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("journal envelope %s: %w", key, err)
	}
	return true, nil
}

// Pending calls fn with every envelope that is not done, the oldest first,
// until fn returns false. fn may call Append and Done.
func (j *Journal) Pending(ctx context.Context, fn func(key string, at time.Time, raw []byte) (more bool)) error {
	const page = 100
	for after := ""; ; {
		entries, err := j.kv.Scan(ctx, Scan{Prefix: journalPending, After: after, Limit: page})
		if err != nil || len(entries) == 0 {
			return err
		}
		for _, e := range entries {
			var env envelope
			if err := json.Unmarshal(e.Value, &env); err != nil {
				return fmt.Errorf("decode envelope %s: %w", e.Key, err)
			}
			if !fn(env.Key, env.At, env.Raw) {
				return nil
			}
		}
		after = entries[len(entries)-1].Key
	}
}

// Done marks a key as decided: the envelope is forgotten, the key after a day.
// A key that is done or unknown is no error.
func (j *Journal) Done(ctx context.Context, key string) error {
	e, ok, err := j.kv.Get(ctx, journalKnown+key)
	if err != nil || !ok || len(e.Value) == 0 {
		return err
	}
	now := j.now()
	t := Txn{
		If:     []Compare{{Key: journalKnown + key, Revision: e.Revision}},
		Put:    []Put{{Key: journalKnown + key}, {Key: journalDone + stamp(now) + "/" + key, Value: []byte(key)}},
		Delete: []string{string(e.Value)},
	}
	// Each envelope that is decided makes room for itself, so that the journal
	// never needs a sweep.
	old, err := expired(ctx, j.kv, journalDone, now.Add(-rememberDone))
	if err != nil {
		return err
	}
	for _, o := range old {
		t.Delete = append(t.Delete, o.Key, journalKnown+string(o.Value))
	}
	if _, err := j.kv.Commit(ctx, t); err != nil && !errors.Is(err, ErrConflict) {
		return fmt.Errorf("mark envelope %s as done: %w", key, err)
	}
	return nil
}

// expired returns a few entries of an index by time that are older than a
// time; the keys are prefix + stamp + "/" + anything.
func expired(ctx context.Context, kv KV, prefix string, before time.Time) ([]Entry, error) {
	const few = 4
	entries, err := kv.Scan(ctx, Scan{Prefix: prefix, Limit: few})
	if err != nil {
		return nil, err
	}
	edge := stamp(before)
	for i, e := range entries {
		if at, _, _ := strings.Cut(strings.TrimPrefix(e.Key, prefix), "/"); at >= edge {
			return entries[:i], nil
		}
	}
	return entries, nil
}
