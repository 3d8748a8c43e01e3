package sources

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	eventsv1 "k8s.io/api/events/v1"

	"ferry/e2e/local"
	"ferry/e2e/testbed"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// ferry is what the host and its store are to sources: it keeps events and cursors.
type ferry struct {
	options host.Options

	mu      sync.Mutex
	events  []api.Event
	cursors map[string]string
	more    chan struct{}
	stop    context.CancelFunc
	ended   chan error
	host    *host.Host
}

func (f *ferry) take(_ context.Context, binding string, e api.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e.ID != "" || e.Title != "" { // or it says only how far the source is
		f.events = append(f.events, e)
	}
	if e.Cursor != "" {
		f.cursors[binding] = e.Cursor
	}
	close(f.more)
	f.more = make(chan struct{})
	return nil
}

func (f *ferry) start(t *testing.T) {
	t.Helper()
	h, err := host.New(f.options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.host, f.stop, f.ended = h, cancel, make(chan error, 1)
	go func() { f.ended <- h.Run(ctx) }()
}

func (f *ferry) end(t *testing.T) {
	t.Helper()
	f.stop()
	if err := <-f.ended; err != nil {
		t.Error(err)
	}
}

// await waits until enough events are there.
func (f *ferry) await(t *testing.T, what string, enough func([]api.Event) bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		f.mu.Lock()
		more, ok := f.more, enough(f.events)
		f.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-more:
		case <-timeout:
			for _, s := range f.host.States() {
				t.Logf("%s %s: %s %s", s.Name, s.Status, s.Why, s.Err)
			}
			t.Fatalf("%s did not come; there are\n%s", what, strings.Join(f.titles(), "\n"))
		}
	}
}

// next is closed with the next event.
func (f *ferry) next() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more
}

func (f *ferry) titles() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	for _, e := range f.events {
		out = append(out, fmt.Sprintf("%s | %s | %v", e.Title, e.About, e.Resolved))
	}
	return out
}

func (f *ferry) see(t *testing.T, titles ...string) {
	t.Helper()
	for _, title := range titles {
		f.await(t, title, func(all []api.Event) bool {
			return slices.ContainsFunc(all, func(e api.Event) bool { return strings.HasPrefix(e.Title, title) })
		})
	}
}

const quick = "resolve_after: 1s\npending_after: 2s\nrecent: 4s\n"

