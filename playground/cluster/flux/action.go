package flux

import (
	"encoding/json"
	"fmt"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	apimeta "github.com/fluxcd/pkg/apis/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// start begins an install or an upgrade: a new release version, pending.
func (c *Controller) start(hr *helmv2.HelmRelease, r *release, what action, want desired) error {
	object := want.chart.render(hr, want.values)
	s := &hr.Status
	s.LastAttemptedGeneration, s.LastAttemptedRevision = hr.Generation, want.version
	s.LastAttemptedConfigDigest, s.LastAttemptedRevisionDigest = want.digest, want.oci
	s.LastAttemptedReleaseAction = helmv2.ReleaseAction(what)
	s.StorageNamespace = hr.GetStorageNamespace()
	s.History = append(helmv2.Snapshots{snapshot(hr, want, "pending-"+string(what), object)}, s.History...)
	r.objects[s.History[0].Version] = object
	r.cause = want.version + " " + want.digest
	return c.act(hr, r, what, object)
}

func snapshot(hr *helmv2.HelmRelease, want desired, status string, object map[string]any) *helmv2.Snapshot {
	now := metav1.Now().Rfc3339Copy()
	raw, _ := json.Marshal(object) // it came from JSON values
	s := &helmv2.Snapshot{
		APIVersion: helmv2.CurrentSnapshotAPIVersion, Digest: digest(raw), Name: hr.GetReleaseName(),
		Namespace: hr.GetReleaseNamespace(), Version: 1, Status: status, ChartName: want.chart.Name, ChartVersion: want.version,
		AppVersion: want.chart.AppVersion, ConfigDigest: want.digest, OCIDigest: want.oci, FirstDeployed: now, LastDeployed: now,
	}
	if latest := hr.Status.History.Latest(); latest != nil {
		s.Version, s.FirstDeployed = latest.Version+1, latest.FirstDeployed
	}
	return s
}

// act applies an object as an action that then waits for its health.
func (c *Controller) act(hr *helmv2.HelmRelease, r *release, what action, object map[string]any) error {
	r.action, r.began, r.waiting = what, time.Now(), true
	message := fmt.Sprintf("Running '%s' action with timeout of %s", what, c.helmTimeout(hr))
	err := c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
		state.remove(apimeta.StalledCondition)
		if what != rollback {
			state.remove(helmv2.RemediatedCondition)
			state.set(apimeta.ReadyCondition, metav1.ConditionUnknown, apimeta.ProgressingReason, message)
		}
		state.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingReason, message)
	})
	if err != nil {
		return err
	}
	if r.ref, err = c.refOf(object); err == nil {
		r.last, err = c.apply(r.ref, object, r.last)
	}
	if err != nil {
		return c.actionFailed(hr, r, err)
	}
	c.work.Add(item{"HelmRelease", key(hr)})
	return nil
}

func (c *Controller) helmTimeout(hr *helmv2.HelmRelease) time.Duration {
	return c.timeout(hr.GetTimeout().Duration, 5*time.Minute)
}

// watchAction ends the action under way once its workload is healthy, or has
// not become so.
func (c *Controller) watchAction(hr *helmv2.HelmRelease, r *release) error {
	h := c.health(r.ref)
	noWait := r.action == install && hr.GetInstall().DisableWait || r.action == upgrade && hr.GetUpgrade().DisableWait
	left := c.helmTimeout(hr) - time.Since(r.began)
	switch {
	case h == healthCurrent || noWait:
		return c.actionDone(hr, r)
	case h == healthFailed || left <= 0:
		return c.actionFailed(hr, r, fmt.Errorf("timeout waiting for: [%s status: '%s']: context deadline exceeded", r.ref, h))
	}
	c.work.After(item{"HelmRelease", key(hr)}, left)
	return nil
}

func (c *Controller) actionDone(hr *helmv2.HelmRelease, r *release) error {
	what := r.action
	r.action, r.waiting = "", false
	latest := hr.Status.History.Latest()
	for _, s := range hr.Status.History[1:] {
		if s.Status == "deployed" {
			s.Status = "superseded"
		}
	}
	latest.Status = "deployed"
	if what == rollback {
		return c.remediated(hr, helmv2.RollbackSucceededReason, fmt.Sprintf(
			"Helm rollback to previous release %s with chart %s succeeded", r.cause, latest.VersionedChartName()))
	}
	reason, verb := helmv2.UpgradeSucceededReason, "upgrade"
	if what == install {
		reason, verb = helmv2.InstallSucceededReason, "install"
	}
	message := fmt.Sprintf("Helm %s succeeded for release %s with chart %s", verb, latest.FullReleaseName(), latest.VersionedChartName())
	hr.Status.History.Truncate(true)
	return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
		s.ObservedGeneration, s.LastHandledReconcileAt = hr.Generation, requested(hr)
		s.Failures, s.InstallFailures, s.UpgradeFailures = 0, 0, 0
		state.remove(helmv2.RemediatedCondition)
		state.set(helmv2.ReleasedCondition, metav1.ConditionTrue, reason, message)
		state.ready(reason, message)
	})
}

