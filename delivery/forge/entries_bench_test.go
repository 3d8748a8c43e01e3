package forge_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"ferry/delivery/forge"
)

// canned answers every request with a body.
type canned string

func (c canned) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: io.NopCloser(strings.NewReader(string(c))), ContentLength: int64(len(c)),
	}, nil
}

// listing is a tree of n files as GitHub lists it, with its folders.
func listing(tb testing.TB, n int) canned {
	tb.Helper()
	const at = "https://api.github.com/repos/acme/fleet/git/"
	var tree []map[string]any
	for i := range n {
		folder := fmt.Sprintf("clusters/production-eu-%d/apps/team-%d/application-%d", i%10, i%37, i/4)
		if i%4 == 0 {
			sha := fmt.Sprintf("%040x", i+1)
			tree = append(tree, map[string]any{"path": folder, "mode": "040000", "type": "tree", "sha": sha, "url": at + "trees/" + sha})
		}
		sha := fmt.Sprintf("%040x", (i+1)*7919)
		tree = append(tree, map[string]any{"path": fmt.Sprintf("%s/file-%d.yaml", folder, i), "mode": "100644", "type": "blob", "sha": sha, "size": 100 + i%900, "url": at + "blobs/" + sha})
	}
	out, err := json.Marshal(map[string]any{"sha": strings.Repeat("a", 40), "url": at + "trees/main", "tree": tree, "truncated": false})
	if err != nil {
		tb.Fatal(err)
	}
	return canned(out)
}

// BenchmarkEntries reads the listing of a tree of 10,000 files, which came over
// the network already.
func BenchmarkEntries(b *testing.B) {
	const files = 10_000
	body := listing(b, files)
	r, err := forge.New(forge.Options{Owner: "acme", Name: "fleet", Branch: "main", Transport: body})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		entries, err := r.Entries(b.Context(), strings.Repeat("a", 40))
		if err != nil || len(entries) != files {
			b.Fatalf("%d entries, %v", len(entries), err)
		}
	}
}
