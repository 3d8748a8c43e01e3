package delivery_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestTagOnlyDropsTheDigest is for digests that nobody can look up: what is left
// holds no digest at all, and without the word it is refused.
func TestTagOnlyDropsTheDigest(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("1", 64)
	chartless := strings.Replace(release, "      version: 1.0.0\n", "", 1)
	const oci = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: web, namespace: x}\nspec:\n  url: oci://reg.example/charts/web\n  ref:\n    tag: 1.0.0 # the tag\n    digest: DIGEST\n"
	const ref = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec: {chartRef: {kind: OCIRepository, name: web}}\n"
	values := chartless + "  values:\n    image:\n      repository: web\n      tag: TAG\n"
	prod := map[string]string{"clusters/prod/apps.yaml": flux("apps", "path: apps"), "clusters/stage/apps.yaml": flux("apps", "path: stage"), "stage/y.yaml": workload("y", "y:1")}
	for _, c := range []struct {
		name    string
		files   map[string]string
		version string
		want    map[string]string
		value   string
	}{
		{"one scalar of values", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.0@"+digest+" # both", 1)}, "1.0.1", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.1 # both", 1)}, "1.0.1"},
		{"two scalars of values", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.0\n      digest: "+digest, 1)}, "1.0.1", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.1", 1)}, "1.0.1"},
		{"the digest alone", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.0\n      digest: "+digest, 1)}, "1.0.0", map[string]string{"apps/web.yaml": strings.Replace(values, "TAG", "1.0.0", 1)}, "1.0.0"},
		{"an image reference", map[string]string{"apps/web.yaml": workload("web", "reg.example/web:1.0.0@"+digest)}, "1.0.1", map[string]string{"apps/web.yaml": workload("web", "reg.example/web:1.0.1")}, "reg.example/web:1.0.1"},
		{"an OCIRepository", map[string]string{"apps/web.yaml": strings.Replace(oci, "DIGEST", digest, 1) + "---\n" + ref}, "1.0.1", map[string]string{"apps/web.yaml": strings.Replace(strings.Replace(oci, "    digest: DIGEST\n", "", 1), "1.0.0", "1.0.1", 1) + "---\n" + ref}, "1.0.1"},
		{
			"an entry of images",
			map[string]string{"apps/kustomization.yaml": "resources: [web.yaml]\nimages:\n- name: web\n  newTag: 1.0.0\n  digest: " + digest + " # pinned\n", "apps/web.yaml": workload("web", "web:0.1.0")},
			"1.0.1",
			map[string]string{"apps/kustomization.yaml": "resources: [web.yaml]\nimages:\n- name: web\n  newTag: 1.0.1\n"},
			"web:1.0.1",
		},
		{
			"the digest in a patch, the tag in a base that nobody else reads",
			map[string]string{
				"apps/kustomization.yaml": "resources: [base.yaml]\npatches: [{path: web.yaml}]\n", "apps/base.yaml": strings.Replace(values, "TAG", "1.0.0", 1),
				"apps/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  values:\n    replicas: 2\n    image:\n      digest: " + digest + "\n",
			},
			"1.0.1",
			map[string]string{
				"apps/base.yaml": strings.Replace(values, "TAG", "1.0.1", 1),
				"apps/web.yaml":  "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  values:\n    replicas: 2\n",
			},
			"1.0.1",
		},
		{"no digest at all", map[string]string{"apps/web.yaml": workload("web", "web:1.0.0")}, "1.0.1", map[string]string{"apps/web.yaml": workload("web", "web:1.0.1")}, "web:1.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			maps.Copy(c.files, prod)
			r := newRig(t, repo(c.files))
			change := want("x/web", c.version, "prod", "apps", !strings.Contains(c.files["apps/web.yaml"], "Deployment"))
			_, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			f := asFault(err)
			if digested := strings.Contains(strings.Join(slices.Collect(maps.Values(c.files)), ""), digest) && c.version != "1.0.0"; digested != (f != nil && f.Code == "digest" && slices.Equal(f.Choices, []string{"promote web@1.0.1 to prod tag-only"}) && strings.Contains(f.Help, "`tag-only` takes the digest away")) {
				t.Fatalf("without being told: %s", explainOrNil(err))
			}
			change.TagOnly = true
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			if err != nil {
				t.Fatal(explain(err))
			}
			for file, data := range p.Files {
				if string(data) != c.want[file] {
					t.Errorf("%s is\n%s\nwant\n%s", file, data, c.want[file])
				}
			}
			if len(p.Files) != len(c.want) || p.Already || p.Site.Value != c.value || strings.Contains(addedTo(p.RenderedDiff), digest) {
				t.Errorf("%d files, %+v", len(p.Files), p)
			}
		})
	}
}

