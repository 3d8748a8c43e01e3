// Package fluxtest is an API server of a few lines that serves Flux's kinds, with a
// Flux that a test plays itself. It knows no schemas; whom it lets do what a test
// says. It remembers every request.
package fluxtest

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

// Object is an object as JSON has it.
type Object = map[string]any

// Server is an API server.
type Server struct {
	t testing.TB
	*httptest.Server
	// Flux is called after a patch, in a goroutine of its own, with the object's path
	// and what came of it.
	Flux func(path string, o Object)
	// Deny says whether a request is forbidden: GET /apis/… as U1.
	Deny func(request string) bool
	// Kinds are what is served: group/version to plurals.
	Kinds map[string][]string

	mu      sync.Mutex
	objects map[string]Object // by path
	asked   []string
	log     []entry // all versions of all objects, the first is 1
	changed chan struct{}
	running sync.WaitGroup
}

// entry is an object as it was, nil if it was deleted.
type entry struct {
	path   string
	object Object
}

// Served are the kinds of a whole Flux of today.
func Served() map[string][]string {
	return map[string][]string{
		"kustomize.toolkit.fluxcd.io/v1": {"kustomizations"}, "helm.toolkit.fluxcd.io/v2": {"helmreleases"},
		"source.toolkit.fluxcd.io/v1": {"gitrepositories", "ocirepositories", "helmrepositories", "helmcharts", "buckets"},
		"image.toolkit.fluxcd.io/v1":  {"imagerepositories", "imagepolicies", "imageupdateautomations"},
	}
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, Kinds: Served(), objects: map[string]Object{}, changed: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
		s.running.Wait()
	})
	return s
}

// Kubeconfig leads to it.
func (s *Server) Kubeconfig() []byte {
	return fmt.Appendf(nil, `{clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {token: t}}], contexts: [{name: c, context: {cluster: c, user: u}}], current-context: c}`, s.URL)
}

// Path is where an object is.
func Path(groupVersion, namespace, plural, name string) string {
	return "/apis/" + groupVersion + "/namespaces/" + namespace + "/" + plural + "/" + name
}

// Put writes an object, given as YAML, to a path.
func (s *Server) Put(path, object string) {
	var o Object
	if err := yaml.Unmarshal([]byte(object), &o); err != nil {
		s.t.Fatalf("%v: %s", err, object)
	}
	parts := strings.Split(path, "/") // "", apis, group, version, namespaces, namespace, plural, name
	m := sub(o, "metadata")
	m["namespace"], m["name"] = parts[5], parts[7]
	if m["generation"] == nil {
		m["generation"] = 1
	}
	o["apiVersion"], o["kind"] = parts[2]+"/"+parts[3], "Any"
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(path, o)
}

// Merge changes an object by a merge patch, given as YAML.
func (s *Server) Merge(path, patch string) {
	var p Object
	if err := yaml.Unmarshal([]byte(patch), &p); err != nil {
		s.t.Fatalf("%v: %s", err, patch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.store(path, merged(s.objects[path], p))
}

// Delete takes an object away.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, path)
	s.append(entry{path: path})
}

// Object returns one; nil if there is none.
func (s *Server) Object(path string) Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	return copied(s.objects[path])
}

// Asked returns what it was asked about objects since the last time: METHOD path as
// user.
func (s *Server) Asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.DeleteFunc(s.asked, func(r string) bool { return strings.Count(strings.Fields(r)[1], "/") <= 3 })
	s.asked = nil
	return out
}

func (s *Server) store(path string, o Object) {
	sub(o, "metadata")["resourceVersion"] = strconv.Itoa(len(s.log) + 1)
	s.objects[path] = copied(o)
	s.append(entry{path, copied(o)})
}

func (s *Server) append(e entry) {
	s.log = append(s.log, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

// ServeHTTP answers as an API server does.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + r.URL.Path + " as " + r.Header.Get("Impersonate-User")
	s.mu.Lock()
	s.asked = append(s.asked, request)
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case s.Deny != nil && s.Deny(request):
		fail(w, http.StatusForbidden, "Forbidden", fmt.Sprintf("it is forbidden: User %q cannot do that", r.Header.Get("Impersonate-User")))
	case parts[0] != "apis" || len(parts) < 2:
		fail(w, http.StatusNotFound, "NotFound", "there is no such path")
	case len(parts) <= 3:
		s.paper(w, parts[1:])
	case r.URL.Query().Get("watch") != "":
		s.watch(w, r)
	case r.Method == http.MethodPatch:
		s.patch(w, r)
	case r.Method != http.MethodGet:
		fail(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "nobody here does that")
	default:
		s.get(w, r)
	}
}

