package flux

import (
	"context"
	"fmt"
	"path"
	"strings"
	"time"

	apimeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
)

// tree is the newest fetched commit's files. One is kept: every GitRepository of
// a playground fetches the same branch.
type tree struct {
	commit string
	files  map[string][]byte
}

func branchOf(g *sourcev1.GitRepository) string {
	if g.Spec.Reference != nil && g.Spec.Reference.Branch != "" {
		return g.Spec.Reference.Branch
	}
	return "master"
}

// git reconciles a GitRepository; fetch says that the repository may have moved.
func (c *Controller) git(ctx context.Context, k apiserver.Key, fetch bool) error {
	g := c.gits.Get(k)
	if g == nil || g.Spec.Suspend {
		return nil
	}
	if !fetch && g.Status.ObservedGeneration == g.Generation && g.Status.LastHandledReconcileAt == requested(g) {
		return nil
	}
	status := *g.Status.DeepCopy()
	state := conditions{&status.Conditions, g.Generation}
	status.LastHandledReconcileAt = requested(g)
	interval := capped(g.Spec.Interval.Duration, time.Minute, 0)
	if commit, err := c.fetch(ctx, g); err != nil {
		message := fmt.Sprintf("failed to checkout and determine revision: unable to clone '%s': %v", g.Spec.URL, err)
		state.set(sourcev1.FetchFailedCondition, metav1.ConditionTrue, "GitOperationFailed", message)
		state.failed("GitOperationFailed", message)
		interval = c.retry(0, interval)
	} else {
		state.remove(sourcev1.FetchFailedCondition)
		status.ObservedGeneration = g.Generation
		status.Artifact = gitArtifact(g, commit, status.Artifact)
		message := fmt.Sprintf("stored artifact for revision '%s'", status.Artifact.Revision)
		state.set(sourcev1.ArtifactInStorageCondition, metav1.ConditionTrue, apimeta.SucceededReason, message)
		state.ready(apimeta.SucceededReason, message)
	}
	c.work.After(item{"fetch", k}, interval)
	if equality.Semantic.DeepEqual(status, g.Status) {
		return nil
	}
	err := c.gits.Change(k, apiserver.Status, func(g *sourcev1.GitRepository) { g.Status = status })
	return err
}

func (c *Controller) fetch(ctx context.Context, g *sourcev1.GitRepository) (string, error) {
	if c.options.Repository == nil {
		return "", fmt.Errorf("repository not found")
	}
	commit, err := c.options.Repository.Head(ctx, branchOf(g))
	if err != nil {
		return "", err
	}
	_, err = c.files(ctx, commit)
	return commit, err
}

func (c *Controller) files(ctx context.Context, commit string) (map[string][]byte, error) {
	if c.trees.commit != commit {
		files, err := c.options.Repository.Files(ctx, commit)
		if err != nil {
			return nil, err
		}
		c.trees = tree{commit, files}
	}
	return c.trees.files, nil
}

func gitArtifact(g *sourcev1.GitRepository, commit string, old *apimeta.Artifact) *apimeta.Artifact {
	revision := branchOf(g) + "@sha1:" + commit
	if old != nil && old.Revision == revision {
		return old
	}
	return artifact("gitrepository", g, revision, commit, digest([]byte(commit)))
}

func artifact(kind string, o metav1.Object, revision, file, digest string) *apimeta.Artifact {
	size := int64(4096)
	where := path.Join(kind, o.GetNamespace(), o.GetName(), file+".tar.gz")
	return &apimeta.Artifact{
		Revision: revision, Path: where, Digest: digest, Size: &size,
		URL:            "http://source-controller.flux-system.svc.cluster.local./" + where,
		LastUpdateTime: metav1.Now().Rfc3339Copy(),
	}
}

