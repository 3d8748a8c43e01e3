package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"ferry/internal/job"
)

// Keys of the audit trail.
const (
	auditRow  = "audit/row/"  // + sequence number → the entry
	auditOnce = "audit/once/" // + key of the entry → sequence number
	auditHead = "audit/head"  // → the latest entry's number and hash
)

// Trail is the audit trail: entries are only ever added, each with the hash of
// the one before it. What a typed store writes and tells of, it writes in one
// transaction.
type Trail struct {
	kv   KV
	now  func() time.Time
	turn sync.Mutex // those of one process do not race each other for the head
}

// NewTrail returns the audit trail in a store.
func NewTrail(kv KV, now func() time.Time) *Trail { return &Trail{kv: kv, now: now} }

// head is where the trail ends.
type head struct {
	Seq  uint64 `json:"seq"`
	Hash string `json:"hash"`
}

// Add writes entries that come with no other change of the store. Number, time
// and hashes are the trail's to give; an entry whose key is there is left out.
func (t *Trail) Add(ctx context.Context, entries ...job.Entry) error {
	if _, err := t.commit(ctx, Txn{}, entries); err != nil {
		return fmt.Errorf("write audit trail: %w", err)
	}
	return nil
}

// With writes a transaction of somebody else's, and what is to be told of it, both or
// neither. The error is ErrConflict if a compare of the transaction did not hold.
func (t *Trail) With(ctx context.Context, txn Txn, entries ...job.Entry) (uint64, error) {
	return t.commit(ctx, txn, entries)
}

// commit writes a transaction and what is to be told of it, both or neither. The
// error is ErrConflict only if a compare of the transaction itself did not hold.
func (t *Trail) commit(ctx context.Context, txn Txn, entries []job.Entry) (uint64, error) {
	if len(entries) == 0 {
		return t.kv.Commit(ctx, txn)
	}
	t.turn.Lock()
	defer t.turn.Unlock()
	for {
		whole, last, err := t.with(ctx, txn, entries)
		if err != nil {
			return 0, err
		}
		if len(whole.Put)+len(whole.Delete) == 0 {
			return 0, nil
		}
		rev, err := t.kv.Commit(ctx, whole)
		if !errors.Is(err, ErrConflict) {
			return rev, err
		}
		now, _, gerr := t.kv.Get(ctx, auditHead)
		if gerr != nil || now.Revision == last {
			return 0, errors.Join(err, gerr)
		}
	}
}

// with adds entries to a transaction; last is the revision of the head that they
// follow.
func (t *Trail) with(ctx context.Context, txn Txn, entries []job.Entry) (whole Txn, last uint64, err error) {
	end, h, err := readHead(ctx, t.kv)
	if err != nil {
		return whole, 0, err
	}
	whole = Txn{If: append([]Compare(nil), txn.If...), Put: append([]Put(nil), txn.Put...), Delete: txn.Delete}
	begun, told := h.Seq, map[string]bool{}
	for _, e := range entries {
		if e.Key != "" {
			_, there, err := t.kv.Get(ctx, auditOnce+e.Key)
			if err != nil {
				return whole, 0, err
			}
			if there || told[e.Key] {
				continue
			}
			told[e.Key] = true
			whole.Put = append(whole.Put, Put{Key: auditOnce + e.Key, Value: []byte(auditKey(h.Seq + 1))})
		}
		e.Seq, e.Prev = h.Seq+1, h.Hash
		if e.At.IsZero() {
			e.At = t.now()
		}
		e.At = e.At.UTC()
		row, hash, err := seal(e)
		if err != nil {
			return whole, 0, err
		}
		h = head{e.Seq, hash}
		whole.Put = append(whole.Put, Put{Key: auditKey(e.Seq), Value: row})
	}
	if h.Seq == begun {
		return whole, end.Revision, nil
	}
	row, err := json.Marshal(h)
	if err != nil {
		return whole, 0, fmt.Errorf("encode head of the audit trail: %w", err)
	}
	whole.If = append(whole.If, Compare{Key: auditHead, Revision: end.Revision})
	whole.Put = append(whole.Put, Put{Key: auditHead, Value: row})
	return whole, end.Revision, nil
}

