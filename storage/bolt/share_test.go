package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/internal/fault"
	"ferry/storage"
)

// TestACopyIsOneMomentOfAFileThatIsWrittenTo has pairs of rows that are always
// written together.
func TestACopyIsOneMomentOfAFileThatIsWrittenTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "s.db")
	db, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(socket(path), nil, 0o600); err != nil { // left by a process that died
		t.Fatal(err)
	}
	share, err := NewShare(t.Context(), db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(socket(path)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket is open to others: %v, %v", info.Mode(), err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- share.Run(ctx) }()
	go func() {
		var err error
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			v := bytes.Repeat([]byte(fmt.Sprint(i)), 200)
			_, err = db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: fmt.Sprintf("a/%d", i%50), Value: v}, {Key: fmt.Sprintf("b/%d", i%50), Value: v}}})
		}
		done <- err
	}()
	for n := range 20 {
		to := filepath.Join(dir, fmt.Sprintf("copy%d", n))
		if err := Save(to, func(w io.Writer) error { return CopyOf(ctx, path, w) }); err != nil {
			t.Fatal(err)
		}
		whole(t, to)
	}
	if err := Save(filepath.Join(dir, "copy0"), func(io.Writer) error { return nil }); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("over a file that exists: %v", err)
	}
	stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	// Without anybody at the socket, the lock speaks for itself.
	if err := CopyOf(t.Context(), path, io.Discard); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "is in use by another process") {
		t.Errorf("of a file that is locked: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := Save(filepath.Join(dir, "closed"), func(w io.Writer) error { return CopyOf(t.Context(), path, w) }); err != nil {
		t.Error(err)
	}
	whole(t, filepath.Join(dir, "closed"))
	if err := CopyOf(t.Context(), filepath.Join(dir, "none"), io.Discard); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "there is no state file") {
		t.Errorf("of no file: %v", err)
	}
}

// whole demands that a copy is sound and holds both of each pair.
func whole(t *testing.T, path string) {
	t.Helper()
	db, err := OpenReadOnly(path)
	if err != nil {
		t.Fatal(err)
	}
	if problems := db.Verify(); len(problems) > 0 {
		t.Errorf("%s: %v", path, problems)
	}
	for i := range 50 {
		a, _, errA := db.Get(t.Context(), fmt.Sprintf("a/%d", i))
		b, _, errB := db.Get(t.Context(), fmt.Sprintf("b/%d", i))
		if err := errors.Join(errA, errB); err != nil || !bytes.Equal(a.Value, b.Value) {
			t.Errorf("%s: pair %d is torn: %q, %q, %v", path, i, a.Value, b.Value, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeftOfACopyThatFailed breaks off in the middle.
func TestNothingIsLeftOfACopyThatFailed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	err := Save(filepath.Join(dir, "copy"), func(w io.Writer) error {
		_, err := w.Write(make([]byte, 1000))
		return errors.Join(err, errors.New("broken off"))
	})
	left, gerr := os.ReadDir(dir)
	if err == nil || gerr != nil || len(left) > 0 {
		t.Errorf("%v, left: %v", err, left)
	}
}