func (c *Controller) helmRepository(k apiserver.Key) error {
	r := c.repos.Get(k)
	if r == nil || r.Spec.Suspend || r.Status.ObservedGeneration == r.Generation && r.Status.LastHandledReconcileAt == requested(r) {
		return nil
	}
	err := c.repos.Change(k, apiserver.Status, func(r *sourcev1.HelmRepository) {
		r.Status.ObservedGeneration, r.Status.LastHandledReconcileAt = r.Generation, requested(r)
		if r.Spec.Type == "oci" {
			return // has no status in Flux either
		}
		sum := digest([]byte(r.Spec.URL))
		r.Status.URL = "http://source-controller.flux-system.svc.cluster.local./helmrepository/" + k.String() + "/index.yaml"
		r.Status.Artifact = artifact("helmrepository", r, sum, "index", sum)
		message := fmt.Sprintf("stored artifact: revision '%s'", sum)
		state := conditions{&r.Status.Conditions, r.Generation}
		state.set(sourcev1.ArtifactInStorageCondition, metav1.ConditionTrue, apimeta.SucceededReason, message)
		state.ready(apimeta.SucceededReason, message)
	})
	return err
}

// oci reconciles an OCIRepository, which here always holds a chart: the one that
// the last element of its URL names.
func (c *Controller) oci(k apiserver.Key) error {
	r := c.ocis.Get(k)
	if r == nil || r.Spec.Suspend || r.Status.ObservedGeneration == r.Generation && r.Status.LastHandledReconcileAt == requested(r) {
		return nil
	}
	wanted, pinned := "", ""
	if ref := r.Spec.Reference; ref != nil {
		if wanted = ref.SemVer; wanted == "" {
			wanted = ref.Tag
		}
		pinned = ref.Digest
	}
	chart, err := c.options.Charts.Find(path.Base(strings.TrimSuffix(r.Spec.URL, "/")), wanted)
	err2 := c.ocis.Change(k, apiserver.Status, func(r *sourcev1.OCIRepository) {
		r.Status.LastHandledReconcileAt = requested(r)
		state := conditions{&r.Status.Conditions, r.Generation}
		if err != nil {
			message := fmt.Sprintf("failed to determine artifact digest: %v", err)
			state.set(sourcev1.FetchFailedCondition, metav1.ConditionTrue, sourcev1.OCIPullFailedReason, message)
			state.failed(sourcev1.OCIPullFailedReason, message)
			return
		}
		r.Status.ObservedGeneration = r.Generation
		sum := chart.Digest()
		if pinned != "" {
			sum = pinned
		}
		r.Status.Artifact = artifact("ocirepository", r, chart.Version+"@"+sum, sum, sum)
		state.remove(sourcev1.FetchFailedCondition)
		message := fmt.Sprintf("stored artifact for digest '%s'", r.Status.Artifact.Revision)
		state.set(sourcev1.ArtifactInStorageCondition, metav1.ConditionTrue, apimeta.SucceededReason, message)
		state.ready(apimeta.SucceededReason, message)
	})
	return err2
}

// chart reconciles a HelmChart, by hand or as made for a HelmRelease.
func (c *Controller) chart(k apiserver.Key) error {
	h := c.charts.Get(k)
	if h == nil || h.Spec.Suspend || h.Status.ObservedGeneration == h.Generation && h.Status.LastHandledReconcileAt == requested(h) {
		return nil
	}
	chart, err := c.options.Charts.Find(path.Base(h.Spec.Chart), h.Spec.Version)
	err2 := c.charts.Change(k, apiserver.Status, func(h *sourcev1.HelmChart) {
		h.Status.LastHandledReconcileAt = requested(h)
		state := conditions{&h.Status.Conditions, h.Generation}
		if err != nil {
			message := fmt.Sprintf("invalid chart reference: failed to get chart version for remote reference: %v", err)
			state.set(sourcev1.FetchFailedCondition, metav1.ConditionTrue, "InvalidChartReference", message)
			state.failed("InvalidChartReference", message)
			return
		}
		h.Status.ObservedGeneration = h.Generation
		h.Status.ObservedChartName, h.Status.ObservedSourceArtifactRevision = chart.Name, digest([]byte(h.Spec.SourceRef.Name))
		h.Status.Artifact = artifact("helmchart", h, chart.Version, chart.Name+"-"+chart.Version, chart.Digest())
		state.remove(sourcev1.FetchFailedCondition)
		message := fmt.Sprintf("pulled '%s' chart with version '%s'", chart.Name, chart.Version)
		state.set(sourcev1.ArtifactInStorageCondition, metav1.ConditionTrue, "ChartPullSucceeded", message)
		state.ready("ChartPullSucceeded", message)
	})
	return err2
}
