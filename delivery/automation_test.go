package delivery_test

import (
	"maps"
	"strings"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

const sources = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: flux-system, namespace: flux-system}\nspec: {url: 'ssh://git@127.0.0.1/acme/fleet', ref: {branch: main}}\n---\n"

// imageUpdate is an automation of namespace x; path, and more fields of spec.
func imageUpdate(path, more string) string {
	return "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageUpdateAutomation\nmetadata:\n  name: updates\n  namespace: x\nspec: {sourceRef: {kind: GitRepository, name: flux-system, namespace: flux-system}, update: {path: " + path + "}" + more + "}\n"
}

func policy(labels string) string {
	return "---\napiVersion: image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata: {name: web, namespace: x, labels: {" + labels + "}}\nspec: {imageRepositoryRef: {name: web}}\n"
}

func marked(tag, marker string) string {
	return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: x}\nspec:\n  selector: {}\n  template:\n    spec:\n      containers:\n      - name: web\n        image: reg.example/web:" + tag + " # {\"$imagepolicy\": \"" + marker + "\"}\n"
}

// TestAutomation: what image automation would write over is refused; what it
// leaves alone is not, and what cannot be told is warned of.
func TestAutomation(t *testing.T) {
	t.Parallel()
	const in, elsewhere = "in charge", "elsewhere"
	unknownZone := map[string]string{"clusters/prod/self.yaml": flux("self", "path: clusters/prod, postBuild: {substituteFrom: [{kind: Secret, name: zone}]}")}
	for _, c := range []struct {
		name, automation, marker string
		more                     map[string]string
		want                     string
		warns                    string
	}{
		{name: "in charge", automation: imageUpdate("./apps", "") + policy(""), want: in},
		{name: "of the whole repository", automation: imageUpdate(".", ""), want: in},
		{name: "a path that is clamped", automation: imageUpdate("../apps/", ""), want: in},
		{name: "of a part of the name", automation: imageUpdate("./app", ""), warns: "`apps/web.yaml:10` is marked for ImagePolicy x/web; no image automation for it is found in Git"},
		{name: "suspended", automation: imageUpdate("./apps", ", suspend: true")},
		{name: "of another namespace", automation: imageUpdate("./apps", ""), marker: "y:web", warns: "marked for ImagePolicy y/web"},
		{name: "pushes elsewhere", automation: imageUpdate("./apps", ", git: {push: {branch: updates}}"), warns: "ImageUpdateAutomation x/updates (`clusters/prod/auto.yaml:2`) writes `apps/web.yaml:10` too, on the branch updates"},
		{name: "pushes to a branch that a variable names", automation: imageUpdate("./apps", ", git: {push: {branch: 'auto-${zone}'}}"), more: unknownZone, warns: "on the branch auto-${zone}: merging"},
		{name: "a variable that may name the branch", automation: imageUpdate("./apps", ", git: {push: {branch: 'm${zone}'}}"), more: unknownZone, want: in},
		{name: "checks out elsewhere, pushes here", automation: imageUpdate("./apps", ", git: {checkout: {ref: {branch: base}}, push: {branch: main}}"), want: in},
		{name: "works elsewhere", automation: imageUpdate("./apps", ", git: {checkout: {ref: {branch: base}}}"), warns: "no image automation"},
		{name: "of another repository", automation: strings.NewReplacer("acme/fleet", "acme/other", "name: flux-system, n", "name: other, n").Replace(sources + imageUpdate("./apps", "")), warns: "no image automation"},
		{name: "its source is not in Git", automation: strings.ReplaceAll(imageUpdate("./apps", ""), "name: flux-system, n", "name: writer, n"), want: in},
		{name: "selects the policy", automation: imageUpdate("./apps", ", policySelector: {matchLabels: {team: a}}") + policy("team: a"), want: in},
		{name: "selects other policies", automation: imageUpdate("./apps", ", policySelector: {matchLabels: {team: a}}") + policy("team: b"), warns: "no image automation"},
		{name: "no marker", automation: imageUpdate("./apps", ""), marker: "none"},
		{name: "in a file that nobody applies", more: map[string]string{"old/auto.yaml": imageUpdate("./apps", "")}, want: elsewhere},
		{name: "nowhere", warns: "no image automation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			marker := c.marker
			if marker == "" {
				marker = "x:web"
			}
			files := map[string]string{
				"clusters/prod/apps.yaml": flux("apps", "path: apps") + sources, "apps/web.yaml": marked("1.0.0", marker), "clusters/prod/auto.yaml": c.automation,
			}
			if c.automation == "" {
				delete(files, "clusters/prod/auto.yaml")
			}
			maps.Copy(files, c.more)
			r := newRig(t, repo(files))
			p, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), unseen("prod"))
			f := asFault(err)
			switch {
			case c.want == "" && err != nil:
				t.Fatal(explain(err))
			case c.want == "" && c.warns == "" && len(p.Warnings) > 0:
				t.Errorf("warns: %v", p.Warnings)
			case c.want == "" && c.warns != "" && (len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], c.warns)):
				t.Errorf("warns %q, want %q", p.Warnings, c.warns)
			case c.want != "" && (f == nil || f.Code != delivery.Automated || len(p.Automation) != 1 || !p.Automation[0].InCharge()):
				t.Errorf("%s: %+v", explainOrNil(err), p.Automation)
			case c.want == elsewhere && p.Automation[0].At != (deploy.Place{File: "old/auto.yaml", Line: 2}):
				t.Errorf("%+v", p.Automation)
			}
		})
	}
}

