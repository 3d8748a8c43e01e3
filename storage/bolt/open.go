package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"ferry/internal/fault"
)

// patience is how long a file is waited for that another process holds.
const patience = time.Second

// Open opens the state file at path and creates it, readable by its owner
// alone, if it is missing. It waits up to a second for another process to let
// go of it. What cannot be used is left as it is.
func Open(path string) (*DB, error) {
	return openAs(path, Schema, migrations())
}

// OpenReadOnly opens a state file that exists, of this schema, for reading.
func OpenReadOnly(path string) (*DB, error) {
	db, err := load(path, &bbolt.Options{Timeout: patience, ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		return nil, err
	}
	have, err := db.schema()
	if err == nil && have != Schema {
		err = db.otherSchema(have, Schema)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// migration takes the rows of one schema to the next one.
type migration func(tx *bbolt.Tx) error

// migrations are by the schema that they begin with. There is one schema so far.
func migrations() map[uint64]migration { return nil }

func openAs(path string, schema uint64, steps map[uint64]migration) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, unusable(path, err)
	}
	db, err := load(path, &bbolt.Options{Timeout: patience, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return nil, err
	}
	if err := db.prepare(schema, steps); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// load opens the file. Damage shows as an error of bbolt's, as a panic, as a
// fault in the memory that the file is mapped to, or as a file that is shorter
// than it says it is.
func load(path string, o *bbolt.Options) (db *DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			db, err = nil, unusable(path, fmt.Errorf("%w: %v", berrors.ErrInvalid, p))
		}
	}()
	b, err := bbolt.Open(path, 0o600, o)
	if _, refused := errors.AsType[syscall.Errno](err); err != nil && !refused && !errors.Is(err, berrors.ErrTimeout) {
		err = errors.Join(berrors.ErrInvalid, err) // the system let it be read: it is about what is in it
	}
	if err != nil {
		return nil, unusable(path, err)
	}
	db = &DB{bolt: b, path: path}
	var needs int64
	err = b.View(func(tx *bbolt.Tx) error { needs = tx.Size(); return nil })
	info, serr := os.Stat(path)
	if err = errors.Join(err, serr); err == nil && info.Size() < needs {
		err = fmt.Errorf("%w: %d bytes of %d are there", berrors.ErrInvalid, info.Size(), needs)
	}
	if err != nil {
		return nil, errors.Join(unusable(path, err), b.Close())
	}
	return db, nil
}

// unusable explains why a state file cannot be opened.
func unusable(path string, err error) error {
	says := fmt.Sprintf("state file %s cannot be opened", path)
	help := "name a file in a directory that ferry may write to (state.file)"
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		says = fmt.Sprintf("state file %s is in use by another process", path)
		help = "stop the other ferry, or give this one a state.file of its own"
	case full(err):
		says = fmt.Sprintf("state file %s cannot be written: the disk is full", path)
		help = "make room where it is, or name a file elsewhere (state.file)"
	case damaged(err):
		says = fmt.Sprintf("state file %s is damaged or not a state file", path)
		help = "it was left as it is: restore a backup, or move it away to start with empty state;\n`ferry state rebuild` then reads the history from Git"
	case errors.Is(err, fs.ErrNotExist):
		says = fmt.Sprintf("there is no state file %s", path)
		help = "ferry makes it at its first start"
	case errors.Is(err, fs.ErrPermission):
		says = fmt.Sprintf("state file %s may not be opened by this user", path)
	}
	e := fault.New(fault.Invalid, says, help).Because(err)
	if errors.Is(err, berrors.ErrTimeout) {
		e = e.WithCode(inUse)
	}
	return e
}

// inUse is the code of the error about a file that another process holds.
const inUse = "state_in_use"

// full reports whether there was no room for a write: on the disk, in a quota,
// or up to a limit of the process. Of some of these bbolt passes on the words
// alone.
func full(err error) bool {
	return err != nil && slices.ContainsFunc([]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}, func(n syscall.Errno) bool {
		return errors.Is(err, n) || strings.Contains(err.Error(), n.Error())
	})
}

