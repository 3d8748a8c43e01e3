package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// The revisions of timelines. The later one descends from the new one and still
// holds the value, the other one replaced it, the broken one cannot be rendered.
const (
	oldRevision    = "main@sha1:old"
	newRevision    = "main@sha1:new"
	laterRevision  = "main@sha1:later"
	otherRevision  = "main@sha1:other"
	brokenRevision = "main@sha1:broken"
	silentRevision = "main@sha1:silent" // nobody answers what it holds
)

// event changes what the clusters show, at a time from the start.
type event struct {
	at   time.Duration
	edit func(*deploy.Observation)
}

// theatre is a world whose cluster plays a script from its start, for as many
// observers and processes as there are.
type theatre struct {
	*world
	start   time.Time
	first   deploy.Observation
	scripts map[deploy.Cluster][]event
	kept    []deploy.Record
	finals  map[string]bool // of the status message, told apart by what they say
	hangs   bool            // Flux cannot be asked
	made    following       // by ferry itself
}

func (s *theatre) Observe(ctx context.Context, t deploy.Target, _ deploy.Owner, _ deploy.Site, fn func(deploy.Observation) bool) error {
	script, now := s.scripts[t.Cluster], copied(s.first)
	for {
		for len(script) > 0 && time.Since(s.start) >= script[0].at {
			script[0].edit(&now)
			script = script[1:]
		}
		if !fn(copied(now)) {
			return nil
		}
		if len(script) == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		next := time.NewTimer(script[0].at - time.Since(s.start))
		select {
		case <-ctx.Done():
			next.Stop()
			return ctx.Err()
		case <-next.C:
		}
	}
}

// copied keeps what was told from what is edited later.
func copied(o deploy.Observation) deploy.Observation {
	o.Workloads = append([]deploy.WorkloadState(nil), o.Workloads...)
	if o.Release != nil {
		r := *o.Release
		r.History = append([]deploy.ReleaseRecord(nil), r.History...)
		o.Release = &r
	}
	return o
}

func (s *theatre) Holding(ctx context.Context, _ deploy.Plan, _ deploy.Commit, revision string, _ []deploy.Declared) (deploy.Holding, error) {
	switch revision {
	case newRevision, laterRevision:
		return deploy.Holds, nil
	case otherRevision:
		return deploy.Replaced, nil
	case brokenRevision:
		return "", errors.New("render: no such file")
	case silentRevision:
		<-ctx.Done()
		return "", ctx.Err()
	}
	return deploy.NotYet, nil
}

func (s *theatre) Reconcile(ctx context.Context, _ deploy.Cluster, _ deploy.Owner, _ time.Time) error {
	if s.hangs {
		<-ctx.Done()
	}
	return ctx.Err()
}

func (s *theatre) Put(_ context.Context, _ chat.Thread, key string, m chat.Message) error {
	if strings.HasSuffix(key, "/status") && m.Final {
		s.finals[fmt.Sprintf("%+v", m)] = true
	}
	return nil
}

func (s *theatre) Append(_ context.Context, r *deploy.Record) error {
	for _, k := range s.kept { // as storage does
		if k.Job == r.Job && k.Command == r.Command && k.Version == r.Version && k.Target == r.Target {
			return nil
		}
	}
	s.kept = append(s.kept, *r)
	return nil
}

func (s *theatre) Of(_ context.Context, t deploy.Target, fn func(deploy.Record) bool) error {
	for _, r := range slices.Backward(s.kept) {
		if r.Target == t && !fn(r) {
			return nil
		}
	}
	return nil
}

func (s *theatre) Among(context.Context, func(deploy.Target) bool, func(deploy.Record) bool) error {
	return nil
}

// finale is how a promotion in a theatre ended.
type finale struct {
	outcome job.Outcome
	after   time.Duration
	why     string
	back    int // rollbacks that ferry made by itself
}

