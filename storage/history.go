package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ferry/internal/deploy"
)

// Keys of the history store.
const (
	historyRow  = "history/row/"  // + cluster/namespace/name/time → the record
	historyAll  = "history/all/"  // + time/cluster/namespace/name → key of the record
	historyOnce = "history/once/" // + job/command/version/target → key of the record
)

// History stores what became of versions. Records are only ever added.
type History struct{ kv KV }

// NewHistory returns the history in a store.
func NewHistory(kv KV) *History { return &History{kv: kv} }

// Append adds a record and sets its ID. A record of the same job, command, version
// and target is added once, so that a resumed job may append again.
func (h *History) Append(ctx context.Context, r *deploy.Record) error {
	for r.ID = uint64(r.At.UnixNano()); ; r.ID++ {
		once := fmt.Sprintf("%s%s/%s/%s/%s", historyOnce, r.Job, r.Command, r.Version, r.Target)
		err := h.insert(ctx, r, once)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		if _, there, err := h.kv.Get(ctx, once); err != nil || there {
			return err
		}
	}
}

func (h *History) insert(ctx context.Context, r *deploy.Record, once string) error {
	row, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode record of %s: %w", r.Target, err)
	}
	at := fmt.Sprintf("%016x", r.ID)
	key := historyRow + r.Target.String() + "/" + at
	_, err = h.kv.Commit(ctx, Txn{
		If: []Compare{{Key: once}, {Key: key}},
		Put: []Put{
			{Key: key, Value: row},
			{Key: historyAll + at + "/" + r.Target.String(), Value: []byte(key)},
			{Key: once, Value: []byte(key)},
		},
	})
	if err != nil {
		return fmt.Errorf("append record of %s: %w", r.Target, err)
	}
	return nil
}

// Of calls fn with the records of a target, the newest first, until it returns
// false.
func (h *History) Of(ctx context.Context, t deploy.Target, fn func(deploy.Record) (more bool)) error {
	return h.each(ctx, historyRow+t.String()+"/", func(e Entry) (bool, error) {
		return decode(e, fn)
	})
}

// All calls fn with the records of all targets, the newest first, until it
// returns false.
func (h *History) All(ctx context.Context, fn func(deploy.Record) (more bool)) error {
	return h.indexed(ctx, func(deploy.Target) bool { return true }, fn)
}

// indexed reads the index by time; of what of leaves out, nothing else.
func (h *History) indexed(ctx context.Context, of func(deploy.Target) bool, fn func(deploy.Record) (more bool)) error {
	return h.each(ctx, historyAll, func(e Entry) (bool, error) {
		if !of(targetOf(e.Key)) {
			return true, nil
		}
		row, ok, err := h.kv.Get(ctx, string(e.Value))
		if err != nil || !ok {
			return err == nil, err
		}
		return decode(row, fn)
	})
}

// targetOf reads the target in a key of the index by time.
func targetOf(key string) (t deploy.Target) {
	_, key, _ = strings.Cut(strings.TrimPrefix(key, historyAll), "/")
	cluster, key, _ := strings.Cut(key, "/")
	t.Cluster = deploy.Cluster(cluster)
	t.App.Namespace, t.App.Name, _ = strings.Cut(key, "/")
	return t
}

// each reads pages that grow, since most readers want few and some want all.
func (h *History) each(ctx context.Context, prefix string, fn func(Entry) (bool, error)) error {
	const most = 1024
	page := 32
	for after := ""; ; page = min(2*page, most) {
		entries, err := h.kv.Scan(ctx, Scan{Prefix: prefix, After: after, Limit: page, Reverse: true})
		if err != nil {
			return err
		}
		for _, e := range entries {
			if more, err := fn(e); err != nil || !more {
				return err
			}
		}
		if len(entries) < page {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

func decode(e Entry, fn func(deploy.Record) bool) (bool, error) {
	var r deploy.Record
	if err := json.Unmarshal(e.Value, &r); err != nil {
		return false, fmt.Errorf("decode record %s: %w", e.Key, err)
	}
	return fn(r), nil
}
