package jobs

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

type edit = func(*deploy.Observation)

func sec(n int, edits ...edit) event {
	return event{time.Duration(n) * time.Second, func(o *deploy.Observation) {
		for _, e := range edits {
			e(o)
		}
	}}
}

// What happens to a cluster, one thing at a time.
func fetched(o *deploy.Observation) { o.Fetched = newRevision }

func becomes(r string) edit {
	return func(o *deploy.Observation) { o.Fetched, o.Attempted, o.Applied = r, r, r }
}

func attempts(r string) edit { return func(o *deploy.Observation) { o.Fetched, o.Attempted = r, r } }

func value(v string) edit { return func(o *deploy.Observation) { o.SiteValue, o.SiteFound = v, true } }

func lost(o *deploy.Observation) {
	o.State = deploy.ClusterState{Stale: true, Reason: "refused"}
}
func back(o *deploy.Observation)   { o.State = deploy.ClusterState{} }
func unseen(o *deploy.Observation) { o.Workloads[0].Observed = false }
func pods(updated, ready, total int32) edit {
	return func(o *deploy.Observation) {
		w := &o.Workloads[0]
		w.Observed, w.Updated, w.Ready, w.Available, w.Total = true, updated, ready, ready, total
	}
}

func pod(reason string) edit {
	return func(o *deploy.Observation) {
		o.Problems = []deploy.Problem{{Pod: "p", Container: "app", Reason: reason, Current: true}}
	}
}
func noProblem(o *deploy.Observation) { o.Problems = nil }
func flux(status, reason string, observed bool) edit {
	return func(o *deploy.Observation) {
		o.Kustomization = deploy.Condition{Status: status, Reason: reason, Message: reason, Observed: observed}
	}
}

func helm(status, reason string, observed bool) edit {
	return func(o *deploy.Observation) {
		o.Release.Ready = deploy.Condition{Status: status, Reason: reason, Message: reason, Observed: observed}
	}
}

func unattempted(o *deploy.Observation) { o.Release.Attempted, o.Release.Ready.Observed = false, false }
func upgraded(o *deploy.Observation)    { r := arrivedChart().Release; o.Release = r }
func pending(o *deploy.Observation) {
	upgraded(o)
	o.Release.History[0].Status, o.Release.Ready.Status = "pending-upgrade", "Unknown"
}

// whole is all that proves an arrival.
func whole(o *deploy.Observation) {
	becomes(newRevision)(o)
	value(imageSite.Value)(o)
	o.Workloads = []deploy.WorkloadState{complete()}
	o.Problems, o.State = nil, deploy.ClusterState{}
}

func wholeChart(o *deploy.Observation) { whole(o); value("6.5.4")(o); upgraded(o) }

// landed is a change that Flux applied and nobody has rolled out.
func landed(o *deploy.Observation) { whole(o); unseen(o) }

func every(from, to, step int, edits ...edit) (out []event) {
	for n := 0; from+n*step < to; n++ {
		out = append(out, sec(from+n*step, edits[n%len(edits)]))
	}
	return out
}

type timeline struct {
	name     string
	chart    bool
	script   []event
	restarts []time.Duration
	want     job.Outcome
	after    int // seconds
	why      string
}

