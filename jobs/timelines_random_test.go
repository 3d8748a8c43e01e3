package jobs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// truth is a cluster as it is, from which an observation is counted out. What
// proves an arrival is asked of it alone.
type truth struct {
	chart              bool
	answers            bool
	applied, attempted string
	spec               string // the value that the owner shows
	// attempt and deployed are the versions that Helm tried last and has deployed;
	// content is false if that was with other values than were tried.
	attempt, deployed string
	content, settled  bool
	workloads         [2]shape
}

// shape is a workload: its pods by template and readiness, and whether its
// controller has seen the newest template.
type shape struct {
	seen, stuck       bool
	fresh, ready, old int32
	wanted            int32
	hopeless          bool
}

var revisions = []string{oldRevision, newRevision, newRevision, newRevision, laterRevision, laterRevision, otherRevision, brokenRevision}

// change moves one component, more often to where it should be.
func (c *truth) change(r *rand.Rand) {
	w, good := &c.workloads[r.IntN(2)], r.IntN(10) < 7
	version := []string{"6.5.4", "6.5.3"}[b(!good)]
	switch r.IntN(9) {
	case 0:
		c.answers = good
	case 1:
		if c.applied = newRevision; r.IntN(12) == 0 {
			c.applied = revisions[r.IntN(len(revisions)-1)] // what is broken is never applied
		}
	case 2:
		c.attempted = revisions[r.IntN(len(revisions))]
		if c.attempted == otherRevision && good {
			c.attempted = brokenRevision
		}
	case 3:
		c.spec = version
	case 4:
		c.attempt, c.settled = version, good
	case 5:
		c.deployed, c.content = version, r.IntN(10) < 7
	case 6:
		w.seen, w.stuck, w.hopeless = good, r.IntN(20) == 0, r.IntN(20) == 0
	default:
		w.fresh, w.ready, w.old = w.wanted, w.wanted, 0
		if !good {
			w.fresh = r.Int32N(w.wanted + 1)
			w.ready, w.old = r.Int32N(w.fresh+1), r.Int32N(3)
		}
	}
}

func b(v bool) int {
	if v {
		return 1
	}
	return 0
}

// proven is the oracle.
func (c *truth) proven() bool {
	if !c.answers || c.applied != newRevision && c.applied != laterRevision || c.spec != "6.5.4" {
		return false
	}
	if c.chart && (c.attempt != "6.5.4" || c.deployed != "6.5.4" || !c.content || !c.settled) {
		return false
	}
	return !slices.ContainsFunc(c.workloads[:], func(w shape) bool {
		return !w.seen || w.stuck || w.old > 0 || w.fresh != w.wanted || w.ready != w.wanted
	})
}

// broken reports whether anything says that it fails, superseded whether Git has
// moved on.
func (c *truth) broken() bool {
	return slices.ContainsFunc(c.workloads[:], func(w shape) bool { return w.stuck || w.hopeless })
}

func (c *truth) superseded() bool { return c.applied == otherRevision || c.attempted == otherRevision }

func (c *truth) observation() deploy.Observation {
	o := arrivedImage()
	if c.chart {
		o = arrivedChart()
		o.Release.AttemptedVersion, o.Release.History = c.attempt+"+0a1b", []deploy.ReleaseRecord{{ChartVersion: c.deployed, ConfigDigest: "sha256:v", Status: "deployed"}}
		if !c.content {
			o.Release.History[0].ConfigDigest = "sha256:u"
		}
		if !c.settled {
			o.Release.Ready.Status = "Unknown"
		}
	}
	o.State.Stale, o.Applied, o.Attempted = !c.answers, c.applied, c.attempted
	if o.SiteValue = c.spec; !c.chart {
		o.SiteValue = "podinfo:" + c.spec
	}
	o.Workloads = nil
	for n, w := range c.workloads {
		state := deploy.WorkloadState{
			Ref: deploy.Ref{Kind: "Deployment", Name: fmt.Sprint("w", n)}, Observed: w.seen, Desired: w.wanted,
			Updated: w.fresh, Total: w.fresh + w.old, Ready: w.ready + w.old, Available: w.ready + w.old,
		}
		if w.stuck {
			state.Stuck = "ProgressDeadlineExceeded"
		}
		if w.hopeless {
			o.Problems = append(o.Problems, deploy.Problem{Pod: "p", Reason: "CrashLoopBackOff", Current: true})
		}
		o.Workloads = append(o.Workloads, state)
	}
	return o
}

