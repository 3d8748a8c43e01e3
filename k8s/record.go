package k8s

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync"

	helmv2 "github.com/fluxcd/helm-controller/api/v2"
	kustomizev1 "github.com/fluxcd/kustomize-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/internal/deploy"
)

// Flux's labels on what its controllers apply.
const (
	labelRelease          = "helm.toolkit.fluxcd.io/name"
	labelReleaseNamespace = "helm.toolkit.fluxcd.io/namespace"
	labelApplied          = "kustomize.toolkit.fluxcd.io/name"
	labelAppliedNamespace = "kustomize.toolkit.fluxcd.io/namespace"

	annotationRevision  = "deployment.kubernetes.io/revision"
	annotationApplied   = "kubectl.kubernetes.io/last-applied-configuration"
	annotationRequested = "reconcile.fluxcd.io/requestedAt"

	ready = "Ready"
)

// Records are what stays of objects. They never change: an object that changes
// gets a new record, so that who holds two knows by the pointer that nothing
// happened between.

// workload is the record of a Deployment, StatefulSet or DaemonSet.
type workload struct {
	kind string
	key
	created       int64 // Unix seconds
	release       key   // zero without one
	kustomization key   // zero without one
	selector      string
	// revision tells the ReplicaSet (Deployment: its number), the pods'
	// controller-revision-hash (StatefulSet) or template generation (DaemonSet)
	// that is newest.
	revision string
	images   []deploy.Image
	// generation and observed are the object's and the one its status is of.
	generation, observed int64
	paused               bool
	// complete is true once the present template was rolled out wholly, which
	// makes missing replicas a failure and no progress.
	complete                                  bool
	desired, updated, ready, available, total int32
	stuck                                     string
}

func (w *workload) ref() deploy.Ref {
	return deploy.Ref{Kind: w.kind, Namespace: w.namespace, Name: w.name}
}

// rolledOut is `kubectl rollout status`' notion.
func (w *workload) rolledOut() bool {
	return w.observed >= w.generation && w.observed > 0 && w.updated == w.desired && w.total == w.desired &&
		w.ready == w.desired && w.available == w.desired
}

// release is the record of a HelmRelease.
type release struct {
	key
	created         int64
	kustomization   key
	targetNamespace string
	chart           string     // its name
	version         string     // what runs, else what is wanted
	source          deploy.Ref // where the chart comes from
	reported        bool       // a Ready condition exists
	state           deploy.ReleaseState
}

// declaration is the record of a Kustomization.
type declaration struct {
	key
	parent    key // the Kustomization that applies it
	source    deploy.Ref
	path      string
	object    json.RawMessage
	from      []kustomizev1.SubstituteReference
	remote    bool // applies to another cluster
	suspended bool
	applied   string
	attempted string
	condition deploy.Condition
}

// source is the record of a GitRepository.
type source struct {
	key
	source    deploy.Source
	ignore    string
	suspended bool
	fetched   string
	condition deploy.Condition
}

// interner makes equal strings one. It is for words that repeat (namespaces,
// container names, repositories), of which a fleet has few, so it forgets none.
type interner struct {
	mu    sync.Mutex
	words map[string]string
}

func newInterner() *interner { return &interner{words: map[string]string{}} }

