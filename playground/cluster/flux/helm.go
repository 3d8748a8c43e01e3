package flux

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	apimeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"ferry/playground/cluster/apiserver"
)

func unmarshalYAML(text string, into any) error { return yaml.Unmarshal([]byte(text), into) }

// action is a Helm action under way.
type action string

const (
	install  action = "install"
	upgrade  action = "upgrade"
	rollback action = "rollback"
)

// release is what Helm itself would know of a HelmRelease.
type release struct {
	waiting bool // for its chart, a dependency or health
	action  action
	cause   string // what the action is to bring about
	began   time.Time
	objects map[int]map[string]any // rendered, by release version
	ref     ref
	last    []byte
}

// desired is what a HelmRelease asks for.
type desired struct {
	chart   Chart
	version string // of the chart, with the digest of an OCI artifact as build metadata
	oci     string
	values  map[string]any
	digest  string
}

func (d desired) matches(s *helmv2.Snapshot) bool {
	return s != nil && s.ChartName == d.chart.Name && s.ChartVersion == d.version && s.ConfigDigest == d.digest
}

// helmRelease reconciles one; again says that a failed action is due again.
func (c *Controller) helmRelease(k apiserver.Key, again bool) error {
	hr := c.hrs.Get(k)
	if hr == nil || hr.Spec.Suspend {
		return nil
	}
	r := c.releases[k]
	if r == nil {
		r = &release{objects: map[int]map[string]any{}}
		c.releases[k] = r
	}
	want, reason, err := c.desired(hr)
	if err != nil {
		r.waiting = true
		return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
			s.LastHandledReconcileAt = requested(hr)
			state.set(apimeta.ReadyCondition, metav1.ConditionFalse, reason, err.Error())
			state.set(apimeta.ReconcilingCondition, metav1.ConditionTrue, apimeta.ProgressingReason, "Fulfilling prerequisites")
		})
	}
	if r.action != "" {
		if r.cause == want.version+" "+want.digest || r.action == rollback {
			return c.watchAction(hr, r)
		}
		r.action = "" // what it was for is no longer wanted
		hr.Status.History[0].Status = "failed"
	}
	r.waiting = false
	return c.decide(hr, r, want, again)
}

// decide starts the action that is due, if any.
func (c *Controller) decide(hr *helmv2.HelmRelease, r *release, want desired, again bool) error {
	s := &hr.Status
	if s.LastAttemptedGeneration != hr.Generation || s.LastAttemptedRevision != want.version || s.LastAttemptedConfigDigest != want.digest {
		again = true
		s.Failures, s.InstallFailures, s.UpgradeFailures = 0, 0, 0
	}
	latest := s.History.Latest()
	switch {
	case want.matches(latest) && latest.Status == "deployed":
		return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, state conditions) {
			s.LastAttemptedGeneration, s.ObservedGeneration = hr.Generation, hr.Generation
			s.LastHandledReconcileAt = requested(hr)
			released := meta.FindStatusCondition(s.Conditions, helmv2.ReleasedCondition)
			if released != nil && released.Status == metav1.ConditionTrue {
				state.set(helmv2.ReleasedCondition, metav1.ConditionTrue, released.Reason, released.Message)
				state.ready(released.Reason, released.Message)
			}
		})
	case !again:
		return c.writeRelease(hr, func(s *helmv2.HelmReleaseStatus, _ conditions) { s.LastHandledReconcileAt = requested(hr) })
	case latest == nil:
		return c.start(hr, r, install, want)
	}
	return c.start(hr, r, upgrade, want)
}

// desired finds the chart and the values, or why they cannot be had yet.
func (c *Controller) desired(hr *helmv2.HelmRelease) (want desired, reason string, err error) {
	for _, d := range hr.Spec.DependsOn {
		on := apiserver.Key{Namespace: d.Namespace, Name: d.Name}
		if on.Namespace == "" {
			on.Namespace = hr.Namespace
		}
		other := c.hrs.Get(on)
		if other == nil || !isReady(other.Status.Conditions) || other.Status.ObservedGeneration != other.Generation {
			return want, helmv2.DependencyNotReadyReason, fmt.Errorf("dependency '%s' is not ready", on)
		}
	}
	if hr.Spec.ChartRef != nil {
		want, reason, err = c.chartFromRef(hr)
	} else {
		want, reason, err = c.chartFromTemplate(hr)
	}
	if err != nil {
		return want, reason, err
	}
	if want.values, err = c.values(hr); err != nil {
		return want, "ValuesError", err
	}
	raw, err := json.Marshal(want.values)
	if err != nil {
		return want, "ValuesError", err
	}
	want.digest = digest(raw)
	return want, "", nil
}

func (c *Controller) chartFromRef(hr *helmv2.HelmRelease) (want desired, reason string, err error) {
	at := apiserver.Key{Namespace: hr.Spec.ChartRef.Namespace, Name: hr.Spec.ChartRef.Name}
	if at.Namespace == "" {
		at.Namespace = hr.Namespace
	}
	if hr.Spec.ChartRef.Kind == "HelmChart" {
		return c.chartFrom(c.charts.Get(at), at)
	}
	source := c.ocis.Get(at)
	if source == nil {
		return want, helmv2.ArtifactFailedReason, fmt.Errorf(
			"could not get Source object: ocirepositories.source.toolkit.fluxcd.io \"%s\" not found", at.Name)
	}
	if source.Status.Artifact == nil || !isReady(source.Status.Conditions) || source.Status.ObservedGeneration != source.Generation {
		return want, "SourceNotReady", fmt.Errorf("OCIRepository '%s' is not ready: %s", at, why(source.Status.Conditions))
	}
	name := source.Spec.URL[strings.LastIndexByte(source.Spec.URL, '/')+1:]
	version, sum, _ := strings.Cut(source.Status.Artifact.Revision, "@")
	want.chart, err = c.options.Charts.Find(name, version)
	want.oci = sum
	want.version = want.chart.Version + "+" + strings.TrimPrefix(sum, "sha256:")[:12]
	return want, helmv2.ArtifactFailedReason, err
}

