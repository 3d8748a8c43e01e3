package events

import (
	"fmt"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

// The problems, in Kubernetes' words where it has one.
const (
	crashLoop      = "CrashLoopBackOff"
	oomKilled      = "OOMKilled"
	imagePull      = "ImagePullBackOff"
	createError    = "CreateContainerError"
	evicted        = "Evicted"
	pending        = "PendingTooLong"
	notReady       = "NodeNotReady"
	pressure       = "NodePressure"
	jobFailed      = "JobFailed"
	atLimit        = "ScalingAtLimit"
	latestTag      = "LatestTag"
	noLabels       = "NoLabels"
	ingressBackend = "IngressBackend"
	ingressTLS     = "IngressTLS"
)

// seenIn are the resources that must have been listed until a problem can be over.
func seenIn(reason string) []string {
	switch reason {
	case notReady, pressure:
		return []string{"nodes"}
	case jobFailed:
		return []string{"jobs"}
	case atLimit:
		return []string{"horizontalpodautoscalers"}
	case ingressBackend:
		return []string{"ingresses", "services"}
	case ingressTLS:
		return []string{"ingresses", "secrets"}
	}
	return []string{"pods"}
}

// lens is what it takes to judge an object: the time, and what was configured.
type lens struct {
	now    time.Time
	config *config
	began  time.Time
	jobs   *runs
	away   absence // the last one from objects of its kind
}

// looked is an object that is judged by itself.
type looked interface{ meta() *cluster.Meta }

// pod is what is asked of a pod.
type pod struct {
	Metadata cluster.Meta `json:"metadata"`
	Spec     struct {
		Node       string `json:"nodeName"`
		Containers []struct {
			Name  string `json:"name"`
			Image string `json:"image"`
		} `json:"containers"`
	} `json:"spec"`
	Status struct {
		Phase      string             `json:"phase"`
		Reason     string             `json:"reason"`
		Message    string             `json:"message"`
		Conditions cluster.Conditions `json:"conditions"`
		Init       []container        `json:"initContainerStatuses"`
		Containers []container        `json:"containerStatuses"`
	} `json:"status"`
}

type container struct {
	Name     string         `json:"name"`
	Image    string         `json:"image"`
	Restarts int            `json:"restartCount"`
	State    containerState `json:"state"`
	Last     containerState `json:"lastState"`
}

type containerState struct {
	Waiting *struct {
		Reason  string `json:"reason"`
		Message string `json:"message"`
	} `json:"waiting"`
	Running *struct {
		Since time.Time `json:"startedAt"`
	} `json:"running"`
	Terminated *struct {
		Reason string    `json:"reason"`
		Code   int       `json:"exitCode"`
		At     time.Time `json:"finishedAt"`
	} `json:"terminated"`
}

func (p pod) meta() *cluster.Meta { return &p.Metadata }

// owner is the workload that a pod belongs to. The deployment is known by the hash
// that it gives its replica set, so that replica sets need not be watched.
func (p *pod) owner(jobs *runs) subject {
	s := subject{Kind: "Pod", Namespace: p.Metadata.Namespace, Name: p.Metadata.Name}
	o, ok := p.Metadata.Owner()
	if !ok {
		return s
	}
	s.Kind, s.Name = o.Kind, o.Name
	switch hash := p.Metadata.Labels["pod-template-hash"]; {
	case o.Kind == "ReplicaSet" && hash != "" && strings.HasSuffix(o.Name, "-"+hash):
		s.Kind, s.Name = "Deployment", strings.TrimSuffix(o.Name, "-"+hash)
	case o.Kind == "Job":
		s.Kind, s.Name = jobs.owner(s.Namespace, o.Name)
	case o.Kind == "Node": // a static pod
		s.Kind, s.Name = "Pod", p.Metadata.Name
	}
	return s
}

// seeing collects what is found on one object.
type seeing struct {
	lens
	subject
	view
	labels map[string]string
}

// find adds a finding, if it is wanted.
func (s *seeing) find(f finding) {
	if s.config.skips(f.Reason) {
		return
	}
	f.subject, f.Labels = s.subject, s.labels
	if f.Severity == "" {
		f.Severity = api.SeverityWarning
	}
	f.Text = cluster.Clip(f.Text, 1000)
	s.findings = append(s.findings, f)
}

// until asks to be looked at again at a time, if that is to come.
func (s *seeing) until(at time.Time) bool {
	if !at.After(s.now) {
		return false
	}
	if s.again.IsZero() || at.Before(s.again) {
		s.again = at
	}
	return true
}

// lookAtPod says what is wrong with a pod.
func lookAtPod(p *pod, l lens) view {
	s := &seeing{lens: l, subject: p.owner(l.jobs), labels: map[string]string{}}
	for key, value := range map[string]string{"node": p.Spec.Node, "pod": p.Metadata.Name, "app": p.Metadata.Labels["app.kubernetes.io/name"]} {
		if value != "" {
			s.labels[key] = value
		}
	}
	if p.Status.Phase == "Failed" && p.Status.Reason == "Evicted" {
		at := p.evictedAt()
		if s.recently(at) {
			s.find(finding{Reason: evicted, Stamp: p.Metadata.UID, Mark: stamp(at), Says: "was evicted from " + p.Spec.Node, Text: p.Status.Message})
		}
		return s.view
	}
	waits := false
	for _, c := range p.Status.Init {
		waits = s.container(p, &c) || waits
	}
	for _, c := range p.Status.Containers {
		waits = s.container(p, &c) || waits
	}
	if p.Status.Phase == "Pending" && !waits && p.Metadata.Deleted == nil {
		if after := time.Duration(l.config.PendingAfter); !s.until(p.Metadata.Created.Add(after)) {
			scheduled := p.Status.Conditions.Get("PodScheduled")
			s.find(finding{
				Reason: pending, Stamp: p.Metadata.UID, Says: "has a pod that is pending for more than " + after.String(),
				Text: strings.TrimSpace(p.Metadata.Name + ": " + scheduled.Message),
			})
		}
	}
	s.advice(p)
	return s.view
}

// container says what is wrong with one, and whether it waits for something that is.
func (s *seeing) container(p *pod, c *container) bool {
	name := fmt.Sprintf("%s, container %s", p.Metadata.Name, c.Name)
	if w := c.State.Waiting; w != nil {
		reason := problemOf(w.Reason)
		says := map[string]string{crashLoop: "is in a crash loop", imagePull: "cannot pull its image", createError: "cannot create its container"}[reason]
		text := name + ": " + w.Message
		switch reason {
		case imagePull:
			text = name + ", image " + c.Image + ": " + w.Message
		case crashLoop:
			if t := c.Last.Terminated; t != nil {
				text = fmt.Sprintf("%s: %s with exit code %d after %s", name, t.Reason, t.Code, plural(c.Restarts, "restart"))
			}
		}
		if reason != "" {
			s.find(finding{Reason: reason, Stamp: fmt.Sprint(p.Metadata.UID, c.Restarts), Says: says, Text: text, Count: c.Restarts})
		}
		s.oom(c, name, p)
		return reason != ""
	}
	s.oom(c, name, p)
	return false
}

// oom finds the latest time that a container was killed for its memory, until that is
// some time ago.
func (s *seeing) oom(c *container, name string, p *pod) {
	t := c.State.Terminated
	if t == nil {
		t = c.Last.Terminated
	}
	if t == nil || t.Reason != oomKilled || !s.recently(t.At) {
		return
	}
	s.find(finding{
		Reason: oomKilled, Stamp: p.Metadata.UID + stamp(t.At), Mark: stamp(t.At), Says: "was killed because it took too much memory",
		Text: fmt.Sprintf("%s, %s", name, plural(c.Restarts, "restart")), Count: c.Restarts,
	})
}

func problemOf(waiting string) string {
	switch waiting {
	case "CrashLoopBackOff":
		return crashLoop
	case "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError", "RegistryUnavailable":
		return imagePull
	case "CreateContainerError", "CreateContainerConfigError", "RunContainerError":
		return createError
	}
	return ""
}

// evictedAt is when a pod was evicted: Kubernetes does not say it in one place.
func (p *pod) evictedAt() time.Time {
	at := p.Metadata.Created
	for _, c := range p.Status.Conditions {
		if c.Since.After(at) {
			at = c.Since
		}
	}
	return at
}

// stamp is a time that sorts as text.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// advice is what Botkube recommends, for what came after this source.
func (s *seeing) advice(p *pod) {
	if p.Metadata.Created.Before(s.began) || p.Metadata.Deleted != nil {
		return
	}
	var images []string
	for _, c := range p.Spec.Containers {
		if latest(c.Image) {
			images = append(images, c.Image)
		}
	}
	if len(images) > 0 {
		s.find(finding{
			Reason: latestTag, Stamp: p.Metadata.UID, Severity: api.SeverityInfo, Says: "runs an image whose tag is `latest` or none",
			Text: strings.Join(images, ", ") + ": name a version, or what runs changes when nobody changed it.",
		})
	}
	if len(p.Metadata.Labels) == 0 {
		s.find(finding{
			Reason: noLabels, Stamp: p.Metadata.UID, Severity: api.SeverityInfo, Says: "has no labels",
			Text: "Nothing can select it, and nobody sees what it belongs to.",
		})
	}
}

// latest says whether an image may be another one tomorrow.
func latest(image string) bool {
	if strings.Contains(image, "@") {
		return false
	}
	name := image[strings.LastIndexByte(image, '/')+1:]
	_, tag, ok := strings.Cut(name, ":")
	return !ok || tag == "latest"
}
