package workload

import (
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
)

// deploymentStatus writes the counts and the two conditions.
func (c *Controller) deploymentStatus(r *rollout) error {
	status := counts(r)
	old := r.d.Status
	if status.UpdatedReplicas != old.UpdatedReplicas || status.ReadyReplicas > old.ReadyReplicas ||
		status.AvailableReplicas > old.AvailableReplicas || status.Replicas < old.Replicas {
		c.moved(r.d)
	}
	status.Conditions = append([]appsv1.DeploymentCondition(nil), old.Conditions...)
	_, unavailable := limits(r.d)
	if want := desired(r.d.Spec.Replicas); status.AvailableReplicas >= want-unavailable {
		set(&status, appsv1.DeploymentAvailable, corev1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability.")
	} else {
		set(&status, appsv1.DeploymentAvailable, corev1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
	}
	if r.current != nil {
		c.judgeProgress(r, &status)
	}
	if equality.Semantic.DeepEqual(old, status) {
		return nil
	}
	err := c.deployments.Change(key(r.d), apiserver.Status, func(d *appsv1.Deployment) { d.Status = status })
	return err
}

func counts(r *rollout) appsv1.DeploymentStatus {
	status := appsv1.DeploymentStatus{ObservedGeneration: r.d.Generation, CollisionCount: r.d.Status.CollisionCount}
	sets := r.old
	if r.current != nil {
		sets = append(sets[:len(sets):len(sets)], r.current)
		status.UpdatedReplicas = r.current.Status.Replicas
	}
	for _, rs := range sets {
		status.Replicas += rs.Status.Replicas
		status.ReadyReplicas += rs.Status.ReadyReplicas
		status.AvailableReplicas += rs.Status.AvailableReplicas
	}
	status.UnavailableReplicas = max(max(desired(r.d.Spec.Replicas), status.Replicas)-status.AvailableReplicas, 0)
	return status
}

func (c *Controller) judgeProgress(r *rollout, status *appsv1.DeploymentStatus) {
	want, name := desired(r.d.Spec.Replicas), r.current.Name
	this := item{"Deployment", key(r.d)}
	if status.UpdatedReplicas == want && status.Replicas == want && status.AvailableReplicas == want {
		set(status, appsv1.DeploymentProgressing, corev1.ConditionTrue, "NewReplicaSetAvailable",
			fmt.Sprintf("ReplicaSet %q has successfully progressed.", name))
		delete(c.progress, this)
		return
	}
	if complete(r.d.Status.Conditions) && r.d.Status.ObservedGeneration == r.d.Generation && status.UpdatedReplicas == want {
		return // a pod that fails later is no rollout
	}
	since, known := c.progress[this]
	if !known {
		since = time.Now()
		c.progress[this] = since
	}
	deadline := c.deadline(r.d)
	if left := deadline - time.Since(since); left > 0 {
		c.work.After(this, left)
		reason, message := "ReplicaSetUpdated", fmt.Sprintf("ReplicaSet %q is progressing.", name)
		if status.UpdatedReplicas == 0 {
			reason, message = "NewReplicaSetCreated", fmt.Sprintf("Created new replica set %q", name)
		}
		set(status, appsv1.DeploymentProgressing, corev1.ConditionTrue, reason, message)
		return
	}
	set(status, appsv1.DeploymentProgressing, corev1.ConditionFalse, "ProgressDeadlineExceeded",
		fmt.Sprintf("ReplicaSet %q has timed out progressing.", name))
}

func complete(conditions []appsv1.DeploymentCondition) bool {
	for _, c := range conditions {
		if c.Type == appsv1.DeploymentProgressing {
			return c.Reason == "NewReplicaSetAvailable"
		}
	}
	return false
}

func (c *Controller) deadline(d *appsv1.Deployment) time.Duration {
	deadline := 10 * time.Minute
	if d.Spec.ProgressDeadlineSeconds != nil {
		deadline = time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second
	}
	if limit := c.options.ProgressDeadline; limit > 0 {
		deadline = min(deadline, limit)
	}
	return deadline
}

// set changes a condition; the times move as in Kubernetes: the transition with
// the status, the update with any change.
func set(status *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType, is corev1.ConditionStatus, reason, message string) {
	now := metav1.Now().Rfc3339Copy()
	for i := range status.Conditions {
		c := &status.Conditions[i]
		if c.Type != kind {
			continue
		}
		if c.Status == is && c.Reason == reason && c.Message == message {
			return
		}
		if c.Status != is {
			c.LastTransitionTime = now
		}
		c.Status, c.Reason, c.Message, c.LastUpdateTime = is, reason, message, now
		return
	}
	status.Conditions = append(status.Conditions, appsv1.DeploymentCondition{
		Type: kind, Status: is,
		Reason: reason, Message: message, LastUpdateTime: now, LastTransitionTime: now,
	})
}
