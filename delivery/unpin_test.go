package delivery_test

import (
	"maps"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

func commit(t *testing.T, r *rig, p deploy.Plan) {
	t.Helper()
	files := map[string]string{}
	for file, data := range p.Files {
		files[file] = string(data)
	}
	if _, err := r.repo.Commit("main", "by ferry", files); err != nil {
		t.Fatal(err)
	}
}

// layouts where prod can be pinned; each has the app web in base/web.yaml.
func pinLayouts() map[string]map[string]string {
	overlay := func(kustomization string) map[string]string {
		return map[string]string{
			"clusters/prod/apps.yaml": flux("apps", "path: apps/prod"), "clusters/stage/apps.yaml": flux("apps", "path: apps/stage"),
			"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": workload("web", "reg.example/web:1.0.0"),
			"apps/prod/kustomization.yaml": kustomization, "apps/stage/kustomization.yaml": "resources: [../../base]\n",
		}
	}
	with := func(files map[string]string, more map[string]string) map[string]string {
		maps.Copy(files, more)
		return files
	}
	used := "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: apps\n  namespace: flux-system\nspec:\n  path: base\n  sourceRef:\n    kind: GitRepository\n    name: flux-system\n"
	return map[string]map[string]string{
		"an images entry":                 overlay("resources:\n  - ../../base # the base\n"),
		"an entry beside another one":     overlay("resources: [../../base]\nimages:\n- name: other\n  newTag: \"1\"\n"),
		"an entry that renames the image": overlay("resources: [../../base]\nimages:\n- name: reg.example/web\n  newName: reg.example/web # same\n"),
		"a patch of more than the version": with(overlay("resources: [../../base]\npatches:\n- path: web.yaml\n"), map[string]string{
			"base/web.yaml": release, "apps/prod/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  values:\n    replicas: 3 # more\n",
		}),
		"a new patch":                 with(overlay("resources:\n- ../../base\n"), map[string]string{"base/web.yaml": release}),
		"images of the Kustomization": {"clusters/prod/apps.yaml": used, "clusters/stage/apps.yaml": flux("apps", "path: base"), "base/web.yaml": workload("web", "reg.example/web:1.0.0")},
		"patches of the Kustomization": {
			"clusters/prod/apps.yaml": used, "clusters/stage/apps.yaml": flux("apps", "path: base"), "base/web.yaml": release,
		},
		"a Kustomization that is shared itself": {
			"clusters/prod/kustomization.yaml": "resources:\n- ../../shared\n", "clusters/stage/kustomization.yaml": "resources:\n- ../../shared\n",
			"shared/kustomization.yaml": "resources: [apps.yaml]\n", "shared/apps.yaml": flux("apps", "path: base"), "base/web.yaml": workload("web", "reg.example/web:1.0.0"),
		},
	}
}

// TestUnpinUndoesAPin pins, brings the base to the same version, and takes the pin
// away: the cluster's own files are byte for byte what they were.
func TestUnpinUndoesAPin(t *testing.T) {
	t.Parallel()
	for name, files := range pinLayouts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, repo(files))
			isRelease := strings.Contains(files["base/web.yaml"], "HelmRelease")
			pin := want("x/web", "1.0.1", "prod", "apps", isRelease)
			pin.Pin = true
			pinned, err := r.Plan(t.Context(), pin, unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			commit(t, r, pinned)

			unpin := want("x/web", "", "prod", "apps", isRelease)
			unpin.Unpin = true
			_, err = r.Plan(t.Context(), unpin, unseen("prod", "stage"))
			f := asFault(err)
			if f == nil || f.Code != "behind" || f.Says != "the base holds `1.0.0`, the pin of web on prod `1.0.1`" ||
				strings.Join(f.Choices, ", ") != "promote web@1.0.1 to stage, promote web@1.0.0 to prod" {
				t.Fatalf("while the base is behind: %s", explainOrNil(err))
			}

			caughtUp, err := r.Plan(t.Context(), want("x/web", "1.0.1", "stage", "apps", isRelease), unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			commit(t, r, caughtUp)
			p, err := r.Plan(t.Context(), unpin, unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			for file, data := range p.Files {
				if string(data) != files[file] {
					t.Errorf("%s is\n%s\nit was\n%s", file, data, files[file])
				}
			}
			if len(p.Files) != 1 || p.From != "1.0.1" || p.Change.Version != "1.0.1" || !strings.Contains(p.Site.Value, "1.0.1") || p.Already {
				t.Errorf("%d files, %+v", len(p.Files), p)
			}
			for _, a := range p.Affected {
				if a.Cluster != "prod" || a.Object.Kind != "Kustomization" {
					t.Errorf("%v is affected", a)
				}
			}
			if len(p.Warnings) != 1 || !strings.HasPrefix(p.Warnings[0], "It takes `1.0.1` from `base/web.yaml:") || !strings.HasSuffix(p.Warnings[0], " from now on, as stage does.") {
				t.Errorf("it says %q", p.Warnings)
			}

			commit(t, r, p)
			_, err = r.Plan(t.Context(), unpin, unseen("prod", "stage"))
			if f := asFault(err); f == nil || f.Kind != fault.Already || f.Code != "no_pin" || f.Says != "web on prod has no pin" {
				t.Errorf("a second time: %s", explainOrNil(err))
			}
		})
	}
}

