package executor_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"ferry/plugins/api"
	"ferry/plugins/kubectl/child"
	"ferry/plugins/kubectl/executor"
)

// TestMain makes a child of this test when the executor starts it as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == child.Arg {
		os.Exit(child.Main())
	}
	os.Exit(m.Run())
}

// What no output may hold.
const canary = "hunter2-canary"

func encoded() string { return base64.StdEncoding.EncodeToString([]byte(canary)) }

// fake is an API server that answers a few requests as a real one does, and
// remembers all. It knows no RBAC: what reaches it is done.
type fake struct {
	*httptest.Server
	block chan struct{} // requests for objects wait for it, if there is one

	mu    sync.Mutex
	asked []string // METHOD path as user
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.asked = append(f.asked, r.Method+" "+r.URL.Path+" as "+r.Header.Get("Impersonate-User"))
	f.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	body, known := answers()[r.URL.Path]
	if f.block != nil && strings.Contains(r.URL.Path, "/namespaces/") {
		select {
		case <-f.block:
		case <-r.Context().Done():
		}
	}
	switch {
	case !known:
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"there is no such thing","reason":"NotFound","code":404}`)
	default:
		_, _ = io.WriteString(w, body)
	}
}

// requests returns what it was asked about objects since the last time.
func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []string{}
	for _, a := range f.asked {
		if strings.Contains(a, "/namespaces") || !strings.HasPrefix(a, "GET ") {
			out = append(out, a)
		}
	}
	f.asked = nil
	return out
}

func (f *fake) all() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func answers() map[string]string {
	secret := func(name, kind string) string {
		return fmt.Sprintf(`{"kind":"Secret","apiVersion":"v1","metadata":{"name":%q,"namespace":"podinfo","labels":{"app":"canary"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"data\":{\"password\":\"%s\"}}"}},"type":%q,"data":{"password":%q,"token":%q,"release":%q}}`,
			name, encoded(), kind, encoded(), encoded(), base64.StdEncoding.EncodeToString([]byte(encoded())))
	}
	pod := `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"web-1","namespace":"podinfo"},"spec":{"containers":[{"name":"app"}]}}`
	secrets := []string{secret("canary", "Opaque"), secret("token", "kubernetes.io/service-account-token"), secret("sh.helm.release.v1.web.v1", "helm.sh/release.v1")}
	one := "/api/v1/namespaces/podinfo/"
	resource := func(name, kind, short string) string {
		return fmt.Sprintf(`{"name":%q,"singularName":%q,"namespaced":true,"kind":%q,"verbs":["get","list","delete","patch"],"shortNames":[%q]}`, name, strings.ToLower(kind), kind, short)
	}
	return map[string]string{
		"/version": `{"major":"1","minor":"36","gitVersion":"v1.36.0"}`,
		"/api":     `{"kind":"APIVersions","versions":["v1"]}`,
		"/apis": `{"kind":"APIGroupList","apiVersion":"v1","groups":[{"name":"example.com","versions":[{"groupVersion":"example.com/v1","version":"v1"}],"preferredVersion":{"groupVersion":"example.com/v1","version":"v1"}},` +
			`{"name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],"preferredVersion":{"groupVersion":"apps/v1","version":"v1"}}]}`,
		"/api/v1": `{"kind":"APIResourceList","groupVersion":"v1","resources":[` + resource("pods", "Pod", "po") + "," + resource("secrets", "Secret", "sec") + "," +
			resource("configmaps", "ConfigMap", "cm") + "," + resource("events", "Event", "ev") + `]}`,
		"/apis/apps/v1":                           `{"kind":"APIResourceList","groupVersion":"apps/v1","resources":[` + resource("deployments", "Deployment", "deploy") + `]}`,
		"/apis/example.com/v1":                    `{"kind":"APIResourceList","groupVersion":"example.com/v1","resources":[` + resource("secretcopies", "SecretCopy", "sc2") + `]}`,
		one + "pods":                              `{"kind":"PodList","apiVersion":"v1","metadata":{},"items":[` + pod + `]}`,
		one + "pods/web-1":                        pod,
		one + "pods/web-1/log":                    strings.Repeat("a line of a log\n", 1000),
		one + "configmaps":                        `{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}`,
		one + "events":                            `{"kind":"EventList","apiVersion":"v1","metadata":{},"items":[]}`,
		one + "secrets":                           `{"kind":"SecretList","apiVersion":"v1","metadata":{},"items":[` + strings.Join(secrets, ",") + `]}`,
		one + "secrets/canary":                    secrets[0],
		one + "secrets/token":                     secrets[1],
		"/api/v1/secrets":                         `{"kind":"SecretList","apiVersion":"v1","metadata":{},"items":[` + strings.Join(secrets, ",") + `]}`,
		one + "serviceaccounts/x":                 `{}`,
		one + "secrets/sh.helm.release.v1.web.v1": secrets[2],
		"/apis/example.com/v1/namespaces/podinfo/secretcopies":      `{"kind":"SecretCopyList","apiVersion":"example.com/v1","metadata":{},"items":[{"kind":"SecretCopy","apiVersion":"example.com/v1","metadata":{"name":"copy"},"spec":` + secrets[0] + `}]}`,
		"/apis/example.com/v1/namespaces/podinfo/secretcopies/copy": `{"kind":"SecretCopy","apiVersion":"example.com/v1","metadata":{"name":"copy","namespace":"podinfo"},"spec":` + secrets[0] + `}`,
	}
}

func kubeconfig(url string) []byte {
	return fmt.Appendf(nil, `{clusters: [{name: c, cluster: {server: %q}}], users: [{name: u, user: {token: t}}], contexts: [{name: c, context: {cluster: c, user: u}}], current-context: c}`, url)
}

// one returns an executor of this test.
func one(t *testing.T) *executor.Executor {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	return executor.New(self, "test")
}

const config = `
namespace: podinfo
impersonate: {user: "ferry:{{.ID}}"}
limits: {time: 20s, output: 4096}
rules:
  - {users: [U1], clusters: [prod, stage], resources: [pods, configmaps, deployments], namespaces: [podinfo, "team-*"]}
  - {users: [U1], clusters: [prod], verbs: [delete], resources: [pods], namespaces: [podinfo]}
  - {users: [SECRETS], clusters: [prod], resources: ["*", secrets], namespaces: [podinfo]}
`

func request(user, line string, clusters ...api.Cluster) api.ExecuteRequest {
	return api.ExecuteRequest{Binding: "kubectl", Line: line, Config: []byte(config), Clusters: clusters, User: api.User{ID: user}}
}
