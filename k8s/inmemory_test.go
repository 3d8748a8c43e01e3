package k8s

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"ferry/internal/deploy"
	"ferry/playground/cluster/apiserver"
)

// api is a simulated API server whose clock is the test's, and somebody before it who
// may answer instead.
type api struct {
	t     *testing.T
	store *apiserver.Store
	conns chan net.Conn
	ended chan struct{}

	mu      sync.Mutex
	instead func(w http.ResponseWriter, r *http.Request) (answered bool)
	refused int // connections that are not taken
	asked   []string
	open    []net.Conn
}

// newAPI belongs into a synctest bubble.
func newAPI(t *testing.T) *api {
	a := &api{t: t, store: apiserver.NewStore(1000, append(apiserver.Builtin(), apiserver.Flux()...)...), conns: make(chan net.Conn), ended: make(chan struct{})}
	for _, name := range []string{"kube-system", "a"} {
		namespace := map[string]any{"metadata": map[string]any{"name": name, "uid": name}}
		if _, err := a.store.Create(a.store.Resource(schema.GroupResource{Resource: "namespaces"}), namespace); err != nil {
			t.Fatal(err)
		}
	}
	inner := apiserver.NewServer(a.store, apiserver.User{Name: "admin", Token: "admin"})
	server := &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, question(r))
		instead := a.instead
		a.mu.Unlock()
		if instead == nil || !instead(w, r) {
			inner.ServeHTTP(w, r)
		}
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(a) }()
	t.Cleanup(func() {
		_ = server.Close() // its listener only says that it ended
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return a
}

// question is how a request is named here: GET, WATCH or PATCH, and its path.
func question(r *http.Request) string {
	if r.URL.Query().Get("watch") == "true" {
		return "WATCH " + r.URL.Path
	}
	return r.Method + " " + r.URL.Path
}

func (a *api) Accept() (net.Conn, error) {
	select {
	case c := <-a.conns:
		return c, nil
	case <-a.ended:
		return nil, net.ErrClosed
	}
}

func (a *api) Close() error   { close(a.ended); return nil }
func (a *api) Addr() net.Addr { return &net.TCPAddr{} }

func (a *api) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.refused > 0 {
		a.refused--
		a.asked = append(a.asked, "refused")
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	mine, its := net.Pipe()
	select {
	case a.conns <- its:
		a.open = append(a.open, its)
		return mine, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// cut ends every connection.
func (a *api) cut() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.open {
		_ = c.Close()
	}
	a.open = nil
}

// answers has somebody answer instead the first times that each question that begins
// like this is asked; negative for every time.
func (a *api) answers(begins string, times int, with http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	told := map[string]int{}
	a.instead = func(w http.ResponseWriter, r *http.Request) bool {
		a.mu.Lock()
		q := question(r)
		told[q]++
		mine := strings.HasPrefix(q, begins) && (times < 0 || told[q] <= times)
		a.mu.Unlock()
		if mine {
			with(w, r)
		}
		return mine
	}
}

// count is how often what begins like this was asked since the last time.
func (a *api) count(begins string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.asked {
		if strings.HasPrefix(q, begins) {
			n++
		}
	}
	a.asked = nil
	return n
}

func (a *api) client() *client {
	a.t.Helper()
	transport := &http.Transport{DialContext: a.dial}
	a.t.Cleanup(transport.CloseIdleConnections)
	c, err := newClient(access{config: &rest.Config{Host: "http://api", BearerToken: "admin", QPS: -1, Transport: transport}}, 3*time.Second)
	if err != nil {
		a.t.Fatal(err)
	}
	return c
}

// status answers as an API server does, with what it says in a Status.
func status(code int, reason, message string, after int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		details := "{}"
		if after > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(after))
			details = fmt.Sprintf(`{"retryAfterSeconds":%d}`, after)
		}
		w.WriteHeader(code)
		_, _ = fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"message":%q,"details":%s,"code":%d}`, reason, message, details, code)
	}
}

// text answers as what stands before an API server does.
func text(code int, message string, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if after != "" {
			w.Header().Set("Retry-After", after)
		}
		http.Error(w, message, code)
	}
}

// initializing is what k8s.io/apiserver's cacher answers before it has listed.
func initializing() http.HandlerFunc {
	return status(http.StatusTooManyRequests, "TooManyRequests", "storage is (re)initializing", 1)
}

func tooNew() http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusGatewayTimeout)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Timeout","message":"Too large resource version: 9, current: 1","details":{"causes":[{"reason":"ResourceVersionTooLarge","message":"Too large resource version"}],"retryAfterSeconds":1},"code":504}`)
	}
}

// deploymentOf makes the Deployment that is patched.
func deploymentOf(t *testing.T, a *api) {
	t.Helper()
	labels := map[string]any{"app": "web"}
	_, err := a.store.Create(a.store.Resource(schema.GroupResource{Group: "apps", Resource: "deployments"}), map[string]any{
		"metadata": map[string]any{"namespace": "a", "name": "web"},
		"spec": map[string]any{"selector": map[string]any{"matchLabels": labels}, "template": map[string]any{
			"metadata": map[string]any{"labels": labels},
			"spec":     map[string]any{"containers": []any{map[string]any{"name": "web", "image": "web:1"}}},
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// followed is a cluster that is followed until the test ends. lost counts how often it
// became stale.
type followed struct {
	*controller
	mu   sync.Mutex
	lost []string
}

func (f *followed) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if strings.Contains(string(line), "cluster is stale") {
		f.lost = append(f.lost, string(line))
	}
	return len(line), nil
}

func (f *followed) never(t *testing.T) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lost) > 0 {
		t.Errorf("it was stale: %s", f.lost)
	}
}

func follow(t *testing.T, a *api) *followed {
	f := &followed{}
	o := Options{Log: slog.New(slog.NewTextHandler(f, nil))}.withDefaults()
	f.controller = &controller{
		name: "one", options: o, client: a.client(), store: newStore(), words: newInterner(), same: newIdentities(false), log: o.Log,
		state: deploy.ClusterState{Name: "one", Stale: true}, looked: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { f.run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

// after lets time pass.
func after(d time.Duration) {
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}
