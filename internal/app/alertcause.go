package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/event"
	"ferry/internal/job"
	"ferry/jobs"
)

// surroundings know what else is known of an event's object: the workload that made
// it, its app, and the change that came to the app shortly before. What they read they
// keep for a moment, because events come in hundreds.
type surroundings struct {
	apps    func(deploy.Cluster) []deploy.AppState
	records func(ctx context.Context, t deploy.Target, fn func(deploy.Record) bool) error
	jobs    func(context.Context) ([]*job.Job, error)
	// within is for how long after a change it may be to blame.
	within time.Duration
	now    func() time.Time
	log    *slog.Logger

	mu       sync.Mutex
	fleets   map[deploy.Cluster]fleetIndex
	causes   map[deploy.Target]knownCause
	underway []jobs.Cause
	looked   time.Time // when underway was read
}

// fleetIndex finds apps by what they are made of: kind/namespace/name.
type fleetIndex struct {
	of   map[string]deploy.Target
	read time.Time
}

type knownCause struct {
	cause jobs.Cause
	ok    bool
	read  time.Time
}

// fresh is how long what was read counts. Whoever has just promoted waits longer for
// a pod to fail.
const fresh = 2 * time.Second

// Labels implements pipeline.Context.
func (s *surroundings) Labels(ctx context.Context, e *event.Event) map[string]string {
	if e.Cluster == "" || e.Name == "" {
		return nil
	}
	out := map[string]string{}
	kind, name := e.Kind, e.Name
	if kind == "Pod" || kind == "ReplicaSet" {
		kind, name = "Deployment", event.Workload(e.Kind, e.Name)
		if name != e.Name {
			out["owner"] = name
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	target, ok := s.index(deploy.Cluster(e.Cluster))[kind+"/"+e.Namespace+"/"+name]
	if !ok {
		return out
	}
	out["app"] = target.App.Name
	if c, ok := s.cause(ctx, target, e.At); ok {
		from := ""
		if c.From != "" {
			from = string(c.From) + " → "
		}
		out["promotion"] = fmt.Sprintf("%s%s by job %s at %s UTC", from, c.To, c.Job, c.At.UTC().Format("15:04"))
		out["commit"] = c.URL
	}
	return out
}

// index is the fleet's, a moment old at most.
func (s *surroundings) index(c deploy.Cluster) map[string]deploy.Target {
	known := s.fleets[c]
	if known.of != nil && s.now().Sub(known.read) < fresh {
		return known.of
	}
	known = fleetIndex{of: map[string]deploy.Target{}, read: s.now()}
	for _, a := range s.apps(c) {
		for _, w := range a.Owner.Workloads {
			known.of["Deployment/"+w.Namespace+"/"+w.Name] = a.Target
		}
		if r := a.Owner.Release; r.Name != "" {
			known.of["HelmRelease/"+r.Namespace+"/"+r.Name] = a.Target
		}
	}
	if s.fleets == nil {
		s.fleets, s.causes = map[deploy.Cluster]fleetIndex{}, map[deploy.Target]knownCause{}
	}
	s.fleets[c] = known
	return known.of
}

// cause is the newest change of a target before something happened, if that was
// shortly before.
func (s *surroundings) cause(ctx context.Context, t deploy.Target, at time.Time) (jobs.Cause, bool) {
	known := s.causes[t]
	if known.read.IsZero() || s.now().Sub(known.read) >= fresh {
		known = knownCause{read: s.now()}
		if err := s.read(ctx, t, &known); err != nil {
			s.log.Debug("what changed an app is not known", "target", t.String(), "error", err)
		}
		s.causes[t] = known
	}
	// The clocks of a cluster and of GitHub are not ours.
	since := at.Sub(known.cause.At)
	return known.cause, known.ok && since > -time.Minute && since <= s.within
}

// read finds it among the jobs that are under way, and else in the history.
func (s *surroundings) read(ctx context.Context, t deploy.Target, into *knownCause) error {
	if s.now().Sub(s.looked) >= fresh {
		open, err := s.jobs(ctx)
		if err != nil {
			return err
		}
		s.underway, s.looked = nil, s.now()
		for _, j := range open {
			s.underway = append(s.underway, jobs.CausesOf(j)...)
		}
	}
	for _, c := range s.underway {
		for _, one := range c.Targets {
			if one == t && c.At.After(into.cause.At) {
				into.cause, into.ok = c, true
			}
		}
	}
	if into.ok {
		return nil
	}
	return s.records(ctx, t, func(r deploy.Record) bool {
		if r.Job == "" || r.Command == "seen" {
			return true
		}
		into.cause = jobs.Cause{Job: job.ID(r.Job), From: r.From, To: r.Version, URL: r.URL, At: r.At}
		into.ok = true
		return false
	})
}
