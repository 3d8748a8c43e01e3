package registry

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/fault"
)

const podinfoIndex = `apiVersion: v1
entries:
  podinfo:
  - apiVersion: v1
    description: Podinfo chart
    version: 6.5.4
  - version: 6.5.3
  - version: v6.4.0
  empty: []
generated: "2026-05-01T12:00:00Z"
`

// helm serves an index as a chart repository does, by ETag or by date.
type helm struct {
	*httptest.Server
	mu       sync.Mutex
	body     string
	etag     string
	modified string
	full     int // answers with a body
	short    int // answers 304
}

func newHelm(t *testing.T, body string) *helm {
	t.Helper()
	h := &helm{body: body}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

func (h *helm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.URL.Path != "/charts/index.yaml" {
		http.NotFound(w, r)
		return
	}
	if h.etag != "" {
		w.Header().Set("Etag", h.etag)
	}
	if h.modified != "" {
		w.Header().Set("Last-Modified", h.modified)
	}
	if h.etag != "" && r.Header.Get("If-None-Match") == h.etag || h.etag == "" && h.modified != "" && r.Header.Get("If-Modified-Since") == h.modified {
		h.short++
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.full++
	fmt.Fprint(w, h.body)
}

func (h *helm) set(body, etag, modified string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.body, h.etag, h.modified = body, etag, modified
}

func (h *helm) counts() (full, short int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.full, h.short
}

func TestChartInIndex(t *testing.T) {
	t.Parallel()
	h := newHelm(t, podinfoIndex)
	at := h.URL + "/charts"
	for _, c := range []struct {
		repo    Chart
		version string
		want    Found
	}{
		{Chart{at, "podinfo"}, "6.5.4", Found{Exists: true}},
		{Chart{at + "/", "podinfo"}, "6.5.3", Found{Exists: true}},
		{Chart{at, "podinfo"}, "6.4.0", Found{Exists: true}}, // Flux takes v6.4.0 for it
		{Chart{at, "podinfo"}, "v6.5.4", Found{Exists: true}},
		{Chart{at, "podinfo"}, "6.5.99", Found{
			Why: NoVersion, Near: []string{"6.5.4", "6.5.3", "v6.4.0"},
			Says: "the chart `podinfo` in " + at + " has no version `6.5.99`",
		}},
		{Chart{at, "podinf"}, "6.5.4", Found{Why: NoRepository, Says: "the chart repository " + at + " has no chart `podinf`"}},
		{Chart{at, "empty"}, "6.5.4", Found{Why: NoRepository, Says: "the chart repository " + at + " has no chart `empty`"}},
	} {
		r, _ := made(t, Options{})
		got, err := r.Chart(t.Context(), c.repo, c.version)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, got, c.want)
	}
	r, _ := made(t, Options{})
	_, err := r.Chart(t.Context(), Chart{h.URL + "/other", "podinfo"}, "6.5.4")
	explained(t, err, fault.Unavailable, "answers with 404 Not Found", "/other/index.yaml")
}

// TestSecretsInAddresses are not told, whatever happens.
func TestSecretsInAddresses(t *testing.T) {
	t.Parallel()
	h := newHelm(t, podinfoIndex)
	for _, url := range []string{h.URL + "/charts?hunter2", h.URL + "/other?hunter2", "http://me:hunter2@127.0.0.1:1/charts?hunter2", "https://" + strings.TrimPrefix(h.URL, "http://") + "/charts?hunter2"} {
		r, _ := made(t, Options{})
		f, err := r.Chart(t.Context(), Chart{url, "podinfo"}, "9.9.9")
		text := fmt.Sprint(f, err)
		if e, ok := err.(*fault.Error); ok {
			text += e.Help
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("it tells: %s", text)
		}
	}
}

// TestIndexIsAskedAgain counts what is fetched: nothing for a version that was
// there, the question whether something changed for one that was not.
func TestIndexIsAskedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ etag, modified string }{{`"one"`, ""}, {"", "Fri, 01 May 2026 10:00:00 GMT"}} {
		h := newHelm(t, podinfoIndex)
		h.set(podinfoIndex, c.etag, c.modified)
		r, clock := made(t, Options{})
		ask := func(version string, exists bool, wantFull, wantShort int) {
			t.Helper()
			f, err := r.Chart(t.Context(), Chart{h.URL + "/charts", "podinfo"}, version)
			if full, short := h.counts(); err != nil || f.Exists != exists || full != wantFull || short != wantShort {
				t.Errorf("%s: %+v %v after %d fetches and %d times no change", version, f, err, full, short)
			}
		}
		ask("6.5.4", true, 1, 0)
		ask("6.5.3", true, 1, 0)
		ask("6.6.0", false, 1, 0) // asked this very moment
		clock.pass(briefly)
		ask("6.5.4", true, 1, 0)
		ask("6.6.0", false, 1, 1)
		ask("6.6.1", false, 1, 1)
		clock.pass(settled)
		ask("6.5.4", true, 1, 2)
		h.set(strings.Replace(podinfoIndex, "6.5.3", "6.6.0", 1), `"two"`, "Fri, 01 May 2026 11:00:00 GMT")
		clock.pass(briefly)
		ask("6.6.0", true, 2, 2)
	}
}

