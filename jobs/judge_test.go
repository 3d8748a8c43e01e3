package jobs

import (
	"errors"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

var (
	imageSite = deploy.Site{Field: deploy.FieldImage, Object: deploy.Ref{Kind: "Deployment", Namespace: "apps", Name: "podinfo"}, Path: "/spec/template/spec/containers/0/image", Value: "podinfo:6.5.4"}
	chartSite = deploy.Site{Field: deploy.FieldChart, Object: deploy.Ref{Kind: "HelmRelease", Namespace: "apps", Name: "podinfo"}, Path: "/spec/chart/spec/version", Value: "6.5.4"}
	isReady   = deploy.Condition{Status: "True", Observed: true}
)

// arrivedImage is what a cluster shows when an image has arrived.
func arrivedImage() deploy.Observation {
	return deploy.Observation{
		Applied: "main@sha1:new", Attempted: "main@sha1:new", Kustomization: isReady, SourceReady: isReady,
		SiteFound: true, SiteValue: imageSite.Value, Workloads: []deploy.WorkloadState{complete()},
	}
}

func complete() deploy.WorkloadState {
	return deploy.WorkloadState{Ref: imageSite.Object, Observed: true, Desired: 2, Updated: 2, Ready: 2, Available: 2, Total: 2}
}

// arrivedChart is what a cluster shows when a chart has arrived.
func arrivedChart() deploy.Observation {
	o := arrivedImage()
	o.SiteValue = chartSite.Value
	o.Release = &deploy.ReleaseState{
		Ref: chartSite.Object, Ready: isReady, Attempted: true, AttemptedVersion: "6.5.4", AttemptedDigest: "sha256:v",
		History: []deploy.ReleaseRecord{{ChartVersion: "6.5.4", ConfigDigest: "sha256:v", Status: "deployed"}, {ChartVersion: "6.5.3", Status: "superseded"}},
	}
	return o
}

// TestJudgeBelievesOnlyAChainWithoutAGap takes one link after the other out of
// a complete proof: none of what is left is success.
func TestJudgeBelievesOnlyAChainWithoutAGap(t *testing.T) {
	pull := deploy.Problem{Pod: "podinfo-1", Container: "app", Reason: "ImagePullBackOff", Message: "not found", Current: true}
	for name, c := range map[string]struct {
		chart              bool
		edit               func(*deploy.Observation)
		applied, attempted deploy.Holding
		want               verdict
		reason             string
	}{
		"complete image":           {want: arrived},
		"complete chart":           {chart: true, want: arrived},
		"scaled to nothing":        {edit: func(o *deploy.Observation) { o.Workloads[0] = deploy.WorkloadState{Observed: true} }, want: arrived},
		"cluster stale":            {edit: func(o *deploy.Observation) { o.State = deploy.ClusterState{Stale: true, Reason: "refused"} }, want: waiting, reason: "refused"},
		"commit not applied":       {applied: deploy.NotYet, attempted: deploy.NotYet, want: waiting, reason: "not applied the commit"},
		"value replaced in Git":    {applied: deploy.Replaced, want: replaced},
		"replaced while attempted": {applied: deploy.NotYet, attempted: deploy.Replaced, want: replaced},
		"owner without the value":  {edit: func(o *deploy.Observation) { o.SiteValue = "podinfo:6.5.3" }, want: waiting, reason: "still shows `podinfo:6.5.3`"},
		"owner gone":               {edit: func(o *deploy.Observation) { o.SiteFound = false }, want: waiting, reason: "not there yet"},
		"old generation observed":  {edit: func(o *deploy.Observation) { o.Workloads[0].Observed = false }, want: waiting},
		"one pod of two":           {edit: func(o *deploy.Observation) { o.Workloads[0].Ready = 1; o.Workloads[0].Available = 1 }, want: waiting, reason: "1 of 2 new pods"},
		"old pods still there":     {edit: func(o *deploy.Observation) { o.Workloads[0].Total = 3 }, want: waiting},
		"the one old pod is ready, the new one is not": {edit: func(o *deploy.Observation) {
			o.Workloads[0] = deploy.WorkloadState{Observed: true, Desired: 1, Updated: 1, Ready: 1, Available: 1, Total: 2}
		}, want: waiting, reason: "0 of 1 new pod is ready"},
		"old pods ready, new ones none": {edit: func(o *deploy.Observation) { o.Workloads[0].Updated = 0 }, want: waiting, reason: "0 of 2"},
		"second workload behind":        {edit: func(o *deploy.Observation) { w := complete(); w.Updated = 1; o.Workloads = append(o.Workloads, w) }, want: waiting},
		"paused":                        {edit: func(o *deploy.Observation) { o.Workloads[0].Updated = 0; o.Workloads[0].Paused = true }, want: waiting, reason: "paused"},
		"gave up":                       {edit: func(o *deploy.Observation) { o.Workloads[0].Stuck = "ProgressDeadlineExceeded" }, want: failing, reason: "gave up"},
		"gave up on an old generation":  {edit: func(o *deploy.Observation) { o.Workloads[0].Stuck = "x"; o.Workloads[0].Observed = false }, want: waiting},
		"image cannot be pulled": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready, o.Workloads[0].Available = 1, 1
			o.Problems = []deploy.Problem{pull}
		}, want: failing, reason: "*ImagePullBackOff*: the image was not found. 1 of 2 new pods are ready."},
		"first pull failed": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{{Pod: "p", Reason: "ErrImagePull", Current: true}}
		}, want: waiting, reason: "ErrImagePull"},
		"one pod stumbles, another one is lost": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{{Pod: "a", Reason: "ErrImagePull", Current: true}, pull}
		}, want: failing, reason: "ImagePullBackOff"},
		"an old pod crashes": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{{Pod: "p", Reason: "CrashLoopBackOff"}}
		}, want: waiting, reason: "1 of 2"},
		"it runs and is not ready": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{{Pod: "p", Container: "app", Reason: deploy.NotReady, Current: true}}
		}, want: waiting, reason: "Container `app` runs, but its probes do not pass. 1 of 2 new pods are ready."},
		"one is not ready, another one is lost": {edit: func(o *deploy.Observation) {
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{{Pod: "a", Container: "app", Reason: deploy.NotReady, Current: true}, pull}
		}, want: failing, reason: "ImagePullBackOff"},
		"suspended": {applied: deploy.NotYet, attempted: deploy.NotYet, edit: func(o *deploy.Observation) { o.Suspended = true }, want: waiting, reason: "suspended"},
		"repository is gone": {applied: deploy.NotYet, attempted: deploy.NotYet, edit: func(o *deploy.Observation) {
			o.SourceReady = deploy.Condition{Status: "False", Observed: true, Message: "auth"}
		}, want: waiting, reason: "cannot fetch the repository: auth"},
		"attempt under way": {applied: deploy.NotYet, edit: func(o *deploy.Observation) { o.Kustomization = deploy.Condition{Status: "Unknown", Observed: true} }, want: waiting, reason: "applying"},
		"attempt failed": {applied: deploy.NotYet, edit: func(o *deploy.Observation) {
			o.Kustomization = deploy.Condition{Status: "False", Observed: true, Reason: "HealthCheckFailed", Message: "timeout"}
		}, want: failing, reason: "timeout"},
		"attempt waits": {applied: deploy.NotYet, edit: func(o *deploy.Observation) {
			o.Kustomization = deploy.Condition{Status: "False", Observed: true, Reason: "DependencyNotReady"}
		}, want: waiting},
		"attempt's workload cannot be pulled": {applied: deploy.NotYet, edit: func(o *deploy.Observation) {
			o.Kustomization = deploy.Condition{Status: "Unknown", Observed: true}
			o.Workloads[0].Ready = 1
			o.Problems = []deploy.Problem{pull}
		}, want: failing},
		"healthy, but the attempt was never applied": {applied: deploy.NotYet, want: waiting},

		"chart: Helm went back": {chart: true, edit: func(o *deploy.Observation) { o.Release.Remediated = "rollback to v1" }, want: failed, reason: "rollback to v1"},
		"chart: not attempted":  {chart: true, edit: func(o *deploy.Observation) { o.Release.Attempted = false }, want: waiting, reason: "not begun"},
		"chart: not attempted, and what ran before is lost": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.Attempted, o.Problems = false, []deploy.Problem{pull}
		}, want: waiting, reason: "not begun"},
		"chart: another version of an OCI chart was attempted, and is lost": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.AttemptedVersion, o.Problems = "6.5.5+0a1b2c", []deploy.Problem{pull}
		}, want: waiting, reason: "not begun"},
		"chart: another version of an OCI chart failed": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.AttemptedVersion = "6.5.5+0a1b2c"
			o.Release.Ready = deploy.Condition{Status: "False", Observed: true, Reason: "UpgradeFailed", Message: "timeout"}
		}, want: waiting, reason: "not begun"},
		"chart: the OCI artifact cannot be had": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.AttemptedVersion = "6.5.3+0a1b2c"
			o.Release.Ready = deploy.Condition{Status: "False", Observed: true, Reason: "SourceNotReady", Message: "no such tag"}
		}, want: failing, reason: "no such tag"},
		"chart: Helm went back from another version": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.AttemptedVersion, o.Release.Remediated = "6.5.5+0a1b2c", "rollback to v1"
		}, want: waiting, reason: "not begun"},
		"chart: an OCI chart was attempted, and is lost": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.AttemptedVersion, o.Release.History[0].ChartVersion, o.Problems = "6.5.4+0a1b2c", "6.5.3", []deploy.Problem{pull}
		}, want: failing, reason: "ImagePullBackOff"},
		"chart: no history":          {chart: true, edit: func(o *deploy.Observation) { o.Release.History = nil }, want: waiting},
		"chart: upgrade pending":     {chart: true, edit: func(o *deploy.Observation) { o.Release.History[0].Status = "pending-upgrade" }, want: waiting},
		"chart: old chart deployed":  {chart: true, edit: func(o *deploy.Observation) { o.Release.History[0].ChartVersion = "6.5.3" }, want: waiting, reason: "chart 6.5.3"},
		"chart: 17.0.0 is not 7.0.0": {chart: true, edit: func(o *deploy.Observation) { o.Release.History[0].ChartVersion = "16.5.4" }, want: waiting},
		"chart: old values deployed": {chart: true, edit: func(o *deploy.Observation) { o.Release.History[0].ConfigDigest = "sha256:u" }, want: waiting},
		"chart: fails": {chart: true, edit: func(o *deploy.Observation) {
			o.Release.Ready = deploy.Condition{Status: "False", Observed: true, Message: "no such chart"}
		}, want: failing, reason: "no such chart"},
		"chart: readiness is old news": {chart: true, edit: func(o *deploy.Observation) { o.Release.Ready.Observed = false }, want: waiting},
		"chart: suspended":             {chart: true, edit: func(o *deploy.Observation) { o.Release.Suspended = true }, want: waiting, reason: "suspended"},
		"chart: workloads behind":      {chart: true, edit: func(o *deploy.Observation) { o.Workloads[0].Updated = 1 }, want: waiting},
	} {
		o, site := arrivedImage(), imageSite
		if c.chart {
			o, site = arrivedChart(), chartSite
		}
		if c.edit != nil {
			c.edit(&o)
		}
		if c.applied == "" {
			c.applied = deploy.Holds
		}
		if c.attempted == "" {
			c.attempted = deploy.Holds
		}
		got := judge(o, site, c.applied, c.attempted)
		if got.verdict != c.want || !strings.Contains(strings.ToLower(got.why()), strings.ToLower(c.reason)) {
			t.Errorf("%s: %s, %q; want %s with %q", name, got.verdict, got.why(), c.want, c.reason)
		}
		if got.verdict != arrived && got.reason == "" {
			t.Errorf("%s: no word for people", name)
		}
	}
}

