package delivery_test

import (
	"maps"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
)

// TestEnvFile: a version in a generator's KEY=value file is changed in its line.
func TestEnvFile(t *testing.T) {
	t.Parallel()
	vars := map[string]string{
		"clusters/prod/apps.yaml":          flux("apps", "path: apps, postBuild: {substituteFrom: [{kind: ConfigMap, name: versions}]}"),
		"clusters/prod/kustomization.yaml": "resources: [apps.yaml]\nconfigMapGenerator: [{name: versions, namespace: flux-system, envs: [versions.env]}]\ngeneratorOptions: {disableNameSuffixHash: true}\n",
		"apps/web.yaml":                    workload("web", "reg.example/web:${TAG}"),
	}
	values := map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/kustomization.yaml": "resources: [web.yaml]\nnamespace: x\nconfigMapGenerator: [{name: web, envs: [web.properties]}]\nconfigurations: [names.yaml]\n",
		"apps/names.yaml":         "nameReference:\n- kind: ConfigMap\n  version: v1\n  fieldSpecs:\n  - {path: spec/valuesFrom/name, kind: HelmRelease}\n",
		"apps/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  chart: {spec: {chart: ./web, sourceRef: {kind: GitRepository, name: r}}}\n" +
			"  valuesFrom: [{kind: ConfigMap, name: web, valuesKey: TAG, targetPath: image.tag}]\n",
	}
	for _, c := range []struct {
		name           string
		files          map[string]string
		file, data     string
		release        bool
		code, expected string
	}{
		{"a variable", vars, "clusters/prod/versions.env", "# all\r\nTAG=1.0.0 # 1.0.0\r\nOTHER=1.0.0", false, "", "# all\r\nTAG=1.0.1 # 1.0.0\r\nOTHER=1.0.0"},
		{"a value", values, "apps/web.properties", "OTHER=1.0.0\nTAG=1.0.0", true, "", "OTHER=1.0.0\nTAG=1.0.1"},
		{"a sealed file", vars, "clusters/prod/versions.env", "TAG=1.0.0\nsops_mac=ENC[x]\n", false, delivery.Encrypted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(c.files)
			files[c.file] = c.data
			r := newRig(t, repo(files))
			p, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", c.release), unseen("prod"))
			if c.code != "" {
				if f := asFault(err); f == nil || f.Code != c.code {
					t.Errorf("%s", explainOrNil(err))
				}
				return
			}
			if err != nil {
				t.Fatal(explain(err))
			}
			if got := string(p.Files[c.file]); got != c.expected || len(p.Files) != 1 || p.Edits[0].Before != "1.0.0" || p.Edits[0].After != "1.0.1" {
				t.Errorf("%q %+v", got, p.Edits)
			}
		})
	}
}

// TestRunsBefore: of two images of a library chart the one of the init container
// is not the app's.
func TestRunsBefore(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/web.yaml": "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: web, namespace: x}\nspec:\n  chart: {spec: {chart: app-template, version: 3.0.0, sourceRef: {kind: HelmRepository, name: r}}}\n" +
			"  values:\n    controllers:\n      web:\n        initContainers: {plugin: {image: {repository: reg.example/a, tag: 0.9.0}}}\n        containers: {runner: {image: {repository: reg.example/b, tag: 1.0.0}}}\n",
	}))
	p, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", true), unseen("prod"))
	if err != nil || p.From != "1.0.0" || p.Site.Field != deploy.FieldImage {
		t.Errorf("%s %+v", explainOrNil(err), p.Site)
	}
}