// moment is the truth from a time on.
type moment struct {
	at time.Duration
	truth
}

func timesOf(r *rand.Rand) []moment {
	c := truth{chart: r.IntN(2) == 0, answers: true, applied: oldRevision, attempted: oldRevision, spec: "6.5.3", attempt: "6.5.3", deployed: "6.5.3", content: true, settled: true}
	for i := range c.workloads {
		n := 1 + r.Int32N(3)
		c.workloads[i] = shape{seen: true, fresh: n, ready: n, wanted: n}
	}
	out := []moment{{0, c}}
	for at := time.Duration(0); at < 70*time.Second; out = append(out, moment{at, c}) {
		at += time.Duration(1+r.IntN(4000)) * time.Millisecond
		for range 1 + r.IntN(4) {
			c.change(r)
		}
	}
	return out
}

// TestTimelinesAtRandom plays 10,000 of them.
func TestTimelinesAtRandom(t *testing.T) {
	ends := map[job.Outcome]int{}
	var proof, deadline time.Duration // the most that passed after them
	for seed := range uint64(10_000) {
		moments := timesOf(rand.New(rand.NewPCG(4, seed)))
		synctest.Test(t, func(t *testing.T) {
			site, script := imageSite, []event(nil)
			if moments[0].chart {
				site = chartSite
			}
			for _, m := range moments {
				script = append(script, event{m.at, func(o *deploy.Observation) { *o = m.observation() }})
			}
			e := mustPlay(t, newTheatre(moments[0].observation(), site, script))
			ends[e.outcome]++
			if e.outcome == job.Done {
				proof = max(proof, e.after-provenAt(moments, e.after))
			}
			deadline = max(deadline, e.after-time.Minute)
			if wrong := misjudged(moments, e); wrong != "" {
				t.Fatalf("seed %d: %s: %s after %s (%s)", seed, wrong, e.outcome, e.after, e.why)
			}
		})
	}
	t.Logf("%v; the latest success was told %s after its proof, the latest end came %s after the deadline", ends, proof, deadline)
	for _, o := range []job.Outcome{job.Done, job.Failed, job.Expired, job.Superseded} {
		if ends[o] < 100 {
			t.Errorf("only %d of them ended %s: %v", ends[o], o, ends)
		}
	}
}

// provenAt is the first moment from which on it was proven until the end.
func provenAt(moments []moment, end time.Duration) (at time.Duration) {
	proven := false
	for _, m := range moments {
		if m.at > end {
			break
		}
		if m.proven() && !proven {
			at = m.at
		}
		proven = m.proven()
	}
	return at
}

// misjudged says what is wrong about an end, if anything is.
func misjudged(moments []moment, e finale) string {
	var last truth
	for _, m := range moments {
		if m.at > e.after {
			break
		}
		if m.proven() && e.after-m.at > 2*time.Second {
			return fmt.Sprintf("it had arrived at %s", m.at)
		}
		last = m.truth
	}
	switch {
	case e.outcome == job.Done && !last.proven():
		return "false success"
	case e.outcome != job.Done && last.proven():
		return "missed success"
	case e.outcome == job.Failed && !last.broken():
		return "nothing fails"
	case e.outcome == job.Superseded && !last.superseded():
		return "nothing replaced it"
	case e.outcome == job.Failed && e.back != 1:
		return "it did not go back"
	case e.outcome == job.Expired && (e.back == 1) != last.answers:
		return "it went back without knowing, or not although it knew"
	case e.after > time.Minute+5*time.Second, e.outcome == job.Expired && e.after < time.Minute:
		return "not at its deadline"
	}
	return ""
}