func timelines() []timeline {
	return []timeline{
		{name: "old revision healthy, never moves", want: job.Expired, after: 60, why: "not applied the commit"},
		{name: "fetched, not applied", script: []event{sec(3, fetched)}, want: job.Expired, after: 60, why: "not applied the commit"},
		{name: "applied and rolled out", script: []event{sec(3, landed), sec(5, pods(1, 2, 3)), sec(9, pods(2, 2, 2))}, want: job.Done, after: 9},
		{name: "pods flap before the proof", script: []event{sec(3, landed), sec(5, pods(2, 1, 2)), sec(6, pods(2, 0, 2)), sec(7, pods(2, 1, 2)), sec(11, pods(2, 2, 2)), sec(12, pods(2, 1, 2))}, want: job.Done, after: 11},
		{name: "the release flaps around the proof", chart: true, script: []event{sec(3, wholeChart, helm("False", "UpgradeFailed", true)), sec(5, helm("Unknown", "Progressing", true)), sec(8, helm("True", "", true)), sec(9, helm("False", "UpgradeFailed", true))}, want: job.Done, after: 8},
		{name: "the Deployment's generation lags", script: []event{sec(3, whole, unseen), sec(20, pods(2, 2, 2))}, want: job.Done, after: 20},
		{name: "the Deployment's generation is never seen", script: []event{sec(3, whole, unseen)}, want: job.Expired, after: 60},
		{name: "the release's generation lags", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"), unattempted), sec(15, upgraded)}, want: job.Done, after: 15},
		{name: "the Kustomization's generation lags", script: []event{sec(3, attempts(newRevision), flux("False", "BuildFailed", false)), sec(30, whole, flux("True", "", true))}, want: job.Done, after: 30},
		{name: "watch lost before the proof", script: []event{sec(3, lost), sec(40, whole)}, want: job.Done, after: 40},
		{name: "watch lost at the proof", script: []event{sec(3, whole, lost), sec(20, back)}, want: job.Done, after: 20},
		{name: "watch lost for good", script: []event{sec(3, whole, lost)}, want: job.Expired, after: 60, why: "does not answer"},
		{name: "watch lost after the proof", script: []event{sec(3, whole), sec(4, lost)}, want: job.Done, after: 3},
		{name: "watch lost, back with another state", script: []event{sec(3, whole, lost), sec(20, becomes(otherRevision), back)}, want: job.Superseded, after: 20},
		{name: "never ready", script: []event{sec(3, landed), sec(4, pods(2, 0, 2), pod(deploy.NotReady))}, want: job.Expired, after: 60, why: "probes do not pass"},
		{name: "crash loop after it ran once", script: append([]event{sec(3, landed), sec(4, pods(2, 1, 2))}, every(6, 50, 4, pod("CrashLoopBackOff"), pod("Error"))...), want: job.Failed, after: 16, why: "CrashLoopBackOff"},
		{name: "pull fails by turns", script: append([]event{sec(3, landed), sec(4, pods(2, 1, 2))}, every(5, 50, 3, pod("ImagePullBackOff"), pod("ErrImagePull"))...), want: job.Failed, after: 15, why: "Pull"},
		{name: "a pull that passes", script: []event{sec(3, landed), sec(4, pods(2, 1, 2), pod("ImagePullBackOff")), sec(12, pods(2, 2, 2), noProblem)}, want: job.Done, after: 12},
		{name: "Flux suspended and resumed", script: []event{sec(1, func(o *deploy.Observation) { o.Suspended = true }), sec(30, whole, func(o *deploy.Observation) { o.Suspended = false })}, want: job.Done, after: 30},
		{name: "Flux suspended for good", script: []event{sec(1, func(o *deploy.Observation) { o.Suspended = true })}, want: job.Expired, after: 60, why: "suspended"},
		{name: "release suspended and resumed", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"), unattempted, func(o *deploy.Observation) { o.Release.Suspended = true }), sec(30, upgraded)}, want: job.Done, after: 30},
		{name: "Kustomization's dependency fails, then is mended", script: []event{sec(2, attempts(newRevision), flux("False", "DependencyNotReady", true)), sec(40, whole)}, want: job.Done, after: 40},
		{name: "release's dependency fails, then is mended", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"), unattempted, helm("False", "DependencyNotReady", true)), sec(40, upgraded)}, want: job.Done, after: 40},
		{name: "a descendant holds it", script: []event{sec(3, whole, becomes(laterRevision))}, want: job.Done, after: 3},
		{name: "a descendant replaced it", script: []event{sec(3, landed), sec(6, becomes(otherRevision))}, want: job.Superseded, after: 6},
		{name: "a descendant that cannot be built", script: []event{sec(3, landed), sec(4, attempts(brokenRevision), flux("False", "BuildFailed", true)), sec(8, pods(2, 2, 2))}, want: job.Done, after: 8},
		{name: "nothing but what cannot be built", script: []event{sec(4, attempts(brokenRevision), flux("False", "BuildFailed", true))}, want: job.Expired, after: 60, why: "BuildFailed"},
		{name: "nobody answers what the next revision holds", script: []event{sec(3, landed), sec(4, attempts(silentRevision)), sec(8, pods(2, 2, 2))}, want: job.Done, after: 8},
		{name: "nobody answers what a revision holds", script: []event{sec(4, attempts(silentRevision))}, want: job.Expired, after: 62},
		{name: "wait: true, never applied", script: []event{sec(3, attempts(newRevision), value(imageSite.Value), flux("Unknown", "Progressing", true))}, want: job.Expired, after: 60, why: "applying"},
		{name: "wait: true, the health check fails", script: []event{sec(3, attempts(newRevision), flux("False", "HealthCheckFailed", true))}, want: job.Failed, after: 13, why: "HealthCheckFailed"},
		{name: "wait: true, what was before is lost and Helm has not begun", chart: true, script: []event{
			sec(1, attempts(newRevision), value("6.5.4"), unattempted, flux("Unknown", "Progressing", true), pods(2, 0, 2), pod("CrashLoopBackOff"), func(o *deploy.Observation) { o.Workloads[0].Stuck = "ProgressDeadlineExceeded" }),
			sec(25, wholeChart),
		}, want: job.Done, after: 25},
		{name: "Helm goes back to the old one", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"), pending), sec(9, func(o *deploy.Observation) {
			o.Release.Remediated = "RollbackSucceeded"
			o.Release.History = append([]deploy.ReleaseRecord{{ChartVersion: "6.5.3", ConfigDigest: "sha256:u", Status: "deployed"}}, o.Release.History...)
		})}, want: job.Failed, after: 9, why: "RollbackSucceeded"},
		{name: "Helm went back, and it shows late", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"), upgraded, func(o *deploy.Observation) { o.Release.History = oldChart().Release.History })}, want: job.Expired, after: 60},
		{name: "OCI chart: the old attempt's failure stands", chart: true, script: []event{
			sec(0, helm("False", "UpgradeFailed", true), func(o *deploy.Observation) {
				o.Release.AttemptedVersion, o.Release.Remediated = "6.5.2+abc", "RollbackSucceeded"
			}),
			sec(3, becomes(newRevision), value("6.5.4")), sec(20, upgraded),
		}, want: job.Done, after: 20},
		{name: "OCI chart: the old one stays ready", chart: true, script: []event{sec(3, becomes(newRevision), value("6.5.4"))}, want: job.Expired, after: 60, why: "not begun"},
		{name: "workload deleted", script: []event{sec(3, whole, unseen, func(o *deploy.Observation) { o.SiteFound = false })}, want: job.Expired, after: 60},
		{name: "the release's only workload deleted", chart: true, script: []event{sec(3, wholeChart, func(o *deploy.Observation) { o.Workloads = nil })}, want: job.Expired, after: 60, why: "None of its workloads"},
		{name: "scaled to nothing", script: []event{sec(3, landed), sec(5, pods(0, 1, 2), func(o *deploy.Observation) { o.Workloads[0].Desired = 0 }), sec(8, pods(0, 0, 0))}, want: job.Done, after: 8},
		{name: "paused", script: []event{sec(3, landed), sec(4, pods(0, 2, 2), func(o *deploy.Observation) { o.Workloads[0].Paused = true })}, want: job.Expired, after: 60, why: "paused"},
		{name: "quota stands in the way", script: []event{sec(3, landed), sec(4, pods(0, 2, 2), func(o *deploy.Observation) { o.Workloads[0].Stuck = "FailedCreate: quota" })}, want: job.Failed, after: 14, why: "quota"},
		{name: "the old rollout's end stands for a moment", script: []event{sec(3, landed), sec(4, pods(1, 1, 2), func(o *deploy.Observation) { o.Workloads[0].Stuck = "ProgressDeadlineExceeded" }), sec(6, whole)}, want: job.Done, after: 6},
		{name: "one workload of two lags", script: []event{sec(3, whole, func(o *deploy.Observation) { w := complete(); w.Updated = 1; o.Workloads = append(o.Workloads, w) }), sec(33, whole)}, want: job.Done, after: 33},
		{name: "told twice and out of order", script: []event{sec(3, landed), sec(3, landed), sec(4, func(o *deploy.Observation) { *o = oldImage() }), sec(5, landed), sec(9, whole), sec(9, whole)}, want: job.Done, after: 9},
		{name: "a new process in the middle", script: []event{sec(3, landed), sec(20, whole)}, restarts: []time.Duration{5 * time.Second, 8 * time.Second}, want: job.Done, after: 20},
		{name: "a new process after the deadline", script: []event{sec(3, landed), sec(57, lost)}, restarts: []time.Duration{58 * time.Second}, want: job.Expired, after: 63, why: "does not answer"},
	}
}

// TestTimelines plays what clusters have shown, and knows what is right.
func TestTimelines(t *testing.T) {
	for _, c := range timelines() {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newTheatre(oldImage(), imageSite, c.script)
				if c.chart {
					s = newTheatre(oldChart(), chartSite, c.script)
				}
				s.apps["prod"][0].Owner.Workloads = []deploy.Ref{imageSite.Object}
				e := mustPlay(t, s, c.restarts...)
				late := e.after - time.Duration(c.after)*time.Second
				if e.after > 65*time.Second { // a minute, and 5 s
					t.Errorf("it ended %s after its deadline", e.after-time.Minute)
				}
				if e.outcome != c.want || late < 0 || late > 2*time.Second || !strings.Contains(e.why, c.why) {
					t.Errorf("%s after %s (%s), want %s after %ds with %q", e.outcome, e.after, e.why, c.want, c.after, c.why)
				}
			})
		})
	}
}

