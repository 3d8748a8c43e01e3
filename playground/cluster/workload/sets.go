package workload

import (
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
)

func (c *Controller) replicaSet(k apiserver.Key) error {
	rs := c.replicaSets.Get(k)
	if rs == nil {
		return nil
	}
	want := int(desired(rs.Spec.Replicas))
	pods := c.pods.Owned(string(rs.UID))
	for len(pods) < want {
		pod := c.newPod(rs, "ReplicaSet", rs.Name+"-"+apiserver.Suffix(), &rs.Spec.Template)
		made, err := c.pods.Create(pod)
		if err != nil {
			return fmt.Errorf("create a pod of %s: %w", k, err)
		}
		pods = append(pods, made)
	}
	// What is not ready goes first, as a real controller chooses.
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return rank(b) - rank(a) })
	for _, pod := range pods[want:] {
		if err := c.pods.Delete(key(pod)); err != nil {
			return err
		}
	}
	pods = pods[:want]
	status := appsv1.ReplicaSetStatus{
		Replicas: int32(len(pods)), FullyLabeledReplicas: int32(len(pods)),
		ReadyReplicas: ready(pods), AvailableReplicas: ready(pods), ObservedGeneration: rs.Generation,
	}
	if equality.Semantic.DeepEqual(status, rs.Status) {
		return nil
	}
	err := c.replicaSets.Change(k, apiserver.Status, func(rs *appsv1.ReplicaSet) { rs.Status = status })
	return err
}

func rank(p *corev1.Pod) int { return int(ready([]*corev1.Pod{p})) }

func ready(pods []*corev1.Pod) int32 {
	n := int32(0)
	for _, p := range pods {
		for _, condition := range p.Status.Conditions {
			if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
				n++
			}
		}
	}
	return n
}

// statefulSet replaces its pods one by one, the last first, and waits for each.
func (c *Controller) statefulSet(k apiserver.Key) error {
	set := c.statefulSets.Get(k)
	if set == nil {
		return nil
	}
	hash := set.Name + "-" + templateHash(&set.Spec.Template)
	want := desired(set.Spec.Replicas)
	pods, err := c.ordinals(set, hash, int(want))
	if err != nil {
		return err
	}
	updated := revisioned(pods, hash)
	status := appsv1.StatefulSetStatus{
		ObservedGeneration: set.Generation, Replicas: int32(len(pods)),
		ReadyReplicas: ready(pods), AvailableReplicas: ready(pods), UpdatedReplicas: updated,
		CurrentRevision: set.Status.CurrentRevision, UpdateRevision: hash, CollisionCount: new(int32),
	}
	if status.CurrentRevision == "" || updated == want {
		status.CurrentRevision = hash
	}
	status.CurrentReplicas = revisioned(pods, status.CurrentRevision)
	if equality.Semantic.DeepEqual(status, set.Status) {
		return nil
	}
	err = c.statefulSets.Change(k, apiserver.Status, func(s *appsv1.StatefulSet) { s.Status = status })
	return err
}

// ordinals makes, replaces or removes at most one pod and returns what there is.
func (c *Controller) ordinals(set *appsv1.StatefulSet, hash string, want int) ([]*corev1.Pod, error) {
	byName := map[string]*corev1.Pod{}
	pods := c.pods.Owned(string(set.UID))
	for _, p := range pods {
		byName[p.Name] = p
	}
	for i := range want {
		name := fmt.Sprintf("%s-%d", set.Name, i)
		if p := byName[name]; p != nil {
			if ready([]*corev1.Pod{p}) == 0 && p.Labels[appsv1.ControllerRevisionHashLabelKey] == hash {
				return pods, nil
			}
			delete(byName, name)
			continue
		}
		pod := c.newPod(set, "StatefulSet", name, &set.Spec.Template)
		pod.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
		made, err := c.pods.Create(pod)
		return append(pods, made), err
	}
	for _, surplus := range byName {
		return pods, c.pods.Delete(key(surplus))
	}
	for i := len(pods) - 1; i >= 0; i-- {
		if pods[i].Labels[appsv1.ControllerRevisionHashLabelKey] != hash {
			outdated := key(pods[i])
			return slices.Delete(pods, i, i+1), c.pods.Delete(outdated)
		}
	}
	return pods, nil
}

func revisioned(pods []*corev1.Pod, hash string) int32 {
	n := int32(0)
	for _, p := range pods {
		if p.Labels[appsv1.ControllerRevisionHashLabelKey] == hash {
			n++
		}
	}
	return n
}

// daemonSet has one pod, on the cluster's one node.
func (c *Controller) daemonSet(k apiserver.Key) error {
	set := c.daemonSets.Get(k)
	if set == nil {
		return nil
	}
	hash := templateHash(&set.Spec.Template)
	pods := c.pods.Owned(string(set.UID))
	if len(pods) == 1 && pods[0].Labels[appsv1.ControllerRevisionHashLabelKey] != hash {
		if err := c.pods.Delete(key(pods[0])); err != nil {
			return err
		}
		pods = nil
	}
	if len(pods) == 0 {
		pod := c.newPod(set, "DaemonSet", set.Name+"-"+apiserver.Suffix(), &set.Spec.Template)
		pod.Labels[appsv1.ControllerRevisionHashLabelKey] = hash
		made, err := c.pods.Create(pod)
		if err != nil {
			return err
		}
		pods = append(pods, made)
	}
	n := ready(pods)
	status := appsv1.DaemonSetStatus{
		ObservedGeneration: set.Generation, CurrentNumberScheduled: 1, DesiredNumberScheduled: 1,
		UpdatedNumberScheduled: 1, NumberReady: n, NumberAvailable: n, NumberUnavailable: 1 - n,
	}
	if equality.Semantic.DeepEqual(status, set.Status) {
		return nil
	}
	err := c.daemonSets.Change(k, apiserver.Status, func(s *appsv1.DaemonSet) { s.Status = status })
	return err
}

// newPod is a pod as it stands before its containers have been created.
func (c *Controller) newPod(owner metav1.Object, kind, name string, template *corev1.PodTemplateSpec) *corev1.Pod {
	t := template.DeepCopy()
	pod := &corev1.Pod{ObjectMeta: t.ObjectMeta, Spec: t.Spec}
	pod.Name, pod.Namespace, pod.OwnerReferences = name, owner.GetNamespace(), owned(owner, kind)
	pod.Labels = orEmpty(pod.Labels)
	pod.Spec.NodeName = Node
	pod.Status = starting(pod)
	return pod
}