func TestIndexes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		words string // of the error; "" if it is read
	}{
		"as helm writes it": {podinfoIndex, ""},
		"as JSON":           {`{"apiVersion":"v1","entries":{"podinfo":[{"version":"6.5.4","x":{"version":"1"}}]},"generated":""}`, ""},
		"a web page":        {"<!doctype html>\n<html><body>entries: nothing</body></html>", "this is no index of a chart repository"},
		"another YAML":      {"apiVersion: v1\nkind: List\n", "it has no `entries`"},
		"nothing":           {"", "it is empty"},
		"only blanks":       {" \n\n ", "it is empty"},
		"flow style":        {"entries: {podinfo: [{version: 6.5.4}]}\n", "in a way that is not read here"},
		"a flow list":       {"entries:\n  podinfo: [{version: 6.5.4}]\n", "the name of a chart and its list of versions are wanted here"},
		"a flow item":       {"entries:\n  podinfo:\n  - {version: 6.5.4}\n", "in a way that is not read here"},
		"broken":            {"entries:\n    podinfo:\n    - version: 6.5.4\n  other:\n  - version: 1.0.0\n", "line 4: it is indented less"},
		"no list":           {"entries:\n  podinfo: 6.5.4\n", "line 2: the name of a chart"},
		"a broken version":  {"entries:\n  podinfo:\n  - version: \"6.5.4\n", "line 3: a version"},
		"broken JSON":       {`{"entries":{"podinfo":[{"version":"6.5.4"`, "unexpected EOF"},
		"other JSON":        {`{"entries":["podinfo"]}`, "where { is wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHelm(t, c.body)
			r, _ := made(t, Options{})
			f, err := r.Chart(t.Context(), Chart{h.URL + "/charts", "podinfo"}, "6.5.4")
			if c.words == "" {
				if err != nil || !f.Exists {
					t.Errorf("%+v %v", f, err)
				}
				return
			}
			explained(t, err, fault.Unavailable, c.words)
		})
	}
}

// endless is a body without end, most of it nothing that is kept.
type endless struct{ line []byte }

func (e endless) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.line)
	}
	return n, nil
}

// TestHugeIndex is about one that has no end, plain and compressed, and one whose
// only line is long.
func TestHugeIndex(t *testing.T) {
	t.Parallel()
	text := bytes.Repeat([]byte("    description: "+strings.Repeat("long ", 2000)+"\n"), 100)
	huge := io.MultiReader(strings.NewReader("entries:\n  podinfo:\n  - version: 1.0.0\n"), endless{text})
	for _, packed := range []bool{false, true} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if !packed {
				_, _ = io.CopyN(w, huge, maxIndex+1<<20)
				return
			}
			w.Header().Set("Content-Encoding", "gzip")
			z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.CopyN(z, huge, maxIndex+1<<20)
			_ = z.Close()
		}))
		t.Cleanup(s.Close)
		r, _ := made(t, Options{})
		_, err := r.Chart(t.Context(), Chart{s.URL, "podinfo"}, "1.0.0")
		explained(t, err, fault.Unavailable, "the index has more than 64 MiB")
	}
	h := newHelm(t, "entries:\n  podinfo:\n  - description: "+strings.Repeat("version: 2.0.0 ", 1<<16)+"\n    version: 1.0.0\n")
	r, _ := made(t, Options{})
	if f, err := r.Chart(t.Context(), Chart{h.URL + "/charts", "podinfo"}, "1.0.0"); err != nil || !f.Exists {
		t.Errorf("after a long line: %+v %v", f, err)
	}
}

// TestIndexesAreBounded keeps the lately used ones, and no more than may be.
func TestIndexesAreBounded(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	m := newMemory[*index](1000, c.now)
	for i := range 10 {
		m.put(fmt.Sprint(i), &index{}, 300, time.Minute)
		m.get("0")
	}
	var left []string
	for i := range 10 {
		if _, ok := m.get(fmt.Sprint(i)); ok {
			left = append(left, fmt.Sprint(i))
		}
	}
	if !slices.Equal(left, []string{"0", "8", "9"}) || m.size != 900 {
		t.Errorf("%v are left, of size %d", left, m.size)
	}
	m.put("9", &index{}, 100, time.Minute)
	if m.size != 700 {
		t.Errorf("after one was replaced the size is %d", m.size)
	}
	m.put("too much", &index{}, 1001, time.Minute)
	if _, ok := m.get("too much"); ok || m.size != 0 {
		t.Errorf("what is too much is kept, size %d", m.size)
	}
	m.put("a", &index{}, 1, time.Minute)
	c.pass(time.Minute)
	if _, ok := m.get("a"); ok || m.size != 0 {
		t.Error("it is kept for longer than it counts")
	}
}

// TestOneFetchForAll has many ask for charts of one repository at once.
func TestOneFetchForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		var fetched atomic.Int32
		r, err := New(Options{Transport: &wire{handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fetched.Add(1)
			<-answer
			fmt.Fprint(w, podinfoIndex)
		})}})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		const many = 10
		for i := range many {
			go func() {
				f, err := r.Chart(t.Context(), Chart{"http://charts.localhost", "podinfo"}, fmt.Sprintf("6.5.%d", i))
				if err == nil && f.Exists != (i == 3 || i == 4) {
					err = fmt.Errorf("6.5.%d: %+v", i, f)
				}
				done <- err
			}()
		}
		synctest.Wait()
		close(answer)
		for range many {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if n := fetched.Load(); n != 1 {
			t.Errorf("it was fetched %d times", n)
		}
	})
}
