package jobs

import (
	"fmt"
	"strings"

	"ferry/internal/deploy"
)

// verdict is what an observation says about a change.
type verdict string

const (
	waiting  verdict = "waiting"  // nothing is proven yet
	arrived  verdict = "arrived"  // the change is on the cluster and healthy
	failing  verdict = "failing"  // a failure is reported; believed when it lasts
	failed   verdict = "failed"   // a failure that will not pass
	replaced verdict = "replaced" // somebody changed the value again
)

// judgement is a verdict with what there is to tell about it.
type judgement struct {
	verdict verdict
	// reason is half a sentence for a person; for waiting it says what is being
	// waited for.
	reason string
	// cause is what a pod says that explains it, in a person's words, and raw
	// the words of whoever reported the failure; either may be empty.
	cause, raw string
	// stage is how far the change has come.
	stage stage
	// troubled is true if a pod of the newest template reports a problem. It
	// does not make waiting failing, but it keeps failing from ending: between
	// two tries a hopeless container looks like one that has only stumbled.
	troubled bool
}

func told(v verdict, reason string, s stage) judgement {
	return judgement{verdict: v, reason: reason, stage: s}
}

// quoting adds what a controller says to a judgement: as much as a line takes,
// and all of it below where that is not all.
func (j judgement) quoting(said string) judgement {
	short := clipTo(said, 140)
	if short != "" {
		j.reason += ": " + short
	}
	if strings.HasSuffix(short, "…") {
		j.raw = clipTo(said, 1000)
	}
	return j
}

// why is all of a judgement in sentences, the cause first.
func (j judgement) why() string {
	return strings.TrimSpace(sentence(j.cause) + " " + sentence(j.reason))
}

// stage counts the points a change passes on its way to being healthy.
type stage int

const (
	fetching   stage = iota // Flux has not applied a revision with the change
	applying                // it has; the owner does not show the value yet
	releasing               // the owner shows it; Helm is not done
	rollingOut              // workloads are not all on it
	everywhere              // all is well
)

// helmDeployed is the status of a release record that Helm finished.
const helmDeployed = "deployed"

// judge decides what an observation proves about a change whose value must
// stand at site. applied and attempted say what the Kustomization's two
// revisions hold. It is pure: the same evidence gives the same verdict.
//
// Only a chain without a gap is success: a revision that holds the value was
// applied, the owner's spec shows it and its controller has seen that, Helm
// deployed just that, and every workload is rolled out completely. Anything
// older, unobserved or stale proves nothing.
func judge(o deploy.Observation, site deploy.Site, applied, attempted deploy.Holding) judgement {
	if o.State.Stale {
		return told(waiting, "the cluster does not answer: "+o.State.Reason, fetching)
	}
	if applied == deploy.Replaced {
		return told(replaced, "the value was changed again in Git before it was seen healthy", fetching)
	}
	if applied != deploy.Holds {
		return judgeUnapplied(o, site, attempted)
	}
	if !o.SiteFound {
		return told(waiting, fmt.Sprintf("%s is not there yet", site.Object), applying)
	}
	if o.SiteValue != site.Value {
		return told(waiting, fmt.Sprintf("%s still shows `%s`", site.Object, o.SiteValue), applying)
	}
	if o.Release != nil {
		switch j := judgeRelease(*o.Release, site); {
		case j.verdict == waiting && !begun(*o.Release, site):
			return j // the pods are those of what Helm did before
		case j.verdict != arrived:
			return withProblems(j, o)
		}
		if elsewhere(*o.Release, site) && !carried(o, site.Value) {
			return told(waiting, fmt.Sprintf("%s has not taken `%s` from %s yet", o.Release.Ref, site.Value, site.Object), releasing)
		}
	}
	return judgeWorkloads(o)
}

// judgeUnapplied is for the time before the change was applied. A Kustomization
// that waits for health (wait: true) stays here until its objects are healthy:
// what it attempted, and what the workloads say, tell why it does not get on.
func judgeUnapplied(o deploy.Observation, site deploy.Site, attempted deploy.Holding) judgement {
	ready := o.Kustomization
	switch {
	case o.Suspended:
		return told(waiting, "Flux is suspended there: resume its Kustomization and source, or nothing will happen", fetching)
	case attempted == deploy.Replaced:
		return told(replaced, "the value was changed again in Git before it was seen healthy", fetching)
	case attempted == deploy.Holds:
		return judgeAttempted(o, site)
	case o.SourceReady.Status == "False" && o.SourceReady.Observed:
		return told(waiting, "Flux cannot fetch the repository", fetching).quoting(words(o.SourceReady))
	case ready.Status == "False" && ready.Observed:
		return told(waiting, "the Kustomization is not ready", fetching).quoting(words(ready))
	}
	return told(waiting, "Flux has not applied the commit yet", fetching)
}

// judgeAttempted is for a revision that was attempted but not applied.
func judgeAttempted(o deploy.Observation, site deploy.Site) judgement {
	shown := o.SiteFound && o.SiteValue == site.Value
	if shown && o.Release != nil {
		if j := judgeRelease(*o.Release, site); j.verdict == failed || j.verdict == failing {
			return withProblems(j, o)
		}
	}
	if !shown || o.Release != nil && !begun(*o.Release, site) {
		o.Problems = nil // the pods are those of what was there before
	} else if j := judgeWorkloads(o); j.verdict == failed || j.verdict == failing {
		return j
	}
	ready := o.Kustomization
	if ready.Status != "False" || !ready.Observed {
		return withProblems(told(waiting, "Flux is applying the commit", applying), o)
	}
	switch ready.Reason {
	case "DependencyNotReady", "ArtifactFailed", "Progressing", "ProgressingWithRetry", "Suspended":
		return told(waiting, "the Kustomization waits", applying).quoting(words(ready))
	}
	return withProblems(told(failing, "the Kustomization fails", applying).quoting(words(ready)), o)
}

