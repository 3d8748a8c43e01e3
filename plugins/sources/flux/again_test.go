package flux

import (
	"fmt"
	"strings"
	"testing"

	"ferry/plugins/sources/cluster"
	"ferry/plugins/sources/cluster/clustertest"
)

const drifting = `{"metadata":{"name":"web","namespace":"a"},"status":{"history":[{"chartName":"podinfo","chartVersion":"6.5.3","status":"deployed"}],"conditions":[{"type":"Ready","status":"True"}]}}`

func driftNote(name, reason string, count int) string {
	return fmt.Sprintf(`{"metadata":{"name":%q,"namespace":"a"},"reason":%q,"note":"Deployment/a/web changed","deprecatedCount":%d,"regarding":{"kind":"HelmRelease","namespace":"a","name":"web"}}`, name, reason, count)
}

// TestDriftAgain: what drifts and is put right again and again says so in the same two
// Events, which count; each time is an event of its own.
func TestDriftAgain(t *testing.T) {
	s := clustertest.New(t)
	s.Put(releases, drifting)
	l := clustertest.Listen(t, Source{}, s, "kinds: [HelmRelease]")
	s.AwaitLists(t, 2)
	s.Put(releases, strings.ReplaceAll(drifting, "6.5.3", "6.5.4"))
	l.Await(t, "HelmRelease a/web is at", 1)
	for i := 1; i <= 3; i++ {
		s.Put(notes, driftNote("n1", "DriftDetected", i))
		l.Await(t, "HelmRelease a/web has drifted:", i)
		s.Put(notes, driftNote("n2", "DriftCorrected", i))
		l.Await(t, "HelmRelease a/web has drifted no longer", i)
	}
	seen := map[string]bool{}
	for _, e := range l.Events() {
		if seen[e.ID] {
			t.Errorf("%s came twice: %s", e.ID, e.Title)
		}
		seen[e.ID] = true
	}
}

// TestDriftWhileAway: what the API server does not tell of any more it still lists.
func TestDriftWhileAway(t *testing.T) {
	s := clustertest.New(t)
	s.Put(releases, drifting)
	s.Put(notes, driftNote("old", "DriftDetected", 1))
	l := clustertest.Listen(t, Source{}, s, "kinds: [HelmRelease]")
	s.AwaitLists(t, 2)
	s.Put(releases, strings.ReplaceAll(drifting, "6.5.3", "6.5.4"))
	l.Await(t, "HelmRelease a/web is at", 1)
	s.Put(notes, driftNote("n1", "DriftDetected", 1))
	l.Await(t, "HelmRelease a/web has drifted:", 1)
	l.Stop(t)
	s.Put(notes, driftNote("n2", "DriftCorrected", 1))
	s.Forget()
	l.Start(t)
	l.Await(t, "HelmRelease a/web has drifted no longer", 1)
	if got := l.Titles(); len(got) != 3 {
		t.Errorf("it told %q", got)
	}
}

// TestGoneWhileSuspended: nothing stays open of what is no more.
func TestGoneWhileSuspended(t *testing.T) {
	s := clustertest.New(t)
	s.Put(kustomizations, kustomization(false, "True", "x", "main@sha1:aaa"))
	l := clustertest.Listen(t, Source{}, s, "kinds: [Kustomization]")
	s.AwaitLists(t, 1)
	s.Put(kustomizations, kustomization(true, "True", "x", "main@sha1:aaa"))
	opened := l.Await(t, "Kustomization flux-system/apps is suspended", 1)
	s.Delete(kustomizations, "flux-system", "apps")
	if e := l.Await(t, "Kustomization flux-system/apps is gone", 1); !e.Resolved || e.About != opened.About {
		t.Errorf("%+v", e)
	}
}

func TestNewer(t *testing.T) {
	all := func() (out []driftEvent) {
		for _, v := range []string{"12", "9", "100", "x"} {
			out = append(out, driftEvent{Metadata: cluster.Meta{Version: v}})
		}
		return out
	}
	for than, want := range map[string]string{"": "", "9": "12 100 ", "200": ""} {
		got := ""
		for _, e := range newer(all(), than) {
			got += e.Metadata.Version + " "
		}
		if got != want {
			t.Errorf("newer than %q are %q, want %q", than, got, want)
		}
	}
}

// TestTroubleOfALifeBefore: its end is told.
func TestTroubleOfALifeBefore(t *testing.T) {
	t.Parallel()
	s := clustertest.New(t)
	s.Refuse(releases, 403)
	l := clustertest.Listen(t, Source{}, s, "kinds: [HelmRelease]")
	l.Await(t, "HelmReleases of prod cannot be watched", 1)
	l.Stop(t)
	s.Refuse(releases, 0)
	l.Start(t)
	l.Await(t, "HelmReleases of prod are watched again", 1)
	if got := l.Titles(); len(got) != 2 {
		t.Errorf("it told %q", got)
	}
}