// paper answers what groups and kinds there are.
func (s *Server) paper(w http.ResponseWriter, parts []string) {
	versions := []Object{}
	for _, gv := range slices.Sorted(maps.Keys(s.Kinds)) { // v1 before v1beta2: the preferred one is the first
		group, version, _ := strings.Cut(gv, "/")
		if group == parts[0] {
			versions = append(versions, Object{"groupVersion": gv, "version": version})
		}
	}
	kinds := []Object{}
	for _, plural := range s.Kinds[strings.Join(parts, "/")] {
		kinds = append(kinds, Object{"name": plural, "namespaced": true, "kind": "Any"})
	}
	switch {
	case len(versions) == 0, len(parts) == 2 && len(kinds) == 0:
		fail(w, http.StatusNotFound, "NotFound", "there is no such group")
	case len(parts) == 1:
		reply(w, Object{"kind": "APIGroup", "apiVersion": "v1", "name": parts[0], "versions": versions, "preferredVersion": versions[0]})
	default:
		reply(w, Object{"kind": "APIResourceList", "groupVersion": strings.Join(parts, "/"), "resources": kinds})
	}
}

func (s *Server) get(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o, ok := s.objects[r.URL.Path]; ok {
		reply(w, o)
		return
	}
	parts := strings.Split(r.URL.Path, "/")
	if len(parts) == 8 {
		fail(w, http.StatusNotFound, "NotFound", "there is no such object")
		return
	}
	items := []Object{}
	for _, path := range slices.Sorted(maps.Keys(s.objects)) {
		at := strings.Split(path, "/")
		all := strings.Join([]string{"", "apis", at[2], at[3], at[6]}, "/")
		if r.URL.Path == all || r.URL.Path == strings.Join(at[:7], "/") {
			items = append(items, s.objects[path])
		}
	}
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	offset, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	meta := Object{"resourceVersion": "1"}
	if end := offset + limit; err == nil && end < len(items) {
		items, meta["continue"] = items[:end], strconv.Itoa(end)
	}
	reply(w, Object{"kind": "AnyList", "apiVersion": parts[2] + "/" + parts[3], "metadata": meta, "items": items[offset:]})
}

func (s *Server) patch(w http.ResponseWriter, r *http.Request) {
	var p Object
	text, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(text, &p); err != nil || r.Header.Get("Content-Type") != "application/merge-patch+json" {
		fail(w, http.StatusBadRequest, "BadRequest", "it is no merge patch")
		return
	}
	s.mu.Lock()
	was, ok := s.objects[r.URL.Path]
	if !ok {
		s.mu.Unlock()
		fail(w, http.StatusNotFound, "NotFound", "there is no such object")
		return
	}
	now := merged(was, p)
	if _, ok := p["spec"]; ok {
		m := sub(now, "metadata")
		generation, _ := strconv.Atoi(fmt.Sprint(m["generation"]))
		m["generation"] = generation + 1
	}
	s.store(r.URL.Path, now)
	now = s.objects[r.URL.Path]
	reply(w, now)
	s.mu.Unlock()
	if s.Flux != nil {
		s.running.Go(func() { s.Flux(r.URL.Path, copied(now)) })
	}
}

// watch tells of one object what became of it after a version.
func (s *Server) watch(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Query().Get("fieldSelector"), "metadata.name=")
	path := r.URL.Path + "/" + name
	from, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		fail(w, http.StatusBadRequest, "BadRequest", "a watch begins at a version")
		return
	}
	_ = http.NewResponseController(w).Flush()
	for {
		s.mu.Lock()
		news, changed := slices.Clone(s.log[from:]), s.changed
		from = len(s.log)
		s.mu.Unlock()
		for _, e := range news {
			switch {
			case e.path != path:
			case e.object == nil:
				reply(w, Object{"type": "DELETED", "object": Object{"kind": "Any", "apiVersion": "x/v1", "metadata": Object{"name": name}}})
			default:
				reply(w, Object{"type": "MODIFIED", "object": e.object})
			}
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func reply(w io.Writer, o Object) { _ = json.NewEncoder(w).Encode(o) }

func fail(w http.ResponseWriter, code int, reason, message string) {
	w.WriteHeader(code)
	reply(w, Object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message})
}

func sub(o Object, key string) Object {
	m, ok := o[key].(Object)
	if !ok {
		m = Object{}
		o[key] = m
	}
	return m
}

func merged(o, patch Object) Object {
	out := copied(o)
	for key, value := range patch {
		inner, ok := value.(Object)
		switch {
		case value == nil:
			delete(out, key)
		case ok:
			out[key] = merged(sub(out, key), inner)
		default:
			out[key] = value
		}
	}
	return out
}

func copied(o Object) Object {
	if o == nil {
		return nil
	}
	text, _ := json.Marshal(o)
	var out Object
	_ = json.Unmarshal(text, &out)
	return out
}