// TestADigestAloneIsNoTag is for an OCIRepository that names no tag: one would be
// written in the digest's place.
func TestADigestAloneIsNoTag(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/web.yaml": "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {name: web, namespace: x}\nspec:\n  url: oci://reg.example/charts/web\n  ref:\n    digest: sha256:" + strings.Repeat("1", 64) + "\n---\n" +
			"apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec: {chartRef: {kind: OCIRepository, name: web}}\n",
	}))
	for _, tagOnly := range []bool{false, true} {
		change := want("x/web", "1.0.1", "prod", "apps", true)
		change.TagOnly = tagOnly
		if _, err := r.Plan(t.Context(), change, unseen("prod")); asFault(err) == nil || asFault(err).Code != "digest" || len(asFault(err).Choices) > 0 {
			t.Errorf("%s", explainOrNil(err))
		}
	}
}

// addedTo are the lines that a diff adds.
func addedTo(diff string) (out string) {
	for line := range strings.Lines(diff) {
		if strings.HasPrefix(line, "+") {
			out += line
		}
	}
	return out
}

// TestTagOnlyWithAPin is for a digest in a base that others read: an override can
// hide one that is joined with its tag, not one that stands beside it.
func TestTagOnlyWithAPin(t *testing.T) {
	t.Parallel()
	digest := "sha256:" + strings.Repeat("1", 64)
	layout := func(base string) map[string]string {
		return map[string]string{
			"clusters/prod/apps.yaml": flux("apps", "path: prod"), "clusters/stage/apps.yaml": flux("apps", "path: base"), "base/kustomization.yaml": "resources: [web.yaml]\n", "base/web.yaml": base,
			"prod/kustomization.yaml": "resources: [../base]\n",
		}
	}
	r := newRig(t, repo(layout(workload("web", "reg.example/web:1.0.0@"+digest))))
	change := want("x/web", "1.0.1", "prod", "apps", false)
	change.TagOnly = true
	_, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
	if f := asFault(err); f == nil || f.Code != "shared" || !slices.Equal(f.Choices, []string{"promote web@1.0.1 to prod pin tag-only"}) {
		t.Fatalf("shared: %s", explainOrNil(err))
	}
	change.Pin = true
	p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
	if err != nil || p.Site.Value != "reg.example/web:1.0.1" || !strings.Contains(string(p.Files["prod/kustomization.yaml"]), "newTag: 1.0.1\n") || len(p.Files) != 1 {
		t.Errorf("pinned: %s %+v", explainOrNil(err), p.Edits)
	}

	paired := strings.Replace(release, "      version: 1.0.0\n", "", 1) + "  values:\n    image: {repository: web, tag: 1.0.0, digest: \"" + digest + "\"}\n"
	r = newRig(t, repo(layout(paired)))
	change = want("x/web", "1.0.1", "prod", "apps", true)
	change.TagOnly, change.Pin = true, true
	if p, err = r.Plan(t.Context(), change, unseen("prod", "stage")); asFault(err) == nil || asFault(err).Code != "digest" || len(p.Files) > 0 {
		t.Errorf("a digest beside the tag of the base: %s", explainOrNil(err))
	}
	change.Pin, change.With = false, []deploy.Target{target("stage/web")}
	if p, err = r.Plan(t.Context(), change, unseen("prod", "stage")); err != nil || strings.Contains(string(p.Files["base/web.yaml"]), "digest") || len(p.Parts) != 1 {
		t.Errorf("with all that share it: %s", explainOrNil(err))
	}
	change.Version = deploy.Version("1.0.1@" + digest)
	if _, err = r.Plan(t.Context(), change, unseen("prod", "stage")); !fault.Is(err, fault.Invalid) {
		t.Errorf("a version with a digest: %s", explainOrNil(err))
	}
}