func damaged(err error) bool {
	return errors.Is(err, berrors.ErrInvalid) || errors.Is(err, berrors.ErrChecksum) || errors.Is(err, berrors.ErrVersionMismatch)
}

// view reads. A page that makes no sense is an error, not the end of ferry.
func (db *DB) view(fn func(tx *bbolt.Tx) error) (err error) {
	defer db.explain(&err)
	return db.bolt.View(fn)
}

// update writes: all of it or, with an error, nothing.
func (db *DB) update(fn func(tx *bbolt.Tx) error) (err error) {
	defer db.explain(&err)
	err = db.bolt.Update(fn)
	if full(err) {
		err = fault.Newf(fault.Unavailable, "ferry cannot remember anything: the disk of its state file is full").
			WithHelp("it goes on when there is room at %s", db.path).Because(err)
	}
	return err
}

func (db *DB) explain(err *error) {
	if p := recover(); p != nil {
		*err = fault.Newf(fault.Internal, "state file %s is damaged", db.path).
			WithHelp("stop ferry and look at it with `ferry state check`").Because(fmt.Errorf("%w: %v", berrors.ErrInvalid, p))
	}
}

// schema returns the number in the file; 0 for a new file.
func (db *DB) schema() (have uint64, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		meta := tx.Bucket([]byte(metaBucket))
		if meta == nil && tx.Bucket([]byte(rowsBucket)) == nil {
			if key, _ := tx.Cursor().First(); key == nil {
				return nil
			}
		}
		var v []byte
		if meta != nil {
			v = meta.Get([]byte(schemaKey))
		}
		if len(v) != revSize || binary.BigEndian.Uint64(v) == 0 {
			return fault.Newf(fault.Invalid, "state file %s carries no readable schema number", db.path).
				WithHelp("it is another program's, or damaged; it was left as it is: name another file (state.file)")
		}
		have = binary.BigEndian.Uint64(v)
		return nil
	})
	return have, err
}

func (db *DB) otherSchema(have, want uint64) error {
	says := "run the ferry that wrote it"
	if have < want {
		says = "start this ferry once: it takes the file along"
	}
	return fault.Newf(fault.Invalid, "state file %s has schema %d, this ferry knows %d", db.path, have, want).
		WithHelp("%s, or move the file away to start with empty state", says)
}

// prepare makes the buckets of a new file, and takes an older one to the schema
// step by step, in one transaction, after a copy of it was made beside it.
func (db *DB) prepare(want uint64, steps map[uint64]migration) error {
	have, err := db.schema()
	if err != nil || have == want {
		return err
	}
	for s := have; have > 0 && s != want; s++ {
		if s > want || steps[s] == nil {
			return db.otherSchema(have, want)
		}
	}
	if have > 0 {
		if err := db.keep(fmt.Sprintf("%s.schema%d", db.path, have)); err != nil {
			return err
		}
	}
	err = db.bolt.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucketIfNotExists([]byte(metaBucket))
		if err != nil {
			return fmt.Errorf("create bucket %s: %w", metaBucket, err)
		}
		if _, err := tx.CreateBucketIfNotExists([]byte(rowsBucket)); err != nil {
			return fmt.Errorf("create bucket %s: %w", rowsBucket, err)
		}
		for s := have; have > 0 && s < want; s++ {
			if err := steps[s](tx); err != nil {
				return fmt.Errorf("take schema %d to %d: %w", s, s+1, err)
			}
		}
		return meta.Put([]byte(schemaKey), binary.BigEndian.AppendUint64(nil, want))
	})
	if err != nil {
		return unusable(db.path, err)
	}
	return nil
}

// keep makes a copy of that name, or of one like it if there is one from a
// migration that did not come to its end.
func (db *DB) keep(name string) error {
	for n := 1; ; n++ {
		path := name
		if n > 1 {
			path = fmt.Sprintf("%s.%d", name, n)
		}
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return db.Backup(path)
		} else if err != nil || n == 100 {
			return unwritable(path, err)
		}
	}
}
