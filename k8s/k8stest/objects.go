package k8stest

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

type object = map[string]any

type list = []any

func unique() string { return "suite-" + strings.ToLower(rand.Text()[:6]) }

// The kinds that the suite makes, as group/version/plural/Kind.
const (
	namespaces      = "/v1/namespaces/Namespace"
	configMaps      = "/v1/configmaps/ConfigMap"
	secrets         = "/v1/secrets/Secret"
	deployments     = "apps/v1/deployments/Deployment"
	statefulSets    = "apps/v1/statefulsets/StatefulSet"
	kustomizations  = "kustomize.toolkit.fluxcd.io/v1/kustomizations/Kustomization"
	helmReleases    = "helm.toolkit.fluxcd.io/v2/helmreleases/HelmRelease"
	gitRepositories = "source.toolkit.fluxcd.io/v1/gitrepositories/GitRepository"
	helmRepos       = "source.toolkit.fluxcd.io/v1/helmrepositories/HelmRepository"
	automations     = "image.toolkit.fluxcd.io/v1/imageupdateautomations/ImageUpdateAutomation"
	ociRepositories = "source.toolkit.fluxcd.io/v1/ocirepositories/OCIRepository"
)

func (b *bench) resource(kind, namespace string) (dynamic.ResourceInterface, string, string) {
	p := strings.Split(kind, "/")
	gvr := schema.GroupVersionResource{Group: p[0], Version: p[1], Resource: p[2]}
	if namespace == "" {
		return b.api.Resource(gvr), gvr.GroupVersion().String(), p[3]
	}
	return b.api.Resource(gvr).Namespace(namespace), gvr.GroupVersion().String(), p[3]
}

// create makes an object that lives as long as the case.
func (b *bench) create(kind, namespace, name string, content object) {
	b.Helper()
	r, apiVersion, k := b.resource(kind, namespace)
	meta, _ := content["metadata"].(object)
	if meta == nil {
		meta = object{}
	}
	meta["name"] = name
	content["apiVersion"], content["kind"], content["metadata"] = apiVersion, k, meta
	o := &unstructured.Unstructured{}
	raw, err := json.Marshal(content)
	if err == nil {
		err = o.UnmarshalJSON(raw)
	}
	if err == nil {
		_, err = r.Create(b.Context(), o, metav1.CreateOptions{})
	}
	if err != nil {
		b.Fatalf("create %s %s/%s: %v", k, namespace, name, err)
	}
	b.Cleanup(func() { b.remove(kind, namespace, name) })
}

func (b *bench) remove(kind, namespace, name string) {
	r, _, k := b.resource(kind, namespace)
	ctx := context.WithoutCancel(b.Context()) // it cleans up, too, when that is over
	if err := r.Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		b.Errorf("delete %s %s/%s: %v", k, namespace, name, err)
	}
}

// patch merges content into an object; sub is "" or "status". Its answer is the
// object.
func (b *bench) patch(kind, namespace, name, sub string, content object) *unstructured.Unstructured {
	b.Helper()
	r, _, k := b.resource(kind, namespace)
	raw, err := json.Marshal(content)
	if err != nil {
		b.Fatal(err)
	}
	var subs []string
	if sub != "" {
		subs = []string{sub}
	}
	o, err := r.Patch(b.Context(), name, types.MergePatchType, raw, metav1.PatchOptions{}, subs...)
	if err != nil {
		b.Fatalf("patch %s %s/%s: %v", k, namespace, name, err)
	}
	return o
}

func (b *bench) get(kind, namespace, name string) *unstructured.Unstructured {
	b.Helper()
	r, _, k := b.resource(kind, namespace)
	o, err := r.Get(b.Context(), name, metav1.GetOptions{})
	if err != nil {
		b.Fatalf("get %s %s/%s: %v", k, namespace, name, err)
	}
	return o
}

// namespace makes a namespace of this case.
func (b *bench) namespace(suffix string) string {
	b.Helper()
	name := b.prefix + "-" + suffix
	b.create(namespaces, "", name, object{})
	return name
}

