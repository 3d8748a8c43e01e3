package forge_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ferry/delivery/forge"
)

// replica answers for the branch's head as it was when it began to lag.
type replica struct {
	http.RoundTripper
	lags atomic.Bool
	body []byte
}

func (r *replica) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(req.URL.Path, "/commits/main") {
		return r.RoundTripper.RoundTrip(req)
	}
	if r.lags.Load() {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}, "Etag": {`"old"`}},
			Body: io.NopCloser(bytes.NewReader(r.body)), Request: req,
		}, nil
	}
	resp, err := r.RoundTripper.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusOK {
		r.body, err = io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(r.body))
	}
	return resp, err
}

// TestAReplicaThatLags does not make ferry forget its own commit, nor what others
// pushed before; what stays older was put there by somebody.
func TestAReplicaThatLags(t *testing.T) {
	w := newWorld(t)
	r, now := &replica{RoundTripper: http.DefaultTransport}, time.Now()
	f := w.forge(func(o *forge.Options) {
		o.Transport, o.Clock = r, func() time.Time { return now }
	})
	at := func() string {
		t.Helper()
		h, err := f.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return h.SHA
	}
	commit := func(on, text string) (forge.Made, error) {
		return f.Commit(t.Context(), forge.NewCommit{On: on, Job: "j1", Headline: text, Files: map[string][]byte{"app.yaml": []byte(text)}})
	}
	first := at()
	made, err := commit(first, "tag: 2\n")
	if err != nil {
		t.Fatal(err)
	}
	r.lags.Store(true)
	if got := at(); got != made.SHA {
		t.Errorf("after its own commit %s it reads %s", made.SHA, got)
	}
	r.lags.Store(false)
	if got := at(); got != made.SHA {
		t.Errorf("the branch is at %s, it reads %s", made.SHA, got)
	}
	if _, err := w.repo.Commit("main", "somebody's", map[string]string{"other.yaml": "x: 2\n"}); err != nil {
		t.Fatal(err)
	}
	pushed := at()
	if pushed != w.head("main") {
		t.Errorf("somebody pushed, and it reads %s", pushed)
	}
	r.lags.Store(true)
	r.body = bytes.ReplaceAll(r.body, []byte(pushed), []byte(first))
	if got := at(); got != pushed {
		t.Errorf("behind what was pushed it reads %s, want %s", got, pushed)
	}
	now = now.Add(21 * time.Second)
	if got := at(); got != first {
		t.Errorf("what stays older is the branch's head: %s, want %s", got, first)
	}
	r.lags.Store(false)
	if got := at(); got != first {
		t.Errorf("right after that the newer one is one that lags: %s, want %s", got, first)
	}
	if _, err := commit(first, "tag: 3\n"); err == nil {
		t.Fatal("it committed on what is not the head")
	}
	if got := at(); got != pushed {
		t.Errorf("once GitHub refused, it is believed again: %s, want %s", got, pushed)
	}
}
