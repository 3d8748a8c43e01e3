package jobs

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// TestAnAppWhoseKustomizationIsAtWorkIsTaken if it stands itself, as Git wants it and
// as it was seen healthy last; else nobody knows whether it is good.
func TestAnAppWhoseKustomizationIsAtWorkIsTaken(t *testing.T) {
	busy := "Kustomization flux-system/apps: Fetching manifests"
	for name, c := range map[string]struct {
		stands  bool
		records []deploy.Record // the newest last
		version deploy.Version  // what Git wants
		left    string
	}{
		"it stands, and was seen healthy":  {stands: true, version: "2.0.0", records: []deploy.Record{{Version: "2.0.0", Healthy: true}}},
		"it does not stand":                {version: "2.0.0", records: []deploy.Record{{Version: "2.0.0", Healthy: true}}, left: "app1 on stage is progressing: " + busy},
		"it was never seen healthy":        {stands: true, version: "2.0.0", left: "app1 on stage is progressing: " + busy},
		"another one was seen healthy":     {stands: true, version: "2.0.0", records: []deploy.Record{{Version: "1.9.0", Healthy: true}}, left: "app1 on stage is progressing: " + busy},
		"it was not healthy the last time": {stands: true, version: "2.0.0", records: []deploy.Record{{Version: "2.0.0", Healthy: true}, {Version: "2.0.0"}}, left: "app1 on stage is progressing: " + busy},
		"only Git tells of it":             {stands: true, version: "2.0.0", records: []deploy.Record{{Version: "2.0.0", Healthy: true, FromGit: true}}, left: "app1 on stage is progressing: " + busy},
		"it is what is being changed":      {stands: true, version: "2.1.0", records: []deploy.Record{{Version: "2.0.0", Healthy: true}}, left: "app1 on prod-ca runs `2.0.0` on stage, where Git wants `2.1.0`"},
		"nobody knows what Git wants":      {stands: true, records: []deploy.Record{{Version: "2.0.0", Healthy: true}}, left: "app1 on stage is progressing: " + busy},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := allProd(t)
				app := &x.bench.apps["stage"][1]
				app.Health, app.Reason, app.Stands = deploy.Progressing, busy, c.stands
				for i, r := range c.records {
					r.Target, r.Field, r.Job, r.Command, r.Outcome = app.Target, deploy.FieldImage, string(rune('a'+i)), "promote", string(job.Done)
					if err := x.history.Append(t.Context(), &r); err != nil {
						t.Fatal(err)
					}
				}
				var git heldInGit
				if c.version != "" {
					for _, name := range []string{"app0", "app1", "app2", "app3"} {
						w := deploy.WantedVersion{Field: deploy.FieldImage, Version: "2.0.0"}
						if name == "app1" {
							w.Version = c.version
						}
						git = append(git, deploy.Wanted{Target: at2("stage", name), Versions: []deploy.WantedVersion{w}})
					}
					x.options.Git = git
				}
				if err := x.admit(); err != nil {
					t.Fatal(err)
				}
				_, err := x.goes()
				parkedUntil(t, err)
				shown := says(x.bench.put["job/j1/status"])
				if taken := strings.Contains(shown, "\napp1 | 1.0.0 → 2.0.0"); taken != (c.left == "") || !strings.Contains(shown, c.left) {
					t.Errorf("it shows\n%s", shown)
				}
			})
		})
	}
}

// TestOneAppIsTakenAsInASet: alone and for several clusters, what Flux is at work on is
// taken if it is proven and wanted; else it is said what would help, and when.
func TestOneAppIsTakenAsInASet(t *testing.T) {
	proven := deploy.Record{Target: at2("stage", "app1"), Version: "2.0.0", Field: deploy.FieldImage, Job: "a", Command: "promote", Outcome: string(job.Done), Healthy: true}
	for name, c := range map[string]struct {
		to      chat.Word
		stands  bool
		proven  bool
		wanted  deploy.Version
		refused string
		help    string
	}{
		"one cluster":       {to: "prod-eu", stands: true, proven: true, wanted: "2.0.0"},
		"several clusters":  {to: "prod-*", stands: true, proven: true, wanted: "2.0.0"},
		"it does not stand": {to: "prod-eu", proven: true, wanted: "2.0.0", refused: "app1 on stage is progressing: Fetching manifests", help: "nothing was changed\nask again once `list app1 on stage` calls it healthy; `promote app1@… to prod-eu` names a version"},
		"nobody saw it healthy": {
			to: "prod-eu", stands: true, wanted: "2.0.0", refused: "app1 on stage is progressing: Fetching manifests",
			help: "nothing was changed\nits pods run well, but ferry never saw this version proven there, and Flux is still at work\nask again once `list app1 on stage` calls it healthy; `promote app1@… to prod-eu` names a version",
		},
		"Git wants another one": {
			to: "prod-eu", stands: true, proven: true, wanted: "2.1.0", refused: "app1 runs `2.0.0` on stage, where Git wants `2.1.0`",
			help: "nothing was changed\nFlux is at work there: ask again once `list app1 on stage` calls it healthy; `promote app1@… to prod-eu` names a version",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newFlight(t, "promote app1 from stage to "+string(c.to), chat.Args{App: "app1", From: "stage", Clusters: c.to})
				x.bench.plan.From, x.bench.plan.Site.Value = "1.0.0", "app1:2.0.0"
				x.options.Git = heldInGit{{Target: at2("stage", "app1"), Versions: []deploy.WantedVersion{{Field: deploy.FieldImage, Version: c.wanted}}}}
				x.options.Planner = x.bench.world
				app := &x.bench.apps["stage"][1]
				app.Health, app.Reason, app.Stands = deploy.Progressing, "Fetching manifests", c.stands
				if c.proven {
					r := proven
					if err := x.history.Append(t.Context(), &r); err != nil {
						t.Fatal(err)
					}
				}
				err := x.admit()
				if err == nil {
					_, err = x.goes()
				}
				dry := x.cmd
				dry.Args.Mode = "--dry-run"
				_, tried := x.command("promote").Work.(promote).Preview(t.Context(), dry)
				if c.refused == "" {
					if _, parks := errors.AsType[*job.Park](err); err != nil && !parks || tried != nil {
						t.Fatalf("refused: %v, %v", err, tried)
					}
					return
				}
				for _, err := range []error{err, tried} {
					if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != fault.Refused || e.Says != c.refused || e.Help != c.help {
						t.Errorf("%+v", err)
					}
				}
				if len(x.bench.commits) != 0 {
					t.Error("something was committed")
				}
			})
		})
	}
}
