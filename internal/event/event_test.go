package event

import (
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	t.Parallel()
	pod := Event{Cluster: "prod", Kind: "Pod", Namespace: "shop", Name: "web-7d9f8b6c5-x2x4z", Reason: "BackOff", Title: "Back-off 10s restarting failed container", Text: "back-off 10s", Count: 3}
	again := pod
	again.Name, again.Title, again.Text, again.Count, again.Severity = "web-7d9f8b6c5-bb8nq", "Back-off 5m20s restarting failed container", "back-off 5m", 9, Critical
	if a, b := Of(&pod), Of(&again); a != b || a != "prod/Pod/shop/web/BackOff" {
		t.Errorf("a pod of the same workload, later, is about %q and %q", a, b)
	}
	for name, change := range map[string]func(*Event){
		"cluster": func(e *Event) { e.Cluster = "stage" }, "kind": func(e *Event) { e.Kind = "Job" }, "namespace": func(e *Event) { e.Namespace = "x" },
		"name": func(e *Event) { e.Name = "api-7d9f8b6c5-x2x4z" }, "reason": func(e *Event) { e.Reason = "OOMKilled" }, "said": func(e *Event) { e.About = "x" },
	} {
		other := pod
		if change(&other); Of(&other) == Of(&pod) {
			t.Errorf("another %s is about the same", name)
		}
	}
	one, two, three := Event{Title: "3 of 5 checks failed after 10s"}, Event{Title: "4 of 6  checks failed after 1m20s"}, Event{Title: "checks failed"}
	if Of(&one) != Of(&two) || Of(&one) == Of(&three) {
		t.Errorf("titles: %q, %q, %q", Of(&one), Of(&two), Of(&three))
	}
}

func TestWorkload(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, name, want string }{
		{"Pod", "podinfo-7d9f8b6c5-x2x4z", "podinfo"},
		{"Pod", "podinfo-7d9f8b6c5d-x2x4z", "podinfo"},
		{"Pod", "my-app-7d9f8b6c5-bcdfg", "my-app"},
		{"Pod", "agent-x2x4z", "agent"},
		{"Pod", "backup-29012345-x2x4z", "backup"},
		{"Pod", "db-0", "db-0"},
		{"Pod", "db-12345", "db-12345"},
		{"Pod", "web-store", "web-store"},
		{"Pod", "web-7d9f8b6c5-0", "web-7d9f8b6c5-0"},
		{"Pod", "solo", "solo"},
		{"Pod", "-x2x4z", "-x2x4z"},
		{"ReplicaSet", "podinfo-7d9f8b6c5", "podinfo"},
		{"ReplicaSet", "podinfo", "podinfo"},
		{"ReplicaSet", "pod-info", "pod-info"},
	} {
		if got := Workload(c.kind, c.name); got != c.want {
			t.Errorf("%s %s is of %q, want %q", c.kind, c.name, got, c.want)
		}
	}
}

func TestIncident(t *testing.T) {
	t.Parallel()
	at := func(m int) time.Time { return time.Date(2026, 1, 1, 0, m, 0, 0, time.UTC) }
	i := Incident{Group: map[string]string{"node": "n1", "cluster": "prod", "about": "x", "app": ""}, Problems: []Problem{
		{Event: Event{At: at(1), Severity: Critical, Resolved: true, Name: "a"}},
		{Event: Event{At: at(3), Severity: Warning, Name: "b"}},
		{Event: Event{At: at(2), Name: "c"}},
	}}
	if i.Firing() != 2 || i.Severity() != Warning || i.Latest().Name != "b" || i.Called() != "cluster prod, node n1" {
		t.Errorf("%d firing, %s, latest %s, called %q", i.Firing(), i.Severity(), i.Latest().Name, i.Called())
	}
	i.Problems[1].Resolved, i.Problems[2].Resolved = true, true
	if i.Firing() != 0 || i.Severity() != Critical {
		t.Errorf("resolved: %d firing, %s", i.Firing(), i.Severity())
	}
	if (&Incident{}).Latest() != nil || (&Incident{}).Severity() != Info {
		t.Error("an empty incident has a latest problem, or a severity")
	}
}

func TestLabel(t *testing.T) {
	t.Parallel()
	e := Event{Source: "s/prod", Cluster: "c", Kind: "k", Namespace: "n", Name: "m", Reason: "r", Severity: "v", About: "a", Labels: map[string]string{"cluster": "forged", "app": "web"}}
	for name, want := range map[string]string{"source": "s", "cluster": "c", "kind": "k", "namespace": "n", "name": "m", "reason": "r", "severity": "v", "about": "a", "app": "web", "nothing": ""} {
		if got := e.Label(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}
