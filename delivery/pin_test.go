package delivery_test

import (
	"maps"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

const release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  chart:\n    spec:\n      chart: web\n      version: 1.0.0\n      sourceRef: {kind: HelmRepository, name: r}\n"

// TestPin says where an override goes: where a person would put it.
func TestPin(t *testing.T) {
	t.Parallel()
	overlay := func(kustomization string) map[string]string {
		return map[string]string{
			"clusters/prod/apps.yaml":      flux("apps", "path: apps/prod"),
			"clusters/stage/apps.yaml":     flux("apps", "path: apps/stage"),
			"base/kustomization.yaml":      "resources: [web.yaml]\n",
			"base/web.yaml":                workload("web", "reg.example/web:1.0.0"),
			"apps/prod/kustomization.yaml": kustomization, "apps/stage/kustomization.yaml": "resources: [../../base]\n",
		}
	}
	for _, c := range []struct {
		name    string
		files   map[string]string
		more    map[string]string
		release bool
		file    string
		added   string
	}{
		{
			"an images entry in the overlay", overlay("resources:\n  - ../../base # the base\n"), nil, false,
			"apps/prod/kustomization.yaml", "images:\n  - name: reg.example/web\n    newTag: 1.0.1\n",
		},
		{
			"the entry of another image is no reason for a new list", overlay("resources: [../../base]\nimages:\n- name: other\n  newTag: \"1\"\n"), nil, false,
			"apps/prod/kustomization.yaml", "- name: reg.example/web\n  newTag: 1.0.1\n",
		},
		{
			"a patch that is there", overlay("resources: [../../base]\npatches:\n- path: web.yaml\n"),
			map[string]string{"base/web.yaml": release, "apps/prod/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  values:\n    replicas: 3 # more\n"},
			true,
			"apps/prod/web.yaml", "  chart:\n    spec:\n      version: 1.0.1\n",
		},
		{
			"a new patch", overlay("resources:\n- ../../base\n"),
			map[string]string{"base/web.yaml": release},
			true,
			"apps/prod/kustomization.yaml", "patches:\n- patch: |\n    apiVersion: helm.toolkit.fluxcd.io/v2\n",
		},
		{
			"the Flux Kustomization, where the base is used as it is",
			map[string]string{
				"clusters/prod/apps.yaml":  "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  path: base\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n",
				"clusters/stage/apps.yaml": flux("apps", "path: base"), "base/web.yaml": release,
			},
			nil, true,
			"clusters/prod/apps.yaml", "  patches:\n    - patch: |\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			maps.Copy(c.files, c.more)
			r := newRig(t, repo(c.files))
			change := want("x/web", "1.0.1", "prod", "apps", c.release)
			_, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			f := asFault(err)
			if f == nil || f.Code != "shared" || len(f.Choices) != 1 || f.Choices[0] != "promote web@1.0.1 to prod pin" {
				t.Fatalf("without a pin: %s", explainOrNil(err))
			}
			change.Pin = true
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			got := string(p.Files[c.file])
			if len(p.Files) != 1 || !strings.Contains(got, c.added) || strings.Replace(got, p.Edits[0].After, "", 1) != c.files[c.file] && !strings.Contains(p.Diff, "\n+") {
				t.Errorf("%v\n%s", p.Edits, p.Diff)
			}
			if strings.Contains(p.Diff, "\n-") && !strings.Contains(p.Diff, "\n--- ") {
				t.Errorf("something was taken away:\n%s", p.Diff)
			}
			for _, a := range p.Affected {
				if a.Cluster != "prod" {
					t.Errorf("%v is affected", a)
				}
			}
			// A later promotion finds the pin and moves it, without being told.
			if _, err := r.repo.Commit("main", "pin", map[string]string{c.file: got}); err != nil {
				t.Fatal(err)
			}
			change.Pin, change.Version = false, "1.0.2"
			p, err = r.Plan(t.Context(), change, unseen("prod", "stage"))
			if err != nil || len(p.Edits) != 1 || p.Edits[0].File != c.file || strings.Trim(p.Edits[0].Before, `"`) != "1.0.1" {
				t.Errorf("a pinned version: %+v %s", p.Edits, explainOrNil(err))
			}
		})
	}
}

func asFault(err error) *fault.Error {
	f, _ := err.(*fault.Error)
	return f
}

// TestPinReplacesARange puts an exact version where Flux chose one, when told.
func TestPinReplacesARange(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/web.yaml":           strings.Replace(release, "version: 1.0.0", `version: ">=1.0.0" # any`, 1),
	}))
	change := want("x/web", "1.0.1", "prod", "apps", true)
	if _, err := r.Plan(t.Context(), change, unseen("prod")); asFault(err) == nil || asFault(err).Code != "range" {
		t.Fatalf("a range: %s", explainOrNil(err))
	}
	change.Pin = true
	p, err := r.Plan(t.Context(), change, unseen("prod"))
	if err != nil || p.Edits[0] != (deploy.Edit{File: "apps/web.yaml", Line: 8, Column: 16, Before: `">=1.0.0"`, After: `"1.0.1"`}) {
		t.Errorf("%+v %s", p.Edits, explainOrNil(err))
	}
}