// TestAutomationSays names who owns the field and what helps; when told to, ferry
// only warns.
func TestAutomationSays(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps") + sources,
		"apps/web.yaml":           marked("1.0.0", "x:web"), "clusters/prod/auto.yaml": imageUpdate("./apps", "") + policy(""),
	}
	r := newRig(t, repo(files))
	change := want("x/web", "1.0.1", "prod", "apps", false)
	p, err := r.Plan(t.Context(), change, unseen("prod"))
	f := asFault(err)
	if f == nil || f.Kind != fault.Refused || f.Says != "the version of web on prod belongs to image automation, which would undo a promotion" ||
		f.Help != "ImageUpdateAutomation x/updates (`clusters/prod/auto.yaml:2`) writes `apps/web.yaml:10`, as ImagePolicy x/web (`clusters/prod/auto.yaml:9`) selects\n"+
			"set `spec.suspend: true` in `clusters/prod/auto.yaml` (`flux suspend image update updates -n x` holds it until that is applied), or let the policy select `1.0.1`" {
		t.Fatalf("%s", explainOrNil(err))
	}
	wanted := deploy.Automation{
		Ref: deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: "x", Name: "updates"}, Cluster: "prod",
		Policy: deploy.Ref{Kind: "ImagePolicy", Namespace: "x", Name: "web"}, At: deploy.Place{File: "clusters/prod/auto.yaml", Line: 2},
		PolicyAt: deploy.Place{File: "clusters/prod/auto.yaml", Line: 9}, Field: deploy.Place{File: "apps/web.yaml", Line: 10},
	}
	if len(p.Automation) != 1 || p.Automation[0] != wanted {
		t.Errorf("%+v", p.Automation)
	}
	r.configure(t, func(o *delivery.Options) { o.WarnAutomated = true })
	p, err = r.Plan(t.Context(), change, unseen("prod"))
	if err != nil || len(p.Warnings) != 1 || !strings.HasPrefix(p.Warnings[0], f.Says+": ImageUpdateAutomation") || len(p.Files) != 1 {
		t.Errorf("%s %q", explainOrNil(err), p.Warnings)
	}
}

// TestPinBesideAutomation: an override of the cluster's own is out of reach of
// the automation that owns the shared field.
func TestPinBesideAutomation(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml":      flux("apps", "path: apps/prod") + sources,
		"clusters/stage/apps.yaml":     flux("apps", "path: apps/stage") + sources,
		"clusters/stage/auto.yaml":     imageUpdate("./", ""),
		"base/kustomization.yaml":      "resources: [web.yaml]\n",
		"base/web.yaml":                marked("1.0.0", "x:web"),
		"apps/prod/kustomization.yaml": "resources: [../../base]\n", "apps/stage/kustomization.yaml": "resources: [../../base]\n",
	}))
	change := want("x/web", "1.0.1", "prod", "apps", false)
	if _, err := r.Plan(t.Context(), change, unseen("prod", "stage")); asFault(err) == nil || asFault(err).Code != delivery.Shared {
		t.Fatalf("a shared base: %s", explainOrNil(err))
	}
	change.Pin = true
	p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
	if err != nil || len(p.Automation) > 0 || p.Edits[0].File != "apps/prod/kustomization.yaml" {
		t.Errorf("%s %+v", explainOrNil(err), p)
	}
}
