package cluster_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	apimeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"ferry/playground/cluster"
	"ferry/playground/seed"
)

// repository is a work tree with commits, as somebody with an editor has it.
type repository struct {
	t   testing.TB
	dir string
}

func newRepository(t testing.TB, files map[string]string) *repository {
	t.Helper()
	r := &repository{t, t.TempDir()}
	_ = r.git("init", "-q", "-b", "main")
	r.commit(files)
	return r
}

func seeded(t testing.TB) *repository {
	t.Helper()
	files, err := seed.Files()
	if err != nil {
		t.Fatal(err)
	}
	return newRepository(t, files)
}

func (r *repository) git(args ...string) string {
	r.t.Helper()
	cmd := exec.Command("git", append([]string{"-C", r.dir, "-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v: %s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit writes files ("" removes one) and returns the revision as Flux has it.
func (r *repository) commit(files map[string]string) string {
	r.t.Helper()
	for name, content := range files {
		path := filepath.Join(r.dir, name)
		if content == "" {
			if err := os.Remove(path); err != nil {
				r.t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			r.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", "change")
	return "main@sha1:" + r.git("rev-parse", "HEAD")
}

// replace edits one file and commits.
func (r *repository) replace(name, from, to string) string {
	r.t.Helper()
	content, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil || !strings.Contains(string(content), from) {
		r.t.Fatalf("no %q in %s: %v", from, name, err)
	}
	return r.commit(map[string]string{name: strings.Replace(string(content), from, to, 1)})
}

func (r *repository) source() *cluster.Git { return cluster.NewGit(filepath.Join(r.dir, ".git")) }

// fluxed is a cluster that follows a repository.
func fluxed(t testing.TB, r *repository, name string) *cluster.Cluster {
	t.Helper()
	return start(t, cluster.Options{
		Name: name, Repository: r.source(), ProgressDeadline: 2 * time.Second,
		FluxTimeout: 15 * time.Second, FluxRetry: 100 * time.Millisecond,
	})
}

func kind(group, version, resource string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: group + ".toolkit.fluxcd.io", Version: version, Resource: resource}
}

// untilFlux watches a Flux object until it is as wanted; decoding is strict.
func untilFlux[T any](t testing.TB, c *cluster.Cluster, r schema.GroupVersionResource, namespace, name string, ok func(*T) bool) *T {
	t.Helper()
	d, err := dynamic.NewForConfig(config(t, c, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	w, err := d.Resource(r).Namespace(namespace).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	var last *unstructured.Unstructured
	for e := range w.ResultChan() {
		last = e.Object.(*unstructured.Unstructured)
		if typed := strictly[T](t, last); ok(typed) {
			return typed
		}
	}
	raw, _ := json.MarshalIndent(last, "", " ")
	t.Fatalf("%s/%s did not get there; the last state was %s", namespace, name, raw)
	return nil
}

func strictly[T any](t testing.TB, o *unstructured.Unstructured) *T {
	t.Helper()
	raw, err := o.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	typed := new(T)
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(typed); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
	return typed
}

func applied(revision string) func(*kustomizev1.Kustomization) bool {
	return func(k *kustomizev1.Kustomization) bool {
		return k.Status.LastAppliedRevision == revision && meta.IsStatusConditionTrue(k.Status.Conditions, "Ready") &&
			k.Status.ObservedGeneration == k.Generation
	}
}

func TestPushIsRolledOut(t *testing.T) {
	r := seeded(t)
	c := fluxed(t, r, "prod")
	k := client(t, c)
	revision := "main@sha1:" + r.git("rev-parse", "HEAD")
	kustomizations := kind("kustomize", "v1", "kustomizations")
	untilFlux(t, c, kustomizations, "flux-system", "payments", applied(revision))
	untilFlux(t, c, kustomizations, "flux-system", "apps", applied(revision))
	d := until(t, k, "podinfo", "podinfo", rolledOut("ghcr.io/stefanprodan/podinfo:6.5.3"))
	if d.Labels["kustomize.toolkit.fluxcd.io/name"] != "apps" || *d.Spec.Replicas != 3 {
		t.Errorf("labels %v, %d replicas", d.Labels, *d.Spec.Replicas)
	}
	revision = r.replace("apps/prod/podinfo/kustomization.yaml", "6.5.3", "6.5.4")
	c.Pushed()
	until(t, k, "podinfo", "podinfo", rolledOut("ghcr.io/stefanprodan/podinfo:6.5.4"))
	apps := untilFlux(t, c, kustomizations, "flux-system", "apps", applied(revision))
	if apps.Status.Inventory == nil || len(apps.Status.Inventory.Entries) < 10 {
		t.Errorf("inventory: %+v", apps.Status.Inventory)
	}

	// Without a push event: asked by annotation, as ferry asks.
	revision = r.replace("apps/prod/podinfo/kustomization.yaml", "6.5.4", "6.6.0")
	dyn, err := dynamic.NewForConfig(config(t, c, "admin"))
	if err != nil {
		t.Fatal(err)
	}
	ask := []byte(`{"metadata":{"annotations":{"reconcile.fluxcd.io/requestedAt":"now-1"}}}`)
	repositories := kind("source", "v1", "gitrepositories")
	if _, err := dyn.Resource(repositories).Namespace("flux-system").Patch(t.Context(), "flux-system", types.MergePatchType, ask, metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	untilFlux(t, c, repositories, "flux-system", "flux-system", func(g *sourcev1.GitRepository) bool {
		return g.Status.LastHandledReconcileAt == "now-1" && g.Status.Artifact.Revision == revision
	})
	until(t, k, "podinfo", "podinfo", rolledOut("ghcr.io/stefanprodan/podinfo:6.6.0"))

	// What leaves the repository leaves the cluster.
	r.replace("apps/prod/kustomization.yaml", "  - notifier\n", "")
	c.Pushed()
	w, err := k.AppsV1().Deployments("notify").Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for e := range w.ResultChan() {
		if e.Type == "DELETED" {
			break
		}
	}
}

func TestHealthGateHoldsTheRevision(t *testing.T) {
	r := seeded(t)
	c := fluxed(t, r, "stage")
	good := "main@sha1:" + r.git("rev-parse", "HEAD")
	kustomizations := kind("kustomize", "v1", "kustomizations")
	untilFlux(t, c, kustomizations, "flux-system", "payments", applied(good))
	bad := r.replace("payments/stage/kustomization.yaml", "2.3.1", "2.3.2-broken")
	c.Pushed()
	failed := untilFlux(t, c, kustomizations, "flux-system", "payments", func(k *kustomizev1.Kustomization) bool {
		ready := meta.FindStatusCondition(k.Status.Conditions, "Ready")
		return k.Status.LastAttemptedRevision == bad && ready.Status == metav1.ConditionFalse && ready.Reason == "HealthCheckFailed"
	})
	if failed.Status.LastAppliedRevision != good {
		t.Errorf("a failing gate advanced to %s", failed.Status.LastAppliedRevision)
	}
	if m := meta.FindStatusCondition(failed.Status.Conditions, "Healthy").Message; !strings.Contains(m, "Deployment/payments/ledger status: 'Failed'") {
		t.Errorf("message %q", m)
	}
	back := r.replace("payments/stage/kustomization.yaml", "2.3.2-broken", "2.3.1")
	c.Pushed()
	untilFlux(t, c, kustomizations, "flux-system", "payments", applied(back))
	broken := r.commit(map[string]string{"payments/stage/kustomization.yaml": "resources: [nowhere.yaml]\n"})
	c.Pushed()
	untilFlux(t, c, kustomizations, "flux-system", "payments", func(k *kustomizev1.Kustomization) bool {
		ready := meta.FindStatusCondition(k.Status.Conditions, "Ready")
		return k.Status.LastAttemptedRevision == broken && ready.Reason == "BuildFailed"
	})
}

func TestHelmReleaseFollowsItsChart(t *testing.T) {
	r := seeded(t)
	c := fluxed(t, r, "dev")
	k := client(t, c)
	releases := kind("helm", "v2", "helmreleases")
	deployed := func(chart string) func(*helmv2.HelmRelease) bool {
		return func(h *helmv2.HelmRelease) bool {
			latest := h.Status.History.Latest()
			return latest != nil && latest.ChartVersion == chart && latest.Status == "deployed" &&
				meta.IsStatusConditionTrue(h.Status.Conditions, "Ready") && h.Status.ObservedGeneration == h.Generation
		}
	}
	first := untilFlux(t, c, releases, "cache", "redis", deployed("19.0.1"))
	if cond := meta.FindStatusCondition(first.Status.Conditions, "Released"); cond.Reason != "InstallSucceeded" {
		t.Errorf("%+v", cond)
	}
	d := until(t, k, "cache", "redis", rolledOut("docker.io/bitnami/redis:7.2.4"))
	if d.Labels["helm.toolkit.fluxcd.io/name"] != "redis" || d.Labels["helm.sh/chart"] != "redis-19.0.1" {
		t.Errorf("labels: %v", d.Labels)
	}
	r.replace("apps/dev/redis/release.yaml", "19.0.1", "18.6.1")
	c.Pushed()
	second := untilFlux(t, c, releases, "cache", "redis", deployed("18.6.1"))
	if h := second.Status.History; len(h) != 2 || h[1].Status != "superseded" || h[0].Version != 2 {
		t.Errorf("history: %+v %+v", h[0], h[1])
	}
	// 19.1.0 is planted: Helm takes it back itself, and that is a failure.
	r.replace("apps/dev/redis/release.yaml", "18.6.1", "19.1.0")
	c.Pushed()
	third := untilFlux(t, c, releases, "cache", "redis", func(h *helmv2.HelmRelease) bool {
		return h.Status.LastAttemptedRevision == "19.1.0" && meta.IsStatusConditionTrue(h.Status.Conditions, apimeta.StalledCondition)
	})
	ready := meta.FindStatusCondition(third.Status.Conditions, "Ready")
	if latest := third.Status.History.Latest(); latest.ChartVersion != "18.6.1" || latest.Status != "deployed" || latest.Version != 4 ||
		ready.Status != metav1.ConditionFalse || ready.Reason != "RollbackSucceeded" || third.Status.History[1].Status != "failed" {
		t.Errorf("after the remediation: %+v, %+v", third.Status.History, ready)
	}
	until(t, k, "cache", "redis", rolledOut("docker.io/bitnami/redis:7.2.3"))

	r.replace("apps/dev/echo/values.yaml", `"34"`, `"35"`)
	c.Pushed()
	until(t, k, "echo", "echo", rolledOut("ghcr.io/mendhak/http-https-echo:35"))
	r.replace("apps/dev/redis/release.yaml", "19.1.0", "99.0.0")
	c.Pushed()
	untilFlux(t, c, releases, "cache", "redis", func(h *helmv2.HelmRelease) bool {
		ready := meta.FindStatusCondition(h.Status.Conditions, "Ready")
		return ready.Reason == "SourceNotReady" && strings.Contains(ready.Message, "no 'redis' chart with version matching '99.0.0' found")
	})
}

// TestFluxEdits has a Kustomization change what it builds: a directory without a
// kustomization.yaml, patches, images, names, variables, an OCI chart.
func TestFluxEdits(t *testing.T) {
	files := editsFiles()
	r := newRepository(t, maps.Clone(files))
	c := fluxed(t, r, "one")
	d := until(t, client(t, c), "apps", "web", rolledOut("reg:5000/web:2"))
	if got := strings.TrimSpace(fmt.Sprintln(*d.Spec.Replicas, d.Annotations["size"], d.Annotations["zone"], d.Annotations["other"], d.Labels["team"])); got != "2 big eu none blue" {
		t.Error(got)
	}
	release := untilFlux(t, c, kind("helm", "v2", "helmreleases"), "apps", "podinfo", func(h *helmv2.HelmRelease) bool {
		return meta.IsStatusConditionTrue(h.Status.Conditions, "Ready")
	})
	latest := release.Status.History.Latest()
	if !strings.HasPrefix(latest.ChartVersion, "6.5.3+") || latest.OCIDigest == "" || release.Status.LastAttemptedRevision != latest.ChartVersion {
		t.Errorf("%+v", latest)
	}
	// Suspended is suspended.
	r.commit(map[string]string{"clusters/one/app.yaml": strings.Replace(files["clusters/one/app.yaml"], "interval: 1m,", "interval: 1m, suspend: true,", 1)})
	c.Pushed()
	untilFlux(t, c, kind("kustomize", "v1", "kustomizations"), "flux-system", "app", func(k *kustomizev1.Kustomization) bool { return k.Spec.Suspend })
	end := r.commit(map[string]string{"plain/web.yaml": ""})
	c.Pushed()
	untilFlux(t, c, kind("kustomize", "v1", "kustomizations"), "flux-system", "flux-system", applied(end))
	if _, err := client(t, c).AppsV1().Deployments("apps").Get(t.Context(), "web", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}

func editsFiles() map[string]string {
	return map[string]string{
		"clusters/one/app.yaml": `{apiVersion: kustomize.toolkit.fluxcd.io/v1, kind: Kustomization, metadata: {name: app, namespace: flux-system},
  spec: {interval: 1m, path: ../../plain, prune: true, targetNamespace: apps, sourceRef: {kind: GitRepository, name: flux-system},
    commonMetadata: {labels: {team: blue}}, images: [{name: web, newName: "reg:5000/web", newTag: "2"}],
    patches: [{target: {kind: Deployment}, patch: "[{\"op\": \"replace\", \"path\": \"/spec/replicas\", \"value\": 2}]"}],
    postBuild: {substitute: {size: big}, substituteFrom: [{kind: ConfigMap, name: vars}]}}}`,
		"clusters/one/vars.yaml": "{apiVersion: v1, kind: ConfigMap, metadata: {name: vars, namespace: flux-system}, data: {zone: eu, size: small}}",
		"clusters/one/ns.yaml":   "{apiVersion: v1, kind: Namespace, metadata: {name: apps}}",
		"plain/web.yaml": `{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, annotations: {size: "${size}", zone: "${zone}", other: "${other:=none}"}},
  spec: {replicas: 1, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}}}`,
		"plain/sub/chart.yaml": `{apiVersion: source.toolkit.fluxcd.io/v1, kind: OCIRepository, metadata: {name: podinfo},
  spec: {interval: 1m, url: "oci://ghcr.io/stefanprodan/charts/podinfo", ref: {tag: 6.5.3}}}
---
{apiVersion: helm.toolkit.fluxcd.io/v2, kind: HelmRelease, metadata: {name: podinfo},
  spec: {interval: 1m, chartRef: {kind: OCIRepository, name: podinfo}, values: {replicaCount: 2}}}`,
		"plain/.hidden.yaml": "not: kubernetes",
	}
}

// TestShapes decodes all that a cluster holds strictly into the types of its API.
func TestShapes(t *testing.T) {
	r := seeded(t)
	c := fluxed(t, r, "prod")
	untilFlux(t, c, kind("kustomize", "v1", "kustomizations"), "flux-system", "apps", applied("main@sha1:"+r.git("rev-parse", "HEAD")))
	until(t, client(t, c), "podinfo", "podinfo", rolledOut("ghcr.io/stefanprodan/podinfo:6.5.3"))
	types := map[string]func() any{
		"Deployment": func() any { return new(appsv1.Deployment) }, "ReplicaSet": func() any { return new(appsv1.ReplicaSet) },
		"Pod": func() any { return new(corev1.Pod) }, "Event": func() any { return new(corev1.Event) },
		"Namespace": func() any { return new(corev1.Namespace) }, "Node": func() any { return new(corev1.Node) },
		"Service":       func() any { return new(corev1.Service) },
		"GitRepository": func() any { return new(sourcev1.GitRepository) }, "HelmRepository": func() any { return new(sourcev1.HelmRepository) },
		"HelmChart": func() any { return new(sourcev1.HelmChart) }, "Kustomization": func() any { return new(kustomizev1.Kustomization) },
		"HelmRelease": func() any { return new(helmv2.HelmRelease) },
	}
	for _, resource := range c.Store().Resources() {
		make, known := types[resource.Kind]
		objects, _ := c.Store().List(resource, "")
		for _, o := range objects {
			if !known {
				continue
			}
			decoder := json.NewDecoder(bytes.NewReader(o.Raw))
			decoder.DisallowUnknownFields()
			if err := decoder.Decode(make()); err != nil {
				t.Errorf("%s %s: %v", resource.Kind, o.Key, err)
			}
		}
	}
}
