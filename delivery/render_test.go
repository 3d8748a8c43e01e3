package delivery_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

func flux(name, spec string) string {
	return "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: " + name + ", namespace: flux-system}\nspec: {sourceRef: {kind: GitRepository, name: flux-system}, " + spec + "}\n---\n"
}

func workload(name, image string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: x}\nspec: {template: {spec: {containers: [{name: " + name + ", image: \"" + image + "\"}]}}}\n"
}

func repo(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, data := range files {
		out[name] = &fstest.MapFile{Data: []byte(data), Mode: 0o644}
	}
	return out
}

// base is one cluster with one app in a generated kustomization.
func base() map[string]string {
	return map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/web.yaml":           workload("web", "web:1.0.0"),
	}
}

// TestReach says what another root that cannot be rendered, or reads in a way
// of its own, means for an edit of apps/web.yaml.
func TestReach(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		kind  fault.Kind // "" if the edit is fine
	}{
		{"alone", nil, ""},
		{"broken elsewhere", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/kustomization.yaml": "resources: [missing.yaml]\n"}, ""},
		{"broken here", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/kustomization.yaml": "resources: [../apps/web.yaml, missing.yaml]\n"}, fault.Refused},
		{"broken beyond reading", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/kustomization.yaml": "resources: [\n"}, fault.Refused},
		{"remote base elsewhere", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/kustomization.yaml": "resources: [\"https://example.com/x?ref=v1\"]\n"}, ""},
		{"remote base beside it", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/kustomization.yaml": "resources: [\"github.com/a/b\", ../apps/web.yaml]\nnamePrefix: b-\n"}, fault.Refused},
		{"another branch", map[string]string{"clusters/prod/b.yaml": "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: old, namespace: flux-system}\nspec: {url: http://127.0.0.1/acme/fleet, ref: {branch: old}}\n---\n" +
			strings.Replace(flux("b", "path: apps"), "name: flux-system}, path", "name: old}, path", 1)}, ""},
		{"the same folder again, by a child", map[string]string{"clusters/prod/b.yaml": flux("b", "path: b"), "b/c.yaml": flux("c", "path: ../../apps, namePrefix: c-")}, fault.Refused},
		{"another cluster's folder listing", map[string]string{"clusters/stage/a.yaml": flux("all", "path: ./")}, fault.Refused},
		{"a SOPS file beside", map[string]string{"apps/secret.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: x}\nstringData: {v: \"ENC[1.0.0]\"}\nsops: {mac: 1.0.0}\n"}, ""},
		{"ignored files do not break it", map[string]string{"apps/notes.yaml": "just: notes\n", ".sourceignore": "notes.yaml\n"}, ""},
		{"an unignored file breaks it", map[string]string{"apps/notes.yaml": "just: notes\n"}, fault.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := base()
			maps.Copy(files, c.files)
			declared := unseen("prod")
			if _, ok := files["clusters/stage/a.yaml"]; ok {
				declared = unseen("prod", "stage")
			}
			r := newRig(t, repo(files))
			p, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), declared)
			if fault.KindOf(err) != c.kind {
				t.Fatalf("%s", explainOrNil(err))
			}
			if err == nil && (len(p.Affected) != 1 || p.Edits[0].File != "apps/web.yaml") {
				t.Errorf("%+v", p)
			}
			t.Log(explainOrNil(err))
		})
	}
}

// live makes a cluster that was seen, of what it declares.
func live(t *testing.T, r *rig, name deploy.Cluster, spec string, vars map[string]string, unknown string) deploy.Declared {
	t.Helper()
	ref := deploy.Ref{Kind: "Kustomization", Namespace: "flux-system", Name: "apps"}
	object, err := json.Marshal(map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
		"metadata": map[string]string{"name": "apps", "namespace": "flux-system"}, "spec": json.RawMessage(spec),
	})
	if err != nil {
		t.Fatal(err)
	}
	from := deploy.Substitute{Ref: deploy.Ref{Kind: "ConfigMap", Namespace: "flux-system", Name: "vars"}, Values: vars, Problem: unknown}
	return deploy.Declared{Cluster: name, Known: true, Kustomizations: []deploy.Kustomization{{
		Cluster: name, Ref: ref, SourceRef: deploy.Ref{Kind: "GitRepository", Namespace: "flux-system", Name: "flux-system"},
		Source: deploy.Source{URL: r.base + "/Acme/fleet.git", Branch: "main"}, Object: object, Substitutes: []deploy.Substitute{from},
	}}}
}

func TestLiveClusters(t *testing.T) {
	const spec = `{"path":"../apps","sourceRef":{"kind":"GitRepository","name":"flux-system"},"targetNamespace":"y","postBuild":{"substituteFrom":[{"kind":"ConfigMap","name":"vars"}]}}`
	files := base()
	files["apps/worker.yaml"] = workload("worker", "worker:${worker}")
	files["apps/float.yaml"] = workload("float", "float:1.0.0") + "---\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: rel, namespace: x}\nspec: {values: {image: {tag: 'a1'}}}\n"
	r := newRig(t, repo(files))
	known := []deploy.Declared{live(t, r, "prod", spec, map[string]string{"worker": "2.0.0"}, "")}
	p, err := r.Plan(t.Context(), want("y/web", "1.0.1", "prod", "apps", false), known)
	if err != nil || p.Site.Object.Namespace != "y" || p.Source.URL != r.base+"/Acme/fleet.git" {
		t.Errorf("%+v %s", p, explainOrNil(err))
	}
	if _, err = r.Plan(t.Context(), want("y/worker", "2.0.1", "prod", "apps", false), known); !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), "variable") {
		t.Errorf("%s", explainOrNil(err))
	}
	unknown := []deploy.Declared{live(t, r, "prod", spec, nil, "secrets are not ferry's to read")}
	if _, err = r.Plan(t.Context(), want("y/web", "1.0.1", "prod", "apps", false), unknown); err != nil {
		t.Errorf("an unknown variable that does not matter: %s", explainOrNil(err))
	}
	_, err = r.Plan(t.Context(), want("y/worker", "2.0.1", "prod", "apps", false), unknown)
	if !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), "the variable worker") {
		t.Errorf("%s", explainOrNil(err))
	}
	// Flux's substitution loses quotes: a tag that then reads as a number is not
	// the tag that was asked for.
	_, err = r.Plan(t.Context(), want("y/rel", "1.10", "prod", "apps", true), known)
	t.Log(explainOrNil(err))
	pinned := known[0]
	pinned.Kustomizations = []deploy.Kustomization{pinned.Kustomizations[0]}
	pinned.Kustomizations[0].Source = deploy.Source{URL: r.base + "/acme/fleet", Pinned: "tag v1"}
	if _, err = r.Plan(t.Context(), want("y/web", "1.0.1", "prod", "apps", false), []deploy.Declared{pinned}); !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), "tag v1") {
		t.Errorf("%s", explainOrNil(err))
	}
}
