package changes

import (
	"strings"
	"testing"

	"ferry/plugins/sources/cluster/clustertest"
)

const collection = "/api/v1/configmaps"

// TestRotatedCredentials: what changed while they were not taken is told, with what it
// was before.
func TestRotatedCredentials(t *testing.T) {
	t.Parallel()
	s := clustertest.New(t)
	s.Rotate("one")
	s.Put(collection, `{"kind":"ConfigMap","metadata":{"name":"a","namespace":"x"},"data":{"k":"1"}}`)
	l := clustertest.Listen(t, Source{}, s, "kinds: [v1/configmaps]")
	l.AwaitCursor(t, "")
	s.Rotate("two")
	s.Put(collection, `{"kind":"ConfigMap","metadata":{"name":"a","namespace":"x"},"data":{"k":"2"}}`)
	if err := l.AwaitEnd(t); err == nil || !strings.Contains(err.Error(), "no longer takes the credentials") {
		t.Errorf("it ended with %v", err)
	}
	l.Start(t)
	if e := l.Await(t, "ConfigMap x/a changed", 1); !strings.Contains(e.Text, "1 → 2") {
		t.Errorf("%q", e.Text)
	}
}

// TestTroubleOfALifeBefore: its end is told.
func TestTroubleOfALifeBefore(t *testing.T) {
	t.Parallel()
	s := clustertest.New(t)
	s.Refuse(collection, 403)
	l := clustertest.Listen(t, Source{}, s, "kinds: [v1/configmaps]")
	l.Await(t, "configmaps of prod cannot be watched", 1)
	l.Stop(t)
	s.Refuse(collection, 0)
	l.Start(t)
	l.Await(t, "configmaps of prod are watched again", 1)
}
