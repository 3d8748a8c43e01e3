package flux

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"ferry/plugins/sources/cluster/clustertest"
)

const (
	kustomizations = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations"
	releases       = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases"
	notes          = "/apis/events.k8s.io/v1/events"
)

func kustomization(suspend bool, ready, reason, revision string) string {
	return fmt.Sprintf(`{"metadata":{"name":"apps","namespace":"flux-system"},"spec":{"suspend":%v},
"status":{"lastAppliedRevision":%q,"conditions":[{"type":"Ready","status":%q,"reason":%q,"message":"build failed","lastTransitionTime":"2024-01-01T00:00:00Z"}]}}`, suspend, revision, ready, reason)
}

// TestTransitions goes through a Kustomization's life with restarts in between: each
// transition once, in its order.
func TestTransitions(t *testing.T) {
	s := clustertest.New(t)
	s.Put(kustomizations, kustomization(false, "True", "ReconciliationSucceeded", "main@sha1:aaa"))
	l := clustertest.Listen(t, Source{}, s, "kinds: [Kustomization]")
	s.AwaitLists(t, 1)
	const rev = "main@sha1:0123456789abcdef0123456789abcdef01234567"
	for i, step := range []struct {
		object, title string
		over          bool
	}{
		{kustomization(false, "Unknown", "Progressing", "main@sha1:aaa"), "", false},
		{kustomization(false, "False", "DependencyNotReady", "main@sha1:aaa"), "", false},
		{kustomization(false, "False", "BuildFailed", "main@sha1:aaa"), "Kustomization flux-system/apps fails", false},
		{kustomization(false, "Unknown", "Progressing", "main@sha1:aaa"), "", false},
		{kustomization(false, "False", "BuildFailed", "main@sha1:aaa"), "", false},
		{kustomization(true, "False", "BuildFailed", "main@sha1:aaa"), "Kustomization flux-system/apps is suspended", false},
		{kustomization(false, "False", "BuildFailed", "main@sha1:aaa"), "Kustomization flux-system/apps is resumed", true},
		{kustomization(false, "True", "ReconciliationSucceeded", "main@sha1:aaa"), "Kustomization flux-system/apps is healthy again", true},
		{kustomization(false, "True", "ReconciliationSucceeded", rev), "Kustomization flux-system/apps is at main@sha1:0123456789ab", false},
		{kustomization(false, "True", "ReconciliationSucceeded", rev), "", false},
	} {
		if i%3 == 2 {
			l.Stop(t)
			s.Put(kustomizations, step.object)
			if i == 5 {
				s.Forget()
			}
			l.Start(t)
		} else {
			s.Put(kustomizations, step.object)
		}
		if step.title != "" {
			e := l.Await(t, step.title, 1)
			if e.Resolved != step.over {
				t.Errorf("%s: resolved is %v", step.title, e.Resolved)
			}
			if e.Moment != (e.Reason == "NewRevision") {
				t.Errorf("%s: %s merely happened: %v", step.title, e.Reason, e.Moment)
			}
		}
	}
	s.Put(kustomizations, strings.Replace(kustomization(false, "True", "x", "main@sha1:zzz"), "apps", "last", 1))
	l.Await(t, "Kustomization flux-system/last is at", 1)
	if got := l.Titles(); len(got) != 6 {
		t.Errorf("it told %q", got)
	}
	s.Put(kustomizations, kustomization(false, "False", "BuildFailed", rev))
	l.Await(t, "Kustomization flux-system/apps fails", 2)
	s.Delete(kustomizations, "flux-system", "apps")
	if e := l.Await(t, "Kustomization flux-system/apps is gone", 1); !e.Resolved || e.Reason != "Healthy" {
		t.Errorf("%+v", e)
	}
}

func TestDrift(t *testing.T) {
	release := func(version string) string {
		return fmt.Sprintf(`{"metadata":{"name":"web","namespace":"a"},"status":{"history":[{"chartName":"podinfo","chartVersion":%q,"status":"deployed"}],"conditions":[{"type":"Ready","status":"True"}]}}`, version)
	}
	note := func(name, reason string) string {
		return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"a"},"reason":%q,"note":"Deployment/a/web changed","regarding":{"kind":"HelmRelease","namespace":"a","name":"web"}}`, name, reason)
	}
	s := clustertest.New(t)
	s.Put(releases, release("6.5.3"))
	l := clustertest.Listen(t, Source{}, s, "kinds: [HelmRelease]")
	s.AwaitLists(t, 2)
	s.Put(releases, release("6.5.4"))
	l.Await(t, "HelmRelease a/web is at podinfo@6.5.4", 1)
	s.Put(notes, note("n1", "DriftDetected"))
	if e := l.Await(t, "HelmRelease a/web has drifted:", 1); e.Text != "Deployment/a/web changed" {
		t.Error(e.Text)
	}
	s.Put(notes, note("n2", "DriftDetected")) // as long as it lasts
	l.Stop(t)
	s.Put(notes, note("n3", "DriftCorrected"))
	l.Start(t)
	if e := l.Await(t, "HelmRelease a/web has drifted no longer", 1); !e.Resolved {
		t.Errorf("%+v", e)
	}
	s.Put(notes, note("n4", "DriftDetected"))
	l.Await(t, "HelmRelease a/web has drifted:", 2)
	s.Put(releases, release("6.5.5"))
	l.Await(t, "HelmRelease a/web is at podinfo@6.5.5", 1)
	if got := l.Titles(); len(got) != 6 || !slices.Contains(got[4:], "HelmRelease a/web has drifted no longer *") {
		t.Errorf("it told %q", got)
	}
}

// TestFirstSight: what fails already is told, what is merely so is not.
func TestFirstSight(t *testing.T) {
	s := clustertest.New(t)
	s.Put(kustomizations, kustomization(false, "False", "BuildFailed", "main@sha1:aaa"))
	s.Put(kustomizations, strings.Replace(kustomization(true, "True", "x", "main@sha1:aaa"), "apps", "quiet", 1))
	l := clustertest.Listen(t, Source{}, s, "kinds: [Kustomization]")
	l.Await(t, "Kustomization flux-system/apps fails", 1)
	s.Put(kustomizations, strings.Replace(kustomization(false, "True", "x", "main@sha1:aaa"), "apps", "new", 1))
	l.Await(t, "Kustomization flux-system/new is at", 1)
	if got := l.Titles(); len(got) != 2 {
		t.Errorf("it told %q", got)
	}
}
