package flux

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	apimeta "github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"ferry/playground/cluster/apiserver"
)

// attempt is what is known of a Kustomization's last or current reconciliation.
type attempt struct {
	cause    string // revision, generation and request that it is for
	waiting  bool   // for a source, a dependency or health
	checking bool   // applied, and waiting for health
	prune    bool   // whether its objects go with it
	began    time.Time
	refs     []ref
	last     map[ref][]byte
	built    *built
}

// kustomization reconciles one; again says that it must be, though nothing
// about it changed: a retry, or the interval.
func (c *Controller) kustomization(ctx context.Context, k apiserver.Key, again bool) error {
	ks := c.ks.Get(k)
	if ks == nil || ks.Spec.Suspend {
		return nil
	}
	a := c.applied[k]
	if a == nil {
		a = &attempt{}
		c.applied[k] = a
	}
	revision, reason, err := c.ready(ks)
	if err != nil {
		a.waiting, a.cause = true, ""
		return c.writeKustomization(ks, func(s *kustomizev1.KustomizationStatus, state conditions) {
			state.set(apimeta.ReadyCondition, metav1.ConditionFalse, reason, err.Error())
			state.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingWithRetryReason, err.Error())
			s.LastHandledReconcileAt = requested(ks)
		})
	}
	cause := fmt.Sprintf("%s %d %s", revision, ks.Generation, requested(ks))
	if fresh := a.cause != cause; fresh || again && !a.checking {
		// As Flux since 2.8, a new revision ends the wait for the old one's health.
		a.cause, a.waiting, a.checking, a.began = cause, false, false, time.Now()
		if reason, err := c.applyKustomization(ctx, ks, a, revision); err != nil {
			return c.failKustomization(ks, reason, revision, err)
		}
		a.checking = true
	}
	if !a.checking {
		return nil
	}
	return c.checkHealth(ks, a, revision)
}

// ready is the revision to apply, or why there is none yet.
func (c *Controller) ready(ks *kustomizev1.Kustomization) (revision, reason string, err error) {
	source := ks.Spec.SourceRef
	at := apiserver.Key{Namespace: source.Namespace, Name: source.Name}
	if at.Namespace == "" {
		at.Namespace = ks.Namespace
	}
	full := fmt.Sprintf("%s/%s", source.Kind, at)
	if source.Kind != "GitRepository" {
		return "", apimeta.ArtifactFailedReason, fmt.Errorf("source `%s` not supported here", full)
	}
	g := c.gits.Get(at)
	if g == nil {
		return "", apimeta.ArtifactFailedReason, fmt.Errorf("Source '%s' not found", full) //nolint:staticcheck // the words of the real one
	}
	if g.Status.Artifact == nil {
		return "", apimeta.ArtifactFailedReason, errors.New("Source artifact not found, retrying in 30s") //nolint:staticcheck // as above
	}
	revision = g.Status.Artifact.Revision
	for _, d := range ks.Spec.DependsOn {
		on := apiserver.Key{Namespace: d.Namespace, Name: d.Name}
		if on.Namespace == "" {
			on.Namespace = ks.Namespace
		}
		dependency := c.ks.Get(on)
		switch {
		case dependency == nil:
			return "", apimeta.DependencyNotReadyReason, fmt.Errorf("dependency '%s' not found", on)
		case !isReady(dependency.Status.Conditions) || dependency.Status.ObservedGeneration != dependency.Generation:
			return "", apimeta.DependencyNotReadyReason, fmt.Errorf("dependency '%s' is not ready", on)
		case dependency.Spec.SourceRef == ks.Spec.SourceRef && dependency.Status.LastAppliedRevision != revision:
			return "", apimeta.DependencyNotReadyReason, fmt.Errorf("dependency '%s' revision is not up to date", on)
		}
	}
	return revision, "", nil
}

