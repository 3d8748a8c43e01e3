package bolt_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/internal/fault"
	"ferry/storage"
	"ferry/storage/bolt"
	"ferry/storage/storagetest"

	"go.etcd.io/bbolt"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storagetest.Suite(t, func(t *testing.T) storage.KV {
		path := filepath.Join(t.TempDir(), "state.db")
		db, err := bolt.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			consistent(t, path)
		})
		return db
	})
}

// consistent lets bbolt check every page of a closed file.
func consistent(t *testing.T, path string) {
	t.Helper()
	b, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Errorf("open for the check: %v", err)
		return
	}
	defer b.Close()
	err = b.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("inconsistent: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestReopenKeepsRowsAndRevisions(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "state.db")
	db, err := bolt.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: "a", Value: []byte("1")}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("state file: %v, %v; want mode 0600", info.Mode(), err)
	}
	if db, err = bolt.Open(path); err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e, ok, err := db.Get(t.Context(), "a")
	if err != nil || !ok || e.Revision != first {
		t.Errorf("get = %+v, %v, %v; want revision %d", e, ok, err, first)
	}
	second, err := db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: "b"}}})
	if err != nil || second <= first {
		t.Errorf("revision after reopening is %d, %v; want more than %d", second, err, first)
	}
}

func TestUnusableFilesAreExplainedAndLeftAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	locked := filepath.Join(dir, "locked.db")
	holder, err := bolt.Open(locked)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()

	damaged := filepath.Join(dir, "damaged.db")
	garbage := []byte(strings.Repeat("not a database ", 2000))
	if err := os.WriteFile(damaged, garbage, 0o600); err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(dir, "newer.db")
	writeSchema(t, newer, bolt.Schema+1)

	for _, c := range []struct{ path, says string }{
		{locked, "is in use by another process"},
		{damaged, "is damaged or not a state file"},
		{newer, "has schema 2, this ferry knows 1"},
		{filepath.Join(damaged, "below-a-file.db"), "cannot be opened"},
	} {
		_, err := bolt.Open(c.path)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("open %s: %v; want an invalid fault with %q", filepath.Base(c.path), err, c.says)
		}
	}
	if after, err := os.ReadFile(damaged); err != nil || string(after) != string(garbage) {
		t.Errorf("the damaged file was changed (%v)", err)
	}
}

func writeSchema(t *testing.T, path string, schema byte) {
	t.Helper()
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("meta"))
		if err != nil {
			return err
		}
		return meta.Put([]byte("schema"), []byte{0, 0, 0, 0, 0, 0, 0, schema})
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkCommit(b *testing.B) {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "state.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value := make([]byte, 2048)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Commit(b.Context(), storage.Txn{Put: []storage.Put{{Key: "jobs/abc", Value: value}}}); err != nil {
			b.Fatal(err)
		}
	}
}
