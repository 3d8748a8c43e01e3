package events

import (
	"slices"
	"strings"
	"testing"

	"ferry/plugins/sources/cluster/clustertest"
)

// TestRotatedCredentials: a stream whose credentials are not taken any more ends and
// says so. The next one, with newer ones, goes on where it was.
func TestRotatedCredentials(t *testing.T) {
	t.Parallel()
	s := clustertest.New(t)
	s.Rotate("one")
	s.Put(pods, podOf("web-6f5d9-aaaaa", crashes))
	l := clustertest.Listen(t, Source{}, s, quick)
	l.Await(t, "web is in a crash loop", 1)
	l.AwaitCursor(t, `"events"`)
	s.Rotate("two")
	s.Put(notes, noteOf("n1", "Unhealthy", "n1 probe", 1))
	if err := l.AwaitEnd(t); err == nil || !strings.Contains(err.Error(), "no longer takes the credentials of the kubeconfig, which is to be read anew: Unauthorized") {
		t.Errorf("it ended with %v", err)
	}
	s.Delete(pods, "a", "web-6f5d9-aaaaa")
	l.Start(t)
	l.Await(t, "web: CrashLoopBackOff is over", 1)
	l.Await(t, "web-6f5d9-aaaaa: Unhealthy: n1", 1)
	if got := l.Titles(); len(got) != 3 {
		t.Errorf("it told %q", got)
	}
}

// TestTroubleOfALifeBefore is told once, and its end is told.
func TestTroubleOfALifeBefore(t *testing.T) {
	t.Parallel()
	s := clustertest.New(t)
	s.Refuse(pods, 403)
	s.Refuse("/apis/networking.k8s.io/v1/ingresses", 403)
	s.Refuse(notes, 403)
	l := clustertest.Listen(t, Source{}, s, quick)
	for _, resource := range []string{"pods", "ingresses", "events"} {
		l.Await(t, resource+" of prod cannot be watched", 1)
	}
	l.Stop(t)
	s.Refuse(pods, 0)
	s.Refuse("/apis/networking.k8s.io/v1/ingresses", 0)
	s.Refuse(notes, 0)
	l.Start(t)
	for _, resource := range []string{"pods", "ingresses", "events"} {
		l.Await(t, resource+" of prod are watched again", 1)
	}
	l.Stop(t)
	l.Start(t)
	s.Put(pods, podOf("web-6f5d9-aaaaa", crashes)) // what is told of each is told after what was known of it
	s.Put("/apis/networking.k8s.io/v1/ingresses", `{"metadata":{"name":"shop","namespace":"a"},"spec":{"tls":[{"secretName":"cert"}]}}`)
	s.Put(notes, noteOf("n1", "Unhealthy", "n1 probe", 1))
	for _, title := range []string{"web is in a crash loop", "shop has no certificate", "web-6f5d9-aaaaa: Unhealthy: n1"} {
		l.Await(t, title, 1)
	}
	if got := slices.DeleteFunc(l.Titles(), func(title string) bool { return !strings.Contains(title, "of prod") }); len(got) != 6 {
		t.Errorf("it told %q", got)
	}
}