// workload is the content of a Deployment or StatefulSet of one replica.
func workload(name, image string, labels object) object {
	match := object{"app": name}
	return object{
		"metadata": object{"labels": labels},
		"spec": object{
			"replicas": 1, "selector": object{"matchLabels": match},
			"template": object{
				"metadata": object{"labels": match},
				"spec": object{
					"containers":                    list{object{"name": name, "image": image}},
					"terminationGracePeriodSeconds": 0,
				},
			},
		},
	}
}

// statefulSet makes one and reports on it as its controller would, which not
// every cluster runs.
func (b *bench) statefulSet(namespace, name, image, release string, ready int) {
	b.Helper()
	b.create(statefulSets, namespace, name, workload(name, image, releasedBy(namespace, release)))
	generation := b.get(statefulSets, namespace, name).GetGeneration()
	b.patch(statefulSets, namespace, name, "status", object{"status": object{
		"observedGeneration": generation, "replicas": 1,
		"updatedReplicas": 1, "readyReplicas": ready, "availableReplicas": ready,
	}})
}

func imagePatch(name, image string) object {
	return object{"spec": object{"template": object{"spec": object{"containers": list{object{"name": name, "image": image}}}}}}
}

func appliedBy(namespace, name string) object {
	return object{"kustomize.toolkit.fluxcd.io/namespace": namespace, "kustomize.toolkit.fluxcd.io/name": name}
}

func releasedBy(namespace, name string) object {
	return object{"helm.toolkit.fluxcd.io/namespace": namespace, "helm.toolkit.fluxcd.io/name": name}
}

func (b *bench) gitRepository(namespace, name string, ref object) {
	b.Helper()
	b.create(gitRepositories, namespace, name, object{"spec": object{
		"interval": "1h", "url": "https://example.com/acme/fleet.git", "ref": ref, "ignore": "/docs/",
	}})
}

func (b *bench) kustomization(namespace, name, source string, more object) {
	b.Helper()
	spec := object{"interval": "1h", "prune": true, "path": "./apps/" + name, "sourceRef": object{"kind": "GitRepository", "name": source}}
	for k, v := range more {
		spec[k] = v
	}
	b.create(kustomizations, namespace, name, object{"spec": spec})
}

func (b *bench) helmRelease(namespace, name, target, version, image string) {
	b.Helper()
	spec := object{
		"interval": "1h", "values": object{"image": object{"tag": image}},
		"chart": object{"spec": object{"chart": "web-chart", "version": version, "sourceRef": object{"kind": "HelmRepository", "name": "charts"}}},
	}
	if target != "" {
		spec["targetNamespace"] = target
	}
	b.create(helmReleases, namespace, name, object{"metadata": object{"labels": appliedBy(namespace, "apps")}, "spec": spec})
}

// report writes what a controller of Flux would: a Ready condition for the
// present generation, and more.
func (b *bench) report(kind, namespace, name, status, reason, message string, more object) {
	b.Helper()
	generation := b.get(kind, namespace, name).GetGeneration()
	content := object{"observedGeneration": generation, "conditions": list{readyCondition(generation, status, reason, message)}}
	for k, v := range more {
		content[k] = v
	}
	b.patch(kind, namespace, name, "status", object{"status": content})
}

func readyCondition(generation int64, status, reason, message string) object {
	return object{
		"type": "Ready", "status": status, "reason": reason, "message": message,
		"observedGeneration": generation, "lastTransitionTime": time.Now().UTC().Format(time.RFC3339),
	}
}

func snapshot(version int, chart, config, status string) object {
	now := time.Now().UTC().Format(time.RFC3339)
	return object{
		"version": version, "chartName": "web-chart", "chartVersion": chart, "configDigest": config, "status": status,
		"digest": "sha256:00", "name": "web", "namespace": "suite", "firstDeployed": now, "lastDeployed": now,
	}
}
