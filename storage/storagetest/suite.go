// Package storagetest is the conformance suite of storage.KV: any store passes
// it with one call, and what it demands is what the typed stores rely on.
package storagetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"ferry/storage"
)

// Suite runs every check on stores made by open. Each call of open must return
// an empty store; the suite does not close it.
func Suite(t *testing.T, open func(t *testing.T) storage.KV) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, storage.KV){
		"get":                  checkGet,
		"scan":                 checkScan,
		"compare and swap":     checkCompare,
		"all or nothing":       checkAtomic,
		"revisions":            checkRevisions,
		"concurrent increment": checkConcurrent,
		"values are copies":    checkCopies,
		"limits":               checkLimits,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, open(t))
		})
	}
}

func put(t *testing.T, kv storage.KV, pairs ...string) uint64 {
	t.Helper()
	var txn storage.Txn
	for i := 0; i < len(pairs); i += 2 {
		txn.Put = append(txn.Put, storage.Put{Key: pairs[i], Value: []byte(pairs[i+1])})
	}
	rev, err := kv.Commit(t.Context(), txn)
	if err != nil {
		t.Fatalf("commit: %v", err)
	}
	return rev
}

func get(t *testing.T, kv storage.KV, key string) (string, uint64, bool) {
	t.Helper()
	e, ok, err := kv.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("get %q: %v", key, err)
	}
	return string(e.Value), e.Revision, ok
}

func keys(t *testing.T, kv storage.KV, s storage.Scan) string {
	t.Helper()
	entries, err := kv.Scan(t.Context(), s)
	if err != nil {
		t.Fatalf("scan %+v: %v", s, err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Key)
	}
	return strings.Join(out, " ")
}

func checkGet(t *testing.T, kv storage.KV) {
	if _, _, ok := get(t, kv, "a"); ok {
		t.Error("an empty store has a key")
	}
	rev := put(t, kv, "a", "1", "empty", "")
	if v, r, ok := get(t, kv, "a"); !ok || v != "1" || r != rev {
		t.Errorf("get = %q, %d, %v; want 1, %d, true", v, r, ok, rev)
	}
	if v, _, ok := get(t, kv, "empty"); !ok || v != "" {
		t.Errorf("an empty value came back as %q, %v", v, ok)
	}
}

func checkScan(t *testing.T, kv storage.KV) {
	put(t, kv, "a/1", "", "a/2", "", "a/3", "", "a", "", "b/1", "", "a0", "")
	for _, c := range []struct {
		scan storage.Scan
		want string
	}{
		{storage.Scan{Prefix: "a/"}, "a/1 a/2 a/3"},
		{storage.Scan{Prefix: "a/", Limit: 2}, "a/1 a/2"},
		{storage.Scan{Prefix: "a/", After: "a/1"}, "a/2 a/3"},
		{storage.Scan{Prefix: "a/", After: "a/15"}, "a/2 a/3"},
		{storage.Scan{Prefix: "a/", After: "a/3"}, ""},
		{storage.Scan{Prefix: "a/", Reverse: true}, "a/3 a/2 a/1"},
		{storage.Scan{Prefix: "a/", Reverse: true, After: "a/3", Limit: 1}, "a/2"},
		{storage.Scan{Prefix: "a/", Reverse: true, After: "a/1"}, ""},
		{storage.Scan{Prefix: "b/", Reverse: true}, "b/1"},
		{storage.Scan{Prefix: "c"}, ""},
		{storage.Scan{Prefix: "c", Reverse: true}, ""},
	} {
		if got := keys(t, kv, c.scan); got != c.want {
			t.Errorf("scan %+v = %q, want %q", c.scan, got, c.want)
		}
	}
}

