// Package workload is what makes workloads of a simulated cluster run: the
// Deployment, ReplicaSet, StatefulSet and DaemonSet controllers and a kubelet
// that only pretends.
//
// Rollouts go the way of Kubernetes: a ReplicaSet per pod template, surge and
// unavailability within the strategy, the old pods staying while the new ones
// are not ready, conditions and counts as a real controller writes them, the
// progress deadline. Pods become ready after a while, unless their image is one
// of those that cannot be pulled or that crash.
//
// All of it is one loop over the keys of what changed; at rest it does nothing.
package workload

import (
	"context"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
	"ferry/playground/cluster/loop"
)

// Options say how the workloads behave.
type Options struct {
	// Start is how long a pod takes until it is ready; zero means 1 s.
	Start time.Duration
	// ProgressDeadline caps the progressDeadlineSeconds of Deployments, so that
	// a demo need not wait for ten minutes; zero leaves them as they are.
	ProgressDeadline time.Duration
	// Judge says what becomes of an image; nil means Judge of this package.
	Judge func(image string) Verdict
	Log   *slog.Logger
}

// Controller runs the workloads of one store.
type Controller struct {
	options      Options
	work         loop.Loop[item]
	deployments  apiserver.Table[appsv1.Deployment]
	replicaSets  apiserver.Table[appsv1.ReplicaSet]
	statefulSets apiserver.Table[appsv1.StatefulSet]
	daemonSets   apiserver.Table[appsv1.DaemonSet]
	pods         apiserver.Table[corev1.Pod]
	events       apiserver.Table[corev1.Event]
	progress     map[item]time.Time // when a rollout last moved or a pod was first seen; Run's goroutine only
}

type item struct {
	kind string
	key  apiserver.Key
}

// New returns a controller that learns of changes from now on.
func New(store *apiserver.Store, options Options) *Controller {
	if options.Start <= 0 {
		options.Start = time.Second
	}
	if options.Judge == nil {
		options.Judge = Judge
	}
	if options.Log == nil {
		options.Log = slog.New(slog.DiscardHandler)
	}
	c := &Controller{
		options:      options,
		deployments:  apiserver.In[appsv1.Deployment](store, "apps", "deployments"),
		replicaSets:  apiserver.In[appsv1.ReplicaSet](store, "apps", "replicasets"),
		statefulSets: apiserver.In[appsv1.StatefulSet](store, "apps", "statefulsets"),
		daemonSets:   apiserver.In[appsv1.DaemonSet](store, "apps", "daemonsets"),
		pods:         apiserver.In[corev1.Pod](store, "", "pods"),
		events:       apiserver.In[corev1.Event](store, "", "events"),
		progress:     map[item]time.Time{},
	}
	store.OnChange(c.changed)
	return c
}

// changed queues an object and its controller. An owner is found by name: the
// pods of a ReplicaSet are few, their owner reference is in their JSON.
func (c *Controller) changed(e apiserver.Event) {
	kind := e.Object.Resource.Kind
	switch kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		c.work.Add(item{kind, e.Object.Key})
	case "ReplicaSet", "Pod":
		c.work.Add(item{kind, e.Object.Key})
		var meta metav1.PartialObjectMetadata
		if e.Object.Owner == "" || e.Object.Into(&meta) != nil {
			return
		}
		if owner := metav1.GetControllerOf(&meta); owner != nil {
			c.work.Add(item{owner.Kind, apiserver.Key{Namespace: e.Object.Namespace, Name: owner.Name}})
		}
	}
}

// Run works until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	c.work.Run(ctx, func(i item) {
		if err := c.reconcile(i); err != nil {
			c.options.Log.Error("reconcile a workload", "kind", i.kind, "object", i.key.String(), "err", err)
			c.work.After(i, time.Second)
		}
	})
	return nil
}

func (c *Controller) reconcile(i item) error {
	switch i.kind {
	case "Deployment":
		return c.deployment(i.key)
	case "ReplicaSet":
		return c.replicaSet(i.key)
	case "StatefulSet":
		return c.statefulSet(i.key)
	case "DaemonSet":
		return c.daemonSet(i.key)
	case "Pod":
		return c.pod(i.key)
	}
	return nil
}