// TestValuesFromElsewhereAreTakenBeforeTheyCount has a ConfigMap of valuesFrom: the
// release it belongs to shows nothing of it until Helm has read it.
func TestValuesFromElsewhereAreTakenBeforeTheyCount(t *testing.T) {
	site := deploy.Site{Field: deploy.FieldImage, Object: deploy.Ref{Kind: "ConfigMap", Namespace: "apps", Name: "values"}, Path: "/data/values.yaml", Inner: "/image/tag", Value: "6.5.4"}
	runs := func(tag string) edit {
		return func(o *deploy.Observation) { o.Workloads[0].Images = []deploy.Image{{Repository: "podinfo", Tag: tag}} }
	}
	synctest.Test(t, func(t *testing.T) {
		first := oldChart()
		runs("6.5.3")(&first)
		e := mustPlay(t, newTheatre(first, site, []event{sec(3, becomes(newRevision), value("6.5.4")), sec(30, runs("6.5.4"))}))
		if e.outcome != job.Done || e.after != 30*time.Second {
			t.Errorf("%+v", e)
		}
	})
}

// TestOneOfTwoIsNotBoth has a further target that never gets healthy, or late.
func TestOneOfTwoIsNotBoth(t *testing.T) {
	for _, c := range []struct {
		other []event
		want  job.Outcome
		after time.Duration
	}{{nil, job.Expired, time.Minute}, {[]event{sec(3, landed), sec(40, whole)}, job.Done, 40 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := newTheatre(oldImage(), imageSite, []event{sec(3, whole)})
			s.scripts["stage"] = c.other
			other := s.apps["prod"][0]
			other.Cluster = "stage"
			s.apps["stage"] = []deploy.AppState{other}
			s.plan.Parts = []deploy.Part{{Target: other.Target, From: "6.5.3", Site: imageSite}}
			if e := mustPlay(t, s); e.outcome != c.want || e.after != c.after {
				t.Errorf("%+v", e)
			}
		})
	}
}

