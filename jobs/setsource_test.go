package jobs

import (
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/deploy"
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
