package cluster_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"ferry/playground/cluster"
	"ferry/playground/cluster/apiserver"
)

func waitEvent(t testing.TB, w watch.Interface, ok func(object string) bool) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	var last []byte
	for {
		select {
		case e, open := <-w.ResultChan():
			if !open {
				t.Fatalf("the watch ended; last was %s", last)
			}
			last, _ = json.Marshal(e.Object)
			if ok(string(last)) {
				return
			}
		case <-timeout.C:
			t.Fatalf("it did not come about; last was %s", last)
		}
	}
}

func configMap(name, value string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: name, Namespace: "default",
		Labels: map[string]string{"v": value},
	}, Data: map[string]string{"v": value}}
}

func TestDiscovery(t *testing.T) {
	c := start(t, cluster.Options{Repository: cluster.NewGit(t.TempDir())})
	d, err := discovery.NewDiscoveryClientForConfig(config(t, c, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := d.ServerVersion(); err != nil || v.Minor == "" {
		t.Errorf("version %v, %v", v, err)
	}
	_, lists, err := d.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, l := range lists {
		for _, r := range l.APIResources {
			found = append(found, l.GroupVersion+"/"+r.Name)
		}
	}
	all := strings.Join(found, " ")
	for _, want := range []string{
		"v1/pods", "apps/v1/deployments", "apps/v1/deployments/status",
		"helm.toolkit.fluxcd.io/v2/helmreleases", "kustomize.toolkit.fluxcd.io/v1/kustomizations", "source.toolkit.fluxcd.io/v1/gitrepositories",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%s is not discovered", want)
		}
	}
	without := start(t, cluster.Options{Name: "plain"})
	d, _ = discovery.NewDiscoveryClientForConfig(config(t, without, "admin"))
	if _, err := d.ServerResourcesForGroupVersion("helm.toolkit.fluxcd.io/v2"); !apierrors.IsNotFound(err) {
		t.Errorf("a cluster without Flux serves it: %v", err)
	}
}

func TestWritesAndTheirErrors(t *testing.T) {
	c := start(t, cluster.Options{})
	k, ctx := client(t, c), t.Context()
	maps := k.CoreV1().ConfigMaps("default")
	first, err := maps.Create(ctx, configMap("a", "1"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Create(ctx, configMap("a", "1"), metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
		t.Errorf("created twice: %v", err)
	}
	if _, err := maps.Get(ctx, "b", metav1.GetOptions{}); !apierrors.IsNotFound(err) || err.Error() != `configmaps "b" not found` {
		t.Errorf("get: %v", err)
	}
	if _, err := k.CoreV1().ConfigMaps("nowhere").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}},
		metav1.CreateOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("created in a namespace that is not there: %v", err)
	}
	second := first.DeepCopy()
	second.Data["v"] = "2"
	if second, err = maps.Update(ctx, second, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Update(ctx, first, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("updated what had changed: %v", err)
	}
	again, err := maps.Update(ctx, second, metav1.UpdateOptions{})
	if err != nil || again.ResourceVersion != second.ResourceVersion {
		t.Errorf("an update to the same is a write: %v", err)
	}
	merged, err := maps.Patch(ctx, "a", types.MergePatchType, []byte(`{"data":{"w":"1","v":null}}`), metav1.PatchOptions{})
	if err != nil || merged.Data["w"] != "1" || len(merged.Data) != 1 {
		t.Errorf("merge patch: %v, %v", merged.Data, err)
	}
	jsoned, err := maps.Patch(ctx, "a", types.JSONPatchType, []byte(`[{"op":"add","path":"/data/x","value":"2"}]`), metav1.PatchOptions{})
	if err != nil || jsoned.Data["x"] != "2" {
		t.Errorf("JSON patch: %v, %v", jsoned.Data, err)
	}
	stale := fmt.Sprintf(`{"metadata":{"resourceVersion":%q},"data":{"w":"3"}}`, first.ResourceVersion)
	if _, err := maps.Patch(ctx, "a", types.MergePatchType, []byte(stale), metav1.PatchOptions{}); !apierrors.IsConflict(err) {
		t.Errorf("patched what had changed: %v", err)
	}
	yes := true
	applied, err := maps.Patch(ctx, "new", types.ApplyPatchType, []byte(`{"apiVersion":"v1","kind":"ConfigMap","data":{"k":"v"}}`),
		metav1.PatchOptions{FieldManager: "test", Force: &yes})
	if err != nil || applied.Data["k"] != "v" {
		t.Errorf("apply: %v", err)
	}
	wrong := types.UID("other")
	if err := maps.Delete(ctx, "a", metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &wrong}}); !apierrors.IsConflict(err) {
		t.Errorf("deleted another: %v", err)
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "v=1"}); err != nil {
		t.Error(err)
	}
	left, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil || len(left.Items) != 1 || left.Items[0].Name != "new" {
		t.Errorf("left: %+v, %v", left.Items, err)
	}
}