// TestUnpinTakesNothingElse is for overrides that people wrote: what goes with the
// version, and what stays.
func TestUnpinTakesNothingElse(t *testing.T) {
	t.Parallel()
	const head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n"
	const chart = "  chart:\n    spec:\n      version: 1.0.0\n"
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	tagged := release + "  values:\n    image: {repository: reg.example/web, tag: 1.0.0, digest: \"" + digest + "\"}\n"
	files := func(base string, own map[string]string) map[string]string {
		out := map[string]string{
			"clusters/prod/apps.yaml": flux("apps", "path: apps/prod"), "clusters/stage/apps.yaml": flux("apps", "path: apps/stage"),
			"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": base, "apps/stage/kustomization.yaml": "resources: [../../base]\n",
		}
		maps.Copy(out, own)
		return out
	}
	gone := "\x00"
	for _, c := range []struct {
		name  string
		files map[string]string
		field deploy.FieldKind
		want  map[string]string // by file; gone for one that goes
		says  string
	}{
		{
			"a patch of nothing else goes with its reference and its file",
			files(release, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n  - path: web.yaml # pinned\n  - path: more.yaml\n", "apps/prod/web.yaml": head + chart, "apps/prod/more.yaml": head + "  suspend: true\n"}), "",
			map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n  - path: more.yaml\n", "apps/prod/web.yaml": gone},
			"",
		},
		{
			"the only patch, in the older list",
			files(release, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatchesStrategicMerge: [web.yaml]\n", "apps/prod/web.yaml": head + chart}), "",
			map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\n", "apps/prod/web.yaml": gone},
			"",
		},
		{
			"the file of a patch that another folder names too stays without its version",
			files(release, map[string]string{
				"apps/prod/kustomization.yaml": "resources: [../../base]\npatches: [{path: web.yaml}]\n", "apps/prod/web.yaml": head + chart,
				"clusters/prod/more.yaml": flux("more", "path: more"), "more/kustomization.yaml": "resources: [y.yaml]\npatches: [{path: ../apps/prod/web.yaml, target: {name: none}}]\n", "more/y.yaml": workload("y", "y:1"),
			}), "",
			map[string]string{"apps/prod/web.yaml": strings.TrimSuffix(head, "spec:\n")},
			"A patch stays in `apps/prod/web.yaml` that does nothing any more: take it away by hand.",
		},
		{
			"one of two documents", // the other one has nothing to do with it
			files(release, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- path: web.yaml\n", "apps/prod/web.yaml": head + "  suspend: true\n---\n" + head + chart}), "",
			map[string]string{"apps/prod/web.yaml": head + "  suspend: true\n---\n" + strings.TrimSuffix(head, "spec:\n")},
			"A patch stays in",
		},
		{
			"a container of a patch with more",
			files(workload("web", "reg.example/web:1.0.0"), map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- path: web.yaml\n", "apps/prod/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  replicas: 3\n  template:\n    spec:\n      containers:\n      - name: web\n        image: reg.example/web:1.0.0\n"}), "",
			map[string]string{"apps/prod/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  replicas: 3\n"},
			"",
		},
		{
			"a container with more",
			files(workload("web", "reg.example/web:1.0.0"), map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- path: web.yaml\n", "apps/prod/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  template:\n    spec:\n      containers:\n      - image: reg.example/web:1.0.0\n        name: web\n        tty: true\n"}), "",
			map[string]string{"apps/prod/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        tty: true\n"},
			"",
		},
		{
			"an operation of a JSON patch",
			files(release, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- target: {kind: HelmRelease}\n  patch: |\n    - {op: add, path: /spec/suspend, value: true}\n    - op: replace\n      path: /spec/chart/spec/version\n      value: 1.0.0\n"}), "",
			map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- target: {kind: HelmRelease}\n  patch: |\n    - {op: add, path: /spec/suspend, value: true}\n"},
			"",
		},
		{
			"the only operation of a JSON patch",
			files(release, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- target: {kind: HelmRelease}\n  patch: |\n    - op: replace\n      path: /spec/chart/spec/version\n      value: 1.0.0\n"}), "",
			map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\n"},
			"",
		},
		{
			"tag and digest together",
			files(tagged, map[string]string{"apps/prod/kustomization.yaml": "resources: [../../base]\npatches:\n- path: web.yaml\n", "apps/prod/web.yaml": head + "  values:\n    image:\n      tag: 1.0.0\n      digest: " + digest + "\n    replicas: 2\n"}), "image",
			map[string]string{"apps/prod/web.yaml": head + "  values:\n    replicas: 2\n"},
			"",
		},
		{
			"a variable that has the same default",
			files(workload("web", "reg.example/web:${web_tag:=1.0.0}"), map[string]string{
				"apps/prod/kustomization.yaml": "resources: [../../base]\n", "clusters/stage/apps.yaml": flux("apps", "path: apps/stage, postBuild: {substitute: {x: y}}"),
				"clusters/prod/apps.yaml": flux("apps", "path: apps/prod, postBuild: {substitute: {web_tag: 1.0.0, more: x}}"),
			}), "",
			map[string]string{"clusters/prod/apps.yaml": flux("apps", "path: apps/prod, postBuild: {substitute: {more: x}}")},
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, repo(c.files))
			change := with(want("x/web", "", "prod", "apps", strings.Contains(c.files["base/web.yaml"], "HelmRelease")), c.field)
			change.Unpin = true
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			for file, data := range p.Files {
				got := string(data)
				if data == nil {
					got = gone
				}
				if w, ok := c.want[file]; !ok || got != w {
					t.Errorf("%s is\n%s\nwant\n%s", file, got, w)
				}
			}
			if len(p.Files) != len(c.want) || !strings.Contains(strings.Join(p.Warnings, " "), c.says) || (c.says == "" && len(p.Warnings) != 1) {
				t.Errorf("%d files, %q", len(p.Files), p.Warnings)
			}
			// What is committed is what was planned, files that go included.
			_, made, err := r.Apply(t.Context(), change, func() []deploy.Declared { return unseen("prod", "stage") }, deploy.Authorship{Job: "j1", Command: "unpin", Requester: "U1"}, func(deploy.Plan) error { return nil })
			if err != nil || made.SHA == "" {
				t.Fatalf("commit: %s", explainOrNil(err))
			}
			if _, err := r.Plan(t.Context(), change, unseen("prod", "stage")); asFault(err) == nil || asFault(err).Code != "no_pin" {
				t.Errorf("after it: %s", explainOrNil(err))
			}
		})
	}
}

// TestUnpinRefuses says what would move.
func TestUnpinRefuses(t *testing.T) {
	t.Parallel()
	alone := map[string]string{"clusters/prod/apps.yaml": flux("apps", "path: apps"), "clusters/stage/apps.yaml": flux("apps", "path: stage"), "stage/y.yaml": workload("y", "y:1")}
	both := func(files map[string]string) map[string]string {
		maps.Copy(files, alone)
		return files
	}
	for _, c := range []struct {
		name    string
		files   map[string]string
		release bool
		kind    fault.Kind
		says    string
	}{
		{"the base itself", map[string]string{"clusters/prod/apps.yaml": flux("apps", "path: base"), "clusters/stage/apps.yaml": flux("apps", "path: base"), "base/web.yaml": release}, true, fault.Already, "web on prod has no pin | it takes `1.0.0` from `base/web.yaml:8`, as stage does"},
		{"its own declaration", both(map[string]string{"apps/web.yaml": release}), true, fault.Refused, "web on prod has no pin | `apps/web.yaml:8` alone says which version it has"},
		{"its own workload", both(map[string]string{"apps/web.yaml": workload("web", "web:1.0.0")}), false, fault.Refused, "apps/web.yaml:4"},
		{"an overlay of two clusters", map[string]string{
			"clusters/prod/apps.yaml": flux("apps", "path: apps"), "clusters/stage/apps.yaml": flux("apps", "path: apps"), "base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": workload("web", "web:1.0.0"),
			"apps/kustomization.yaml": "resources: [../base]\nimages: [{name: web, newTag: 1.0.1}]\n",
		}, false, fault.Already, "as stage does"},
		{"the same text elsewhere", both(map[string]string{
			"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": workload("web", "web:1.0.0"),
			"apps/kustomization.yaml": "resources: [../base]\nimages: [{name: web, newTag: 1.0.1}]\npatches: [{patch: '[{\"op\": \"add\", \"path\": \"/metadata/annotations\", \"value\": {\"v\": \"1.0.1\"}}]', target: {kind: Deployment}}]\n",
		}), false, fault.Refused, "the base holds `1.0.0`, the pin of web on prod `1.0.1`"},
		{"a range below it", both(map[string]string{
			"base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": strings.Replace(release, "1.0.0", `">=1.0.0"`, 1),
			"apps/kustomization.yaml": "resources: [../base]\npatches: [{path: web.yaml}]\n", "apps/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec: {chart: {spec: {version: 1.0.1}}}\n",
		}), true, fault.Refused, "the base holds `>=1.0.0`, the pin of web on prod `1.0.1`"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, repo(c.files))
			change := want("x/web", "", "prod", "apps", c.release)
			change.Unpin = true
			before := head(t, r)
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			f := asFault(err)
			if f == nil || f.Kind != c.kind || !strings.Contains(f.Says+" | "+f.Help, c.says) || len(p.Files) > 0 || head(t, r) != before {
				t.Errorf("%s", explainOrNil(err))
			}
		})
	}
}
