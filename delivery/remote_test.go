package delivery_test

import (
	"strings"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
)

const elsewhereURL = "https://example.org/gateway/v1/install.yaml"

// TestRemote: what a kustomization takes from elsewhere hurts what comes from
// there, and nothing else.
func TestRemote(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml":         flux("apps", "path: apps, postBuild: {substitute: {TAG: 1.0.0}}"),
		"apps/kustomization.yaml":         "resources: [" + elsewhereURL + ", web.yaml, shared.yaml, gateway, parts, other]\nimages:\n- {name: reg.example/other, newTag: 2.0.0}\n",
		"apps/web.yaml":                   workload("web", "reg.example/web:1.0.0"),
		"apps/shared.yaml":                workload("shared", "reg.example/shared:${TAG}"),
		"apps/other/kustomization.yaml":   "resources: [other.yaml]\n",
		"apps/other/other.yaml":           workload("other", "reg.example/other:1.0.0"),
		"apps/gateway/kustomization.yaml": "resources: ['github.com/acme/gateway//deploy?ref=v1']\npatchesStrategicMerge:\n- patch.yaml\n",
		"apps/gateway/patch.yaml":         workload("gateway", "reg.example/gateway:${TAG}"),
		"apps/parts/kustomization.yaml":   "resources: [shop.yaml]\ncomponents: ['git::https://example.org/parts.git//tls?ref=v2']\n",
		"apps/parts/shop.yaml":            workload("shop", "reg.example/shop:1.0.0"),
	}))
	for _, c := range []struct{ app, code, says string }{
		{"web", "", ""},
		{"gateway", delivery.Elsewhere, "what gateway is on prod is not all in this repository"},
		{"shop", delivery.Elsewhere, "what shop is on prod is not all in this repository"},
		{"shared", delivery.Shared, "Deployment x/gateway on prod"},
		{"unknown", delivery.Elsewhere, "it may come from " + elsewhereURL + ", which `apps/kustomization.yaml` names"},
	} {
		p, err := r.Plan(t.Context(), want("x/"+c.app, "1.0.1", "prod", "apps", false), unseen("prod"))
		f := asFault(err)
		switch {
		case c.code == "" && (err != nil || len(p.Affected) != 1 || len(p.Warnings) != 0):
			t.Errorf("%s: %s %v %q", c.app, explainOrNil(err), p.Affected, p.Warnings)
		case c.code != "" && (f == nil || f.Code != c.code || !strings.Contains(f.Says+f.Help, c.says)):
			t.Errorf("%s: %s", c.app, explainOrNil(err))
		}
	}
	p, err := r.Plan(t.Context(), want("x/other", "2.0.1", "prod", "apps", false), unseen("prod"))
	if err != nil || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "flux-system/apps on prod also takes in what ferry does not read ("+elsewhereURL) {
		t.Errorf("an images entry that reaches what is elsewhere: %s %q", explainOrNil(err), p.Warnings)
	}
}

// TestRemoteOtherwise: what is fetched in any other way than as a resource or a
// component still keeps a Kustomization from being rendered.
func TestRemoteOtherwise(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{
		"a patch": "patches: [{path: 'https://example.org/patch.yaml'}]\n", "a generator's file": "configMapGenerator: [{name: a, files: ['https://example.org/values.yaml']}]\n",
		"a transformer": "transformers: ['https://example.org/t.yaml']\n",
	} {
		r := newRig(t, repo(map[string]string{
			"clusters/prod/apps.yaml": flux("apps", "path: apps"),
			"apps/kustomization.yaml": "resources: [web.yaml, " + elsewhereURL + "]\n" + more,
			"apps/web.yaml":           workload("web", "reg.example/web:1.0.0"),
		}))
		_, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), unseen("prod"))
		if f := asFault(err); f == nil || f.Code != delivery.Unreadable || !strings.Contains(f.Help, "outside of the repository") {
			t.Errorf("%s: %s", name, explainOrNil(err))
		}
	}
}

// TestRemoteBrokenOtherwise: a gap excuses patches that miss, and no other
// mistake.
func TestRemoteBrokenOtherwise(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps") + flux("more", "path: more"),
		"apps/kustomization.yaml": "resources: [web.yaml, missing.yaml, " + elsewhereURL + "]\n",
		"apps/web.yaml":           workload("web", "reg.example/web:1.0.0"),
		"more/kustomization.yaml": "resources: [web.yaml]\npatches: [{path: patch.yaml}]\n",
		"more/web.yaml":           workload("web2", "reg.example/web:1.0.0"),
		"more/patch.yaml":         workload("nobody", "reg.example/web:1.0.0"),
	}))
	for app, owner := range map[deploy.App]string{{Namespace: "x", Name: "web"}: "apps", {Namespace: "x", Name: "web2"}: "more"} {
		_, err := r.Plan(t.Context(), want(app.String(), "1.0.1", "prod", owner, false), unseen("prod"))
		if f := asFault(err); f == nil || f.Code != delivery.Unreadable {
			t.Errorf("%s: %s", app, explainOrNil(err))
		}
	}
}