func build(t *testing.T, kubeconfig string) *ferry {
	t.Helper()
	dir := t.TempDir()
	if err := local.Sources(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	f := &ferry{cursors: map[string]string{}, more: make(chan struct{})}
	f.options = host.Options{
		Dir: t.TempDir(), Events: f.take, Pause: 50 * time.Millisecond, Look: 200 * time.Millisecond,
		Cursor: func(_ context.Context, binding string) (string, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.cursors[binding], nil
		},
	}
	for name, config := range map[string]string{
		"events":  quick,
		"changes": "kinds: [apps/v1/deployments, v1/configmaps, v1/secrets]\nnamespaces: {include: [shop]}\nignore: [spec.replicas]\n",
		"flux":    "kinds: [Kustomization]\n",
	} {
		f.options.Bindings = append(f.options.Bindings, host.Binding{
			Name: name, Kind: api.KindSource, Plugin: name, Config: []byte(config),
			Find: func(context.Context) (host.File, error) {
				return host.File{Path: filepath.Join(dir, name), Name: name}, nil
			},
			Clusters: func(context.Context) ([]api.Cluster, error) {
				way, err := os.ReadFile(kubeconfig)
				return []api.Cluster{{Name: "prod", Kubeconfig: way}}, err
			},
		})
	}
	return f
}

const namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"

func deployment(name, image string) string {
	return fmt.Sprintf(`---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: %s}}
  template:
    metadata: {labels: {app: %s}}
    spec: {containers: [{name: app, image: "example.com/%s:%s"}]}
`, name, name, name, name, image)
}

func kustomization(ready, reason, revision string) string {
	return fmt.Sprintf(`{"lastAppliedRevision":%q,"conditions":[{"type":"Ready","status":%q,"reason":%q,"message":"m","lastTransitionTime":"2024-01-01T00:00:00Z"}]}`, revision, ready, reason)
}

// TestSources plants problems before, between and during two lives of the sources.
func TestSources(t *testing.T) {
	cluster, err := testbed.Start(t.Context(), testbed.Options{Name: "prod", NoFlux: true, Progress: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := world{t, cluster}
	w.apply(namespace + deployment("crashing", "crash") + deployment("pulling", "broken") + deployment("web", "1") +
		"---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: shop}\nspec: {interval: 1m, path: ./, prune: true, sourceRef: {kind: GitRepository, name: x}}\n" +
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter1-canary}\n")
	w.status(kustomization("False", "BuildFailed", "main@sha1:aaa"))
	way := filepath.Join(t.TempDir(), "kubeconfig")
	admin, err := os.ReadFile(cluster.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(way, admin, 0o600); err != nil {
		t.Fatal(err)
	}
	f := build(t, way)
	f.start(t)
	f.see(t, "crashing is in a crash loop", "pulling cannot pull its image", "Kustomization shop/apps fails")

	w.listed(f)
	w.apply(deployment("web", "2"))
	f.see(t, "Deployment shop/web changed")
	w.note("first", "Unhealthy")
	f.see(t, "web-0: Unhealthy: first")
	f.end(t)

	// While nobody watches: the API server restarts, one problem ends, others begin.
	killed := w.killed("eater")
	cluster.Down()
	w.rotate(way, "sources-1")
	if err := cluster.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.apply(deployment("crashing", "2") + deployment("web", "3") + deployment("later", "crash"))
	w.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: db, namespace: shop}\nstringData: {password: hunter2-canary}\n")
	w.note("second", "Unhealthy")
	w.status(kustomization("True", "ReconciliationSucceeded", "main@sha1:bbb"))
	<-time.After(time.Until(killed.Add(recent + time.Second))) // until that is not recent any more
	f.start(t)
	f.see(t, "eater was killed because it took too much memory", "eater: OOMKilled is over", "crashing: CrashLoopBackOff is over", "later is in a crash loop", "web-0: Unhealthy: second", "Secret shop/db changed",
		"Kustomization shop/apps is healthy again", "Kustomization shop/apps is at main@sha1:bbb")

	w.apply(deployment("later", "2") + deployment("pulling", "2"))
	f.see(t, "later: CrashLoopBackOff is over", "pulling: ImagePullBackOff is over")
	cluster.Down() // while they watch, and their token is another one then
	w.rotate(way, "sources-2")
	if err := cluster.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.note("third", "Unhealthy")
	f.see(t, "web-0: Unhealthy: third")
	w.storm(f, 2000)
	w.refused(f)
	f.told(t)
	f.end(t)
	judge(t, f)
}

// planted is how often what is to be told of.
func planted() map[string]int {
	return map[string]int{
		"prod/Deployment/shop/crashing/CrashLoopBackOff/CrashLoopBackOff/false": 1, "prod/Deployment/shop/crashing/CrashLoopBackOff/CrashLoopBackOff/true": 1,
		"prod/Deployment/shop/pulling/ImagePullBackOff/ImagePullBackOff/false": 1, "prod/Deployment/shop/pulling/ImagePullBackOff/ImagePullBackOff/true": 1,
		"prod/Deployment/shop/later/CrashLoopBackOff/CrashLoopBackOff/false": 1, "prod/Deployment/shop/later/CrashLoopBackOff/CrashLoopBackOff/true": 1,
		"prod/Deployment/shop/web/changes/Changed/false": 2, "prod/Deployment/shop/crashing/changes/Changed/false": 1, "prod/Deployment/shop/pulling/changes/Changed/false": 1,
		"prod/Deployment/shop/later/changes/Created/false": 1, "prod/Deployment/shop/later/changes/Changed/false": 1, "prod/Secret/shop/db/changes/Changed/false": 1,
		"prod/Kustomization/shop/apps/failure/BuildFailed/false": 1, "prod/Kustomization/shop/apps/failure/Healthy/true": 1, "prod/Kustomization/shop/apps/revision/NewRevision/false": 1,
		"prod/Pod/shop/eater/OOMKilled/OOMKilled/false": 1, "prod/Pod/shop/eater/OOMKilled/OOMKilled/true": 1,
		"/Unhealthy/false": 3,
	}
}

// counted is how often what was told, without what is no matter of judge's.
func counted(events []api.Event) map[string]int {
	counts := map[string]int{}
	for _, e := range events {
		if !strings.Contains(e.Title, "storm") && !strings.Contains(e.Title, "probe") && !strings.Contains(e.About, "/probe/") && e.Reason != "NotWatched" {
			counts[fmt.Sprintf("%s/%s/%v", e.About, e.Reason, e.Resolved)]++
		}
	}
	return counts
}

// told waits until nothing that was planted is missing: a source that was let in again is
// not yet told of what happened meanwhile.
func (f *ferry) told(t *testing.T) {
	t.Helper()
	f.await(t, "all that was planted", func(all []api.Event) bool {
		counts := counted(all)
		for what, want := range planted() {
			if counts[what] < want {
				return false
			}
		}
		return true
	})
}

// judge counts: everything once, each end once, and no secret.
func judge(t *testing.T, f *ferry) {
	t.Helper()
	counts, ids := counted(f.events), map[string]int{}
	for _, e := range f.events {
		ids[e.ID]++
		if strings.Contains(fmt.Sprint(e), "canary") || strings.Contains(string(e.Object), "canary") {
			t.Errorf("a secret is shown: %+v", e)
		}
	}
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s came %d times", id, n)
		}
	}
	for what, want := range planted() {
		if counts[what] != want {
			t.Errorf("%s was told %d times, want %d", what, counts[what], want)
		}
		delete(counts, what)
	}
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		t.Errorf("%s was told %d times, and nobody planted it", what, counts[what])
	}
}

