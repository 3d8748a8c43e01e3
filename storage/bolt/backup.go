package bolt

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"

	"go.etcd.io/bbolt"

	"ferry/internal/fault"
)

// Copy writes the file as it is at this moment, whoever writes to it meanwhile,
// and returns how many bytes that are. size is called with their number before.
func (db *DB) Copy(w io.Writer, size func(int64) error) (n int64, err error) {
	err = db.view(func(tx *bbolt.Tx) error {
		if size != nil {
			if err := size(tx.Size()); err != nil {
				return err
			}
		}
		n, err = tx.WriteTo(w)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("copy %s: %w", db.path, err)
	}
	return n, nil
}

// Backup writes a copy to a file that must not exist. Unless all of it is there,
// nothing is.
func (db *DB) Backup(path string) error {
	return Save(path, func(w io.Writer) error {
		_, err := db.Copy(w, nil)
		return err
	})
}

// Save makes a file, readable by its owner alone, of what fill writes: as a whole
// and durably, or not at all. A file that exists is not overwritten.
func Save(path string, fill func(io.Writer) error) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fault.Newf(fault.Invalid, "%s exists already", path).WithHelp("name a file that does not: nothing is overwritten")
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return unwritable(path, err)
	}
	err = fill(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = publish(f.Name(), path)
	}
	if err != nil {
		return errors.Join(unwritable(path, err), os.Remove(f.Name()))
	}
	return nil
}

// publish gives a file its name, unless there is one of that name by now.
func publish(temporary, path string) error {
	err := os.Link(temporary, path)
	switch {
	case err == nil:
		return os.Remove(temporary)
	case errors.Is(err, fs.ErrExist):
		return err
	}
	return os.Rename(temporary, path) // a file system without links
}

func unwritable(path string, err error) error {
	if _, ok := errors.AsType[*fault.Error](err); ok {
		return err
	}
	if full(err) {
		return fault.Newf(fault.Invalid, "%s cannot be written: the disk is full", path).WithHelp("nothing of it is left there").Because(err)
	}
	return fault.Newf(fault.Invalid, "%s cannot be written", path).WithHelp("name a file in a directory that you may write to").Because(err)
}

// Verify walks through all of the file and returns what is wrong with it, at
// most a few dozen problems.
func (db *DB) Verify() (problems []string) {
	const most = 50
	if err := db.walk(); err != nil {
		return []string{err.Error()} // bbolt's own check would fall over it
	}
	err := db.bolt.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			if len(problems) < most {
				problems = append(problems, err.Error())
			}
		}
		return nil
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	return problems
}

// walk reads every row. Pages that lead out of the file show as a fault.
func (db *DB) walk() (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a page cannot be read: %v", p)
		}
	}()
	return db.bolt.View(func(tx *bbolt.Tx) error {
		rows := tx.Bucket([]byte(rowsBucket))
		if rows == nil {
			return errors.New("there are no rows in it")
		}
		return rows.ForEach(func(k, v []byte) error {
			if len(v) < revSize {
				return fmt.Errorf("row %q has no revision", k)
			}
			return nil
		})
	})
}
