package cluster_test

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"ferry/playground/cluster"
)

// patience is how long a test waits for what should take a moment.
const patience = 60 * time.Second

// start runs a cluster for the length of a test.
func start(t testing.TB, o cluster.Options) *cluster.Cluster {
	t.Helper()
	if o.Name == "" {
		o.Name = "test"
	}
	if o.PodStart == 0 {
		o.PodStart = 10 * time.Millisecond
	}
	c, err := cluster.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return c
}

func config(t testing.TB, c *cluster.Cluster, user string) *rest.Config {
	t.Helper()
	config, err := clientcmd.RESTConfigFromKubeConfig([]byte(c.KubeconfigAs(c.Name(), user)))
	if err != nil {
		t.Fatal(err)
	}
	config.QPS = -1
	return config
}

func client(t testing.TB, c *cluster.Cluster) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config(t, c, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func deployment(namespace, name, image string, replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: image}}},
			},
		},
	}
}

// until watches an object until it is as the test wants it.
func until(t testing.TB, client kubernetes.Interface, namespace, name string, ok func(*appsv1.Deployment) bool) *appsv1.Deployment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w, err := client.AppsV1().Deployments(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var last *appsv1.Deployment
	for e := range w.ResultChan() {
		if d, is := e.Object.(*appsv1.Deployment); is {
			if last = d; ok(d) {
				return d
			}
		}
	}
	t.Fatalf("it did not come about; the last state was %+v", last)
	return nil
}

func rolledOut(image string) func(*appsv1.Deployment) bool {
	return func(d *appsv1.Deployment) bool {
		want := *d.Spec.Replicas
		return d.Spec.Template.Spec.Containers[0].Image == image && d.Status.ObservedGeneration == d.Generation &&
			d.Status.UpdatedReplicas == want && d.Status.Replicas == want && d.Status.AvailableReplicas == want
	}
}

func condition(d *appsv1.Deployment, kind appsv1.DeploymentConditionType) appsv1.DeploymentCondition {
	for _, c := range d.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return appsv1.DeploymentCondition{}
}
