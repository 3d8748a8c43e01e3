package cluster

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/playground/cluster/apiserver"
	"ferry/playground/cluster/workload"
)

type object = map[string]any

// bootstrap makes what a fresh cluster has.
func (c *Cluster) bootstrap() error {
	namespaces := []string{"default", "kube-system", "kube-public"}
	if c.options.Repository != nil {
		namespaces = append(namespaces, "flux-system")
	}
	for _, name := range append(namespaces, c.options.Namespaces...) {
		meta := object{"name": name}
		if name == "kube-system" {
			meta["uid"] = c.options.UID
		}
		if err := c.make("", "namespaces", object{"metadata": meta}); err != nil {
			return err
		}
	}
	return c.make("", "nodes", object{
		"metadata": object{
			"name":   workload.Node,
			"labels": object{"kubernetes.io/hostname": workload.Node, "kubernetes.io/os": "linux"},
		},
		"spec": object{}, "status": nodeStatus(),
	})
}

// defineFlux has Flux's kinds served.
func (c *Cluster) defineFlux() error {
	for _, r := range apiserver.Flux() {
		if err := c.make("apiextensions.k8s.io", "customresourcedefinitions", definition(r)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) make(group, resource string, o object) error {
	r := c.store.Resource(schema.GroupResource{Group: group, Resource: resource})
	if _, err := c.store.Create(r, o); err != nil {
		return fmt.Errorf("create %s: %w", resource, err)
	}
	return nil
}

// bootstrapFlux makes the two objects that `flux bootstrap` leaves.
func (c *Cluster) bootstrapFlux() error {
	labels := object{"kustomize.toolkit.fluxcd.io/name": "flux-system", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
	meta := func() object { return object{"name": "flux-system", "namespace": "flux-system", "labels": labels} }
	err := c.make("source.toolkit.fluxcd.io", "gitrepositories", object{"metadata": meta(), "spec": object{
		"interval": "1m0s", "ref": object{"branch": c.options.Branch}, "secretRef": object{"name": "flux-system"}, "url": c.options.URL,
	}})
	if err != nil {
		return err
	}
	return c.make("kustomize.toolkit.fluxcd.io", "kustomizations", object{"metadata": meta(), "spec": object{
		"interval": "10m0s", "path": c.options.Path, "prune": true,
		"sourceRef": object{"kind": "GitRepository", "name": "flux-system"},
	}})
}

func nodeStatus() object {
	now := time.Now().UTC().Format(time.RFC3339)
	return object{
		"conditions": []any{object{
			"type": "Ready", "status": "True", "reason": "KubeletReady",
			"message": "kubelet is posting ready status", "lastHeartbeatTime": now, "lastTransitionTime": now,
		}},
		"nodeInfo": object{"kubeletVersion": "v1.34.3", "operatingSystem": "linux", "architecture": "amd64"},
	}
}

// definition is the CustomResourceDefinition of a resource, without its schema.
func definition(r *apiserver.Resource) object {
	short := make([]any, 0, len(r.Short))
	for _, s := range slices.Sorted(slices.Values(r.Short)) {
		short = append(short, s)
	}
	names := object{"kind": r.Kind, "listKind": r.Kind + "List", "plural": r.Name, "singular": r.Singular, "shortNames": short}
	return object{
		"metadata": object{
			"name":   r.Name + "." + r.Group,
			"labels": object{"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/component": strings.Split(r.Group, ".")[0] + "-controller"},
		},
		"spec": object{"group": r.Group, "scope": "Namespaced", "names": names, "versions": []any{object{
			"name": r.Version, "served": true, "storage": true, "subresources": object{"status": object{}},
			"schema": object{"openAPIV3Schema": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
		}}},
	}
}
