package delivery_test

import (
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// TestValuesOfOtherObjects promotes what a release takes from beside it: values
// of a generated ConfigMap, a chart of an OCIRepository with tag and digest.
func TestValuesOfOtherObjects(t *testing.T) {
	t.Parallel()
	const from = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  valuesFrom: [{kind: ConfigMap, name: web-values}]\n"
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml":  flux("apps", "path: apps"),
		"apps/kustomization.yaml":  "resources: [web.yaml]\nnamespace: x\nconfigMapGenerator:\n- name: web-values\n  files: [values.yaml]\nconfigurations: [names.yaml]\n",
		"apps/names.yaml":          "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs: [{path: spec/valuesFrom/name, kind: HelmRelease}]\n",
		"apps/web.yaml":            from,
		"apps/values.yaml":         "image:\n  repository: reg.example/web\n  tag: \"1.0.0\" # the app\n",
		"clusters/prod/fixed.yaml": flux("fixed", "path: fixed"),
		"fixed/release.yaml":       strings.ReplaceAll(strings.ReplaceAll(from, "name: web,", "name: still,"), "web-values", "still-values"),
		"fixed/values.yaml":        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: still-values, namespace: x}\ndata:\n  values.yaml: |\n    image: {repository: reg.example/still, tag: 1.0.0}\n",
	}))
	p, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", true), unseen("prod"))
	if err != nil {
		t.Fatal(explain(err))
	}
	if p.Site.Path != "/data/values.yaml" || p.Site.Inner != "/image/tag" || p.Site.Value != "1.0.1" || !strings.HasPrefix(p.Site.Object.Name, "web-values-") {
		t.Errorf("site %+v", p.Site)
	}
	if e := p.Edits[0]; e != (deploy.Edit{File: "apps/values.yaml", Line: 3, Column: 8, Before: `"1.0.0"`, After: `"1.0.1"`}) {
		t.Errorf("edit %+v", e)
	}
	_, err = r.Plan(t.Context(), want("x/still", "1.0.1", "prod", "fixed", true), unseen("prod"))
	if f := asFault(err); f == nil || !strings.Contains(f.Help, "configMapGenerator") {
		t.Errorf("a ConfigMap that keeps its name: %s", explainOrNil(err))
	}
}
