package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	oci "github.com/google/go-containerregistry/pkg/registry"
)

const (
	single   = "application/vnd.oci.image.manifest.v1+json"
	multiple = "application/vnd.oci.image.index.v1+json"
)

// hub is a registry on loopback that speaks the real protocol, with a counter and
// a place to be difficult in.
type hub struct {
	*httptest.Server
	inside http.Handler

	mu       sync.Mutex
	requests []string // "HEAD /v2/a/manifests/1"
	// before, if set, may answer a request itself: it returns true then.
	before func(w http.ResponseWriter, r *http.Request) bool
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{inside: oci.New(oci.Logger(log.New(io.Discard, "", 0)))}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *hub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.requests = append(h.requests, r.Method+" "+r.URL.Path)
	before := h.before
	h.mu.Unlock()
	if before == nil || !before(w, r) {
		h.inside.ServeHTTP(w, r)
	}
}

func (h *hub) host() string { return strings.TrimPrefix(h.URL, "http://") }

// be makes it difficult from now on.
func (h *hub) be(before func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before = before
}

// asked returns the requests since it was last called.
func (h *hub) asked() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.requests
	h.requests = nil
	return out
}

// push puts manifests that say what they are under tags, and returns the digest
// of the last one.
func (h *hub) push(t *testing.T, repository, mediaType string, tags ...string) (digest string) {
	t.Helper()
	for _, tag := range tags {
		body := fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"manifests":[],"annotations":{"version":%q}}`, mediaType, repository+":"+tag)
		digest = h.put(t, repository, tag, mediaType, body)
	}
	return digest
}

func (h *hub) put(t *testing.T, repository, tag, mediaType, body string) string {
	t.Helper()
	req := httptest.NewRequest(http.MethodPut, "/v2/"+repository+"/manifests/"+tag, strings.NewReader(body))
	req.Header.Set("Content-Type", mediaType)
	w := httptest.NewRecorder()
	h.inside.ServeHTTP(w, req)
	if w.Code != http.StatusCreated {
		t.Fatalf("push %s:%s: %d %s", repository, tag, w.Code, w.Body)
	}
	sum := sha256.Sum256([]byte(body))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func answering(code int) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		return true
	}
}

// clock is a time of day that moves when it is told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// made makes a Registry whose clock stands still until it is told.
func made(t *testing.T, o Options) (*Registry, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	o.Clock = c.now
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	if o.Transport == nil {
		o.Transport = transport
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}
