package workload

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ferry/playground/cluster/apiserver"
)

// Node is where all pods run.
const Node = "node-1"

// Verdict is what becomes of an image.
type Verdict int

// The verdicts.
const (
	Runs Verdict = iota
	CannotPull
	Crashes
)

// Judge is the usual verdict: a tag that says "broken" cannot be pulled, one that
// says "crash" starts and fails, and podinfo 6.5.5, which looks like any other,
// is planted: it was pushed, but for other machines.
func Judge(image string) Verdict {
	name, _, _ := strings.Cut(image, "@")
	colon := strings.LastIndexByte(name, ':')
	tag := ""
	if colon > strings.LastIndexByte(name, '/') {
		name, tag = name[:colon], name[colon+1:]
	}
	switch {
	case strings.Contains(tag, "broken"), strings.HasSuffix(name, "/podinfo") && tag == "6.5.5":
		return CannotPull
	case strings.Contains(tag, "crash"):
		return Crashes
	}
	return Runs
}

func starting(pod *corev1.Pod) corev1.PodStatus {
	status := corev1.PodStatus{Phase: corev1.PodPending, QOSClass: corev1.PodQOSBurstable, HostIP: "10.0.0.1"}
	now := metav1.Now().Rfc3339Copy()
	status.StartTime = &now
	status.Conditions = podConditions(corev1.ConditionFalse, "ContainersNotReady", unready(pod))
	for _, container := range pod.Spec.Containers {
		started := false
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name:  container.Name,
			Image: container.Image, Started: &started,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
		})
	}
	return status
}

func unready(pod *corev1.Pod) string {
	names := make([]string, 0, len(pod.Spec.Containers))
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	return fmt.Sprintf("containers with unready status: [%s]", strings.Join(names, " "))
}

func podConditions(is corev1.ConditionStatus, reason, message string) []corev1.PodCondition {
	now := metav1.Now().Rfc3339Copy()
	ready := func(kind corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: is, Reason: reason, Message: message, LastTransitionTime: now}
	}
	yes := func(kind corev1.PodConditionType) corev1.PodCondition {
		return corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now}
	}
	return []corev1.PodCondition{yes(corev1.PodInitialized), ready(corev1.PodReady), ready(corev1.ContainersReady), yes(corev1.PodScheduled)}
}

// pod starts the containers of a pod once it has existed for long enough.
func (c *Controller) pod(k apiserver.Key) error {
	pod, this := c.pods.Get(k), item{"Pod", k}
	if pod == nil {
		delete(c.progress, this)
	}
	if pod == nil || len(pod.OwnerReferences) == 0 || !creating(pod) {
		return nil
	}
	// Timestamps of objects have whole seconds, so the time is kept here.
	born, known := c.progress[this]
	if !known {
		born = time.Now()
		c.progress[this] = born
	}
	if left := c.options.Start - time.Since(born); left > 0 {
		c.work.After(this, left)
		return nil
	}
	delete(c.progress, this)
	status := c.started(pod)
	if err := c.pods.Change(k, apiserver.Status, func(p *corev1.Pod) { p.Status = status }); err != nil {
		return err
	}
	return c.complain(pod, status)
}

func creating(pod *corev1.Pod) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.State.Waiting != nil && s.State.Waiting.Reason == "ContainerCreating" {
			return true
		}
	}
	return false
}

// started is the status of a pod whose containers were started, or were not.
func (c *Controller) started(pod *corev1.Pod) corev1.PodStatus {
	status := *pod.Status.DeepCopy()
	status.PodIP = fmt.Sprintf("10.1.%d.%d", pod.UID[0], pod.UID[1])
	status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	status.Phase = corev1.PodRunning
	now := metav1.Now().Rfc3339Copy()
	healthy := true
	for i := range status.ContainerStatuses {
		s := &status.ContainerStatuses[i]
		switch c.options.Judge(s.Image) {
		case CannotPull:
			healthy, status.Phase = false, corev1.PodPending
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason:  "ImagePullBackOff",
				Message: fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", s.Image, notFound(s.Image)),
			}}
		case Crashes:
			healthy = false
			s.RestartCount = 3
			s.ImageID = s.Image
			s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
				Reason:  "CrashLoopBackOff",
				Message: fmt.Sprintf("back-off 40s restarting failed container=%s pod=%s_%s(%s)", s.Name, pod.Name, pod.Namespace, pod.UID),
			}}
			s.LastTerminationState = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1,
				Reason:   "Error", StartedAt: now, FinishedAt: now,
			}}
		default:
			yes := true
			s.Ready, s.Started, s.ImageID = true, &yes, s.Image
			s.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}}
		}
	}
	if healthy {
		status.Conditions = podConditions(corev1.ConditionTrue, "", "")
	}
	return status
}

// notFound is what containerd says of an image that is not there, or not for
// machines of this kind.
func notFound(image string) string {
	if !strings.Contains(image, "broken") {
		return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: no match for platform in manifest: not found", image)
	}
	return fmt.Sprintf("rpc error: code = NotFound desc = failed to pull and unpack image %q: "+
		"failed to resolve reference %q: %s: not found", image, image, image)
}

// complain writes the warnings that a kubelet writes about such a pod.
func (c *Controller) complain(pod *corev1.Pod, status corev1.PodStatus) error {
	for _, s := range status.ContainerStatuses {
		if s.State.Waiting == nil {
			continue
		}
		var err error
		switch s.State.Waiting.Reason {
		case "ImagePullBackOff":
			err = c.warn(pod, s.Name, "Failed", fmt.Sprintf("Failed to pull image %q: %s", s.Image, notFound(s.Image)))
			if err == nil {
				err = c.warn(pod, s.Name, "Failed", "Error: ImagePullBackOff")
			}
		case "CrashLoopBackOff":
			err = c.warn(pod, s.Name, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s_%s(%s)",
				s.Name, pod.Name, pod.Namespace, pod.UID))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Controller) warn(pod *corev1.Pod, container, reason, message string) error {
	now := metav1.Now().Rfc3339Copy()
	_, err := c.events.Create(&corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name + "." + apiserver.Suffix() + apiserver.Suffix(), Namespace: pod.Namespace},
		InvolvedObject: corev1.ObjectReference{
			Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID,
			APIVersion: "v1", ResourceVersion: pod.ResourceVersion, FieldPath: fmt.Sprintf("spec.containers{%s}", container),
		},
		Reason: reason, Message: message, Type: corev1.EventTypeWarning, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "kubelet", Host: Node}, ReportingController: "kubelet", ReportingInstance: Node,
	})
	if err != nil {
		return fmt.Errorf("record an event of %s: %w", key(pod), err)
	}
	return nil
}