// world plants things.
type world struct {
	t *testing.T
	*testbed.Cluster
}

// listed changes something, and notes something, until both are told: what was there before
// the sources of changes and of Events listed it for the first time is nothing new to them.
func (w world) listed(f *ferry) {
	w.t.Helper()
	told := func() bool {
		titles := f.titles()
		return slices.ContainsFunc(titles, func(title string) bool { return strings.HasPrefix(title, "Deployment shop/probe changed") }) &&
			slices.ContainsFunc(titles, func(title string) bool { return strings.Contains(title, "Probe: probe-") })
	}
	for n, end := 1, time.Now().Add(time.Minute); !told(); n++ {
		if time.Now().After(end) {
			w.t.Fatalf("no change was told, or no Event; there are\n%s", strings.Join(f.titles(), "\n"))
		}
		w.apply(deployment("probe", fmt.Sprint(n)))
		w.note(fmt.Sprintf("probe-%d", n), "Probe")
		select {
		case <-f.next():
		case <-time.After(time.Second):
		}
	}
}

func (w world) apply(manifests string) {
	w.t.Helper()
	if err := w.Apply(w.t.Context(), manifests); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) status(status string) {
	w.t.Helper()
	gvr := schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	in := w.Dynamic.Resource(gvr).Namespace("shop")
	o, err := in.Get(w.t.Context(), "apps", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var parsed unstructured.Unstructured
	if err := parsed.UnmarshalJSON([]byte(`{"apiVersion":"v1","kind":"X","status":` + status + `}`)); err != nil {
		w.t.Fatal(err)
	}
	o.Object["status"] = parsed.Object["status"]
	if _, err := in.UpdateStatus(w.t.Context(), o, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

func (w world) note(text, reason string) {
	w.t.Helper()
	e := &eventsv1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: text, Namespace: "shop"}, EventTime: metav1.NowMicro(), Type: "Warning", Reason: reason, Note: text,
		ReportingController: "example.com/test", ReportingInstance: "test", Action: "Testing",
	}
	e.Regarding.Kind, e.Regarding.Namespace, e.Regarding.Name = "Pod", "shop", "web-0"
	if _, err := w.Typed.EventsV1().Events("shop").Create(w.t.Context(), e, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// storm says so many things and tells how long it took until all were there.
func (w world) storm(f *ferry, count int) {
	w.t.Helper()
	began := time.Now()
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			for i := part; i < count; i += 8 {
				w.note(fmt.Sprintf("storm-%d", i), "Storm")
			}
		})
	}
	all.Wait()
	written := time.Since(began)
	f.await(w.t, "the storm", func(es []api.Event) bool {
		n := 0
		for _, e := range es {
			if strings.Contains(e.Title, "storm") {
				n++
			}
		}
		return n == count
	})
	w.t.Logf("%d Events written in %s, told in %s (%.0f/s)", count, written, time.Since(began), float64(count)/time.Since(began).Seconds())
	for _, s := range f.host.States() {
		w.t.Logf("%s: %d MiB, %d events", s.Name, s.Memory>>20, s.Events)
	}
}
