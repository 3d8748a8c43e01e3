package events

import (
	"slices"
	"testing"
	"time"

	"ferry/plugins/api"
)

// TestTracker: what comes and goes is one problem until it has stayed away.
func TestTracker(t *testing.T) {
	var got []string
	tell := func(e api.Event) { got = append(got, e.Title) }
	loop := view{findings: []finding{{subject: subject{"Deployment", "a", "web"}, Reason: crashLoop, Says: "crashes"}}}
	at := func(s int) time.Time { return time.Unix(1000+int64(s), 0) }
	see := func(tr *tracker, s int, v view) {
		tr.see("pods", "a/web-1", at(s), func(time.Time) view { return v }, tell)
		tr.tick(at(s), tell)
	}
	tr := newTracker("prod", nil, 5*time.Second)
	tr.only("pods", nil, at(0), tell)
	see(tr, 0, loop)
	see(tr, 1, view{})
	tr.tick(at(5), tell)
	see(tr, 5, loop)
	see(tr, 20, view{})
	tr.tick(at(24), tell)
	if !slices.Equal(got, []string{"web crashes"}) {
		t.Fatalf("before it is over it told %q", got)
	}

	// Another life: what it told is known, and nothing is over that was not looked for.
	tr = newTracker("prod", tr.remembered(), 5*time.Second)
	tr.only("nodes", nil, at(30), tell)
	tr.tick(at(1000), tell)
	if len(got) != 1 {
		t.Fatalf("before the pods were listed it told %q", got)
	}
	tr.only("pods", nil, at(1000), tell)
	tr.tick(at(1004), tell)
	tr.tick(at(1005), tell)
	tr.tick(at(1010), tell)
	see(tr, 1011, loop)
	if want := []string{"web crashes", "web: CrashLoopBackOff is over", "web crashes"}; !slices.Equal(got, want) {
		t.Errorf("it told %q, want %q", got, want)
	}
}
