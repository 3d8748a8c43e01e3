// Package clustertest is an API server of a few lines that a test can be unkind with.
// It keeps every version of every object, so that lists of the past, watches from
// any version and 410 Gone are what they are on a real one; it knows no schemas,
// no selectors and no rights.
package clustertest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is an API server.
type Server struct {
	http *httptest.Server

	mu      sync.Mutex
	log     []entry
	oldest  int // versions before are forgotten
	more    chan struct{}
	drop    chan struct{} // closed: watches end
	refused map[string]int
	lists   int
	token   string // empty: anybody may ask
}

type entry struct {
	version   int
	path, key string
	how       string
	object    map[string]any
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{more: make(chan struct{}), drop: make(chan struct{}), refused: map[string]int{}}
	s.http = httptest.NewTLSServer(http.HandlerFunc(s.serve)) // a token is sent on no other way
	t.Cleanup(func() {
		s.Drop()
		s.http.CloseClientConnections()
		s.http.Close()
	})
	return s
}

// Rotate has it take nothing but a token from now on, which Kubeconfig holds; what is
// open ends.
func (s *Server) Rotate(token string) {
	s.mu.Lock()
	s.token = token
	s.mu.Unlock()
	s.Drop()
}

// Kubeconfig leads to it.
func (s *Server) Kubeconfig() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c",
"clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],"users":[{"name":"c","user":{"token":%q}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"c"}}]}`, s.http.URL, s.token)
}

// Put writes an object, given as JSON, into the collection at a path.
func (s *Server) Put(path, object string) {
	var o map[string]any
	if err := json.Unmarshal([]byte(object), &o); err != nil {
		panic(fmt.Sprintf("%v: %s", err, object))
	}
	key := keyOf(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	how := "ADDED"
	if was, ok := s.at(path, s.version())[key]; ok {
		how = "MODIFIED"
		old, _ := was["metadata"].(map[string]any)
		meta(o)["uid"] = old["uid"]
	}
	if meta(o)["uid"] == nil {
		meta(o)["uid"] = fmt.Sprintf("uid-%d", len(s.log))
	}
	s.append(entry{path: path, key: key, how: how, object: o})
}

// Delete takes an object away.
func (s *Server) Delete(path, namespace, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := namespace + "/" + name
	o := maps.Clone(s.at(path, s.version())[key])
	o["metadata"] = maps.Clone(meta(o))
	s.append(entry{path: path, key: key, how: "DELETED", object: o})
}

// Forget makes everything before now 410 Gone, and ends all watches.
func (s *Server) Forget() {
	s.mu.Lock()
	s.oldest = s.version() + 1
	s.append(entry{path: "-", key: "-", how: "ADDED", object: map[string]any{"metadata": map[string]any{}}})
	s.mu.Unlock()
	s.Drop()
}

// Drop ends all watches.
func (s *Server) Drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.drop)
	s.drop = make(chan struct{})
}

// Refuse answers requests for a path with a code; 0 no longer.
func (s *Server) Refuse(path string, code int) {
	s.mu.Lock()
	s.refused[path] = code
	s.mu.Unlock()
	s.Drop()
}

// AwaitLists waits until so many lists of the present were asked for: what is put
// after that is a change.
func (s *Server) AwaitLists(t testing.TB, count int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		lists := s.lists
		s.mu.Unlock()
		if lists >= count {
			return
		}
	}
	t.Fatalf("there were not %d lists", count)
}

func meta(o map[string]any) map[string]any {
	m, ok := o["metadata"].(map[string]any)
	if !ok {
		m = map[string]any{}
		o["metadata"] = m
	}
	return m
}

func keyOf(o map[string]any) string {
	ns, _ := meta(o)["namespace"].(string)
	name, _ := meta(o)["name"].(string)
	return ns + "/" + name
}

func (s *Server) version() int { return len(s.log) }

func (s *Server) append(e entry) {
	e.version = len(s.log) + 1
	meta(e.object)["resourceVersion"] = strconv.Itoa(e.version)
	s.log = append(s.log, e)
	close(s.more)
	s.more = make(chan struct{})
}

// at is the collection as it was at a version.
func (s *Server) at(path string, version int) map[string]map[string]any {
	out := map[string]map[string]any{}
	for _, e := range s.log[:version] {
		switch {
		case e.path != path:
		case e.how == "DELETED":
			delete(out, e.key)
		default:
			out[e.key] = e.object
		}
	}
	return out
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	from, _ := strconv.Atoi(query.Get("resourceVersion"))
	s.mu.Lock()
	code, forgotten, now := s.refused[r.URL.Path], from != 0 && from < s.oldest, s.version()
	stranger := s.token != "" && r.Header.Get("Authorization") != "Bearer "+s.token
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case stranger:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"kind":"Status","code":401,"reason":"Unauthorized","message":"Unauthorized"}`)
	case code != 0:
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind":"Status","code":%d,"message":"it refuses"}`, code)
	case forgotten:
		w.WriteHeader(http.StatusGone)
		fmt.Fprint(w, `{"kind":"Status","code":410,"reason":"Expired","message":"too old resource version"}`)
	case query.Get("watch") == "true":
		s.watch(w, r, from)
	case query.Get("resourceVersionMatch") == "Exact":
		s.list(w, r.URL.Path, from, query.Get("continue"), query.Get("limit"))
	default:
		if query.Get("limit") != "1" { // whoever asks so wants to know the version
			s.mu.Lock()
			s.lists++
			s.mu.Unlock()
		}
		s.list(w, r.URL.Path, now, query.Get("continue"), query.Get("limit"))
	}
}

// list answers page by page; continue is version:offset.
func (s *Server) list(w http.ResponseWriter, path string, version int, next, limit string) {
	offset := 0
	if v, o, ok := strings.Cut(next, ":"); ok {
		version, _ = strconv.Atoi(v)
		offset, _ = strconv.Atoi(o)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.at(path, version)
	keys := slices.Sorted(maps.Keys(all))
	most, _ := strconv.Atoi(limit)
	if most == 0 {
		most = len(keys)
	}
	items := []any{}
	for _, key := range keys[offset:min(offset+most, len(keys))] {
		items = append(items, all[key])
	}
	more := ""
	if offset+most < len(keys) {
		more = fmt.Sprintf("%d:%d", version, offset+most)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"kind": "List", "metadata": map[string]any{"resourceVersion": strconv.Itoa(version), "continue": more}, "items": items,
	})
}

func (s *Server) watch(w http.ResponseWriter, r *http.Request, from int) {
	flush := func() { _ = http.NewResponseController(w).Flush() }
	flush()
	for {
		s.mu.Lock()
		news, more, drop := s.log[from:], s.more, s.drop
		lines := []any{}
		for _, e := range news {
			if e.path == r.URL.Path {
				lines = append(lines, map[string]any{"type": e.how, "object": e.object})
			}
		}
		from = len(s.log)
		if len(lines) == 0 && len(news) > 0 {
			lines = append(lines, map[string]any{"type": "BOOKMARK", "object": map[string]any{"metadata": map[string]any{"resourceVersion": strconv.Itoa(from)}}})
		}
		var text []byte
		for _, l := range lines {
			one, _ := json.Marshal(l)
			text = append(append(text, one...), '\n')
		}
		s.mu.Unlock()
		if _, err := w.Write(text); err != nil {
			return
		}
		flush()
		select {
		case <-more:
		case <-drop:
			return
		case <-r.Context().Done():
			return
		}
	}
}