func checkCompare(t *testing.T, kv storage.KV) {
	ctx := t.Context()
	first, err := kv.Commit(ctx, storage.Txn{If: []storage.Compare{{Key: "k"}}, Put: []storage.Put{{Key: "k", Value: []byte("1")}}})
	if err != nil {
		t.Fatalf("create: %v", err)
	}
	_, err = kv.Commit(ctx, storage.Txn{If: []storage.Compare{{Key: "k"}}, Put: []storage.Put{{Key: "k", Value: []byte("2")}}})
	if !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a second create: %v, want ErrConflict", err)
	}
	second, err := kv.Commit(ctx, storage.Txn{If: []storage.Compare{{Key: "k", Revision: first}}, Put: []storage.Put{{Key: "k", Value: []byte("3")}}})
	if err != nil {
		t.Fatalf("swap: %v", err)
	}
	_, err = kv.Commit(ctx, storage.Txn{If: []storage.Compare{{Key: "k", Revision: first}}, Delete: []string{"k"}})
	if !errors.Is(err, storage.ErrConflict) {
		t.Errorf("a delete at an old revision: %v, want ErrConflict", err)
	}
	if v, r, _ := get(t, kv, "k"); v != "3" || r != second {
		t.Errorf("get = %q at %d, want 3 at %d", v, r, second)
	}
}

func checkAtomic(t *testing.T, kv storage.KV) {
	put(t, kv, "guard", "x")
	_, err := kv.Commit(t.Context(), storage.Txn{
		If:     []storage.Compare{{Key: "other"}, {Key: "guard"}},
		Put:    []storage.Put{{Key: "other", Value: []byte("1")}},
		Delete: []string{"guard"},
	})
	if !errors.Is(err, storage.ErrConflict) {
		t.Fatalf("commit: %v, want ErrConflict", err)
	}
	if got := keys(t, kv, storage.Scan{}); got != "guard" {
		t.Errorf("after a conflict the store has %q, want only guard", got)
	}
}

func checkRevisions(t *testing.T, kv storage.KV) {
	a := put(t, kv, "a", "1")
	b := put(t, kv, "b", "1")
	c := put(t, kv, "a", "1")
	if a == 0 || a >= b || b >= c {
		t.Errorf("revisions %d, %d, %d do not grow", a, b, c)
	}
	if _, err := kv.Commit(t.Context(), storage.Txn{Delete: []string{"a", "never"}}); err != nil {
		t.Errorf("delete: %v", err)
	}
	if _, _, ok := get(t, kv, "a"); ok {
		t.Error("a deleted key is still there")
	}
}

func checkConcurrent(t *testing.T, kv storage.KV) {
	const workers, each = 8, 10
	put(t, kv, "n", "0")
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for range each {
				increment(t, kv)
			}
		})
	}
	wg.Wait()
	if v, _, _ := get(t, kv, "n"); v != strconv.Itoa(workers*each) {
		t.Errorf("counter is %s, want %d: an increment was lost or doubled", v, workers*each)
	}
}

func increment(t *testing.T, kv storage.KV) {
	for {
		e, _, err := kv.Get(t.Context(), "n")
		if err != nil {
			t.Errorf("get: %v", err)
			return
		}
		n, _ := strconv.Atoi(string(e.Value))
		_, err = kv.Commit(t.Context(), storage.Txn{
			If:  []storage.Compare{{Key: "n", Revision: e.Revision}},
			Put: []storage.Put{{Key: "n", Value: []byte(strconv.Itoa(n + 1))}},
		})
		if err == nil {
			return
		}
		if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("commit: %v", err)
			return
		}
	}
}

func checkCopies(t *testing.T, kv storage.KV) {
	put(t, kv, "a", "one")
	e, _, err := kv.Get(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	e.Value[0] = 'X'
	if v, _, _ := get(t, kv, "a"); v != "one" {
		t.Errorf("writing to a returned value changed the store: %q", v)
	}
}

func checkLimits(t *testing.T, kv storage.KV) {
	var many storage.Txn
	for i := range storage.MaxOps + 1 {
		many.Put = append(many.Put, storage.Put{Key: fmt.Sprint(i)})
	}
	if _, err := kv.Commit(t.Context(), many); err == nil {
		t.Error("a transaction of too many operations was taken")
	}
	big := storage.Txn{Put: []storage.Put{{Key: "big", Value: make([]byte, storage.MaxBytes+1)}}}
	if _, err := kv.Commit(t.Context(), big); err == nil {
		t.Error("a transaction of too many bytes was taken")
	}
	if got := keys(t, kv, storage.Scan{}); got != "" {
		t.Errorf("refused transactions left %q", got)
	}
}