func (c *Controller) applyKustomization(ctx context.Context, ks *kustomizev1.Kustomization, a *attempt, revision string) (reason string, err error) {
	err = c.writeKustomization(ks, func(s *kustomizev1.KustomizationStatus, state conditions) {
		s.LastAttemptedRevision = revision
		state.progressing(fmt.Sprintf("Building manifests for revision %s with a timeout of %s", revision, c.timeoutOf(ks)))
	})
	if err != nil {
		return apimeta.ReconciliationFailedReason, err
	}
	_, commit, _ := strings.Cut(revision, "@sha1:")
	files, err := c.files(ctx, commit)
	if err != nil {
		return apimeta.ArtifactFailedReason, err
	}
	vars, err := c.variables(ks)
	if err != nil {
		return apimeta.BuildFailedReason, err
	}
	b, err := build(ks, files, vars, a.built)
	var missing errPath
	if errors.As(err, &missing) {
		return apimeta.ArtifactFailedReason, err
	}
	if err != nil {
		return apimeta.BuildFailedReason, err
	}
	a.built = b
	applied, refs, err := c.applyAll(b.objects, a.last)
	if err != nil {
		return apimeta.ReconciliationFailedReason, err
	}
	a.last, a.refs, a.prune = applied, refs, ks.Spec.Prune
	if ks.Spec.Prune {
		if err := c.prune(ks.Status.Inventory, refs); err != nil {
			return apimeta.PruneFailedReason, err
		}
	}
	return "", c.writeKustomization(ks, func(s *kustomizev1.KustomizationStatus, _ conditions) {
		s.Inventory = &kustomizev1.ResourceInventory{Entries: []kustomizev1.ResourceRef{}}
		for _, r := range refs {
			s.Inventory.Entries = append(s.Inventory.Entries, r.entry())
		}
	})
}

// variables are those of substituteFrom, under those that the object states.
func (c *Controller) variables(ks *kustomizev1.Kustomization) (map[string]string, error) {
	if ks.Spec.PostBuild == nil {
		return nil, nil
	}
	vars := map[string]string{}
	for _, from := range ks.Spec.PostBuild.SubstituteFrom {
		at := apiserver.Key{Namespace: ks.Namespace, Name: from.Name}
		found := false
		if from.Kind == "ConfigMap" {
			if m := c.maps.Get(at); m != nil {
				found = true
				for k, v := range m.Data {
					vars[k] = strings.ReplaceAll(v, "\n", "")
				}
			}
		} else if s := c.secret.Get(at); s != nil {
			found = true
			for k, v := range s.Data {
				vars[k] = strings.ReplaceAll(string(v), "\n", "")
			}
		}
		if !found && !from.Optional {
			return nil, fmt.Errorf("substitute from '%s/%s' error: %s \"%s\" not found", from.Kind, from.Name,
				strings.ToLower(from.Kind)+"s", from.Name)
		}
	}
	for k, v := range ks.Spec.PostBuild.Substitute {
		vars[k] = strings.ReplaceAll(v, "\n", "")
	}
	return vars, nil
}

func (c *Controller) timeoutOf(ks *kustomizev1.Kustomization) time.Duration {
	wanted := ks.Spec.Interval.Duration
	if ks.Spec.Timeout != nil {
		wanted = ks.Spec.Timeout.Duration
	}
	return c.timeout(wanted, 5*time.Minute)
}

// checkHealth ends a reconciliation whose objects are healthy, or which has
// waited for that too long, or in vain.
func (c *Controller) checkHealth(ks *kustomizev1.Kustomization, a *attempt, revision string) error {
	var pending []string
	stalled := false
	for _, r := range c.checked(ks, a) {
		if h := c.health(r); h != healthCurrent {
			pending = append(pending, fmt.Sprintf("%s status: '%s'", r, h))
			stalled = stalled || h == healthFailed
		}
	}
	took := time.Since(a.began)
	left := c.timeoutOf(ks) - took
	switch {
	case len(pending) == 0:
		a.waiting, a.checking = false, false
		return c.succeed(ks, revision, took)
	case stalled:
		a.waiting, a.checking = false, false
		return c.failKustomization(ks, apimeta.HealthCheckFailedReason, revision, fmt.Errorf(
			"health check failed after %s: failed early due to stalled resources: [%s]", took.Round(time.Millisecond), strings.Join(pending, ", ")))
	case left <= 0:
		a.waiting, a.checking = false, false
		return c.failKustomization(ks, apimeta.HealthCheckFailedReason, revision, fmt.Errorf(
			"health check failed after %s: timeout waiting for: [%s]", took.Round(time.Millisecond), strings.Join(pending, ", ")))
	}
	a.waiting = true
	c.work.After(item{"Kustomization", key(ks)}, left)
	message := fmt.Sprintf("Running health checks for revision %s with a timeout of %s", revision, c.timeoutOf(ks))
	return c.writeKustomization(ks, func(_ *kustomizev1.KustomizationStatus, state conditions) {
		state.set(apimeta.ReadyCondition, metav1.ConditionUnknown, apimeta.ProgressingReason, "Reconciliation in progress")
		state.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingReason, message)
		state.set(apimeta.HealthyCondition, metav1.ConditionUnknown, apimeta.ProgressingReason, message)
	})
}

