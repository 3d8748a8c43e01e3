package bolt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.etcd.io/bbolt"

	"ferry/internal/fault"
	"ferry/storage"
)

// written makes a state file of some hundred pages and returns what is in it.
func written(t *testing.T) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "state.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		var txn storage.Txn
		for k := range 50 {
			txn.Put = append(txn.Put, storage.Put{Key: fmt.Sprintf("k/%d/%d", i, k), Value: bytes.Repeat([]byte{byte(i)}, 400)})
		}
		if _, err := db.Commit(t.Context(), txn); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if content, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return path, content
}

// TestACutFileIsExplainedAndLeftAlone cuts a real file off at many places: each
// is reported, none ends the process, and not a byte is written.
func TestACutFileIsExplainedAndLeftAlone(t *testing.T) {
	t.Parallel()
	path, content := written(t)
	var used int64
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.bolt.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int64{1, 100, 4096, 5000, 8192, 12288, used / 4, used / 2, used - 4096, used - 1} {
		for name, open := range map[string]func(string) (*DB, error){"open": Open, "read": OpenReadOnly} {
			cut := filepath.Join(t.TempDir(), "cut.db")
			if err := os.WriteFile(cut, content[:size], 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := open(cut)
			if db != nil || !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is damaged or not a state file") {
				t.Errorf("%s, cut to %d of %d: %v", name, size, used, err)
			}
			if after, err := os.ReadFile(cut); err != nil || !bytes.Equal(after, content[:size]) {
				t.Errorf("%s, cut to %d: the file was changed (%v)", name, size, err)
			}
		}
	}
}

// TestDamagedPagesAreFound writes garbage over each page in turn: what is opened
// all the same shows it when it is looked through, or reads as it did.
func TestDamagedPagesAreFound(t *testing.T) {
	t.Parallel()
	path, content := written(t)
	const page = 4096
	found := 0
	for at := 0; at+page <= len(content); at += page {
		broken := bytes.Clone(content)
		for i := range page {
			broken[at+i] = byte(i*7 + at)
		}
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := OpenReadOnly(path)
		if err != nil {
			if !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Internal) {
				t.Errorf("page %d: %v", at/page, err)
			}
			found++
			continue
		}
		if len(db.Verify()) > 0 {
			found++
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if all := len(content) / page; found < all/3 {
		t.Errorf("of %d damaged pages %d were found", all, found)
	}
}

// TestAPageThatLeadsOutOfTheFileIsFound would end the process, were it read as
// any other.
func TestAPageThatLeadsOutOfTheFileIsFound(t *testing.T) {
	t.Parallel()
	path, content := written(t)
	const page, header, branch = 4096, 16, 1
	found := 0
	for at := 0; at+page <= len(content); at += page {
		if binary.NativeEndian.Uint16(content[at+8:]) != branch {
			continue
		}
		broken := bytes.Clone(content)
		binary.NativeEndian.PutUint64(broken[at+header+8:], 1<<30)
		if err := os.WriteFile(path, broken, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := OpenReadOnly(path)
		if err != nil {
			t.Fatal(err)
		}
		if problems := db.Verify(); len(problems) > 0 {
			found++
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
	if found == 0 {
		t.Error("no page that leads out of the file was found")
	}
}

func schemaOf(t *testing.T, path string, set uint64) {
	t.Helper()
	b, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = b.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte(metaBucket)).Put([]byte(schemaKey), binary.BigEndian.AppendUint64(nil, set))
	})
	if err = errors.Join(err, b.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestAnOtherSchemaIsMigratedOrLeftAlone(t *testing.T) {
	t.Parallel()
	add := func(key string) migration {
		return func(tx *bbolt.Tx) error {
			return tx.Bucket([]byte(rowsBucket)).Put([]byte(key), []byte("12345678"))
		}
	}
	bad := func(*bbolt.Tx) error { return errors.New("no such row") }
	for name, c := range map[string]struct {
		have  uint64
		steps map[uint64]migration
		says  string // "" for a migration that works
	}{
		"newer":            {5, nil, "has schema 5, this ferry knows 3"},
		"too old":          {1, map[uint64]migration{2: add("b")}, "has schema 1, this ferry knows 3"},
		"two steps":        {1, map[uint64]migration{1: add("a"), 2: add("b")}, ""},
		"a step fails":     {1, map[uint64]migration{1: add("a"), 2: bad}, "cannot be opened"},
		"no number at all": {0, nil, "carries no readable schema number"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path, _ := written(t)
			schemaOf(t, path, c.have)
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			db, err := openAs(path, 3, c.steps)
			if c.says != "" {
				if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("open: %v; want %q", err, c.says)
				}
				if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
					t.Errorf("the file was changed (%v)", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, a, _ := db.Get(t.Context(), "a")
			_, b, _ := db.Get(t.Context(), "b")
			if have, err := db.schema(); have != 3 || err != nil || !a || !b {
				t.Errorf("schema %d, %v, rows %v %v", have, err, a, b)
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			// What was there before stands beside it, and opens.
			old, err := openAs(path+".schema1", 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := old.Get(t.Context(), "k/7/7"); !ok || err != nil {
				t.Errorf("the copy has no rows: %v", err)
			}
			if err := old.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAFullDisk fills a real file up to a limit of the kernel's, in a process of
// its own, since the limit is a process's.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	if os.Getenv("FERRY_TEST_FULL") != "" {
		fillUp(t, filepath.Join(t.TempDir(), "state.db"))
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestAFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), "FERRY_TEST_FULL=yes")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "it went on after") {
		t.Errorf("%v\n%s", err, out)
	}
}

func limit(t *testing.T, size uint64) {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
	if l.Cur = size; size == 0 {
		l.Cur = l.Max
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &l); err != nil {
		t.Fatal(err)
	}
}

func fillUp(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	limit(t, 1<<20)
	if _, err := Open(path + ".new"); err != nil {
		t.Errorf("a small file: %v", err)
	}
	put := func(i int) error {
		_, err := db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: fmt.Sprintf("k/%06d", i), Value: make([]byte, 8000)}}})
		return err
	}
	n := 0
	for err = nil; err == nil && n < 1000; n++ {
		err = put(n)
	}
	n--
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "the disk of its state file is full") {
		t.Fatalf("after %d rows: %v", n, err)
	}
	for range 3 {
		if err := put(n); !fault.Is(err, fault.Unavailable) {
			t.Errorf("again: %v", err)
		}
	}
	if err := db.Backup(path + ".copy"); err == nil {
		// The file itself is as large as may be: its copy fits just so.
		t.Log("the copy had room")
	}
	limit(t, 4096)
	if err := db.Backup(path + ".copy2"); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("backup to a full disk: %v", err)
	}
	if left, err := filepath.Glob(path + ".copy2*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Open(path + ".new2"); err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a new file on a full disk: %v", err)
	}
	entries, err := db.Scan(t.Context(), storage.Scan{Prefix: "k/"})
	if err != nil || len(entries) != n {
		t.Errorf("%d rows are there, want the %d that were told to be; %v", len(entries), n, err)
	}
	limit(t, 0)
	if err := put(n); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if problems := db.Verify(); len(problems) > 0 {
		t.Errorf("the file is damaged: %v", problems)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("it went on after %d rows", n)
}
