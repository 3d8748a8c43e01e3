package cluster

import (
	"context"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"

	"ferry/playground/cluster/apiserver"
)

// Settled returns once Flux has applied everything and every Deployment is
// rolled out, or when ctx ends. It needs Run.
func (c *Cluster) Settled(ctx context.Context) error {
	changed := make(chan struct{}, 1)
	c.store.OnChange(func(apiserver.Event) {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	for !c.isSettled() {
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (c *Cluster) isSettled() bool {
	kustomizations := apiserver.In[kustomizev1.Kustomization](c.store, kustomizev1.GroupVersion.Group, "kustomizations").List("")
	for _, k := range kustomizations {
		if k.Status.ObservedGeneration != k.Generation || !apimeta.IsStatusConditionTrue(k.Status.Conditions, "Ready") {
			return false
		}
	}
	for _, r := range apiserver.In[helmv2.HelmRelease](c.store, helmv2.GroupVersion.Group, "helmreleases").List("") {
		if r.Status.ObservedGeneration != r.Generation || !apimeta.IsStatusConditionTrue(r.Status.Conditions, "Ready") {
			return false
		}
	}
	for _, d := range apiserver.In[appsv1.Deployment](c.store, "apps", "deployments").List("") {
		if d.Status.ObservedGeneration != d.Generation || d.Spec.Replicas == nil || d.Status.AvailableReplicas != *d.Spec.Replicas {
			return false
		}
	}
	return len(kustomizations) > 0
}
