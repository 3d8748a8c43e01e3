//go:build chaos

package app

import (
	"context"
	"net/http"
	"net/url"
	"os"
	"strings"

	"ferry/storage"
)

// watched tells the harness of playground/chaos of each durable step before it
// is taken and after, and waits for its answer: the harness may kill this process
// instead. FERRY_CHAOS is the harness's address; without it nothing is told.
func watched(kv storage.KV) storage.KV {
	if addr := os.Getenv("FERRY_CHAOS"); addr != "" {
		return told{kv, addr}
	}
	return kv
}

type told struct {
	storage.KV
	addr string
}

// Commit implements storage.KV.
func (t told) Commit(ctx context.Context, txn storage.Txn) (uint64, error) {
	point := pointOf(txn)
	t.tell("before", point)
	rev, err := t.KV.Commit(ctx, txn)
	if err == nil {
		t.tell("after", point)
	}
	return rev, err
}

// pointOf names a transaction by the store that makes it: the beginning of its
// first key.
func pointOf(txn storage.Txn) string {
	key := ""
	switch {
	case len(txn.Put) > 0:
		key = txn.Put[0].Key
	case len(txn.Delete) > 0:
		key = txn.Delete[0]
	}
	store, _, _ := strings.Cut(key, "/")
	return "store/" + store
}

// tell is not bound to the step's context: the harness answers at once, or never
// because this process is gone.
func (t told) tell(side, point string) {
	resp, err := http.PostForm(t.addr, url.Values{"side": {side}, "point": {point}}) //nolint:noctx,gosec // as above; loopback
	if err == nil {
		_ = resp.Body.Close() // there is none
	}
}
