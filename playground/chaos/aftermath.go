package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
	"ferry/playground/cluster/apiserver"
	"ferry/playground/slack"
)

// aftermath is what ferry does by itself after a command, as the thread tells: how
// often something goes back, and how often something fell over while it was watched.
type aftermath struct{ back, fell int }

func aftermathOf(said []slack.Message) (a aftermath) {
	for _, m := range said {
		if point.KindOf(string(m.Metadata)) == "closing" {
			a.back += strings.Count(m.Text, "ferry goes back to `")
			a.fell += strings.Count(m.Text, "` fell over on ")
		}
	}
	return a
}

// over reports whether all of it is over that is to come: a closing reply of each job.
func (a aftermath) over(c *command, closings int) bool {
	return closings >= 1+a.back+a.fell && (a.back > 0 || slices.ContainsFunc(c.ends, func(end string) bool { return end != string(job.RolledBack) }))
}

// apart are the jobs of a thread that people asked for, and those that ferry made by
// itself.
func apart(jobs []job.Job) (asked, own []job.Job, err error) {
	for _, j := range jobs {
		var request struct{ User string }
		if err := json.Unmarshal(j.Request, &request); err != nil {
			return nil, nil, fmt.Errorf("decode the request of job %s: %w", j.ID, err)
		}
		if request.User == "ferry" {
			own = append(own, j)
		} else {
			asked = append(asked, j)
		}
	}
	return asked, own, nil
}

// after judges what ferry did by itself after a job: whatever went back did so once,
// with one commit, and the version that was lost is held back, once, until somebody
// releases it.
func (w *world) after(c *command, j job.Job, own []job.Job, a aftermath, s *verdict.State) error {
	backs, fell := 0, 0
	var errs []error
	for _, o := range own {
		switch {
		case o.Verb == "rollback":
			backs++
			errs = append(errs, w.wentBack(c, o, s))
		case o.Verb != "watch" || !o.Ended():
			errs = append(errs, fmt.Errorf("job %s of ferry's own is a %s and %s", o.ID, o.Verb, o.Outcome))
		case o.Outcome == job.Failed:
			fell++
		}
	}
	if backs != a.back || fell != a.fell || (j.Outcome == job.RolledBack) != (backs > 0 && !c.stays()) {
		errs = append(errs, fmt.Errorf("job %s is %s; %d rollbacks of it, want %d, and %d watches that saw it fall, want %d", j.ID, j.Outcome, backs, a.back, fell, a.fell))
	}
	placed := 0
	for _, e := range s.Entries {
		if e.Deed == job.Held && e.Job == j.ID {
			placed++
		}
	}
	held, want := 0, backs
	for _, h := range s.Holds {
		if h.Version == deploy.Version(c.want) && h.Target.App.Name == c.target.app {
			held++
		}
	}
	if slices.ContainsFunc(c.head.chain, func(one *command) bool { return one.says == releases }) {
		want = 0
	}
	if c.changes() && (placed != backs || held != want) {
		errs = append(errs, fmt.Errorf("%s was held back %d times for job %s, want %d, and is %d times, want %d", c.want, placed, j.ID, backs, held, want))
	}
	return errors.Join(errs...)
}

// wentBack judges a rollback of ferry's own.
func (w *world) wentBack(c *command, o job.Job, s *verdict.State) error {
	commits, err := verdict.Commits(w.repo().Dir(), branch, string(o.ID))
	if err != nil {
		return err
	}
	if o.Outcome != job.Done || len(commits) != 1 {
		return fmt.Errorf("rollback %s has %d commits and is %s (%s)", o.ID, len(commits), o.Outcome, o.Note)
	}
	on := deploy.Target{Cluster: deploy.Cluster(c.target.cluster), App: deploy.App{Name: c.target.app}}
	return s.Recorded(o, on, deploy.Version(c.back), func(int) int { return 1 })
}

// recorded is a job as the history has it on a target, in which nothing is amended:
// what fell over later had arrived. It is false where it has nothing of it.
func (c *command) recorded(j job.Job, t target, a aftermath) (job.Job, bool) {
	if j.Outcome == job.RolledBack || c.kind == partKind {
		if j.Outcome = job.Failed; a.fell > 0 || t != c.target {
			j.Outcome = job.Done
		}
	}
	return j, c.reached(t)
}

// steady is how long something is healthy before it falls over.
const steady = 2 * time.Second

// topple lets what is to fall over do so.
func (w *world) topple(commands []*command, since map[*command]time.Time) error {
	for _, c := range commands {
		if c.kind != fallsKind || !c.sent.Load() {
			continue
		}
		pods := apiserver.In[corev1.Pod](w.clusters[c.target.cluster].Store(), "", "pods")
		for _, p := range pods.List(space) {
			if len(p.Status.ContainerStatuses) != 1 || !p.Status.ContainerStatuses[0].Ready || p.Spec.Containers[0].Image != image+c.target.app+":"+c.want {
				continue
			}
			if since[c].IsZero() {
				since[c] = time.Now()
			}
			if time.Since(since[c]) < steady {
				continue
			}
			err := pods.Change(apiserver.Key{Namespace: p.Namespace, Name: p.Name}, apiserver.Status, crash)
			if err != nil {
				return fmt.Errorf("let %s fall over: %w", p.Name, err)
			}
		}
	}
	return nil
}

// crash is what a kubelet says of a pod that ran and does not any more.
func crash(p *corev1.Pod) {
	s := &p.Status.ContainerStatuses[0]
	s.Ready, s.RestartCount = false, 3
	s.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: "back-off 40s restarting failed container=" + s.Name}}
	for i := range p.Status.Conditions {
		if t := p.Status.Conditions[i].Type; t == corev1.PodReady || t == corev1.ContainersReady {
			p.Status.Conditions[i].Status = corev1.ConditionFalse
		}
	}
}

// released is an error unless the trail has it once that a hold was ended with this
// reason. The answer may be that of a second try, for which there is nothing left.
func (c *command) released(s *verdict.State) error {
	n := 0
	for _, e := range s.Entries {
		if e.Deed == job.Released && e.Command == c.text {
			n++
		}
	}
	if c.says == releases && n != 1 {
		return fmt.Errorf("the trail has it %d times, want once", n)
	}
	return nil
}