func TestStatusIsASubresource(t *testing.T) {
	c := start(t, cluster.Options{})
	k, ctx := client(t, c), t.Context()
	if _, err := k.AppsV1().Deployments("default").Create(ctx, deployment("default", "web", "web:1", 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := until(t, k, "default", "web", rolledOut("web:1"))
	d.Status.Replicas = 7
	d.Annotations["note"] = "x"
	after, err := k.AppsV1().Deployments("default").Update(ctx, d, metav1.UpdateOptions{})
	if err != nil || after.Status.Replicas != 1 || after.Generation != 1 {
		t.Errorf("an update changed the status to %d, the generation to %d: %v", after.Status.Replicas, after.Generation, err)
	}
	patched, err := k.AppsV1().Deployments("default").Patch(ctx, "web", types.MergePatchType,
		[]byte(`{"spec":{"paused":true},"status":{"collisionCount":3}}`), metav1.PatchOptions{}, "status")
	if err != nil || patched.Spec.Paused || *patched.Status.CollisionCount != 3 {
		t.Errorf("a status patch: %+v, %v", patched, err)
	}
}

func TestListPagesAndSelectors(t *testing.T) {
	c := start(t, cluster.Options{})
	k, ctx := client(t, c), t.Context()
	maps := k.CoreV1().ConfigMaps("default")
	for i := range 7 {
		if _, err := maps.Create(ctx, configMap(fmt.Sprintf("m%d", i), fmt.Sprint(i%2)), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	options := metav1.ListOptions{Limit: 3}
	for {
		page, err := maps.List(ctx, options)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	if got := strings.Join(names, " "); got != "m0 m1 m2 m3 m4 m5 m6" {
		t.Errorf("pages: %s", got)
	}
	odd, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "v in (1)", FieldSelector: "metadata.name!=m3"})
	if err != nil || len(odd.Items) != 2 {
		t.Errorf("%d selected, %v", len(odd.Items), err)
	}
	if _, err := maps.List(ctx, metav1.ListOptions{FieldSelector: "data.v=1"}); !apierrors.IsBadRequest(err) {
		t.Errorf("a field that cannot be selected: %v", err)
	}
	page, err := maps.List(ctx, metav1.ListOptions{Limit: 3})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Create(ctx, configMap("n", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Store().Compact()
	if _, err := maps.List(ctx, metav1.ListOptions{Limit: 3, Continue: page.Continue}); !apierrors.IsResourceExpired(err) {
		t.Errorf("continued after compaction: %v", err)
	}
	meta, err := metadata.NewForConfig(config(t, c, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	list, err := meta.Resource(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}).List(ctx, metav1.ListOptions{})
	if err != nil || len(list.Items) != 8 || list.Items[0].Labels["v"] != "0" {
		t.Errorf("metadata: %+v, %v", list, err)
	}
}

func TestWatchResumesAndExpires(t *testing.T) {
	c := start(t, cluster.Options{})
	k, ctx := client(t, c), t.Context()
	maps := k.CoreV1().ConfigMaps("default")
	first, err := maps.Create(ctx, configMap("a", "1"), metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := maps.Create(ctx, configMap("b", "1"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if e := <-w.ResultChan(); e.Type != watch.Added || e.Object.(*corev1.ConfigMap).Name != "b" {
		t.Errorf("resumed with %+v", e)
	}
	c.Store().Compact()
	expired, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: first.ResourceVersion})
	if err != nil {
		t.Fatal(err)
	}
	defer expired.Stop()
	e := <-expired.ResultChan()
	if err := apierrors.FromObject(e.Object); e.Type != watch.Error || !apierrors.IsResourceExpired(err) {
		t.Errorf("a watch from before the compaction: %+v", e)
	}
	// Leaving and entering a selection are a deletion and an addition.
	selected, err := maps.Watch(ctx, metav1.ListOptions{LabelSelector: "v=1", ResourceVersion: fmt.Sprint(c.Store().Version())})
	if err != nil {
		t.Fatal(err)
	}
	defer selected.Stop()
	for _, step := range []struct {
		value string
		want  watch.EventType
	}{{"2", watch.Deleted}, {"1", watch.Added}} {
		patch := fmt.Sprintf(`{"metadata":{"labels":{"v":%q}}}`, step.value)
		if _, err := maps.Patch(ctx, "a", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if e := <-selected.ResultChan(); e.Type != step.want {
			t.Errorf("label %s: %s, not %s", step.value, e.Type, step.want)
		}
	}
}

// TestInformer has client-go's own machinery follow a cluster that goes away,
// forgets, and comes back.
func TestInformer(t *testing.T) {
	for _, streaming := range []string{"true", "false"} {
		t.Run("streaming lists "+streaming, func(t *testing.T) {
			t.Setenv("KUBE_FEATURE_WatchListClient", streaming)
			c := start(t, cluster.Options{})
			k := client(t, c)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			seen := make(chan string, 100)
			factory := informers.NewSharedInformerFactoryWithOptions(k, 0, informers.WithNamespace("default"))
			informer := factory.Core().V1().ConfigMaps().Informer()
			tell := func(what string) func(any) {
				return func(o any) {
					if m, ok := o.(*corev1.ConfigMap); ok {
						seen <- what + " " + m.Name + "=" + m.Data["v"]
					}
				}
			}
			_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
				AddFunc: tell("add"), DeleteFunc: tell("delete"),
				UpdateFunc: func(_, o any) { tell("update")(o) },
			})
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, "a", "1")
			factory.Start(ctx.Done())
			defer factory.Shutdown()
			defer cancel()
			expect(t, seen, "add a=1")
			put(t, c, "a", "2")
			expect(t, seen, "update a=2")
			c.CutConnections()
			put(t, c, "b", "1")
			expect(t, seen, "add b=1")
			if err := c.SetState(cluster.Down); err != nil {
				t.Fatal(err)
			}
			put(t, c, "a", "3")
			c.Store().Compact()
			put(t, c, "b", "2")
			if err := c.SetState(cluster.Up); err != nil {
				t.Fatal(err)
			}
			expect(t, seen, "update a=3", "update b=2")
		})
	}
}

// put writes behind the API, which may be down.
func put(t *testing.T, c *cluster.Cluster, name, value string) {
	t.Helper()
	maps := apiserver.In[corev1.ConfigMap](c.Store(), "", "configmaps")
	key := apiserver.Key{Namespace: "default", Name: name}
	err := maps.Change(key, apiserver.Spec, func(m *corev1.ConfigMap) { m.Data["v"] = value })
	if maps.Get(key) == nil {
		_, err = maps.Create(configMap(name, value))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, seen <-chan string, want ...string) {
	t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	missing := map[string]bool{}
	for _, w := range want {
		missing[w] = true
	}
	for len(missing) > 0 {
		select {
		case s := <-seen:
			delete(missing, s)
		case <-timeout.C:
			t.Fatalf("not seen: %v", missing)
		}
	}
}
