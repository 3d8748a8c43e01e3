package workload

import (
	"cmp"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"

	"ferry/playground/cluster/apiserver"
)

const revisionAnnotation = "deployment.kubernetes.io/revision"

func key(o metav1.Object) apiserver.Key {
	return apiserver.Key{Namespace: o.GetNamespace(), Name: o.GetName()}
}

// rollout is one look at a Deployment and its ReplicaSets.
type rollout struct {
	d       *appsv1.Deployment
	current *appsv1.ReplicaSet // of the template as it stands
	old     []*appsv1.ReplicaSet
}

func (c *Controller) deployment(k apiserver.Key) error {
	d := c.deployments.Get(k)
	if d == nil {
		delete(c.progress, item{"Deployment", k})
		return nil
	}
	r := rollout{d: d}
	hash := templateHash(&d.Spec.Template)
	for _, rs := range c.replicaSets.Owned(string(d.UID)) {
		if rs.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == hash {
			r.current = rs
		} else {
			r.old = append(r.old, rs)
		}
	}
	slices.SortFunc(r.old, func(a, b *appsv1.ReplicaSet) int { return cmp.Compare(revision(a), revision(b)) })
	if !d.Spec.Paused {
		if err := c.ensure(&r, hash); err != nil {
			return err
		}
		if err := c.scale(&r); err != nil {
			return err
		}
	}
	if err := c.cleanUp(&r); err != nil {
		return err
	}
	return c.deploymentStatus(&r)
}

func templateHash(t *corev1.PodTemplateSpec) string {
	raw, err := json.Marshal(t)
	if err != nil {
		return "invalid"
	}
	h := fnv.New32a()
	_, _ = h.Write(raw) // never fails
	return rand.SafeEncodeString(strconv.FormatUint(uint64(h.Sum32()), 10))
}

func revision(o metav1.Object) int {
	n, _ := strconv.Atoi(o.GetAnnotations()[revisionAnnotation])
	return n
}

// ensure makes the ReplicaSet of the current template and counts revisions.
func (c *Controller) ensure(r *rollout, hash string) error {
	next := 1
	for _, rs := range r.old {
		next = max(next, revision(rs)+1)
	}
	if r.current == nil {
		template := *r.d.Spec.Template.DeepCopy()
		template.Labels = withLabel(template.Labels, hash)
		selector := metav1.LabelSelector{}
		if r.d.Spec.Selector != nil {
			selector = *r.d.Spec.Selector.DeepCopy()
		}
		selector.MatchLabels = withLabel(selector.MatchLabels, hash)
		rs, err := c.replicaSets.Create(&appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{
				Name: r.d.Name + "-" + hash, Namespace: r.d.Namespace, Labels: template.Labels,
				Annotations:     map[string]string{revisionAnnotation: strconv.Itoa(next)},
				OwnerReferences: owned(r.d, "Deployment"),
			},
			Spec: appsv1.ReplicaSetSpec{Replicas: new(int32), Selector: &selector, Template: template},
		})
		if err != nil {
			return fmt.Errorf("create the ReplicaSet of %s: %w", key(r.d), err)
		}
		r.current = rs
		c.moved(r.d)
	} else if revision(r.current) < next { // back to an earlier template
		c.moved(r.d)
		if err := c.annotate(r.current, next); err != nil {
			return err
		}
	}
	if revision(r.d) == revision(r.current) {
		return nil
	}
	err := c.deployments.Change(key(r.d), apiserver.Whole, func(d *appsv1.Deployment) {
		d.Annotations = orEmpty(d.Annotations)
		d.Annotations[revisionAnnotation] = strconv.Itoa(revision(r.current))
	})
	if d := c.deployments.Get(key(r.d)); d != nil {
		r.d = d
	}
	return err
}

func (c *Controller) annotate(rs *appsv1.ReplicaSet, n int) error {
	err := c.replicaSets.Change(key(rs), apiserver.Whole, func(rs *appsv1.ReplicaSet) {
		rs.Annotations = orEmpty(rs.Annotations)
		rs.Annotations[revisionAnnotation] = strconv.Itoa(n)
	})
	rs.Annotations = orEmpty(rs.Annotations)
	rs.Annotations[revisionAnnotation] = strconv.Itoa(n)
	c.work.Add(item{"Deployment", apiserver.Key{Namespace: rs.Namespace, Name: metav1.GetControllerOf(rs).Name}})
	return err
}

