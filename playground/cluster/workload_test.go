package cluster_test

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ferry/playground/cluster"
)

func TestRolloutReplacesThePods(t *testing.T) {
	c := start(t, cluster.Options{Namespaces: []string{"apps"}})
	k, ctx := client(t, c), t.Context()
	if _, err := k.AppsV1().Deployments("apps").Create(ctx, deployment("apps", "web", "reg:5000/web:1", 4), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	first := until(t, k, "apps", "web", rolledOut("reg:5000/web:1"))
	if first.Generation != 1 {
		t.Errorf("generation %d after the first rollout: only the spec counts", first.Generation)
	}
	if got := condition(first, appsv1.DeploymentProgressing).Reason; got != "NewReplicaSetAvailable" {
		t.Errorf("Progressing for the reason %q", got)
	}
	patch := `{"spec":{"template":{"spec":{"containers":[{"name":"app","image":"reg:5000/web:2"}]}}}}`
	if _, err := k.AppsV1().Deployments("apps").Patch(ctx, "web", types.StrategicMergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	available := true
	second := until(t, k, "apps", "web", func(d *appsv1.Deployment) bool {
		available = available && d.Status.AvailableReplicas >= 3 && d.Status.Replicas <= 5
		return rolledOut("reg:5000/web:2")(d)
	})
	if !available {
		t.Error("the rollout left the strategy's limits")
	}
	if second.Annotations["deployment.kubernetes.io/revision"] != "2" {
		t.Errorf("revision %q", second.Annotations["deployment.kubernetes.io/revision"])
	}
	pods, err := k.CoreV1().Pods("apps").List(ctx, metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) != 4 {
		t.Fatalf("%d pods, %v", len(pods.Items), err)
	}
	sets, err := k.AppsV1().ReplicaSets("apps").List(ctx, metav1.ListOptions{})
	if err != nil || len(sets.Items) != 2 {
		t.Fatalf("%d ReplicaSets, %v", len(sets.Items), err)
	}
	if err := k.AppsV1().Deployments("apps").Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	pods, err = k.CoreV1().Pods("apps").List(ctx, metav1.ListOptions{})
	if err != nil || len(pods.Items) != 0 {
		t.Errorf("%d pods outlive their Deployment, %v", len(pods.Items), err)
	}
}

func TestImageThatCannotBePulled(t *testing.T) {
	c := start(t, cluster.Options{Namespaces: []string{"apps"}, ProgressDeadline: 300 * time.Millisecond})
	k, ctx := client(t, c), t.Context()
	good, bad := "ghcr.io/stefanprodan/podinfo:6.5.4", "ghcr.io/stefanprodan/podinfo:6.5.5"
	if _, err := k.AppsV1().Deployments("apps").Create(ctx, deployment("apps", "podinfo", good, 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	d := until(t, k, "apps", "podinfo", rolledOut(good))
	d.Spec.Template.Spec.Containers[0].Image = bad
	if _, err := k.AppsV1().Deployments("apps").Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	d = until(t, k, "apps", "podinfo", func(d *appsv1.Deployment) bool {
		return condition(d, appsv1.DeploymentProgressing).Reason == "ProgressDeadlineExceeded"
	})
	if d.Status.AvailableReplicas != 1 || condition(d, appsv1.DeploymentAvailable).Status != "True" {
		t.Errorf("the old pod is gone: %+v", d.Status)
	}
	pods, err := k.CoreV1().Pods("apps").List(ctx, metav1.ListOptions{FieldSelector: "status.phase=Pending"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%d pending pods, %v", len(pods.Items), err)
	}
	waiting := pods.Items[0].Status.ContainerStatuses[0].State.Waiting
	if waiting == nil || waiting.Reason != "ImagePullBackOff" || !strings.Contains(waiting.Message, bad) {
		t.Errorf("waiting: %+v", waiting)
	}
	events, err := k.CoreV1().Events("apps").List(ctx, metav1.ListOptions{
		FieldSelector: "involvedObject.kind=Pod,involvedObject.name=" + pods.Items[0].Name,
	})
	if err != nil || len(events.Items) == 0 || events.Items[0].Type != "Warning" {
		t.Errorf("events: %+v, %v", events.Items, err)
	}
	// Back to what ran before: the rollout ends well.
	d.Spec.Template.Spec.Containers[0].Image = good
	if _, err := k.AppsV1().Deployments("apps").Update(ctx, d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, k, "apps", "podinfo", func(d *appsv1.Deployment) bool {
		return rolledOut(good)(d) && condition(d, appsv1.DeploymentProgressing).Reason == "NewReplicaSetAvailable"
	})
}

func TestCrashingImageAndOtherWorkloads(t *testing.T) {
	c := start(t, cluster.Options{Namespaces: []string{"apps"}})
	k, ctx := client(t, c), t.Context()
	if _, err := k.AppsV1().Deployments("apps").Create(ctx, deployment("apps", "web", "web:1-crash", 1), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	pods, err := k.CoreV1().Pods("apps").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer pods.Stop()
	waitEvent(t, pods, func(pod string) bool { return strings.Contains(pod, "CrashLoopBackOff") })

	d := deployment("apps", "db", "db:1", 2)
	set := &appsv1.StatefulSet{ObjectMeta: d.ObjectMeta, Spec: appsv1.StatefulSetSpec{
		Replicas: d.Spec.Replicas,
		Selector: d.Spec.Selector, Template: d.Spec.Template, ServiceName: "db",
	}}
	if _, err := k.AppsV1().StatefulSets("apps").Create(ctx, set, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	sets, err := k.AppsV1().StatefulSets("apps").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer sets.Stop()
	waitEvent(t, sets, func(s string) bool { return strings.Contains(s, `"readyReplicas":2`) })
	if _, err := k.CoreV1().Pods("apps").Get(ctx, "db-1", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
