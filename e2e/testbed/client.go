package testbed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

// Resource is a kind of object as "group/version/plural".
type Resource string

// Flux' own kinds.
const (
	GitRepository  Resource = "source.toolkit.fluxcd.io/v1/gitrepositories"
	HelmRepository Resource = "source.toolkit.fluxcd.io/v1/helmrepositories"
	Kustomization  Resource = "kustomize.toolkit.fluxcd.io/v1/kustomizations"
	HelmRelease    Resource = "helm.toolkit.fluxcd.io/v2/helmreleases"
)

func (r Resource) gvr() schema.GroupVersionResource {
	parts := strings.SplitN(string(r), "/", 3)
	if len(parts) != 3 {
		return schema.GroupVersionResource{Resource: string(r)}
	}
	return schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]}
}

const (
	// pollEvery is short because what is polled is on this machine and its latency is measured.
	pollEvery = 20 * time.Millisecond
	// patience ends a wait whose context has no deadline.
	patience = time.Minute
)

func (c *Cluster) connect(config *rest.Config) (err error) {
	if c.Dynamic, err = dynamic.NewForConfig(config); err != nil {
		return fmt.Errorf("make dynamic client: %w", err)
	}
	if c.Typed, err = kubernetes.NewForConfig(config); err != nil {
		return fmt.Errorf("make typed client: %w", err)
	}
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return fmt.Errorf("make discovery client: %w", err)
	}
	c.mapper = restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found))
	return nil
}

// Apply server-side applies every document of the manifests, in their order, and takes over fields that others own.
func (c *Cluster) Apply(ctx context.Context, manifests string) error {
	decoder := yaml.NewYAMLOrJSONDecoder(strings.NewReader(manifests), 4096)
	for {
		obj := &unstructured.Unstructured{}
		if err := decoder.Decode(&obj.Object); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("decode manifests: %w", err)
		}
		if len(obj.Object) == 0 {
			continue
		}
		if err := c.applyOne(ctx, obj); err != nil {
			return fmt.Errorf("apply %s %s to %s: %w", obj.GetKind(), obj.GetName(), c.Name, err)
		}
	}
}

func (c *Cluster) applyOne(ctx context.Context, obj *unstructured.Unstructured) error {
	kind := obj.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		c.mapper.Reset()
		mapping, err = c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	}
	if err != nil {
		return err
	}
	var resource dynamic.ResourceInterface = c.Dynamic.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		resource = c.Dynamic.Resource(mapping.Resource).Namespace(obj.GetNamespace())
	}
	_, err = resource.Apply(ctx, obj.GetName(), obj, metav1.ApplyOptions{FieldManager: "testbed", Force: true})
	return err
}

// Reconcile asks Flux to look at the object now, as `flux reconcile` does.
func (c *Cluster) Reconcile(ctx context.Context, kind Resource, namespace, name string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		"reconcile.fluxcd.io/requestedAt": time.Now().Format(time.RFC3339Nano),
	}}})
	if err != nil {
		return err
	}
	_, err = c.Dynamic.Resource(kind.gvr()).Namespace(namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("ask for reconciliation of %s/%s in %s: %w", namespace, name, c.Name, err)
	}
	return nil
}

// Get reads one object.
func (c *Cluster) Get(ctx context.Context, kind Resource, namespace, name string) (*unstructured.Unstructured, error) {
	return c.Dynamic.Resource(kind.gvr()).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}

// Watch follows one object; events carry *unstructured.Unstructured.
func (c *Cluster) Watch(ctx context.Context, kind Resource, namespace, name string) (watch.Interface, error) {
	return c.Dynamic.Resource(kind.gvr()).Namespace(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
}

// DeploymentImage is the image of the Deployment's first container.
func (c *Cluster) DeploymentImage(ctx context.Context, namespace, name string) (string, error) {
	deployment, err := c.Typed.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return "", fmt.Errorf("read deployment %s/%s of %s: %w", namespace, name, c.Name, err)
	}
	return deployment.Spec.Template.Spec.Containers[0].Image, nil
}