// TestFollowingWaitsForNoNudge has an API server that does not answer requests.
func TestFollowingWaitsForNoNudge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newTheatre(oldImage(), imageSite, []event{sec(3, whole)})
		s.hangs = true
		if e := mustPlay(t, s); e.outcome != job.Done || e.after != 3*time.Second {
			t.Errorf("%+v", e)
		}
	})
}

func TestWhatIsStaleIsNotThere(t *testing.T) {
	w := newWorld()
	r := &change{changer: changer{Options{Fleet: w}}}
	r.row.Plan, r.row.Change.Version = w.plan, "6.5.3"
	r.row.Plan.Change.Target = w.apps["prod"][0].Target
	if !r.isThere() {
		t.Error("what is there and healthy is not there")
	}
	if w.states[0].Stale = true; r.isThere() {
		t.Error("what was known of a cluster that does not answer counts")
	}
}

// TestTryingAgainDoesNotMoveTheEnd has a deadline that passed 4 s ago.
func TestTryingAgainDoesNotMoveTheEnd(t *testing.T) {
	now := time.Now()
	r := &change{changer: changer{Options{Now: func() time.Time { return now }, Rollout: time.Minute}}, job: &job.Job{}}
	r.row.Followed = now.Add(-64 * time.Second)
	if got := r.until().Sub(now); got != lastLook {
		t.Errorf("a new process looks for %s", got)
	}
	if r.job.Stuck = now; r.until().Sub(now) != time.Second {
		t.Errorf("another try looks for %s", r.until().Sub(now))
	}
}