// checked are the objects that must be healthy.
func (c *Controller) checked(ks *kustomizev1.Kustomization, a *attempt) []ref {
	if ks.Spec.Wait {
		return a.refs
	}
	var refs []ref
	for _, h := range ks.Spec.HealthChecks {
		gv, err := schema.ParseGroupVersion(h.APIVersion)
		if err != nil {
			continue
		}
		if r := c.store.ResourceFor(gv.WithKind(h.Kind)); r != nil {
			refs = append(refs, ref{r, apiserver.Key{Namespace: h.Namespace, Name: h.Name}})
		}
	}
	return refs
}

func (c *Controller) succeed(ks *kustomizev1.Kustomization, revision string, took time.Duration) error {
	c.work.After(item{"retry Kustomization", key(ks)}, capped(ks.Spec.Interval.Duration, 10*time.Minute, 0))
	return c.writeKustomization(ks, func(s *kustomizev1.KustomizationStatus, state conditions) {
		s.LastAppliedRevision, s.LastAttemptedRevision = revision, revision
		s.ObservedGeneration, s.LastHandledReconcileAt = ks.Generation, requested(ks)
		if ks.Spec.Wait || len(ks.Spec.HealthChecks) > 0 {
			state.set(apimeta.HealthyCondition, metav1.ConditionTrue, apimeta.SucceededReason,
				fmt.Sprintf("Health check passed in %s", took.Round(time.Millisecond)))
		} else {
			state.remove(apimeta.HealthyCondition)
		}
		state.ready(apimeta.ReconciliationSucceededReason, "Applied revision: "+revision)
	})
}

func (c *Controller) failKustomization(ks *kustomizev1.Kustomization, reason, revision string, cause error) error {
	wait := ks.Spec.Interval.Duration
	if ks.Spec.RetryInterval != nil {
		wait = ks.Spec.RetryInterval.Duration
	}
	c.work.After(item{"retry Kustomization", key(ks)}, c.retry(wait, time.Minute))
	return c.writeKustomization(ks, func(s *kustomizev1.KustomizationStatus, state conditions) {
		s.LastAttemptedRevision, s.LastHandledReconcileAt = revision, requested(ks)
		if reason == apimeta.HealthCheckFailedReason {
			state.set(apimeta.HealthyCondition, metav1.ConditionFalse, reason, cause.Error())
		}
		state.failed(reason, cause.Error())
	})
}

// writeKustomization changes the status, and ks with it.
func (c *Controller) writeKustomization(ks *kustomizev1.Kustomization, change func(*kustomizev1.KustomizationStatus, conditions)) error {
	status := *ks.Status.DeepCopy()
	change(&status, conditions{&status.Conditions, ks.Generation})
	if equality.Semantic.DeepEqual(status, ks.Status) {
		return nil
	}
	ks.Status = status
	err := c.ks.Change(key(ks), apiserver.Status, func(k *kustomizev1.Kustomization) { k.Status = status })
	return err
}

// undo removes what a deleted Kustomization had applied.
func (c *Controller) undo(k apiserver.Key) error {
	a := c.applied[k]
	if a == nil || c.ks.Get(k) != nil {
		return nil
	}
	delete(c.applied, k)
	if !a.prune {
		return nil
	}
	inventory := &kustomizev1.ResourceInventory{}
	for _, r := range a.refs {
		inventory.Entries = append(inventory.Entries, r.entry())
	}
	return c.prune(inventory, nil)
}
