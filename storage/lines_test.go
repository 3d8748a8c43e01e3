package storage_test

import (
	"errors"
	"testing"
	"time"

	"ferry/storage"
)

func TestLines(t *testing.T) {
	t.Parallel()
	c := &clock{t: noon}
	db := open(t)
	ctx, l := t.Context(), storage.NewLines(db, c.now)
	begin := func(key string, fresh bool, ended string) {
		t.Helper()
		ready := func() error {
			if !fresh {
				t.Errorf("begin %s: it is asked whether it can, and was begun before", key)
			}
			return nil
		}
		if f, e, err := l.Begin(ctx, key, ready); err != nil || f != fresh || string(e) != ended {
			t.Errorf("begin %s: %v, %q, %v; want %v, %q", key, f, e, err, fresh, ended)
		}
	}
	starting := errors.New("it is still starting")
	if fresh, _, err := l.Begin(ctx, "a/1", func() error { return starting }); !errors.Is(err, starting) || fresh {
		t.Errorf("what cannot begin yet: %v, %v", fresh, err)
	}
	begin("a/1", true, "")
	begin("a/1", false, "") // nobody knows
	begin("a/12", true, "")
	for range 2 { // the second is the same again
		if err := l.End(ctx, "a/1", []byte(`"well"`)); err != nil {
			t.Fatal(err)
		}
	}
	begin("a/1", false, `"well"`)
	begin("a/12", false, "")
	if err := l.Forget(ctx, "a/12"); err != nil {
		t.Fatal(err)
	}
	if err := l.End(ctx, "a/12", []byte(`"well"`)); err != nil {
		t.Errorf("the end of what was forgotten: %v", err)
	}
	for key, want := range map[string]bool{"a/1": true, "a/12": false, "a": false} {
		if known, err := l.Known(ctx, key); err != nil || known != want {
			t.Errorf("%s is known: %v, %v", key, known, err)
		}
	}
	begin("a/12", true, "")
	sound(t, db)

	c.pass(7*24*time.Hour - time.Second)
	begin("b", true, "")
	begin("a/1", false, `"well"`)
	c.pass(2 * time.Second)
	begin("c", true, "") // and makes room
	for key, want := range map[string]bool{"a/1": false, "a/12": false, "b": true, "c": true} {
		if known, err := l.Known(ctx, key); err != nil || known != want {
			t.Errorf("after a week %s is known: %v, %v", key, known, err)
		}
	}
	begin("a/1", true, "")
	if left, err := db.Scan(ctx, storage.Scan{Prefix: "line/"}); err != nil || len(left) != 6 {
		t.Errorf("three lines leave %d rows, %v", len(left), err)
	}
}

// TestTwoBeginOneLine: who waits while another begins comes second.
func TestTwoBeginOneLine(t *testing.T) {
	t.Parallel()
	c := &clock{t: noon}
	l := storage.NewLines(open(t), c.now)
	begin := func(ready func() error) (fresh bool) {
		fresh, _, err := l.Begin(t.Context(), "a", ready)
		if err != nil {
			t.Fatal(err)
		}
		return fresh
	}
	var other bool
	if fresh := begin(func() error { other = begin(func() error { return nil }); return nil }); fresh || !other {
		t.Errorf("it is fresh for the first %v, for the other %v", fresh, other)
	}
}
