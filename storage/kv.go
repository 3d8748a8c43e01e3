// Package storage keeps what ferry intends: envelopes not yet decided, jobs not
// yet ended, messages not yet sent, the history of what was seen healthy, and
// the audit trail of what was decided and done.
//
// It has two layers. KV is the seam to a store: a flat, ordered space of keys
// with a transaction of compares on revisions, puts and deletes, which an
// embedded file (storage/bolt) and a distributed store can both honour. Above
// it stand the typed stores that the rooms use through small interfaces of
// their own: Journal and Outbox for the bot, Jobs and Approvals for the dispatcher,
// Holds for both it and the jobs, History for the jobs, Lines for the plugins, and the
// audit Trail, which the others write in their own transactions. Retention forgets what is old, Check
// looks through all of it. Nothing outside this room and the wiring knows which KV
// is below.
//
// Every write of a typed store is one transaction, so that a crash leaves
// either all of it or nothing. Indexes are written in the transaction that
// writes the row. Values are JSON; times in keys are big-endian hexadecimal, so
// that their order is the keys' order.
package storage

import (
	"context"
	"errors"
)

// ErrConflict says that a compare of a transaction did not hold: somebody else
// wrote the key first. Nothing was written.
var ErrConflict = errors.New("storage: a compared key has changed")

// Limits that every KV can honour (they are etcd's defaults, rounded down).
const (
	MaxOps   = 100     // compares, puts and deletes of one transaction
	MaxBytes = 1 << 20 // size of all values of one transaction
)

// Entry is a key, its value and the revision of its last write. Revisions are
// positive and grow with every transaction of the store.
type Entry struct {
	Key      string
	Value    []byte
	Revision uint64
}

// Compare demands that a key was last written at a revision; 0 demands that it
// does not exist.
type Compare struct {
	Key      string
	Revision uint64
}

// Put writes a value under a key.
type Put struct {
	Key   string
	Value []byte
}

// Txn is written as a whole, or, if a compare does not hold, not at all.
type Txn struct {
	If     []Compare
	Put    []Put
	Delete []string // absent keys are no error
}

// Scan asks for the entries of a prefix in the order of their keys.
type Scan struct {
	Prefix string
	// After leaves out everything up to and including this key (in the
	// direction of the scan); "" starts at the edge.
	After   string
	Limit   int // at most that many; 0 means 1,000
	Reverse bool
}

// KV is a transactional, ordered key-value store. All methods are safe for
// concurrent use; a returned value belongs to the caller. A write is durable
// when Commit returns.
type KV interface {
	// Get returns the entry of a key; ok is false if there is none.
	Get(ctx context.Context, key string) (e Entry, ok bool, err error)
	// Scan returns one page.
	Scan(ctx context.Context, s Scan) ([]Entry, error)
	// Commit writes a transaction and returns its revision, which becomes that
	// of every key put. It returns ErrConflict if a compare does not hold.
	Commit(ctx context.Context, t Txn) (uint64, error)
}
