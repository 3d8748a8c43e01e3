package delivery_test

import (
	"fmt"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// sharers are three clusters and two apps that take one version: web of prod and
// stage from the base, eu has its own, and worker of stage takes web's variable.
func sharers() map[string]string {
	variable := func(cluster string) string {
		return flux("apps", "path: apps/"+cluster+", postBuild: {substituteFrom: [{kind: ConfigMap, name: versions}]}") +
			"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: unrelated, namespace: flux-system}\ndata: {x: \"1.0.0\"}\n"
	}
	return map[string]string{
		"clusters/prod/apps.yaml": variable("prod"), "clusters/stage/apps.yaml": variable("stage"), "clusters/eu/apps.yaml": flux("apps", "path: apps/eu"),
		"clusters/prod/kustomization.yaml": "resources: [apps.yaml, ../../versions]\n", "clusters/stage/kustomization.yaml": "resources: [apps.yaml, ../../versions]\n",
		"versions/kustomization.yaml": "resources: [v.yaml]\n", "versions/v.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: versions, namespace: flux-system}\ndata: {web_tag: 1.0.0}\n",
		"apps/prod/web.yaml": workload("web", "web:${web_tag}"), "apps/stage/web.yaml": workload("web", "web:${web_tag}"), "apps/stage/worker.yaml": workload("worker", "worker:${web_tag}"),
		"apps/eu/web.yaml": workload("web", "web:1.0.0"),
	}
}

func target(path string) deploy.Target {
	cluster, app, _ := strings.Cut(path, "/")
	return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: "x", Name: app}}
}

func TestWithTheOthers(t *testing.T) {
	t.Parallel()
	worker := target("stage/worker")
	for _, c := range []struct {
		name    string
		with    []deploy.Target
		version string
		pin     bool
		says    string // of the refusal; "" for a plan
		sharing string
		choices string
	}{
		{"nobody named", nil, "1.0.1", false, "web on prod shares its version with others", "[stage/x/web stage/x/worker]", ""},
		{"one of two named", []deploy.Target{worker}, "1.0.1", false, "web on prod shares its version with others", "[stage/x/worker stage/x/web]", ""},
		{"all named", []deploy.Target{target("stage/web"), worker}, "1.0.1", false, "", "", ""},
		{"one too many", []deploy.Target{target("stage/web"), worker, target("eu/web")}, "1.0.1", false, "web on eu would not change by that", "[]", "promote web@1.0.1 to prod with stage, stage/worker"},
		{"one that is not there", []deploy.Target{target("eu/worker")}, "1.0.1", false, "Git does not declare x/worker on eu", "[]", ""},
		{"with a pin", []deploy.Target{target("stage/web")}, "1.0.1", true, "`pin` gives one cluster a version of its own", "[]", ""},
		{"all there already", []deploy.Target{target("stage/web")}, "1.0.0", false, "", "", ""},
		{"one of them not at that version already", []deploy.Target{target("stage/web"), target("eu/web")}, "1.0.0", false, "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, repo(sharers()))
			change := want("x/web", c.version, "prod", "apps", false)
			change.With, change.Pin = c.with, c.pin
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage", "eu"))
			if c.says != "" {
				f := asFault(err)
				if f == nil || !strings.Contains(f.Says, c.says) || fmt.Sprint(p.Sharing) != c.sharing || !strings.Contains(strings.Join(f.Choices, "|"), c.choices) || len(p.Files) > 0 {
					t.Errorf("%v: %s", p.Sharing, explainOrNil(err))
				}
				return
			}
			if err != nil {
				t.Fatal(explain(err))
			}
			if len(p.Parts) != len(c.with) {
				t.Fatalf("%d parts", len(p.Parts))
			}
			for i, part := range p.Parts {
				if wanted := part.Target.App.Name + ":" + c.version; part.Target != c.with[i] || part.From != "1.0.0" || part.Site.Value != wanted || part.Site.Object.Name != part.Target.App.Name {
					t.Errorf("part %d is %+v", i, part)
				}
			}
			if p.Already != (c.version == "1.0.0") || p.Already != (len(p.Files) == 0) {
				t.Errorf("already %v with %d files", p.Already, len(p.Files))
			}
		})
	}
}

// TestWhatIsNoAppCannotBeNamed is for a version that something else takes as well:
// then nobody can name all that would change.
func TestWhatIsNoAppCannotBeNamed(t *testing.T) {
	t.Parallel()
	files := sharers()
	files["apps/stage/note.yaml"] = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note, namespace: x}\ndata: {version: \"${web_tag}\"}\n"
	r := newRig(t, repo(files))
	change := want("x/web", "1.0.1", "prod", "apps", false)
	for _, with := range [][]deploy.Target{nil, {target("stage/web"), target("stage/worker")}} {
		change.With = with
		p, err := r.Plan(t.Context(), change, unseen("prod", "stage", "eu"))
		if f := asFault(err); f == nil || f.Code != "shared" || !strings.Contains(f.Help, "ConfigMap x/note on stage") || len(p.Sharing) > 0 {
			t.Errorf("with %v: %v, %s", with, p.Sharing, explainOrNil(err))
		}
	}
}

// TestWithIsOneCommit names everybody in subject and trailers.
func TestWithIsOneCommit(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(sharers()))
	change := want("x/web", "1.0.1", "prod", "apps", false)
	change.With = []deploy.Target{target("stage/web"), target("stage/worker")}
	declared := func() []deploy.Declared { return unseen("prod", "stage", "eu") }
	p, made, err := r.Apply(t.Context(), change, declared, deploy.Authorship{Job: "j1", Command: "promote", Requester: "U1"}, func(deploy.Plan) error { return nil })
	if err != nil || len(p.Parts) != 2 {
		t.Fatal(explainOrNil(err))
	}
	got, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	message := got[0].Message
	if !strings.HasPrefix(message, "promote web to 1.0.1 on prod, stage, stage/worker\n") || !strings.Contains(message, "\nFerry-With: stage/x/web, stage/x/worker\n") {
		t.Errorf("it says\n%s", message)
	}
	// What each target waits for is held against revisions by its own site.
	for _, part := range p.Parts {
		own := p
		own.Change.Target, own.Site = part.Target, part.Site
		holds, err := r.Holding(t.Context(), own, deploy.Commit{SHA: made.SHA, Merged: true}, "main@sha1:"+made.SHA, declared())
		if err != nil || holds != deploy.Holds {
			t.Errorf("%s: %s, %v", part.Target, holds, err)
		}
	}
}

// TestAStaleDigestOfAnother is for a target whose overlay holds a digest beside the
// tag that it shares.
func TestAStaleDigestOfAnother(t *testing.T) {
	t.Parallel()
	const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: base"), "clusters/stage/apps.yaml": flux("apps", "path: stage"), "base/kustomization.yaml": "resources: [web.yaml]\n",
		"base/web.yaml":            strings.Replace(release, "      version: 1.0.0\n", "", 1) + "  values: {image: {repository: web, tag: 1.0.0}}\n",
		"stage/kustomization.yaml": "resources: [../base]\npatches: [{path: web.yaml}]\n",
		"stage/web.yaml":           "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec: {values: {image: {digest: \"" + digest + "\"}}}\n",
	}))
	change := want("x/web", "1.0.1", "prod", "apps", true)
	change.With = []deploy.Target{target("stage/web")}
	_, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
	if f := asFault(err); f == nil || f.Kind != fault.Refused || f.Code != "digest" {
		t.Errorf("%s", explainOrNil(err))
	}
}
