package jobs

import (
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

func TestAdmission(t *testing.T) {
	w := newWorld()
	two := w.apps["prod"][0]
	two.App.Namespace, two.Owner.Workloads = "other", []deploy.Ref{{Kind: "Deployment", Namespace: "other", Name: "podinfo-web"}}
	worker := two
	worker.App = deploy.App{Namespace: "apps", Name: "worker"}
	onStage := worker
	onStage.Target = deploy.Target{Cluster: "stage", App: deploy.App{Namespace: "apps", Name: "metrics"}}
	w.apps = map[deploy.Cluster][]deploy.AppState{"prod": {w.apps["prod"][0], worker, two}, "stage": {onStage}}
	w.states = append(w.states, deploy.ClusterState{Name: "dev", Stale: true, Reason: "connection refused"})
	b := newBench(t, w)
	for _, c := range []struct {
		app, cluster string
		kind         fault.Kind
		says         string
	}{
		{"worker", "prod", "", ""},
		{"apps/podinfo", "prod", "", ""},
		{"podinfo", "prod", fault.Ambiguous, "there are 2 apps called podinfo on prod [promote apps/podinfo@6.5.4 to prod promote other/podinfo@6.5.4 to prod]"},
		{"wroker", "prod", fault.NotFound, "[promote worker@6.5.4 to prod]"},
		{"podinfo-web", "prod", fault.NotFound, "the Deployment of that name belongs to the app worker [promote worker@6.5.4 to prod]"},
		{"metrics", "prod", fault.NotFound, "it runs on stage"},
		{"worker", "dev", fault.Stale, "connection refused"},
		{"worker", "nowhere", fault.NotFound, "no cluster nowhere"},
	} {
		cmd := b.cmd
		cmd.Args.App, cmd.Args.Cluster = chat.Word(c.app), chat.Word(c.cluster)
		cmd.Text = "promote " + c.app + "@6.5.4 to " + c.cluster
		_, targets, err := b.command("promote").Work.Admit(t.Context(), cmd)
		if fault.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want kind %q", cmd.Text, err, c.kind)
			continue
		}
		if err == nil {
			if len(targets) != 1 {
				t.Errorf("%s: targets %v", cmd.Text, targets)
			}
			continue
		}
		e := err.(*fault.Error)
		if all := e.Says + " " + e.Help + " [" + strings.Join(e.Choices, " ") + "]"; !strings.Contains(strings.ReplaceAll(all, "name the namespace as well ", ""), c.says) {
			t.Errorf("%s: %q, want %q", cmd.Text, all, c.says)
		}
	}
}

// TestAChoiceReplacesTheAppAlone has an app whose name is a part of the verb.
func TestAChoiceReplacesTheAppAlone(t *testing.T) {
	w := newWorld()
	w.apps["prod"][0].App.Name = "promo"
	_, _, err := newBench(t, w).command("promote").Work.Admit(t.Context(),
		chat.Command{Text: "promote prom@6.5.4 to prod", Verb: "promote", Args: chat.Args{App: "prom", Version: "6.5.4", Cluster: "prod"}})
	if e, ok := err.(*fault.Error); !ok || len(e.Choices) != 1 || e.Choices[0] != "promote promo@6.5.4 to prod" {
		t.Errorf("%+v", err)
	}
}

func TestRunsTheVersionOfTheField(t *testing.T) {
	library := deploy.AppState{Version: "4.0.9", Field: deploy.FieldImage, Chart: "app-template", ChartVersion: "3.5.1+0af", Images: []deploy.Image{{Tag: "4.0.9"}}}
	plain := deploy.AppState{Version: "4.0.9", Field: deploy.FieldImage, Images: []deploy.Image{{Tag: "4.0.9"}}}
	for _, c := range []struct {
		app   deploy.AppState
		field deploy.FieldKind
		v     deploy.Version
		want  bool
	}{
		{library, deploy.FieldChart, "3.5.1", true},
		{library, deploy.FieldChart, "4.0.9", false},
		{library, deploy.FieldImage, "4.0.9", true},
		{plain, deploy.FieldChart, "", false},
	} {
		if got := runs(c.app, c.field, c.v); got != c.want {
			t.Errorf("%s %s on %+v: %v", c.field, c.v, c.app, got)
		}
	}
}

// TestAppsAreCalledOneWay covers what list, diff and history share.
func TestAppsAreCalledOneWay(t *testing.T) {
	called := naming(fleet())
	for app, want := range map[deploy.App]string{
		{Namespace: "apps", Name: "podinfo"}: "podinfo",
		{Namespace: "a", Name: "worker"}:     "a/worker",
		{Namespace: "old", Name: "podinfo"}:  "old/podinfo", // history of what was moved
		{Namespace: "old", Name: "gone"}:     "gone",
	} {
		if got := called(app); got != want {
			t.Errorf("%s is called %s, want %s", app, got, want)
		}
	}
}