func readHead(ctx context.Context, kv KV) (e Entry, h head, err error) {
	e, ok, err := kv.Get(ctx, auditHead)
	if err != nil || !ok {
		return e, h, err
	}
	if err := json.Unmarshal(e.Value, &h); err != nil {
		return e, h, fmt.Errorf("decode head of the audit trail: %w", err)
	}
	return e, h, nil
}

func auditKey(seq uint64) string { return fmt.Sprintf("%s%016x", auditRow, seq) }

// seal encodes an entry with the hash of all of it, as it will be read again:
// what is no valid text does not come back as it was.
func seal(e job.Entry) (row []byte, hash string, err error) {
	if row, err = json.Marshal(e); err == nil {
		err = json.Unmarshal(row, &e)
	}
	if err != nil {
		return nil, "", fmt.Errorf("encode entry of the audit trail: %w", err)
	}
	if hash, err = hashOf(e); err != nil {
		return nil, "", err
	}
	e.Hash = hash
	if row, err = json.Marshal(e); err != nil {
		return nil, "", fmt.Errorf("encode entry of the audit trail: %w", err)
	}
	return row, hash, nil
}

func hashOf(e job.Entry) (string, error) {
	e.Hash = ""
	row, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode entry of the audit trail: %w", err)
	}
	sum := sha256.Sum256(row)
	return hex.EncodeToString(sum[:]), nil
}

// Each calls fn with the entries, the oldest first, until it returns false.
func (t *Trail) Each(ctx context.Context, fn func(job.Entry) (more bool)) error {
	return scan(ctx, t.kv, auditRow, func(row Entry) (bool, error) {
		var e job.Entry
		if err := json.Unmarshal(row.Value, &e); err != nil {
			return false, fmt.Errorf("decode %s: %w", row.Key, err)
		}
		return fn(e), nil
	})
}

// scan calls fn with all rows of a prefix in the order of their keys.
func scan(ctx context.Context, kv KV, prefix string, fn func(Entry) (more bool, err error)) error {
	for after := ""; ; {
		page, err := kv.Scan(ctx, Scan{Prefix: prefix, After: after})
		if err != nil || len(page) == 0 {
			return err
		}
		for _, e := range page {
			if more, err := fn(e); err != nil || !more {
				return err
			}
		}
		after = page[len(page)-1].Key
	}
}

// broken says where the chain of hashes does not hold, if it does not. The
// oldest entry that is kept is where it begins.
func (t *Trail) broken(ctx context.Context) (says string, err error) {
	_, end, err := readHead(ctx, t.kv)
	if err != nil {
		return "", err
	}
	var last job.Entry
	err = t.Each(ctx, func(e job.Entry) bool {
		hash, herr := hashOf(e)
		switch {
		case herr != nil:
			err = herr
		case hash != e.Hash:
			says = fmt.Sprintf("entry %d of the audit trail was changed after it was written", e.Seq)
		case last.Seq != 0 && e.Seq == last.Seq+1 && e.Prev != last.Hash:
			says = fmt.Sprintf("entries %d and %d of the audit trail do not follow each other: one was replaced", last.Seq, e.Seq)
		case last.Seq != 0 && e.Seq != last.Seq+1:
			says = fmt.Sprintf("entries are missing from the audit trail between %d and %d", last.Seq, e.Seq)
		}
		last = e
		return says == ""
	})
	if err == nil && says == "" && (last.Seq != end.Seq || last.Hash != end.Hash) {
		says = fmt.Sprintf("entries are missing from the end of the audit trail: it ends at %d, not at %d", last.Seq, end.Seq)
	}
	return says, err
}
