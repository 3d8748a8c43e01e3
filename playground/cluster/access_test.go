package cluster_test

import (
	"context"
	"errors"
	"testing"
	"time"

	authz "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"ferry/playground/cluster"
	"ferry/playground/cluster/apiserver"
)

func TestUsersAndStates(t *testing.T) {
	c := start(t, cluster.Options{Slow: 50 * time.Millisecond, Users: []apiserver.User{{Name: "ferry", Deny: []apiserver.Rule{
		{Verbs: []string{"list", "watch"}, Resources: []string{"secrets"}},
		{Verbs: []string{"patch"}, Resources: []string{"deployments.apps"}, Namespaces: []string{"kube-system"}},
	}}}})
	k, err := kubernetes.NewForConfig(config(t, c, "ferry"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	_, err = k.CoreV1().Secrets("default").List(ctx, metav1.ListOptions{})
	if want := `secrets is forbidden: User "ferry" cannot list resource "secrets" in API group "" in the namespace "default"`; !apierrors.IsForbidden(err) || err.Error() != want {
		t.Errorf("%v", err)
	}
	for namespace, allowed := range map[string]bool{"kube-system": false, "default": true} {
		review, err := k.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authz.SelfSubjectAccessReview{
			Spec: authz.SelfSubjectAccessReviewSpec{ResourceAttributes: &authz.ResourceAttributes{
				Verb: "patch", Group: "apps",
				Resource: "deployments", Namespace: namespace,
			}},
		}, metav1.CreateOptions{})
		if err != nil || review.Status.Allowed != allowed {
			t.Errorf("%s: %+v, %v", namespace, review.Status, err)
		}
	}
	stranger, err := kubernetes.NewForConfig(config(t, c, "nobody"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("a stranger: %v", err)
	}
	began := time.Now()
	mustSet(t, c, cluster.Slow)
	if _, err := k.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); err != nil || time.Since(began) < 50*time.Millisecond {
		t.Errorf("slow: %v after %v", err, time.Since(began))
	}
	mustSet(t, c, cluster.Hang)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if _, err := k.CoreV1().Pods("").List(short, metav1.ListOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hanging: %v", err)
	}
	mustSet(t, c, cluster.Down)
	short, cancel = context.WithTimeout(ctx, 200*time.Millisecond) // client-go retries for 10 s
	defer cancel()
	if _, err := k.CoreV1().Pods("").List(short, metav1.ListOptions{}); err == nil {
		t.Error("it answers while it is down")
	}
	mustSet(t, c, cluster.Up)
	if _, err := k.CoreV1().Pods("").List(ctx, metav1.ListOptions{}); err != nil {
		t.Error(err)
	}
}

func TestClustersAreToldApart(t *testing.T) {
	c, other := start(t, cluster.Options{}), start(t, cluster.Options{Name: "other"})
	ctx := t.Context()
	uid := func(c *cluster.Cluster) types.UID {
		ns, err := client(t, c).CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return ns.UID
	}
	if uid(c) == uid(other) || uid(c) != uid(start(t, cluster.Options{})) {
		t.Error("clusters cannot be told apart by the UID of kube-system")
	}
}

func mustSet(t *testing.T, c *cluster.Cluster, s cluster.State) {
	t.Helper()
	if err := c.SetState(s); err != nil {
		t.Fatal(err)
	}
}

func TestDefinitionsAreServed(t *testing.T) {
	c := start(t, cluster.Options{Users: []apiserver.User{{Name: "ferry"}}})
	d, err := dynamic.NewForConfig(config(t, c, "ferry"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	widgets := d.Resource(schema.GroupVersionResource{Group: "acme.example", Version: "v1", Resource: "widgets"}).Namespace("default")
	if _, err := widgets.List(ctx, metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("a kind that nobody defined: %v", err)
	}
	crds := d.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	definition := map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "widgets.acme.example"}, "spec": map[string]any{
			"group": "acme.example", "scope": "Namespaced",
			"names":    map[string]any{"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true}},
		},
	}
	if _, err := crds.Create(ctx, &unstructured.Unstructured{Object: definition}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	one := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "acme.example/v1", "kind": "Widget", "metadata": map[string]any{"name": "one"}}}
	if _, err := widgets.Create(ctx, one, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.Deny("ferry", apiserver.Rule{Resources: []string{"widgets.acme.example"}})
	if _, err := widgets.List(ctx, metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("denied meanwhile: %v", err)
	}
	c.Deny("ferry")
	w, err := widgets.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if err := crds.Delete(ctx, "widgets.acme.example", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	for range w.ResultChan() { // it ends with the definition
	}
	if _, err := widgets.List(ctx, metav1.ListOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the definition is gone: %v", err)
	}
}
