package flux

import (
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	apimeta "github.com/fluxcd/pkg/apis/meta"
	"k8s.io/apimachinery/pkg/api/meta"
)

// health is what kstatus would say of an object.
type health string

const (
	healthCurrent    health = "Current"
	healthInProgress health = "InProgress"
	healthFailed     health = "Failed"
	healthNotFound   health = "NotFound"
)

func (c *Controller) health(r ref) health {
	o := c.store.Get(r.resource, r.key)
	if o == nil {
		return healthNotFound
	}
	switch r.resource.Kind {
	case "Deployment":
		var d appsv1.Deployment
		if o.Into(&d) != nil {
			return healthFailed
		}
		return deploymentHealth(&d)
	case "StatefulSet":
		var s appsv1.StatefulSet
		if o.Into(&s) != nil {
			return healthFailed
		}
		want := int32(1)
		if s.Spec.Replicas != nil {
			want = *s.Spec.Replicas
		}
		st := s.Status
		return current(st.ObservedGeneration >= s.Generation && st.ReadyReplicas == want && st.UpdatedReplicas == want &&
			st.CurrentRevision == st.UpdateRevision)
	case "DaemonSet":
		var s appsv1.DaemonSet
		if o.Into(&s) != nil {
			return healthFailed
		}
		st := s.Status
		return current(st.ObservedGeneration >= s.Generation && st.NumberAvailable == st.DesiredNumberScheduled &&
			st.UpdatedNumberScheduled == st.DesiredNumberScheduled)
	}
	var custom struct {
		metav1.ObjectMeta `json:"metadata"`
		Status            struct {
			ObservedGeneration *int64             `json:"observedGeneration"`
			Conditions         []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	if o.Into(&custom) != nil {
		return healthFailed
	}
	return customHealth(r.resource.Group != "", custom.Generation, custom.Status.ObservedGeneration, custom.Status.Conditions)
}

func current(is bool) health {
	if is {
		return healthCurrent
	}
	return healthInProgress
}

func deploymentHealth(d *appsv1.Deployment) health {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	for _, condition := range d.Status.Conditions {
		if condition.Type == appsv1.DeploymentProgressing && condition.Reason == "ProgressDeadlineExceeded" &&
			d.Status.ObservedGeneration >= d.Generation {
			return healthFailed
		}
	}
	s := d.Status
	return current(s.ObservedGeneration >= d.Generation && s.UpdatedReplicas == want && s.Replicas == want &&
		s.AvailableReplicas == want && s.ReadyReplicas == want)
}

func customHealth(custom bool, generation int64, observed *int64, list []metav1.Condition) health {
	if !custom {
		return healthCurrent
	}
	if observed != nil && *observed != generation {
		return healthInProgress
	}
	switch {
	case meta.IsStatusConditionTrue(list, apimeta.StalledCondition):
		return healthFailed
	case meta.IsStatusConditionTrue(list, apimeta.ReconcilingCondition):
		return healthInProgress
	}
	if ready := meta.FindStatusCondition(list, apimeta.ReadyCondition); ready != nil && ready.Status != metav1.ConditionTrue {
		return healthInProgress
	}
	return healthCurrent
}
