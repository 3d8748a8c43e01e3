package events

import (
	"fmt"
	"strings"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

type node struct {
	Metadata cluster.Meta `json:"metadata"`
	Status   struct {
		Conditions cluster.Conditions `json:"conditions"`
	} `json:"status"`
}

func (n node) meta() *cluster.Meta { return &n.Metadata }

// lookAtNode says what is wrong with a node.
func lookAtNode(n *node, l lens) view {
	s := &seeing{lens: l, subject: subject{Kind: "Node", Name: n.Metadata.Name}, labels: map[string]string{"node": n.Metadata.Name}}
	ready := n.Status.Conditions.Get("Ready")
	if ready.Type != "" && ready.Status != "True" {
		s.find(finding{Reason: notReady, Stamp: stamp(ready.Since), Severity: api.SeverityCritical, Says: "is not ready", Text: strings.TrimSpace(ready.Reason + " " + ready.Message)})
	}
	var short []string
	began := ""
	for _, c := range n.Status.Conditions {
		if c.Status == "True" && (strings.HasSuffix(c.Type, "Pressure") || c.Type == "NetworkUnavailable") {
			short = append(short, c.Type+": "+c.Message)
			began += stamp(c.Since)
		}
	}
	if len(short) > 0 {
		s.find(finding{Reason: pressure, Stamp: n.Metadata.UID + began, Says: "runs short of something", Text: strings.Join(short, "\n")})
	}
	return s.view
}

type job struct {
	Metadata cluster.Meta `json:"metadata"`
	Status   struct {
		Conditions cluster.Conditions `json:"conditions"`
		Failed     int                `json:"failed"`
	} `json:"status"`
}

func (j job) meta() *cluster.Meta { return &j.Metadata }

// lookAtJob says whether a job failed. Of a cron job's jobs the latest that ended
// counts: the next that succeeds ends what the one before began.
func lookAtJob(j *job, l lens) view {
	owner := subject{Kind: "Job", Namespace: j.Metadata.Namespace, Name: j.Metadata.Name}
	if o, ok := j.Metadata.Owner(); ok {
		owner.Kind, owner.Name = o.Kind, o.Name
	}
	s := &seeing{lens: l, subject: owner, labels: map[string]string{"job": j.Metadata.Name}}
	failed, complete := j.Status.Conditions.Get("Failed"), j.Status.Conditions.Get("Complete")
	if failed.Status != "True" && complete.Status != "True" {
		return s.view
	}
	l.jobs.ended(owner, j.Metadata.Created)
	if failed.Status != "True" {
		return s.view
	}
	// Another job of the same owner may end any time; this one is looked at again.
	s.until(l.now.Add(time.Second))
	if l.jobs.newer(owner, j.Metadata.Created) {
		s.again = time.Time{}
		// It is over. That it was is news if nobody saw it.
		if !l.away.in(failed.Since, time.Second) || !s.until(l.away.To.Add(time.Second)) {
			return s.view
		}
	}
	if owner.Kind == "Job" {
		s.again = time.Time{}
	}
	s.find(finding{
		Reason: jobFailed, Stamp: j.Metadata.UID, Mark: stamp(failed.Since), Says: "failed",
		Text: fmt.Sprintf("%s: %s %s", j.Metadata.Name, failed.Reason, failed.Message), Count: j.Status.Failed,
	})
	return s.view
}

// runs knows when the latest job that ended was made, for each owner.
type runs struct{ latest map[subject]time.Time }

func newRuns() *runs { return &runs{latest: map[subject]time.Time{}} }

func (r *runs) ended(owner subject, made time.Time) {
	if owner.Kind != "Job" && made.After(r.latest[owner]) {
		r.latest[owner] = made
	}
}

func (r *runs) newer(owner subject, made time.Time) bool { return r.latest[owner].After(made) }

// owner is the cron job that a job's name is made of, or the job.
func (*runs) owner(_, name string) (kind, owner string) {
	if i := strings.LastIndexByte(name, '-'); i > 0 && len(name)-i > 8 && strings.Trim(name[i+1:], "0123456789") == "" {
		return "CronJob", name[:i]
	}
	return "Job", name
}

type scaler struct {
	Metadata cluster.Meta `json:"metadata"`
	Spec     struct {
		Max    int `json:"maxReplicas"`
		Target struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"scaleTargetRef"`
	} `json:"spec"`
	Status struct {
		Current    int                `json:"currentReplicas"`
		Conditions cluster.Conditions `json:"conditions"`
	} `json:"status"`
}

func (s scaler) meta() *cluster.Meta { return &s.Metadata }

// lookAtScaler says whether a HorizontalPodAutoscaler would scale further if it
// might.
func lookAtScaler(h *scaler, l lens) view {
	s := &seeing{lens: l, subject: subject{Kind: "HorizontalPodAutoscaler", Namespace: h.Metadata.Namespace, Name: h.Metadata.Name}}
	c := h.Status.Conditions.Get("ScalingLimited")
	if c.Status == "True" && c.Reason == "TooManyReplicas" && h.Status.Current >= h.Spec.Max {
		s.find(finding{
			Reason: atLimit, Stamp: stamp(c.Since), Says: fmt.Sprintf("is at its limit of %s", plural(h.Spec.Max, "replica")),
			Text: h.Spec.Target.Kind + " " + h.Spec.Target.Name + ": " + c.Message,
		})
	}
	return s.view
}
