package apiserver

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// User is who may come with a token. What is not denied is allowed.
type User struct {
	Name  string
	Token string
	Deny  []Rule
}

// Rule selects requests; an empty list or "*" selects all.
type Rule struct {
	Verbs      []string // get, list, watch, create, update, patch, delete, deletecollection
	Resources  []string // "deployments.apps", "pods", "deployments.apps/status"
	Namespaces []string
}

// Server serves a Store as an API server does.
type Server struct {
	store *Store

	mu    sync.Mutex
	users map[string]User // by token
}

// NewServer returns the server of a store for these users.
func NewServer(store *Store, users ...User) *Server {
	s := &Server{store: store, users: map[string]User{}}
	for _, u := range users {
		s.users[u.Token] = u
	}
	return s
}

// Deny replaces what a user may not do.
func (s *Server) Deny(name string, rules ...Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token, u := range s.users {
		if u.Name == name {
			u.Deny = rules
			s.users[token] = u
		}
	}
}

func (s *Server) user(r *http.Request) (User, bool) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s.mu.Lock()
	defer s.mu.Unlock()
	u, known := s.users[strings.TrimSpace(token)]
	return u, known && strings.EqualFold(scheme, "Bearer")
}

// request is one parsed API request.
type request struct {
	*http.Request
	user      User
	resource  *Resource
	namespace string
	name      string
	sub       string
}

func (r *request) key() Key { return Key{r.namespace, r.name} }

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/healthz", "/readyz", "/livez":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok"))
		return
	case "/version":
		writeJSON(w, http.StatusOK, version.Info{
			Major: "1", Minor: "34", GitVersion: "v1.34.3",
			GitTreeState: "clean", GoVersion: "go1.24.11", Compiler: "gc", Platform: "linux/amd64",
		})
		return
	}
	user, known := s.user(r)
	if !known {
		writeError(w, apierrors.NewUnauthorized("Unauthorized"))
		return
	}
	if accept := r.Header.Get("Accept"); !acceptsJSON(accept) {
		writeError(w, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure,
			Code:   http.StatusNotAcceptable, Reason: metav1.StatusReasonNotAcceptable,
			Message: "only the following media types are accepted: application/json",
		}})
		return
	}
	if s.discovery(w, r) {
		return
	}
	req := s.parse(r, user)
	if req == nil {
		http.NotFound(w, r)
		return
	}
	if err := s.serve(w, req); err != nil {
		writeError(w, err)
	}
}

// acceptsJSON: protobuf and CBOR are asked for with JSON as the second choice.
func acceptsJSON(accept string) bool {
	return accept == "" || strings.Contains(accept, "json") || strings.Contains(accept, "*/*") ||
		strings.Contains(accept, "application/*")
}

// parse reads /api/v1/... and /apis/GROUP/VERSION/...; nil is an unknown path.
func (s *Server) parse(r *http.Request, user User) *request {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	var gv schema.GroupVersion
	switch {
	case len(parts) > 2 && parts[0] == "api":
		gv, parts = schema.GroupVersion{Version: parts[1]}, parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		gv, parts = schema.GroupVersion{Group: parts[1], Version: parts[2]}, parts[3:]
	default:
		return nil
	}
	req := &request{Request: r, user: user}
	if parts[0] == "namespaces" && len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
		req.namespace, parts = parts[1], parts[2:]
	}
	if isReview(gv.Group) {
		req.resource = &Resource{GroupVersionKind: gv.WithKind(""), Name: parts[0]}
		return req
	}
	resource := s.store.Resource(schema.GroupResource{Group: gv.Group, Resource: parts[0]})
	if resource == nil || resource.Version != gv.Version {
		return nil
	}
	req.resource = resource
	if len(parts) > 1 {
		req.name = parts[1]
	}
	if len(parts) > 2 {
		req.sub = parts[2]
	}
	if len(parts) > 3 || req.sub != "" && (req.sub != "status" || !resource.Status) {
		return nil
	}
	if resource.Namespaced && req.namespace == "" && req.name != "" {
		return nil
	}
	return req
}

func (s *Server) serve(w http.ResponseWriter, r *request) error {
	if isReview(r.resource.Group) {
		return s.review(w, r)
	}
	if _, err := s.authorize(r.user, r.verb(), r.resource, r.sub, r.namespace, r.name); err != nil {
		return err
	}
	switch r.verb() {
	case "get":
		return s.get(w, r)
	case "list":
		return s.list(w, r)
	case "watch":
		return s.watch(w, r)
	case "create":
		return s.create(w, r)
	case "update":
		return s.update(w, r)
	case "patch":
		return s.patch(w, r)
	case "delete":
		return s.delete(w, r)
	case "deletecollection":
		return s.deleteCollection(w, r)
	}
	return apierrors.NewMethodNotSupported(r.resource.GroupResource(), strings.ToLower(r.Method))
}

func (r *request) verb() string {
	switch {
	case r.Method == http.MethodGet && r.name != "":
		return "get"
	case r.Method == http.MethodGet && isTrue(r.URL.Query().Get("watch")):
		return "watch"
	case r.Method == http.MethodGet:
		return "list"
	case r.Method == http.MethodPost && r.name == "":
		return "create"
	case r.Method == http.MethodPut && r.name != "":
		return "update"
	case r.Method == http.MethodPatch && r.name != "":
		return "patch"
	case r.Method == http.MethodDelete && r.name != "":
		return "delete"
	case r.Method == http.MethodDelete:
		return "deletecollection"
	}
	return ""
}

func isTrue(s string) bool { return s == "true" || s == "1" }

func writeJSON(w http.ResponseWriter, code int, body any) {
	raw, err := json.Marshal(body)
	if err != nil {
		writeError(w, err)
		return
	}
	writeRaw(w, code, raw)
}

func writeRaw(w http.ResponseWriter, code int, raw []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(raw) // the client may be gone
}

func writeError(w http.ResponseWriter, err error) {
	status := statusOf(err)
	writeJSON(w, int(status.Code), status)
}

func statusOf(err error) metav1.Status {
	var known apierrors.APIStatus
	if !errors.As(err, &known) {
		known = apierrors.NewInternalError(err)
	}
	status := known.Status()
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	return status
}