// Condition is what WaitFor waits for. It returns whether it holds, what it saw instead (for the message when time
// runs out) and an error that ends the wait.
type Condition func(ctx context.Context) (done bool, saw string, err error)

// WaitFor returns when the condition holds; an error says what was seen last. It gives up with ctx, or after a minute
// where ctx has no deadline.
func (c *Cluster) WaitFor(ctx context.Context, what string, holds Condition) error {
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	begin, last := time.Now(), ""
	for {
		done, saw, err := holds(ctx)
		switch {
		case done:
			return nil
		case err != nil:
			return fmt.Errorf("wait for %s: %w", what, err)
		case ctx.Err() == nil: // an answer that the deadline cut off says nothing
			last = saw
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w after %.1f s; last seen: %s", what, ctx.Err(), time.Since(begin).Seconds(), last)
		case <-tick.C:
		}
	}
}

// notYet is a Condition's answer when a look failed: that passes, so the wait goes on.
func notYet(err error) (done bool, saw string, _ error) { return false, err.Error(), nil }

// WaitReady waits until the object's newest generation is Ready.
func (c *Cluster) WaitReady(ctx context.Context, kind Resource, namespace, name string) error {
	return c.WaitCondition(ctx, kind, namespace, name, "True")
}

// WaitCondition waits until the object's newest generation has been observed and its Ready condition has the status.
func (c *Cluster) WaitCondition(ctx context.Context, kind Resource, namespace, name, status string) error {
	what := fmt.Sprintf("%s %s/%s in %s to be Ready=%s", kind.gvr().Resource, namespace, name, c.Name, status)
	return c.WaitFor(ctx, what, func(ctx context.Context) (bool, string, error) {
		obj, err := c.Get(ctx, kind, namespace, name)
		if err != nil {
			return notYet(err)
		}
		observed, _, _ := unstructured.NestedInt64(obj.Object, "status", "observedGeneration")
		saw := fmt.Sprintf("%v", obj.Object["status"])
		return observed == obj.GetGeneration() && condition(obj, "Ready") == status, saw, nil
	})
}

// WaitImage waits until the Deployment's first container has the image.
func (c *Cluster) WaitImage(ctx context.Context, namespace, name, image string) error {
	what := fmt.Sprintf("deployment %s/%s in %s to have %s", namespace, name, c.Name, image)
	return c.WaitFor(ctx, what, func(ctx context.Context) (bool, string, error) {
		have, err := c.DeploymentImage(ctx, namespace, name)
		if err != nil {
			return notYet(err)
		}
		return have == image, have, nil
	})
}

// WaitRollout waits until every replica of the Deployment runs its newest template and is available, and none else
// is left.
func (c *Cluster) WaitRollout(ctx context.Context, namespace, name string) error {
	what := fmt.Sprintf("deployment %s/%s in %s to be rolled out", namespace, name, c.Name)
	return c.WaitFor(ctx, what, func(ctx context.Context) (bool, string, error) {
		deployment, err := c.Typed.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return notYet(err)
		}
		return Complete(deployment), fmt.Sprintf("%+v", deployment.Status), nil
	})
}

// RolledOut returns an error unless that is so now.
func (c *Cluster) RolledOut(ctx context.Context, namespace, name string) error {
	deployment, err := c.Typed.AppsV1().Deployments(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read deployment %s/%s of %s: %w", namespace, name, c.Name, err)
	}
	if !Complete(deployment) {
		return fmt.Errorf("deployment %s/%s in %s is not rolled out: %+v", namespace, name, c.Name, deployment.Status)
	}
	return nil
}

// Complete tells whether a Deployment is rolled out: every replica runs the newest template and is available, and no
// other is left.
func Complete(d *appsv1.Deployment) bool {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.Replicas == want && s.UpdatedReplicas == want && s.AvailableReplicas == want
}