// actionFailed records a failure and remediates it if that is configured.
func (c *Controller) actionFailed(hr *helmv2.HelmRelease, r *release, cause error) error {
	what := r.action
	r.action, r.waiting = "", false
	latest := hr.Status.History.Latest()
	latest.Status = "failed"
	if what == rollback {
		return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
			s.LastHandledReconcileAt = requested(hr)
			message := fmt.Sprintf("Helm rollback to previous release %s with chart %s failed: %v", r.cause, latest.VersionedChartName(), cause)
			state.set(helmv2.RemediatedCondition, metav1.ConditionFalse, helmv2.RollbackFailedReason, message)
			state.failed(helmv2.RollbackFailedReason, message)
		})
	}
	reason := helmv2.UpgradeFailedReason
	if what == install {
		reason = helmv2.InstallFailedReason
		hr.Status.InstallFailures++
	} else {
		hr.Status.UpgradeFailures++
	}
	message := fmt.Sprintf("Helm %s failed for release %s/%s with chart %s: %v", what, latest.Namespace, latest.Name,
		latest.VersionedChartName(), cause)
	err := c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
		s.Failures++
		s.LastHandledReconcileAt = requested(hr)
		state.set(helmv2.ReleasedCondition, metav1.ConditionFalse, reason, message)
		state.failed(reason, message)
	})
	if err != nil {
		return err
	}
	remedy := c.remedy(hr, what)
	switch {
	case !remedy.remediate:
		return c.stalled(hr, what, remedy)
	case what == install:
		if err := c.remove(r); err != nil {
			return err
		}
		r.last, hr.Status.History = nil, nil
		return c.remediated(hr, helmv2.UninstallSucceededReason, fmt.Sprintf("Helm uninstall remediation for release %s/%s with chart %s succeeded",
			latest.Namespace, latest.Name, latest.VersionedChartName()))
	}
	return c.rollBack(hr, r)
}

// remedy is what the object says about failures of an action.
type remedy struct {
	remediate bool
	exhausted bool
	failures  int64
}

func (c *Controller) remedy(hr *helmv2.HelmRelease, what action) remedy {
	var remediation helmv2.Remediation = hr.GetUpgrade().GetRemediation()
	if what == install {
		remediation = hr.GetInstall().GetRemediation()
	}
	exhausted := remediation.RetriesExhausted(hr)
	return remedy{
		remediate: !exhausted || remediation.MustRemediateLastFailure(), exhausted: exhausted,
		failures: remediation.GetFailureCount(hr),
	}
}

// rollBack releases the newest version that was deployed before, under a new one.
func (c *Controller) rollBack(hr *helmv2.HelmRelease, r *release) error {
	previous := hr.Status.History.Previous(true)
	if previous == nil || r.objects[previous.Version] == nil {
		return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
			s.ObservedGeneration = hr.Generation
			state.remove(apimeta.ReconcilingCondition)
			state.set(apimeta.StalledCondition, metav1.ConditionTrue, "MissingRollbackTarget",
				"Failed to perform remediation: missing target release for rollback")
		})
	}
	next := *previous
	next.Version, next.Status = hr.Status.History.Latest().Version+1, "pending-rollback"
	next.LastDeployed = metav1.Now().Rfc3339Copy()
	object := r.objects[previous.Version]
	r.objects[next.Version], r.cause = object, previous.FullReleaseName()
	hr.Status.History = append(helmv2.Snapshots{&next}, hr.Status.History...)
	return c.act(hr, r, rollback, object)
}

// remediated records a remediation, which is a failure all the same, and has the
// action tried again while there are retries.
func (c *Controller) remediated(hr *helmv2.HelmRelease, reason, message string) error {
	err := c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
		s.LastHandledReconcileAt = requested(hr)
		state.set(helmv2.RemediatedCondition, metav1.ConditionTrue, reason, message)
		state.failed(reason, message)
	})
	if err != nil {
		return err
	}
	what := action(hr.Status.LastAttemptedReleaseAction)
	return c.stalled(hr, what, c.remedy(hr, what))
}

// stalled gives up, or has the action tried again.
func (c *Controller) stalled(hr *helmv2.HelmRelease, what action, remedy remedy) error {
	if !remedy.exhausted {
		c.work.After(item{"retry HelmRelease", key(hr)}, c.retry(0, 30*time.Second))
		return nil
	}
	return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
		s.ObservedGeneration = hr.Generation
		state.remove(apimeta.ReconcilingCondition)
		state.set(apimeta.StalledCondition, metav1.ConditionTrue, "RetriesExceeded",
			fmt.Sprintf("Failed to %s after %d attempt(s)", what, remedy.failures))
	})
}
