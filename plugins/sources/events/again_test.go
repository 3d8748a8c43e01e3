package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/sources/cluster"
)

// TestAgainIsAnotherEvent: what comes twice with one ID is one event to ferry, so the
// next occurrence on the same object needs another, and the same one the same.
func TestAgainIsAnotherEvent(t *testing.T) {
	c, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	at := func(minute int) time.Time { return time.Date(2024, 1, 1, 0, minute, 0, 0, time.UTC) }
	short := func(since int) *node {
		n := &node{Metadata: cluster.Meta{Name: "n1", UID: "u1"}}
		n.Status.Conditions = cluster.Conditions{{Type: "DiskPressure", Status: "True", Since: at(since)}}
		return n
	}
	id := func(n *node) (out string) {
		tr := newTracker("prod", nil, time.Minute)
		look := func(now time.Time) view { return lookAtNode(n, lens{now: now, config: &c, jobs: tr.runs}) }
		tr.see("nodes", "/n1", at(30), look, func(e api.Event) { out = e.ID })
		return out
	}
	if first, same, next := id(short(1)), id(short(1)), id(short(20)); first == "" || first != same || first == next {
		t.Errorf("%q, the same %q, the next %q", first, same, next)
	}
}

// killedAt is a container that was killed for its memory.
func killedAt(name string, at time.Time) container {
	one := container{Name: name}
	one.Last.Terminated = &struct {
		Reason string    `json:"reason"`
		Code   int       `json:"exitCode"`
		At     time.Time `json:"finishedAt"`
	}{Reason: oomKilled, At: at}
	return one
}

// TestEachKillIsTold, also that of the second container of a pod.
func TestEachKillIsTold(t *testing.T) {
	c, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	killed := func(name string, ago time.Duration) container { return killedAt(name, now.Add(-ago)) }
	var got []string
	tr := newTracker("prod", nil, time.Minute)
	for _, containers := range [][]container{
		{killed("app", 5*time.Minute), {Name: "side"}},
		{killed("app", 5*time.Minute), killed("side", 3*time.Minute)},
		{killed("app", 5*time.Minute), killed("side", 3*time.Minute)}, // nothing new
		{killed("app", time.Minute), killed("side", 3*time.Minute)},
	} {
		p := &pod{Metadata: cluster.Meta{Name: "web", Namespace: "a", UID: "u"}}
		p.Status.Containers = containers
		look := func(now time.Time) view { return lookAtPod(p, lens{now: now, began: now, config: &c, jobs: tr.runs}) }
		tr.see("pods", "a/web", now, look, func(e api.Event) { got = append(got, strings.Fields(e.Text)[2]) })
	}
	if want := []string{"app,", "side,", "app,"}; !slices.Equal(got, want) {
		t.Errorf("it told of %q, want %q", got, want)
	}
}

// TestAnIngressThatComesAgain is given time again until its backend is there.
func TestAnIngressThatComesAgain(t *testing.T) {
	c, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{config: c, services: map[string]service{}, routes: map[string]ingress{}}
	missing := map[string]time.Time{"a/shop/" + ingressBackend: time.Unix(1, 0), "a/other/" + ingressBackend: time.Unix(1, 0)}
	w.routes["a/other"] = ingress{}
	w.forgetMissing(missing)
	if got := fmt.Sprint(missing); len(missing) != 1 || !strings.Contains(got, "other") {
		t.Errorf("it remembers %s", got)
	}
}
