package k8s

import (
	"cmp"
	"fmt"
	"slices"

	"ferry/internal/deploy"
)

// pod is as much of a Pod as tells why it does not run.
type pod struct {
	Metadata metadata `json:"metadata"`
	Spec     struct {
		Containers []struct {
			Name  string `json:"name"`
			Image string `json:"image"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase      string      `json:"phase"`
		Reason     string      `json:"reason"`
		Message    string      `json:"message"`
		Conditions []condition `json:"conditions"`
		Init       []container `json:"initContainerStatuses"`
		Containers []container `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Name      string         `json:"name"`
	Image     string         `json:"image"`
	Ready     *bool          `json:"ready"`
	State     containerState `json:"state"`
	LastState containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Running    *struct{}   `json:"running"`
	Terminated *terminated `json:"terminated"`
}

type terminated struct {
	ExitCode int32  `json:"exitCode"`
	Reason   string `json:"reason"`
	Message  string `json:"message"`
}

// replicaSet is what tells which pods are of a Deployment's newest template.
type replicaSet struct {
	Metadata metadata `json:"metadata"`
}

func (o *pod) meta() *metadata        { return &o.Metadata }
func (o *replicaSet) meta() *metadata { return &o.Metadata }

// Labels by which controllers mark the pods of a template.
const (
	labelTemplateHash       = "pod-template-hash"
	labelRevisionHash       = "controller-revision-hash"
	labelTemplateGeneration = "pod-template-generation"
)

// isCurrent reports whether a pod is of a workload's newest template. hashes are
// those of its ReplicaSets by revision; where the newest is not among them,
// because it may not be read, the images decide.
func isCurrent(p *pod, w *workload, hashes map[string]string) bool {
	if w.observed < w.generation {
		return false // the newest template has no pods yet
	}
	labels := p.Metadata.Labels
	switch hash := hashes[w.revision]; {
	case w.kind == "StatefulSet" && w.revision != "":
		return labels[labelRevisionHash] == w.revision
	case w.kind == "DaemonSet" && labels[labelTemplateGeneration] != "":
		return labels[labelTemplateGeneration] == w.revision
	case w.kind == "Deployment" && hash != "":
		return labels[labelTemplateHash] == hash
	}
	for _, i := range w.images {
		if !slices.ContainsFunc(p.Spec.Containers, func(c struct {
			Name  string `json:"name"`
			Image string `json:"image"`
		},
		) bool {
			return c.Name == i.Container && c.Image == i.String()
		}) {
			return false
		}
	}
	return true
}

// problems are what a pod reports that explains why it does not run.
func problems(p *pod, current bool) []deploy.Problem {
	var all []deploy.Problem
	add := func(container, image, reason, message string) {
		all = append(all, deploy.Problem{Pod: p.Metadata.Name, Container: container, Image: image, Reason: reason, Message: message, Current: current})
	}
	for _, c := range p.Status.Conditions {
		if c.Type == "PodScheduled" && c.Status == "False" && c.Reason != "SchedulingGated" {
			add("", "", c.Reason, c.Message)
		}
	}
	if p.Status.Phase == "Failed" && p.Status.Reason != "" {
		add("", "", p.Status.Reason, p.Status.Message)
	}
	for _, c := range slices.Concat(p.Status.Init, p.Status.Containers) {
		if reason, message := trouble(c); reason != "" {
			add(c.Name, c.Image, reason, message)
		}
	}
	for _, c := range p.Status.Containers {
		if reason, _ := trouble(c); reason == "" && c.State.Running != nil && c.Ready != nil && !*c.Ready {
			add(c.Name, c.Image, deploy.NotReady, "")
		}
	}
	return all
}

// trouble is why a container does not run; starting up for the first time is
// no trouble.
func trouble(c container) (reason, message string) {
	switch waiting, ended, last := c.State.Waiting, c.State.Terminated, c.LastState.Terminated; {
	case waiting != nil && (waiting.Reason == "" || waiting.Reason == "ContainerCreating" || waiting.Reason == "PodInitializing"):
		if last != nil && last.ExitCode != 0 {
			return last.words()
		}
	case waiting != nil && last != nil && last.ExitCode != 0:
		why, detail := last.words()
		return waiting.Reason, wording(waiting.Message, wording(why, detail))
	case waiting != nil:
		return waiting.Reason, waiting.Message
	case ended != nil && ended.ExitCode != 0:
		return ended.words()
	case last != nil && last.ExitCode != 0:
		return last.words()
	}
	return "", ""
}

func (t *terminated) words() (reason, message string) {
	return cmp.Or(t.Reason, "Error"), wording(fmt.Sprintf("exit code %d", t.ExitCode), t.Message)
}

func sortProblems(all []deploy.Problem) {
	slices.SortFunc(all, func(a, b deploy.Problem) int {
		if a.Current != b.Current {
			if a.Current {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container), cmp.Compare(a.Reason, b.Reason))
	})
}
