// Package bolt is the embedded storage.KV: one bbolt file, one process.
//
// Each value is stored behind the eight bytes of its revision, so that a
// compare reads the row it guards and nothing else. The file carries its
// schema's number: a newer one is refused, an older one is migrated after a copy
// of it was made, and a damaged or locked file is reported and left untouched
// (open.go). Whoever else wants to read the file while ferry holds it asks ferry
// for a copy (share.go).
package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"go.etcd.io/bbolt"

	"ferry/storage"
)

// Schema is the number of the layout that this version reads and writes.
const Schema = 1

const (
	rowsBucket = "rows"
	metaBucket = "meta"
	schemaKey  = "schema"
	revSize    = 8
)

// DB is an open state file. It implements storage.KV.
type DB struct {
	bolt *bbolt.DB
	path string
}

// Close ends all reads and lets go of the file.
func (db *DB) Close() error {
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("close %s: %w", db.path, err)
	}
	return nil
}

// Get implements storage.KV.
func (db *DB) Get(_ context.Context, key string) (e storage.Entry, ok bool, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		if v := tx.Bucket([]byte(rowsBucket)).Get([]byte(key)); v != nil {
			e, ok = entry([]byte(key), v), true
		}
		return nil
	})
	if err != nil {
		return e, false, fmt.Errorf("get %q: %w", key, err)
	}
	return e, ok, nil
}

// Scan implements storage.KV.
func (db *DB) Scan(_ context.Context, s storage.Scan) ([]storage.Entry, error) {
	limit := s.Limit
	if limit <= 0 {
		limit = 1000
	}
	var out []storage.Entry
	err := db.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(rowsBucket)).Cursor()
		first, next := forward(c, s)
		if s.Reverse {
			first, next = backward(c, s)
		}
		prefix := []byte(s.Prefix)
		for k, v := first(); k != nil && bytes.HasPrefix(k, prefix) && len(out) < limit; k, v = next() {
			out = append(out, entry(k, v))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scan %q: %w", s.Prefix, err)
	}
	return out, nil
}

type step func() (key, value []byte)

func forward(c *bbolt.Cursor, s storage.Scan) (first, next step) {
	return func() ([]byte, []byte) {
		if s.After == "" || s.After < s.Prefix {
			return c.Seek([]byte(s.Prefix))
		}
		k, v := c.Seek([]byte(s.After))
		if k != nil && string(k) == s.After {
			return c.Next()
		}
		return k, v
	}, c.Next
}

func backward(c *bbolt.Cursor, s storage.Scan) (first, next step) {
	return func() ([]byte, []byte) {
		edge := s.After
		if edge == "" {
			edge = s.Prefix + "\xff\xff\xff\xff"
		}
		if k, _ := c.Seek([]byte(edge)); k == nil {
			return c.Last()
		}
		return c.Prev()
	}, c.Prev
}

// Commit implements storage.KV.
func (db *DB) Commit(_ context.Context, t storage.Txn) (uint64, error) {
	if n := len(t.If) + len(t.Put) + len(t.Delete); n > storage.MaxOps {
		return 0, fmt.Errorf("commit: %d operations, at most %d fit into one transaction", n, storage.MaxOps)
	}
	size := 0
	for _, p := range t.Put {
		size += len(p.Value)
	}
	if size > storage.MaxBytes {
		return 0, fmt.Errorf("commit: %d bytes, at most %d fit into one transaction", size, storage.MaxBytes)
	}
	var rev uint64
	err := db.update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte(rowsBucket))
		for _, c := range t.If {
			var have uint64
			if v := b.Get([]byte(c.Key)); v != nil {
				have = binary.BigEndian.Uint64(v)
			}
			if have != c.Revision {
				return storage.ErrConflict
			}
		}
		var err error
		if rev, err = b.NextSequence(); err != nil {
			return fmt.Errorf("next revision: %w", err)
		}
		return write(b, t, rev)
	})
	if err != nil {
		return 0, err
	}
	return rev, nil
}

func write(b *bbolt.Bucket, t storage.Txn, rev uint64) error {
	for _, p := range t.Put {
		v := make([]byte, revSize, revSize+len(p.Value))
		binary.BigEndian.PutUint64(v, rev)
		if err := b.Put([]byte(p.Key), append(v, p.Value...)); err != nil {
			return fmt.Errorf("put %q: %w", p.Key, err)
		}
	}
	for _, k := range t.Delete {
		if err := b.Delete([]byte(k)); err != nil {
			return fmt.Errorf("delete %q: %w", k, err)
		}
	}
	return nil
}

// entry copies a row out of the file's memory.
func entry(k, v []byte) storage.Entry {
	return storage.Entry{Key: string(k), Value: bytes.Clone(v[revSize:]), Revision: binary.BigEndian.Uint64(v)}
}
