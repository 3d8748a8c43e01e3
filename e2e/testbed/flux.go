package testbed

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// startFlux installs the CRDs and, unless the cluster is to have none, starts the controllers side by side.
func (c *Cluster) startFlux(ctx context.Context) error {
	crds, err := c.binaries.CRDs()
	if err != nil {
		return err
	}
	if err := c.Apply(ctx, strings.Join(crds, "\n---\n")); err != nil {
		return err
	}
	if err := c.WaitFor(ctx, "Flux' CRDs to be served", c.crdsServed); err != nil {
		return err
	}
	if c.noFlux {
		return nil
	}
	source, err := c.sourceController()
	if err != nil {
		return err
	}
	kustomize, err := c.fluxController("kustomize-controller")
	if err != nil {
		return err
	}
	helm, err := c.fluxController("helm-controller")
	if err != nil {
		return err
	}
	commands := []command{source, kustomize, helm}
	var started []*process
	for _, command := range commands {
		p, err := c.spawn(command)
		if err != nil {
			return err
		}
		started = append(started, p)
	}
	for i, command := range commands {
		if err := c.serves(ctx, command, started[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) crdsServed(ctx context.Context) (bool, string, error) {
	crds := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	list, err := c.Dynamic.Resource(crds).List(ctx, metav1.ListOptions{})
	if err != nil {
		return notYet(err)
	}
	for i := range list.Items {
		if condition(&list.Items[i], "Established") != "True" {
			return false, list.Items[i].GetName() + " is not", nil
		}
	}
	return true, "", nil
}

func (c *Cluster) nodeReady(ctx context.Context) (bool, string, error) {
	node, err := c.Dynamic.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"}).Get(ctx, "node", metav1.GetOptions{})
	if err != nil {
		return notYet(err)
	}
	return condition(node, "Ready") == "True", "Ready=" + condition(node, "Ready"), nil
}

// condition is the status of the condition of that type, "" if there is none.
func condition(obj *unstructured.Unstructured, kind string) string {
	conditions, _, _ := unstructured.NestedSlice(obj.Object, "status", "conditions")
	for _, entry := range conditions {
		if fields, ok := entry.(map[string]any); ok && fields["type"] == kind {
			status, _ := fields["status"].(string)
			return status
		}
	}
	return ""
}

// Sync says where a cluster takes its state from.
type Sync struct {
	GitURL string // over HTTP
	Branch string // "" is main
	Path   string // in the repository; "" is clusters/<name of the cluster>
	Charts string // URL of a Helm repository, becomes the HelmRepository "charts"; "" makes none
	// Registry is the host:port of an OCI registry, becomes the variable REGISTRY of the ConfigMap "registry"; "" makes none.
	Registry string
}

// Bootstrap makes the cluster follow the repository, with the objects and names that `flux bootstrap` would use, and
// returns when the first revision has been applied. Nothing is polled: a push is seen once Reconcile asks for it.
func (c *Cluster) Bootstrap(ctx context.Context, sync Sync) error {
	if sync.Branch == "" {
		sync.Branch = "main"
	}
	if sync.Path == "" {
		sync.Path = "./clusters/" + c.Name
	}
	manifests := fmt.Sprintf(`
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1h, url: %q, ref: {branch: %q}}
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: flux-system, namespace: flux-system}
spec:
  interval: 1h
  retryInterval: 2s
  prune: true
  path: %q
  sourceRef: {kind: GitRepository, name: flux-system}
`, sync.GitURL, sync.Branch, sync.Path)
	if sync.Charts != "" {
		manifests += fmt.Sprintf(`---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: charts, namespace: flux-system}
spec: {interval: 1h, url: %q}
`, sync.Charts)
	}
	if sync.Registry != "" {
		manifests += fmt.Sprintf(`---
apiVersion: v1
kind: ConfigMap
metadata: {name: registry, namespace: flux-system}
data: {REGISTRY: %q}
`, sync.Registry)
	}
	if err := c.Apply(ctx, manifests); err != nil {
		return fmt.Errorf("bootstrap cluster %s: %w", c.Name, err)
	}
	return c.WaitReady(ctx, Kustomization, fluxNamespace, "flux-system")
}

// WaitRevision waits until every Kustomization of the cluster has applied the commit: Flux is at rest then.
func (c *Cluster) WaitRevision(ctx context.Context, commit string) error {
	return c.WaitFor(ctx, c.Name+" to have applied "+commit+" everywhere", func(ctx context.Context) (bool, string, error) {
		list, err := c.Dynamic.Resource(Kustomization.gvr()).List(ctx, metav1.ListOptions{})
		if err != nil {
			return notYet(err)
		}
		for i := range list.Items {
			applied, _, _ := unstructured.NestedString(list.Items[i].Object, "status", "lastAppliedRevision")
			if !strings.HasSuffix(applied, commit) || condition(&list.Items[i], "Reconciling") == "True" {
				return false, list.Items[i].GetName() + " is at " + applied, nil
			}
		}
		return true, "", nil
	})
}