// TestWhatOnlyTakesItsTimeIsNoTrouble keeps a container that starts from making
// an earlier stumble of another one a failure.
func TestWhatOnlyTakesItsTimeIsNoTrouble(t *testing.T) {
	starts := deploy.Problem{Pod: "a", Container: "app", Reason: deploy.NotReady, Current: true}
	stumbles := deploy.Problem{Pod: "b", Container: "app", Reason: "ErrImagePull", Current: true}
	for _, c := range []struct {
		problems []deploy.Problem
		cause    string
		troubled bool
	}{
		{nil, "", false},
		{[]deploy.Problem{starts}, "its probes do not pass", false},
		{[]deploy.Problem{starts, stumbles}, "ErrImagePull", true},
	} {
		j := withProblems(told(waiting, "x", rollingOut), deploy.Observation{Problems: c.problems})
		if !strings.Contains(j.cause, c.cause) || j.troubled != c.troubled || j.verdict != waiting {
			t.Errorf("%+v: %+v", c.problems, j)
		}
	}
}

func TestPick(t *testing.T) {
	rec := func(command string, v deploy.Version, healthy bool) deploy.Record {
		return deploy.Record{Commit: "abc", Command: command, Version: v, Healthy: healthy, Field: deploy.FieldImage}
	}
	git := func(v deploy.Version) deploy.Record {
		r := rec("promote", v, true) // healthy as nothing from Git may be: it does not count
		r.FromGit = true
		return r
	}
	for name, c := range map[string]struct {
		runs    string
		records []deploy.Record // newest first
		want    deploy.Version  // asked for
		good    deploy.Version
		err     string
	}{
		"after a healthy promotion":         {"2", []deploy.Record{rec("promote", "2", true), rec(seen, "1", true)}, "", "1", ""},
		"after a failed promotion":          {"3", []deploy.Record{rec("promote", "3", false), rec("promote", "2", true), rec(seen, "1", true)}, "", "2", ""},
		"failed, and Helm went back":        {"2", []deploy.Record{rec("promote", "3", false), rec("promote", "2", true), rec(seen, "1", true)}, "", "2", ""},
		"somebody else changed it":          {"9", []deploy.Record{rec("promote", "2", true), rec(seen, "1", true)}, "", "2", ""},
		"after a rollback":                  {"1", []deploy.Record{rec("rollback", "1", true), rec("promote", "2", true), rec(seen, "1", true)}, "", "2", ""},
		"named":                             {"3", []deploy.Record{rec("promote", "3", true), rec("promote", "2", true), rec(seen, "1", true)}, "1", "1", ""},
		"named, never healthy":              {"3", []deploy.Record{rec("promote", "3", true), rec("promote", "2", false), rec(seen, "1", true)}, "2", "", "never seen healthy"},
		"named 7.0.0, knows 17.0.0":         {"3", []deploy.Record{rec("promote", "17.0.0", true)}, "7.0.0", "", "never seen healthy"},
		"no history":                        {"1", nil, "", "", "nothing to roll"},
		"only the present one":              {"1", []deploy.Record{rec("promote", "1", true)}, "", "", "nothing to roll"},
		"read from Git":                     {"3", []deploy.Record{git("3"), git("2")}, "", "", "nothing to roll"},
		"read from Git, named":              {"3", []deploy.Record{git("3"), git("2")}, "2", "", "never seen healthy"},
		"read from Git since":               {"3", []deploy.Record{git("3"), rec("promote", "2", true)}, "", "2", ""},
		"a pull request that nobody merged": {"2", []deploy.Record{{Command: "promote", Version: "3"}, rec("promote", "2", true), rec(seen, "1", true)}, "", "1", ""},
		"failed first, nothing healthy":     {"1", []deploy.Record{rec("promote", "1", false)}, "", "", "nothing to roll"},
	} {
		app := deploy.AppState{Version: deploy.Version(c.runs), Images: []deploy.Image{{Tag: c.runs}}}
		got, err := pick(app, c.records, c.want)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want %q", name, err, c.err)
		}
		if got.Version != c.good {
			t.Errorf("%s: goes back to %q, want %q", name, got.Version, c.good)
		}
		f, _ := errors.AsType[*fault.Error](err)
		if told := f != nil && strings.Contains(f.Help, "Git tells of 2, but not what became of them there"); told != (name == "read from Git" || name == "read from Git, named") {
			t.Errorf("%s: what Git tells: %v", name, err)
		}
	}
}