// play promotes in a theatre. The process is replaced at the given times.
func (s *theatre) play(ctx context.Context, restarts ...time.Duration) (finale, error) {
	s.start = time.Now()
	o := Options{Fleet: s, Cluster: s, Delivery: s, History: s, People: s, Replier: s, Rollout: time.Minute, Grace: 10 * time.Second, Follower: &s.made}
	o.Retreat = func(deploy.Target) deploy.Retreat { return deploy.Retreat{Mode: deploy.RetreatAuto} }
	cmd := chat.Command{Key: "k", User: "U1", Verb: "promote", Text: "promote podinfo@6.5.4 to prod", Args: chat.Args{App: "podinfo", Version: "6.5.4", Cluster: "prod"}}
	if len(s.scripts) > 1 {
		cmd.Args.Targets = "stage"
	}
	j := &job.Job{ID: "j1"}
	var work Work
	for _, c := range List(o) {
		if c.Syntax.Verb == "promote" {
			work = c.Work
		}
	}
	run := func(ctx context.Context) (chat.Message, error) {
		return work.Run(ctx, cmd, j, func(context.Context) error { return nil })
	}
	for i, at := range restarts {
		life, cancel := context.WithDeadline(ctx, s.start.Add(at))
		_, err := run(life)
		cancel()
		if life.Err() == nil {
			return finale{}, fmt.Errorf("it ended before restart %d: %w", i, err)
		}
	}
	m, err := run(ctx)
	e := finale{outcome: job.Done, after: time.Since(s.start), why: m.Title + " " + strings.Join(m.Lines, " ")}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		e.why += " " + f.Says
		e.outcome = map[fault.Kind]job.Outcome{fault.Failed: job.Failed, fault.Expired: job.Expired, fault.Superseded: job.Superseded}[f.Kind]
	} else if err != nil {
		return e, err
	}
	e.back = len(s.made.made)
	return e, s.accounts(e)
}

// accounts holds what was written down against how it ended: one record of each
// target's promotion, and one final status.
func (s *theatre) accounts(e finale) error {
	n, healthy := map[deploy.Target]int{}, 0
	for _, r := range s.kept {
		if r.Command != seen {
			n[r.Target]++
			if r.Healthy {
				healthy++
			}
		}
	}
	for t, n := range n {
		if n != 1 {
			return fmt.Errorf("%d records of %s", n, t)
		}
	}
	if len(n) != max(1, len(s.scripts)) || e.outcome == job.Done && healthy != len(n) || e.outcome != job.Done && healthy == len(n) {
		return fmt.Errorf("ended %s with records %+v", e.outcome, s.kept)
	}
	if lost := e.outcome == job.Failed || e.outcome == job.Expired; e.back > 1 || e.back == 1 && !lost {
		return fmt.Errorf("ended %s, and ferry goes back by itself %d times", e.outcome, e.back)
	}
	if len(s.finals) != 1 {
		return fmt.Errorf("%d final states of the status message", len(s.finals))
	}
	return nil
}

// newTheatre starts with the old version, healthy and applied.
func newTheatre(first deploy.Observation, site deploy.Site, script []event) *theatre {
	w := newWorld()
	w.plan.Site = site
	w.apps["prod"][0].Chart, w.apps["prod"][0].ChartVersion = "podinfo", "6.5.3"
	return &theatre{world: w, first: first, scripts: map[deploy.Cluster][]event{"prod": script}, finals: map[string]bool{}}
}

func oldImage() deploy.Observation {
	o := arrivedImage()
	o.Fetched, o.Applied, o.Attempted, o.SiteValue = oldRevision, oldRevision, oldRevision, "podinfo:6.5.3"
	return o
}

func oldChart() deploy.Observation {
	o := arrivedChart()
	o.Fetched, o.Applied, o.Attempted, o.SiteValue = oldRevision, oldRevision, oldRevision, "6.5.3"
	o.Release.AttemptedVersion, o.Release.AttemptedDigest = "6.5.3", "sha256:u"
	o.Release.History = []deploy.ReleaseRecord{{ChartVersion: "6.5.3", ConfigDigest: "sha256:u", Status: "deployed"}}
	return o
}

func mustPlay(t *testing.T, s *theatre, restarts ...time.Duration) finale {
	t.Helper()
	e, err := s.play(t.Context(), restarts...)
	if err != nil {
		t.Fatalf("%v (%+v)", err, e)
	}
	return e
}
