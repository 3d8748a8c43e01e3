package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/e2e/charts"
	"ferry/e2e/gitrepo"
	"ferry/e2e/testbed"
)

// world is what stands around ferry: a repository, a Helm repository, and clusters that follow them.
type world struct {
	repo     *gitrepo.Repo
	clusters map[string]*testbed.Cluster
}

// newWorld starts the clusters side by side and returns when each runs the whole fleet.
func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	repo, err := gitrepo.New(ctx, t.TempDir(), os.DirFS("testdata/repo"))
	must(t, err)
	git, err := repo.Handler(ctx)
	must(t, err)
	helm, err := charts.Handler(charts.Podinfo())
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/fleet.git/", git)
	mux.Handle("/charts/", http.StripPrefix("/charts", helm))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)

	w := &world{repo: repo, clusters: map[string]*testbed.Cluster{}}
	begin := time.Now()
	var mu sync.Mutex
	var starts sync.WaitGroup
	for _, name := range names {
		starts.Go(func() {
			cluster, err := testbed.Start(ctx, testbed.Options{Name: name, Dir: logDir(t, name), Progress: t.Output()})
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() {
				if err := cluster.Stop(); err != nil {
					t.Error(err)
				}
			})
			if err := cluster.Bootstrap(ctx, testbed.Sync{GitURL: server.URL + "/fleet.git", Charts: server.URL + "/charts"}); err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			w.clusters[name] = cluster
		})
	}
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}
	for _, cluster := range w.clusters {
		w.settled(ctx, t, cluster)
	}
	t.Logf("%d clusters follow the fleet after %.1f s", len(names), time.Since(begin).Seconds())
	return w
}

// logDir is where a cluster's logs stay after the test: a new folder in $FERRY_E2E_LOGS, or "" for nowhere.
func logDir(t *testing.T, cluster string) string {
	keep := os.Getenv("FERRY_E2E_LOGS")
	if keep == "" {
		return ""
	}
	dir, err := os.MkdirTemp(keep, cluster+"-")
	if err != nil {
		t.Error(err)
	}
	return dir
}

// settled returns when everything that the fleet holds for the cluster runs there.
func (w *world) settled(ctx context.Context, t *testing.T, cluster *testbed.Cluster) {
	t.Helper()
	for app := range fleet()[cluster.Name] {
		namespace, name, _ := strings.Cut(app, "/")
		must(t, cluster.WaitRollout(ctx, namespace, name))
	}
}

// fleet is which images run where, as testdata/repo says: cluster → namespace/name → image.
func fleet() map[string]map[string]string {
	const podinfo = "ghcr.io/stefanprodan/podinfo:"
	prod := map[string]string{
		"podinfo/podinfo": podinfo + "6.5.3", "podinfo/gateway": podinfo + "6.5.3", "podinfo/api": podinfo + "6.5.3",
		"podinfo/checkout": "ghcr.io/team/checkout:2.4.0",
		"team/web":         "localhost:5000/team/web:1.2.3",
		"team/pinned":      "ghcr.io/team/pinned@sha256:4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945",
		"team/worker":      "ghcr.io/team/worker:2.0.0", "batch/worker": "ghcr.io/team/worker:1.9.0",
		"team/legacy": "ghcr.io/team/legacy:7.0.0", "team/legacy-next": "ghcr.io/team/legacy-next:17.0.0",
		"team/shared": "ghcr.io/team/shared:3.1.0",
	}
	stage := map[string]string{
		"podinfo/podinfo": podinfo + "6.5.4", "podinfo/gateway": podinfo + "6.5.4", "podinfo/api": podinfo + "6.5.4",
		"podinfo/checkout": "ghcr.io/team/checkout:2.5.0",
		"team/web":         "localhost:5000/team/web:1.3.0-rc.1",
		"team/pinned":      "ghcr.io/team/pinned@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"team/worker":      "ghcr.io/team/worker:2.1.0", "batch/worker": "ghcr.io/team/worker:1.9.0",
		"team/legacy": "ghcr.io/team/legacy:7.0.1", "team/legacy-next": "ghcr.io/team/legacy-next:17.0.0",
		"team/shared": "ghcr.io/team/shared:3.1.0",
	}
	return map[string]map[string]string{"prod": prod, "prod-eu": prod, "stage": stage}
}

// living are the processes that work in the folder or below it, whoever started them: pid → command.
func living(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(t, err)
	if len(links) == 0 {
		t.Skip("no /proc to look for processes in")
	}
	for _, link := range links {
		where, err := os.Readlink(link)
		if err != nil || !strings.HasPrefix(where, dir) {
			continue
		}
		command, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "comm"))
		found[filepath.Base(filepath.Dir(link))] = strings.TrimSpace(string(command))
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