func (i *interner) word(s string) string {
	if s == "" {
		return ""
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if w, ok := i.words[s]; ok {
		return w
	}
	s = strings.Clone(s)
	i.words[s] = s
	return s
}

func (i *interner) labelled(labels map[string]string, name, namespace string) key {
	if labels[name] == "" || labels[namespace] == "" {
		return key{}
	}
	return key{i.word(labels[namespace]), i.word(labels[name])}
}

// workload flattens an object of the kind.
func (i *interner) workload(kind string, o *deployment) *workload {
	m, s := &o.Metadata, &o.Status
	w := &workload{
		kind: kind, key: key{i.word(m.Namespace), i.word(m.Name)}, created: m.CreationTimestamp.Unix(),
		release:       i.labelled(m.Labels, labelRelease, labelReleaseNamespace),
		kustomization: i.labelled(m.Labels, labelApplied, labelAppliedNamespace),
		selector:      metav1.FormatLabelSelector(&o.Spec.Selector),
		generation:    m.Generation, observed: s.ObservedGeneration, paused: o.Spec.Paused,
		desired: 1, updated: s.UpdatedReplicas, ready: s.ReadyReplicas, available: s.AvailableReplicas, total: s.Replicas,
	}
	if o.Spec.Replicas != nil {
		w.desired = *o.Spec.Replicas
	}
	switch kind {
	case "Deployment":
		w.revision = i.word(m.Annotations[annotationRevision])
	case "StatefulSet":
		w.revision = s.UpdateRevision
	case "DaemonSet":
		w.revision = i.word(strconv.FormatInt(m.Generation, 10))
		if g := m.Annotations["deprecated.daemonset.template.generation"]; g != "" {
			w.revision = i.word(g)
		}
		w.desired, w.total, w.updated = s.DesiredNumberScheduled, s.CurrentNumberScheduled, s.UpdatedNumberScheduled
		w.ready, w.available = s.NumberReady, s.NumberAvailable
	}
	w.images = make([]deploy.Image, 0, len(o.Spec.Template.Spec.Containers))
	for _, c := range o.Spec.Template.Spec.Containers {
		image := parseImage(c.Name, c.Image)
		image.Container, image.Repository = i.word(image.Container), i.word(image.Repository)
		image.Tag, image.Digest = strings.Clone(image.Tag), strings.Clone(image.Digest)
		w.images = append(w.images, image)
	}
	for _, c := range s.Conditions {
		switch {
		case c.Type == "Progressing" && c.Status == "False", c.Type == "ReplicaFailure" && c.Status == "True":
			w.stuck = wording(c.Reason, c.Message)
		case c.Type == "Progressing" && c.Reason == "NewReplicaSetAvailable":
			w.complete = true
		}
	}
	return w
}

// wording joins a reason and a message, either of which may be missing.
func wording(reason, message string) string {
	if reason == "" || message == "" {
		return reason + message
	}
	return reason + ": " + message
}

func (i *interner) release(o *helmRelease) *release {
	m, s := &o.Metadata, &o.Status
	r := &release{
		key: key{i.word(m.Namespace), i.word(m.Name)}, created: m.CreationTimestamp.Unix(),
		kustomization:   i.labelled(m.Labels, labelApplied, labelAppliedNamespace),
		targetNamespace: i.word(cmp.Or(o.Spec.TargetNamespace, m.Namespace)),
	}
	r.state = releaseState(o)
	switch {
	case o.Spec.Chart != nil:
		c := o.Spec.Chart.Spec
		r.chart, r.version = i.word(c.Chart), c.Version
		r.source = deploy.Ref{Kind: i.word(c.SourceRef.Kind), Namespace: i.word(cmp.Or(c.SourceRef.Namespace, m.Namespace)), Name: i.word(c.SourceRef.Name)}
	case o.Spec.ChartRef != nil:
		c := o.Spec.ChartRef
		r.chart = i.word(c.Name)
		r.source = deploy.Ref{Kind: i.word(c.Kind), Namespace: i.word(cmp.Or(c.Namespace, m.Namespace)), Name: i.word(c.Name)}
	}
	for n, h := range r.state.History {
		if n == 0 || h.Status == "deployed" {
			r.version = h.ChartVersion
		}
		if h.Status == "deployed" {
			break
		}
	}
	if latest := newestFirst(s.History); len(latest) > 0 && latest[0].ChartName != "" {
		r.chart = i.word(latest[0].ChartName)
	}
	_, r.reported = find(s.Conditions, ready)
	return r
}

// releaseState is what a HelmRelease says about itself.
func releaseState(o *helmRelease) deploy.ReleaseState {
	m, s := &o.Metadata, &o.Status
	state := deploy.ReleaseState{
		Ref:              deploy.Ref{Kind: helmv2.HelmReleaseKind, Namespace: m.Namespace, Name: m.Name},
		Ready:            readyOf(s.Conditions, m.Generation),
		Suspended:        o.Spec.Suspend,
		Attempted:        s.LastAttemptedGeneration == m.Generation,
		AttemptedVersion: s.LastAttemptedRevision,
		AttemptedDigest:  s.LastAttemptedConfigDigest,
	}
	for _, h := range newestFirst(s.History) {
		version, _, _ := strings.Cut(h.ChartVersion, "+")
		state.History = append(state.History, deploy.ReleaseRecord{ChartVersion: version, ConfigDigest: h.ConfigDigest, Status: h.Status})
	}
	// A remediation of an older generation is no news: the controller drops the
	// condition when it begins with the present one.
	if c, ok := find(s.Conditions, helmv2.RemediatedCondition); ok && c.Status == metav1.ConditionTrue && c.ObservedGeneration == m.Generation {
		state.Remediated = wording(c.Reason, c.Message)
	}
	return state
}

func newestFirst(h helmv2.Snapshots) helmv2.Snapshots {
	h = slices.DeleteFunc(slices.Clone(h), func(s *helmv2.Snapshot) bool { return s == nil })
	slices.SortStableFunc(h, func(a, b *helmv2.Snapshot) int { return cmp.Compare(b.Version, a.Version) })
	return h
}

func find(conditions []metav1.Condition, kind string) (metav1.Condition, bool) {
	for _, c := range conditions {
		if c.Type == kind {
			return c, true
		}
	}
	return metav1.Condition{}, false
}

func readyOf(conditions []metav1.Condition, generation int64) deploy.Condition {
	c, ok := find(conditions, ready)
	return deploy.Condition{Status: string(c.Status), Reason: c.Reason, Message: c.Message, Observed: ok && c.ObservedGeneration == generation}
}

func (i *interner) declaration(o *kustomization) (*declaration, error) {
	m, s := &o.Metadata, &o.Status
	var spec kustomizev1.KustomizationSpec
	if err := json.Unmarshal(o.Spec, &spec); err != nil {
		return nil, err
	}
	annotations := make(map[string]string, len(m.Annotations))
	for name, value := range m.Annotations {
		if name != annotationApplied && name != annotationRequested {
			annotations[name] = value
		}
	}
	object, err := json.Marshal(map[string]any{
		"apiVersion": kustomizev1.GroupVersion.String(), "kind": kustomizev1.KustomizationKind,
		"metadata": metadata{Name: m.Name, Namespace: m.Namespace, Annotations: annotations},
		"spec":     o.Spec,
	})
	if err != nil {
		return nil, err
	}
	d := &declaration{
		key:    key{i.word(m.Namespace), i.word(m.Name)},
		parent: i.labelled(m.Labels, labelApplied, labelAppliedNamespace),
		source: deploy.Ref{Kind: i.word(spec.SourceRef.Kind), Namespace: i.word(cmp.Or(spec.SourceRef.Namespace, m.Namespace)), Name: i.word(spec.SourceRef.Name)},
		path:   spec.Path, object: object, remote: spec.KubeConfig != nil, suspended: spec.Suspend,
		applied: s.LastAppliedRevision, attempted: s.LastAttemptedRevision,
		condition: readyOf(s.Conditions, m.Generation),
	}
	if spec.PostBuild != nil {
		d.from = spec.PostBuild.SubstituteFrom
	}
	return d, nil
}

func (i *interner) source(o *gitRepository) *source {
	m := &o.Metadata
	r := &source{
		key:    key{i.word(m.Namespace), i.word(m.Name)},
		source: deploy.Source{URL: o.Spec.URL, Branch: "master"}, // Flux's default
		// A suspended source fetches nothing, whatever is asked of it.
		suspended: o.Spec.Suspend, condition: readyOf(o.Status.Conditions, m.Generation),
	}
	if ref := o.Spec.Reference; ref != nil {
		// The precedence of source-controller.
		switch {
		case ref.Commit != "":
			r.source.Branch, r.source.Pinned = "", "commit "+ref.Commit
		case ref.Name != "":
			r.source.Branch, r.source.Pinned = "", "name "+ref.Name
		case ref.SemVer != "":
			r.source.Branch, r.source.Pinned = "", "semver "+ref.SemVer
		case ref.Tag != "":
			r.source.Branch, r.source.Pinned = "", "tag "+ref.Tag
		case ref.Branch != "":
			r.source.Branch = ref.Branch
		}
	}
	if o.Spec.Ignore != nil {
		r.ignore = *o.Spec.Ignore
	}
	if o.Status.Artifact != nil {
		r.fetched = o.Status.Artifact.Revision
	}
	return r
}