// chartFromTemplate keeps the HelmChart of a HelmRelease as its template says.
func (c *Controller) chartFromTemplate(hr *helmv2.HelmRelease) (want desired, reason string, err error) {
	if hr.Spec.Chart == nil {
		return want, helmv2.ArtifactFailedReason, fmt.Errorf("neither chart nor chartRef is set")
	}
	t := hr.Spec.Chart.Spec
	at := apiserver.Key{Namespace: t.SourceRef.Namespace, Name: hr.GetHelmChartName()}
	if at.Namespace == "" {
		at.Namespace = hr.Namespace
	}
	spec := sourcev1.HelmChartSpec{
		Chart: t.Chart, Version: t.Version, Interval: hr.Spec.Interval,
		ReconcileStrategy: t.ReconcileStrategy, ValuesFiles: t.ValuesFiles,
		SourceRef: sourcev1.LocalHelmChartSourceReference{Kind: t.SourceRef.Kind, Name: t.SourceRef.Name},
	}
	if t.Interval != nil {
		spec.Interval = *t.Interval
	}
	if t.SourceRef.Kind == sourcev1.HelmRepositoryKind && c.repos.Get(apiserver.Key{Namespace: at.Namespace, Name: t.SourceRef.Name}) == nil {
		return want, "SourceNotReady", fmt.Errorf("HelmChart '%s' is not ready: failed to get source: "+
			"helmrepositories.source.toolkit.fluxcd.io \"%s\" not found", at, t.SourceRef.Name)
	}
	chart := c.charts.Get(at)
	if chart == nil {
		chart, err = c.charts.Create(&sourcev1.HelmChart{ObjectMeta: metav1.ObjectMeta{
			Namespace: at.Namespace, Name: at.Name,
			Labels: map[string]string{"helm.toolkit.fluxcd.io/name": hr.Name, "helm.toolkit.fluxcd.io/namespace": hr.Namespace},
		}, Spec: spec})
	} else if !equality.Semantic.DeepEqual(chart.Spec, spec) {
		err = c.charts.Change(at, apiserver.Spec, func(h *sourcev1.HelmChart) { h.Spec = spec })
		chart = c.charts.Get(at)
	}
	if err != nil {
		return want, "SourceNotReady", err
	}
	hr.Status.HelmChart = at.String()
	return c.chartFrom(chart, at)
}

func (c *Controller) chartFrom(chart *sourcev1.HelmChart, at apiserver.Key) (want desired, reason string, err error) {
	if chart == nil || chart.Status.Artifact == nil || !isReady(chart.Status.Conditions) || chart.Status.ObservedGeneration != chart.Generation {
		message := "latest generation of object has not been reconciled"
		if chart != nil && chart.Status.ObservedGeneration == chart.Generation || chart != nil && len(chart.Status.Conditions) > 0 && !isReady(chart.Status.Conditions) {
			message = why(chart.Status.Conditions)
		}
		return want, "SourceNotReady", fmt.Errorf("HelmChart '%s' is not ready: %s", at, message)
	}
	want.chart, err = c.options.Charts.Find(chart.Status.ObservedChartName, chart.Status.Artifact.Revision)
	want.version = want.chart.Version
	return want, helmv2.ArtifactFailedReason, err
}

func why(list []metav1.Condition) string {
	if ready := meta.FindStatusCondition(list, apimeta.ReadyCondition); ready != nil {
		return ready.Message
	}
	return "latest generation of object has not been reconciled"
}

// writeRelease changes the status, with what was changed on hr already.
func (c *Controller) writeRelease(hr *helmv2.HelmRelease, change func(*helmv2.HelmReleaseStatus, conditions)) error {
	status := *hr.Status.DeepCopy()
	change(&status, conditions{&status.Conditions, hr.Generation})
	hr.Status = status
	err := c.hrs.Change(key(hr), apiserver.Status, func(h *helmv2.HelmRelease) { h.Status = status })
	return err
}

// uninstall removes what a deleted HelmRelease had released.
func (c *Controller) uninstall(k apiserver.Key) error {
	r := c.releases[k]
	if r == nil || c.hrs.Get(k) != nil {
		return nil
	}
	delete(c.releases, k)
	for _, h := range c.charts.List("") {
		if h.Labels["helm.toolkit.fluxcd.io/name"] == k.Name && h.Labels["helm.toolkit.fluxcd.io/namespace"] == k.Namespace {
			if err := c.charts.Delete(key(h)); err != nil {
				return err
			}
		}
	}
	return c.remove(r)
}

func (c *Controller) remove(r *release) error {
	if r.ref.resource == nil || c.store.Get(r.ref.resource, r.ref.key) == nil {
		return nil
	}
	_, err := c.store.Delete(r.ref.resource, r.ref.key, "", false)
	return err
}
