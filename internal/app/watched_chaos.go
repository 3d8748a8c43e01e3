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

// pointOf names a transaction by the store that makes it and, of its tables that
// are written to, the first by name: so a row that is made, which comes with its
// indexes, is told from one that is changed. What is only taken away names it, too, and
// the audit trail only where there is nothing else.
func pointOf(txn storage.Txn) string {
	var keys, trail []string
	for _, put := range txn.Put {
		if strings.HasPrefix(put.Key, "audit/") {
			trail = append(trail, put.Key)
		} else {
			keys = append(keys, put.Key)
		}
	}
	takes := len(keys) == 0
	for _, key := range txn.Delete { // a letter that is sent again is wished for like any other
		if takes || strings.HasPrefix(key, "event/dead/") {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		keys = trail
	}
	point := ""
	for _, key := range keys {
		parts := strings.SplitN(key, "/", 3)
		own := strings.HasPrefix(keys[0], parts[0]+"/") // what others add to it does not name it
		if name := "store/" + strings.Join(parts[:min(2, len(parts))], "/"); own && (point == "" || name < point) {
			point = name
		}
	}
	return point
}

// tell is not bound to the step's context: the harness answers at once, or never
// because this process is gone.
func (t told) tell(side, point string) {
	resp, err := http.PostForm(t.addr, url.Values{"side": {side}, "point": {point}}) //nolint:noctx,gosec // as above; loopback
	if err == nil {
		_ = resp.Body.Close() // there is none
	}
}
