package testbed

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// binder is the scheduler of a cluster with one node: it binds every pod that has none.
type binder struct {
	pods corev1client.PodsGetter
}

// run binds pods until ctx ends. It survives the API server's absence and starts over with a list after each break.
func (b binder) run(ctx context.Context) {
	for ctx.Err() == nil {
		b.follow(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// follow lists, then watches, and returns when the watch ends or a call fails: the next round sees what was missed.
func (b binder) follow(ctx context.Context) {
	unbound := metav1.ListOptions{FieldSelector: "spec.nodeName="}
	list, err := b.pods.Pods("").List(ctx, unbound)
	if err != nil {
		return
	}
	for i := range list.Items {
		if b.bind(ctx, &list.Items[i]) != nil {
			return
		}
	}
	unbound.ResourceVersion = list.ResourceVersion
	watch, err := b.pods.Pods("").Watch(ctx, unbound)
	if err != nil {
		return
	}
	defer watch.Stop()
	for event := range watch.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok {
			return
		}
		if event.Type == "ADDED" && b.bind(ctx, pod) != nil {
			return
		}
	}
}

func (b binder) bind(ctx context.Context, pod *corev1.Pod) error {
	if pod.DeletionTimestamp != nil {
		return nil
	}
	return b.pods.Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: "node"},
	}, metav1.CreateOptions{})
}