// begun reports whether Helm's last attempt was of the change. The chart of an
// OCIRepository changes without the release's generation: there the version that
// was attempted tells.
func begun(r deploy.ReleaseState, site deploy.Site) bool {
	if site.Field == deploy.FieldChart && r.AttemptedVersion != "" && chartVersion(r.AttemptedVersion) != chartVersion(site.Value) {
		return false
	}
	return r.Attempted
}

// actions are the reasons of a release that tell how Helm's last attempt ended.
const actions = " InstallFailed UpgradeFailed TestFailed RollbackFailed RollbackSucceeded UninstallFailed UninstallSucceeded "

// judgeRelease says arrived once Helm deployed the present spec.
func judgeRelease(r deploy.ReleaseState, site deploy.Site) judgement {
	switch {
	case r.Suspended:
		return told(waiting, fmt.Sprintf("%s is suspended: resume it, or nothing will happen", r.Ref), releasing)
	case r.Remediated != "" && begun(r, site):
		return told(failed, "Helm went back to the old release by itself", releasing).quoting(r.Remediated)
	case r.Ready.Status == "False" && r.Ready.Observed && r.Ready.Reason == "DependencyNotReady":
		return told(waiting, fmt.Sprintf("%s waits", r.Ref), releasing).quoting(words(r.Ready))
	case r.Ready.Status == "False" && r.Ready.Observed && (begun(r, site) || !strings.Contains(actions, " "+r.Ready.Reason+" ")):
		return told(failing, fmt.Sprintf("%s fails", r.Ref), releasing).quoting(words(r.Ready))
	case !begun(r, site) || len(r.History) == 0:
		return told(waiting, fmt.Sprintf("%s has not begun the upgrade", r.Ref), releasing)
	}
	newest := r.History[0]
	switch {
	case newest.Status != helmDeployed:
		return told(waiting, fmt.Sprintf("%s is being upgraded (%s)", r.Ref, newest.Status), releasing)
	case newest.ConfigDigest != r.AttemptedDigest:
		return told(waiting, fmt.Sprintf("%s has not deployed these values yet", r.Ref), releasing)
	case site.Field == deploy.FieldChart && newest.ChartVersion != chartVersion(site.Value):
		return told(waiting, fmt.Sprintf("%s has deployed chart %s", r.Ref, newest.ChartVersion), releasing)
	case r.Ready.Status != "True" || !r.Ready.Observed:
		return told(waiting, fmt.Sprintf("%s is not ready yet", r.Ref), releasing)
	}
	return judgement{verdict: arrived}
}

// judgeWorkloads says arrived once every workload is rolled out completely.
func judgeWorkloads(o deploy.Observation) judgement {
	var behind *deploy.WorkloadState
	var ready, desired int32
	for i, w := range o.Workloads {
		ready, desired = ready+newReady(w), desired+w.Desired
		// It may pass: a quota is raised, a rollback leaves it standing for a moment.
		if w.Observed && w.Stuck != "" {
			return withProblems(told(failing, fmt.Sprintf("%s gave up", w.Ref), rollingOut).quoting(w.Stuck), o)
		}
		if behind == nil && !rolledOut(w) {
			behind = &o.Workloads[i]
		}
	}
	if behind == nil {
		return told(arrived, "", everywhere)
	}
	if behind.Paused {
		return told(waiting, fmt.Sprintf("%s is paused: resume its rollout, or nothing will happen", behind.Ref), rollingOut)
	}
	return withProblems(told(waiting, readiness(ready, desired, "new pod"), rollingOut), o)
}

// newReady is how many pods of the newest template are ready at the least: a
// status counts old and new ones together.
func newReady(w deploy.WorkloadState) int32 {
	old := max(0, w.Total-w.Updated)
	return max(0, min(w.Ready-old, w.Updated))
}

// rolledOut is `kubectl rollout status`' notion: the present template, all
// replicas of it available, none of an older one left.
func rolledOut(w deploy.WorkloadState) bool {
	return w.Observed && w.Updated == w.Desired && w.Available == w.Desired && w.Total == w.Desired && w.Ready == w.Desired
}

// hopeless are the reasons of waiting containers that do not pass by waiting.
// The first failed pull (ErrImagePull) may pass, its repetition rarely does.
const hopeless = " ImagePullBackOff InvalidImageName CrashLoopBackOff CreateContainerConfigError CreateContainerError RunContainerError ErrImageNeverPull "

// withProblems adds what the pods of the newest template say. A hopeless one
// makes waiting failing. That a container's probes do not pass yet is no trouble.
func withProblems(j judgement, o deploy.Observation) judgement {
	const notReady, troubled, lost = 1, 2, 3
	var worst deploy.Problem
	is := 0
	for _, p := range o.Problems {
		rank := troubled
		switch {
		case strings.Contains(hopeless, " "+p.Reason+" "):
			rank = lost
		case p.Reason == deploy.NotReady:
			rank = notReady
		}
		if p.Current && rank > is {
			worst, is = p, rank
		}
	}
	if is == 0 {
		return j
	}
	j.cause, j.troubled = cause(worst), is >= troubled
	if said := raw(worst); said != "" {
		j.raw = said
	}
	if is == lost && j.verdict == waiting {
		j.verdict = failing
	}
	return j
}

// words are a condition's own: its message, else its reason.
func words(c deploy.Condition) string {
	if c.Message == "" {
		return c.Reason
	}
	return c.Message
}

// chartVersion drops the build metadata that helm-controller adds for OCI
// charts.
func chartVersion(v string) string {
	v, _, _ = strings.Cut(v, "+")
	return v
}
