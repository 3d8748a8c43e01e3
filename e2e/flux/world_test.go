package flux

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"ferry/e2e/charts"
	"ferry/e2e/testbed"
	"ferry/playground/github"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

const (
	owner, name = "acme", "fleet"
	deployment  = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: app, image: "example.com/web:1"}]}
`
	release = `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: gateway, namespace: shop}
spec:
  interval: 1h
  chart: {spec: {chart: podinfo, version: 6.5.3, interval: 1h, sourceRef: {kind: HelmRepository, name: charts, namespace: flux-system}}}
`
	apps = `apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {interval: 1h, retryInterval: 1h, prune: true, path: ./apps, sourceRef: {kind: GitRepository, name: flux-system}}
`
	// rights are what the clusters let people do, whatever ferry's rules say.
	rights = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: sees}
rules: [{apiGroups: [kustomize.toolkit.fluxcd.io, helm.toolkit.fluxcd.io, source.toolkit.fluxcd.io], resources: ["*"], verbs: [get, list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: works}
rules: [{apiGroups: [kustomize.toolkit.fluxcd.io, helm.toolkit.fluxcd.io, source.toolkit.fluxcd.io], resources: ["*"], verbs: [get, list, watch, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: sees}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: sees}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ferry:READER"}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: works}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: works}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: "ferry:WRITER"}]
`
	config = `
impersonate: {user: "ferry:{{.ID}}"}
wait: 40s
rules:
  - {users: [READER, WRITER, POOR], clusters: ["*"], resources: ["*"], namespaces: ["*"], verbs: ["*", reconcile, suspend, resume]}
`
)

// world is a cluster that follows a repository, and the executor beside it.
type world struct {
	*testing.T
	*testbed.Cluster
	repo *github.Repo
	host *host.Host
}

func newWorld(t *testing.T) *world {
	t.Helper()
	served, err := github.New(github.Options{
		Dir: t.TempDir(), AnonymousRead: true, HourlyLimit: 1 << 20,
		Repositories: []github.Repository{{Owner: owner, Name: name, Seed: fstest.MapFS{
			"clusters/prod/apps.yaml":   {Data: []byte(apps)},
			"apps/namespace.yaml":       {Data: []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")},
			"apps/web.yaml":             {Data: []byte(deployment)},
			"apps/gateway.yaml":         {Data: []byte(release)},
			"elsewhere/unimportant.txt": {Data: []byte("x")},
		}}},
	})
	must(t, err)
	t.Cleanup(func() { must(t, served.Close()) })
	helm, err := charts.Handler(charts.Podinfo())
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/", served)
	mux.Handle("/charts/", http.StripPrefix("/charts", helm))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cluster, err := testbed.Start(ctx, testbed.Options{Name: "prod", Progress: t.Output()})
	must(t, err)
	t.Cleanup(func() { must(t, cluster.Stop()) })
	w := &world{T: t, Cluster: cluster, repo: served.Repo(owner + "/" + name)}
	must(t, cluster.Apply(ctx, rights))
	must(t, cluster.Bootstrap(ctx, testbed.Sync{GitURL: w.repo.CloneURL(server.URL), Charts: server.URL + "/charts"}))
	must(t, cluster.WaitReady(ctx, testbed.Kustomization, "flux-system", "apps"))
	must(t, cluster.WaitReady(ctx, testbed.HelmRelease, "shop", "gateway"))
	w.start()
	return w
}

// start builds the plugin and runs it under the host, with the cluster and one that
// is away.
func (w *world) start() {
	w.Helper()
	dir := w.TempDir()
	build := exec.CommandContext(w.Context(), "go", "build", "-ldflags=-s -w -X main.version=v0", "-o", filepath.Join(dir, "flux"), ".")
	build.Dir = "../../plugins/flux"
	if out, err := build.CombinedOutput(); err != nil {
		w.Fatalf("build the executor: %v\n%s", err, out)
	}
	way, err := os.ReadFile(w.Kubeconfig())
	must(w.T, err)
	away := bytes.ReplaceAll(way, []byte(w.URL()), []byte("https://127.0.0.1:1"))
	h, err := host.New(host.Options{Dir: w.TempDir(), Bindings: []host.Binding{{
		Name: "flux", Kind: api.KindExecutor, Plugin: "flux", Config: []byte(config),
		Find: func(context.Context) (host.File, error) {
			return host.File{Path: filepath.Join(dir, "flux"), Name: "flux"}, nil
		},
		Clusters: func(context.Context) ([]api.Cluster, error) {
			return []api.Cluster{{Name: "prod", Kubeconfig: way}, {Name: "away", Kubeconfig: away}}, nil
		},
	}}})
	must(w.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		must(w.T, <-ended)
	})
	w.host = h
}

// said is what became of a line.
type said struct {
	out    string
	result api.Result
	asked  string // what was to be confirmed first
	err    error
}

// say runs a line as somebody, and presses the button if there is one.
func (w *world) say(who, line string) said {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	r := api.ExecuteRequest{Line: line, User: api.User{ID: who}}
	var out bytes.Buffer
	begin := time.Now()
	result, err := w.host.Execute(ctx, "flux", r, &out)
	s := said{result: result, err: err}
	if err == nil && result.Confirm != "" {
		s.asked, r.Confirmed = result.Confirm, true
		s.result, s.err = w.host.Execute(ctx, "flux", r, &out)
	}
	s.out = out.String()
	if failure := (api.Failure{}); errors.As(s.err, &failure) {
		w.Logf("%s: %s: it says %v", who, line, failure)
	}
	w.Logf("%s: %s (%d ms)\n%s%s", who, line, time.Since(begin).Milliseconds(), s.out, s.result.Title)
	return s
}

// push commits a change and returns the first digits of the commit.
func (w *world) push(files map[string]string) string {
	w.Helper()
	id, err := w.repo.Commit("main", "a change", files)
	must(w.T, err)
	return string(id)[:8]
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