func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func withLabel(labels map[string]string, hash string) map[string]string {
	labels = orEmpty(maps.Clone(labels))
	labels[appsv1.DefaultDeploymentUniqueLabelKey] = hash
	return labels
}

func owned(o metav1.Object, kind string) []metav1.OwnerReference {
	yes, version := true, "apps/v1"
	return []metav1.OwnerReference{{
		APIVersion: version, Kind: kind, Name: o.GetName(), UID: o.GetUID(),
		Controller: &yes, BlockOwnerDeletion: &yes,
	}}
}

func desired(replicas *int32) int32 {
	if replicas == nil {
		return 1
	}
	return *replicas
}

// limits are the surge and the unavailability that the strategy allows.
func limits(d *appsv1.Deployment) (surge, unavailable int32) {
	n := int(desired(d.Spec.Replicas))
	if u := d.Spec.Strategy.RollingUpdate; u != nil {
		if u.MaxSurge != nil {
			v, _ := intstr.GetScaledValueFromIntOrPercent(u.MaxSurge, n, true)
			surge = int32(v)
		}
		if u.MaxUnavailable != nil {
			v, _ := intstr.GetScaledValueFromIntOrPercent(u.MaxUnavailable, n, false)
			unavailable = int32(v)
		}
	}
	if surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, min(unavailable, int32(n))
}

// scale moves replicas from the old sets to the current one.
func (c *Controller) scale(r *rollout) error {
	want := desired(r.d.Spec.Replicas)
	total, olds := desired(r.current.Spec.Replicas), int32(0)
	available := r.current.Status.AvailableReplicas
	for _, rs := range r.old {
		olds += desired(rs.Spec.Replicas)
		available += min(rs.Status.AvailableReplicas, desired(rs.Spec.Replicas)) // the status may lag
	}
	total += olds
	surge, unavailable := limits(r.d)
	now := desired(r.current.Spec.Replicas)
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		for _, rs := range r.old {
			if err := c.scaleTo(rs, 0); err != nil {
				return err
			}
			if rs.Status.Replicas > 0 {
				return nil // the old pods first
			}
		}
		return c.scaleTo(r.current, want)
	}
	if room := want + surge - total; now > want || now < want && room > 0 {
		if err := c.scaleTo(r.current, min(want, max(now+room, 0))); err != nil {
			return err
		}
	}
	// As many old ones may go as are not needed to have enough available; those
	// that are not available are not needed at all.
	spare := available - (want - unavailable)
	for _, rs := range r.old {
		n := desired(rs.Spec.Replicas)
		idle := n - rs.Status.AvailableReplicas
		drop := min(max(idle, 0), n)
		if more := min(n-drop, max(spare, 0)); more > 0 {
			drop += more
			spare -= more
		}
		if drop > 0 {
			if err := c.scaleTo(rs, n-drop); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Controller) scaleTo(rs *appsv1.ReplicaSet, n int32) error {
	if desired(rs.Spec.Replicas) == n {
		return nil
	}
	rs.Spec.Replicas = &n
	return c.replicaSets.Change(key(rs), apiserver.Spec, func(rs *appsv1.ReplicaSet) { rs.Spec.Replicas = &n })
}

// cleanUp removes the oldest empty sets beyond the history limit.
func (c *Controller) cleanUp(r *rollout) error {
	limit := 10
	if r.d.Spec.RevisionHistoryLimit != nil {
		limit = int(*r.d.Spec.RevisionHistoryLimit)
	}
	for i := 0; i < len(r.old)-limit; i++ {
		if rs := r.old[i]; desired(rs.Spec.Replicas) == 0 && rs.Status.Replicas == 0 {
			if err := c.replicaSets.Delete(key(rs)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Controller) moved(d *appsv1.Deployment) { c.progress[item{"Deployment", key(d)}] = time.Now() }
