package delivery_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"ferry/delivery"
	"ferry/delivery/registry"
	"ferry/internal/fault"
)

// published is a registry of what was published.
type published struct {
	images map[string]string // "repository:tag" to digest
	charts map[string]bool   // "address name version"
	err    error
}

func (p published) Image(_ context.Context, repository, version string) (registry.Found, error) {
	digest, ok := p.images[repository+":"+version]
	return p.answer(ok, digest, repository, version)
}

func (p published) Chart(_ context.Context, repo registry.Chart, version string) (registry.Found, error) {
	return p.answer(p.charts[repo.URL+" "+repo.Name+" "+version], "", repo.Name, version)
}

func (p published) answer(ok bool, digest, what, version string) (registry.Found, error) {
	if p.err != nil || ok {
		return registry.Found{Exists: ok, Digest: digest}, p.err
	}
	return registry.Found{Why: registry.NoVersion, Says: what + " has no `" + version + "`", Near: []string{"1.0.9", "1.0.8", "1.0.7", "1.0.6"}}, nil
}

func lookingUp(t *testing.T, files map[string]string, v delivery.Versions, require bool) *rig {
	t.Helper()
	r := newRig(t, repo(files))
	r.configure(t, func(o *delivery.Options) { o.Versions, o.RequireVersions = v, require })
	return r
}

// TestLookingUp says what it means for a plan that a version does not exist, or
// that nobody knows.
func TestLookingUp(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/web.yaml":           workload("web", "reg.example/web:1.0.0"),
		"apps/chart.yaml": strings.ReplaceAll(release, "name: web,", "name: chart,") +
			"---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata: {name: r, namespace: x}\nspec: {url: https://charts.example}\n",
	}
	there := published{images: map[string]string{"reg.example/web:1.0.1": "sha256:aa"}, charts: map[string]bool{"https://charts.example web 1.0.1": true}}
	down := published{err: fault.New(fault.Unavailable, "reg.example does not answer", "")}
	for _, c := range []struct {
		name             string
		versions         published
		require, release bool
		app, version     string
		kind             fault.Kind
		says, warning    string
	}{
		{"a tag that exists", there, true, false, "web", "1.0.1", "", "", ""},
		{"a chart that exists", there, true, true, "chart", "1.0.1", "", "", ""},
		{"a tag that does not", there, false, false, "web", "1.0.2", fault.NotFound, "reg.example/web has no `1.0.2`", ""},
		{"a chart that does not", there, false, true, "chart", "1.0.2", fault.NotFound, "web has no `1.0.2`", ""},
		{"nobody answers", down, false, false, "web", "1.0.1", "", "", "Not looked up: reg.example does not answer"},
		{"nobody answers, and that is wanted", down, true, false, "web", "1.0.1", fault.Refused, "not known whether", ""},
		{"something else is wrong", published{err: errors.New("x")}, false, false, "web", "1.0.1", "", "", "Not looked up: the registry did not answer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := lookingUp(t, maps.Clone(files), c.versions, c.require)
			p, err := r.Plan(t.Context(), want("x/"+c.app, c.version, "prod", "apps", c.release), unseen("prod"))
			if fault.KindOf(err) != c.kind || !strings.Contains(explainOrNil(err), c.says) {
				t.Fatalf("%s", explainOrNil(err))
			}
			if c.kind == fault.NotFound {
				f := asFault(err)
				if !slices.Equal(f.Choices, []string{"promote " + c.app + "@1.0.9 to prod", "promote " + c.app + "@1.0.8 to prod", "promote " + c.app + "@1.0.7 to prod"}) || !strings.Contains(f.Help, "`1.0.6`") {
					t.Errorf("choices %q, help %q", f.Choices, f.Help)
				}
			}
			if got := strings.Join(p.Warnings, "; "); got != c.warning {
				t.Errorf("warnings %q, want %q", got, c.warning)
			}
		})
	}
}

// TestDigestsMoveAlong promotes tags that are pinned to a digest, in the same
// field and in one beside it.
func TestDigestsMoveAlong(t *testing.T) {
	t.Parallel()
	old, now := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	const head = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: NAME, namespace: x}\nspec:\n  values:\n    image:\n      repository: reg.example/NAME\n"
	files := map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"),
		"apps/one.yaml":           strings.ReplaceAll(head, "NAME", "one") + "      tag: 1.0.0@" + old + " # both\n",
		"apps/two.yaml":           strings.ReplaceAll(head, "NAME", "two") + "      tag: 1.0.0\n      digest: " + old + "\n",
	}
	r := lookingUp(t, files, published{images: map[string]string{"reg.example/one:1.0.1": now, "reg.example/two:1.0.1": now}}, true)
	for app, wanted := range map[string]string{
		"one": "tag: 1.0.1@" + now + " # both\n",
		"two": "tag: 1.0.1\n      digest: " + now + "\n",
	} {
		p, err := r.Plan(t.Context(), want("x/"+app, "1.0.1", "prod", "apps", true), unseen("prod"))
		if err != nil {
			t.Fatal(explain(err))
		}
		if got := string(p.Files["apps/"+app+".yaml"]); !strings.HasSuffix(got, wanted) || len(p.Files) != 1 {
			t.Errorf("%s:\n%s", app, p.Diff)
		}
	}
}
