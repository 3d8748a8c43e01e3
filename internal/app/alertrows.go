package app

import (
	"context"
	"errors"

	"ferry/plugins/rows"
	"ferry/storage"
)

// alertRows are the house's store in the words of the pipeline.
type alertRows struct {
	kv    storage.KV
	trail *storage.Trail
}

// Get implements rows.Store.
func (s alertRows) Get(ctx context.Context, key string) (rows.Row, bool, error) {
	e, ok, err := s.kv.Get(ctx, key)
	return rows.Row(e), ok, err
}

// Scan implements rows.Store.
func (s alertRows) Scan(ctx context.Context, prefix, after string, limit int) ([]rows.Row, error) {
	found, err := s.kv.Scan(ctx, storage.Scan{Prefix: prefix, After: after, Limit: limit})
	out := make([]rows.Row, len(found))
	for i, e := range found {
		out[i] = rows.Row(e)
	}
	return out, err
}

// Commit implements rows.Store.
func (s alertRows) Commit(ctx context.Context, t rows.Txn) error {
	own := storage.Txn{Delete: t.Delete}
	for _, c := range t.If {
		own.If = append(own.If, storage.Compare(c))
	}
	for _, p := range t.Put {
		own.Put = append(own.Put, storage.Put{Key: p.Key, Value: p.Value})
	}
	commit := s.kv.Commit
	if len(t.Told) > 0 {
		commit = func(ctx context.Context, own storage.Txn) (uint64, error) { return s.trail.With(ctx, own, t.Told...) }
	}
	_, err := commit(ctx, own)
	if errors.Is(err, storage.ErrConflict) {
		return rows.ErrConflict
	}
	return err
}
