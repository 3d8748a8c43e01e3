// Package rows is the store as the pipeline sees it: an ordered space of keys with
// transactions. It is the seam that the house's store honours, in words of its
// own, because rooms do not know each other.
package rows

import (
	"context"
	"errors"

	"ferry/internal/job"
)

// ErrConflict says that a compare did not hold. Nothing was written.
var ErrConflict = errors.New("a compared row has changed")

// Limits of one transaction.
const (
	MaxOps   = 100
	MaxBytes = 1 << 20
)

// Row is a key, its value, and the revision of its last write.
type Row struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Compare demands that a row was last written at a revision; 0 demands that there
// is none.
type Compare struct {
	Key      string
	Revision uint64
}

// Txn is written as a whole or, if a compare does not hold, not at all.
type Txn struct {
	If     []Compare
	Put    []Row // revisions are not read
	Delete []string
	// Told is what the audit trail is to know of it, written with it.
	Told []job.Entry
}

// Ops is how much of MaxOps a transaction takes.
func (t *Txn) Ops() int { return len(t.If) + len(t.Put) + len(t.Delete) }

// Bytes is how much of MaxBytes it takes.
func (t *Txn) Bytes() (n int) {
	for _, p := range t.Put {
		n += len(p.Value)
	}
	return n
}

// Store keeps rows. Its methods are safe for concurrent use; what they return
// belongs to the caller; a write is durable when Commit returns.
type Store interface {
	Get(ctx context.Context, key string) (r Row, ok bool, err error)
	// Scan returns at most limit rows of a prefix, in the order of their keys, that
	// come after a key ("" for the first).
	Scan(ctx context.Context, prefix, after string, limit int) ([]Row, error)
	// Commit returns ErrConflict if a compare does not hold.
	Commit(ctx context.Context, t Txn) error
}

// Each calls fn with all rows of a prefix, page by page, until it returns an error.
func Each(ctx context.Context, s Store, prefix string, fn func(Row) error) error {
	const page = 64
	for after := ""; ; {
		rows, err := s.Scan(ctx, prefix, after, page)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := fn(r); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
		after = rows[len(rows)-1].Key
	}
}
