package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/e2e/charts"
	"ferry/e2e/testbed"
	"ferry/playground/github"
)

const (
	owner    = "acme"
	repoName = "fleet"
	branch   = "main"
	// githubToken is ferry's: it may write. Everybody may read.
	githubToken = "e2e-token"
	ferryLogin  = "ferry-bot"
)

// world is what stands around ferry: a local GitHub, a Helm repository, an OCI registry, and clusters that follow the fleet in it.
type world struct {
	repo *repo
	// github is the API in front of the repository; meddle stands before it.
	github *github.Server
	meddle *meddler
	url    string // of GitHub and of the charts

	mu       sync.Mutex
	clusters map[string]*testbed.Cluster
}

// newWorld starts the clusters side by side and returns when each runs the whole fleet.
func newWorld(t *testing.T, names ...string) *world {
	t.Helper()
	if testing.Short() {
		t.Skip("real clusters take more than -short allows")
	}
	served, err := github.New(github.Options{
		Dir:           t.TempDir(),
		Repositories:  []github.Repository{{Owner: owner, Name: repoName, Labels: []string{"promotion"}, Seed: os.DirFS("testdata/repo")}},
		Tokens:        map[string]github.Token{githubToken: {Login: ferryLogin, Access: github.WriteAccess}},
		AnonymousRead: true,
		HourlyLimit:   1 << 20,
	})
	must(t, err)
	t.Cleanup(func() { must(t, served.Close()) })
	helm, err := charts.Handler(charts.Podinfo())
	must(t, err)
	w := &world{
		repo: &repo{Repo: served.Repo(owner + "/" + repoName)}, github: served, meddle: &meddler{next: served},
		clusters: map[string]*testbed.Cluster{},
	}
	oci, err := charts.Registry(charts.Podinfo())
	must(t, err)
	mux := http.NewServeMux()
	mux.Handle("/v2/", oci)
	mux.Handle("/", w.meddle)
	mux.Handle("/charts/", http.StripPrefix("/charts", helm))
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	w.url = server.URL

	begin := time.Now()
	var starts sync.WaitGroup
	for _, name := range names {
		starts.Go(func() {
			if _, err := w.start(t, name); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d clusters follow the fleet after %.1f s", len(names), time.Since(begin).Seconds())
	return w
}

// start brings up one more cluster and returns when it runs the fleet. It stops with the test, or by drop.
func (w *world) start(t *testing.T, name string) (*testbed.Cluster, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cluster, err := testbed.Start(ctx, testbed.Options{Name: name, Dir: logDir(t, name), Progress: t.Output()})
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := cluster.Bootstrap(ctx, testbed.Sync{GitURL: w.repo.CloneURL(w.url), Charts: w.url + "/charts", Registry: strings.TrimPrefix(w.url, "http://")}); err != nil {
		return nil, err
	}
	if err := settled(ctx, cluster); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clusters[name] = cluster
	return cluster, nil
}

// drop stops a cluster before its test ends.
func (w *world) drop(name string) error {
	w.mu.Lock()
	cluster := w.clusters[name]
	delete(w.clusters, name)
	w.mu.Unlock()
	if cluster == nil {
		return nil
	}
	return cluster.Stop()
}

// running are the clusters that are there now.
func (w *world) running() map[string]*testbed.Cluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.clusters)
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

// settled returns when everything that the fixture holds for the cluster runs there and is healthy.
func settled(ctx context.Context, cluster *testbed.Cluster) error {
	for app, image := range fleet()[cluster.Name] {
		namespace, name, _ := strings.Cut(app, "/")
		if err := cluster.WaitImage(ctx, namespace, name, image); err != nil {
			return err
		}
		if err := cluster.WaitRollout(ctx, namespace, name); err != nil {
			return err
		}
	}
	for _, release := range []string{"gateway", "api"} {
		if err := cluster.WaitReady(ctx, testbed.HelmRelease, "podinfo", release); err != nil {
			return err
		}
	}
	return nil
}

// restore brings repository and clusters back to the fixture, for the next scenario. What differs costs a commit, what
// does not costs nothing.
func (w *world) restore(ctx context.Context) error {
	changed, err := w.repo.reset(os.DirFS("testdata/repo"))
	if err != nil || !changed {
		return err
	}
	head, err := w.repo.Head(branch)
	if err != nil {
		return fmt.Errorf("read head to go back to: %w", err)
	}
	for _, cluster := range w.running() {
		if err := cluster.Reconcile(ctx, testbed.GitRepository, "flux-system", "flux-system"); err != nil {
			return err
		}
	}
	for _, cluster := range w.running() {
		if err := cluster.WaitRevision(ctx, string(head)); err != nil {
			return err
		}
		if err := settled(ctx, cluster); err != nil {
			return err
		}
	}
	return nil
}

// repo is the fleet's repository from the side: what somebody else pushes, and what is there.
type repo struct{ *github.Repo }

// edit pushes a change of one file as somebody else.
func (r *repo) edit(file, from, to string) (commit string, err error) {
	text, err := r.ReadFile(branch, file)
	if err != nil {
		return "", err
	}
	if !strings.Contains(text, from) {
		return "", fmt.Errorf("edit %s: it does not hold %q", file, from)
	}
	id, err := r.Commit(branch, file+": "+to, map[string]string{file: strings.ReplaceAll(text, from, to)})
	return string(id), err
}

// reset commits what it takes to make the branch hold the files again, and reports whether that was anything.
func (r *repo) reset(files fs.FS) (changed bool, err error) {
	want := map[string]string{}
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		want[path] = string(text)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read fixture: %w", err)
	}
	have, err := r.git("ls-tree", "-r", "--name-only", branch)
	if err != nil {
		return false, err
	}
	write, remove := map[string]string{}, []string(nil)
	for _, path := range strings.Fields(have) {
		text, kept := want[path]
		if !kept {
			remove = append(remove, path)
			continue
		}
		is, err := r.ReadFile(branch, path)
		if err != nil {
			return false, err
		}
		if is != text {
			write[path] = text
		}
		delete(want, path)
	}
	maps.Copy(write, want)
	if len(remove) > 0 {
		if _, err := r.Delete(branch, "Take away what a test left", remove...); err != nil {
			return false, err
		}
	}
	if len(write) > 0 {
		if _, err := r.Commit(branch, "Back to the fixture", write); err != nil {
			return false, err
		}
	}
	return len(write)+len(remove) > 0, nil
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
