package oracle

import (
	"slices"
	"strings"
	"testing"
)

// TestFalseClaims spoils right answers, one way at a time: none of them may pass.
func TestFalseClaims(t *testing.T) {
	fixtures, err := Fixtures(layouts)
	if err != nil {
		t.Fatal(err)
	}
	spoil := map[string]func(Claim) (Claim, bool){
		"another line":    func(c Claim) (Claim, bool) { c.Line++; return c, c.File != "" },
		"another file":    func(c Claim) (Claim, bool) { c.File = "clusters/none.yaml"; return c, c.Line > 0 },
		"another version": func(c Claim) (Claim, bool) { c.Version = "77.7.7"; return c, c.File != "" },
		"another object":  func(c Claim) (Claim, bool) { c.Object = "HelmRelease web/nobody"; return c, c.File != "" },
		"another path":    func(c Claim) (Claim, bool) { c.Path = "/metadata/name"; return c, c.File != "" },
		"said isolated":   func(c Claim) (Claim, bool) { c.Status = Isolated; return c, len(c.SharedWith) > 0 },
		"said shared":     func(c Claim) (Claim, bool) { c.Status = Shared; return c, c.File != "" && len(c.SharedWith) == 0 },
		"said none":       func(c Claim) (Claim, bool) { c.Status = None; return c, c.File != "" },
		"said ambiguous":  func(c Claim) (Claim, bool) { c.Status = Ambiguous; return c, c.File != "" },
		"no status":       func(c Claim) (Claim, bool) { c.Status = ""; return c, true },
		"one less":        func(c Claim) (Claim, bool) { c.SharedWith = nil; return c, c.Status == Shared },
		"one more": func(c Claim) (Claim, bool) {
			c.SharedWith = append(slices.Clone(c.SharedWith), Pair{"x", "y", "z", ""})
			return c, c.Status == Shared
		},
		"another app":       func(c Claim) (Claim, bool) { c.Name += "x"; return c, c.File != "" },
		"another cluster":   func(c Claim) (Claim, bool) { c.Cluster = "clusters/none"; return c, true },
		"another kind":      func(c Claim) (Claim, bool) { c.Kind = "Job"; return c, c.File != "" },
		"another namespace": func(c Claim) (Claim, bool) { c.Namespace = "elsewhere"; return c, c.File != "" },
	}
	for _, f := range fixtures {
		repo := open(t, f)
		for _, claim := range f.complete(repo).Apps {
			for name, by := range spoil {
				spoiled, can := by(claim)
				if !can {
					continue
				}
				if v := repo.Judge(Inventory{Apps: []Claim{spoiled}}); v[0].Word != Wrong {
					t.Errorf("%s: %s with %s is %s", f.Name, claim.Pair, name, v[0].Word)
				}
			}
		}
		repo.Close()
	}
}

// TestMissing says that what ferry keeps silent about counts.
func TestMissing(t *testing.T) {
	repo := open(t, fixtureNamed(t, "l01-shared-base"))
	for _, v := range repo.Judge(Inventory{}) {
		if v.Word != Wrong || v.Mechanism != "missing" {
			t.Errorf("%s: %s %s", v.Pair, v.Word, v.Mechanism)
		}
	}
}

// TestChoice holds the rule: a marker wins, a library chart means the image, else the chart's version.
func TestChoice(t *testing.T) {
	for name, wrong := range map[string]string{
		"m01-values-image": "chart", "t16-library-chart": "chart", "m02-chart-version": "image", "t12-automation-on-shared-base": "chart", "t13-one-version-in-four-fields": "image",
	} {
		repo := open(t, fixtureNamed(t, name))
		for _, app := range repo.Apps() {
			if app.Kind == "HelmRelease" && repo.judgeChoice(app, Claim{Field: wrong}) == "" {
				t.Errorf("%s: %s by its %s is taken for the rule's choice", name, app.Pair, wrong)
			}
		}
	}
}

// TestRangeLeavesTheChoice says that an image may be chosen where the chart has a range.
func TestRangeLeavesTheChoice(t *testing.T) {
	repo := open(t, fixtureNamed(t, "t11-range"))
	for _, app := range repo.Apps() {
		if why := repo.judgeChoice(app, Claim{Field: "image"}); why != "" {
			t.Errorf("%s: %s", app.Pair, why)
		}
		if repo.judgeChoice(app, Claim{Field: "image", Path: "/spec/values/deployment/initContainers/0/image"}) == "" {
			t.Errorf("%s: an init container's image is taken for the app's", app.Pair)
		}
	}
}

func fixtureNamed(t *testing.T, name string) Fixture {
	t.Helper()
	fixtures, err := Fixtures(layouts)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(fixtures, func(f Fixture) bool { return f.Name == name })
	if i < 0 {
		t.Fatalf("there is no fixture %s", name)
	}
	return fixtures[i]
}

const overlay = `apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: podinfo
  namespace: web
spec:
  chart:
    spec:
      version: `

// TestPins judges pins of a shared pair, right ones and such as are none.
func TestPins(t *testing.T) {
	const kustomization = "apps/stage/kustomization.yaml"
	f := fixtureNamed(t, "l01-shared-base")
	repo := open(t, f)
	claim := f.complete(repo).Apps[1] // stage, which has no patch yet
	named := Edit{File: kustomization, Line: 5, Column: 1, After: "patches:\n  - path: pin.yaml\n"}
	file := func(version string) Edit {
		return Edit{File: "apps/stage/pin.yaml", Line: 1, Column: 1, After: overlay + version + "\n"}
	}
	for _, c := range []struct {
		name  string
		edits []Edit
		why   string // part of it; "" for a pin
	}{
		{"to another version", []Edit{named, file("6.5.5")}, ""},
		{"to the version that is there", []Edit{named, file("6.5.4")}, ""},
		{"no edits", nil, "no edits"},
		{"a file that nothing names", []Edit{file("6.5.5")}, "still moves it"},
		{"the base itself", []Edit{{File: "apps/base/release.yaml", Line: claim.Line, Column: 16, Before: "6.5.4", After: "6.5.5"}}, "also moves clusters/prod web/podinfo"},
		{"text that is not there", []Edit{{File: kustomization, Line: 2, Column: 1, Before: "Kind", After: "x"}}, "does not stand at"},
		{"a broken build", []Edit{{File: kustomization, Line: 5, Column: 1, After: "patches:\n  - path: nowhere.yaml\n"}}, "a build fails"},
		{"another field", []Edit{named, {File: "apps/stage/pin.yaml", Line: 1, Column: 1, After: strings.Replace(overlay, "  chart:\n    spec:\n      version: ", "  interval: 7m\n", 1)}}, "does not move"},
	} {
		claim.Pin = &Pin{OK: true, Edits: c.edits}
		v := repo.Judge(Inventory{Apps: []Claim{claim}})[0]
		if !v.Pinned || (c.why == "") != (v.Pin == "") || !strings.Contains(v.Pin, c.why) {
			t.Errorf("%s: %q, want %q", c.name, v.Pin, c.why)
		}
	}
	claim.Pin = &Pin{Why: "no overlay"}
	if v := repo.Judge(Inventory{Apps: []Claim{claim}})[0]; !strings.Contains(v.Pin, "no overlay") {
		t.Errorf("a pin that is not offered: %q", v.Pin)
	}
}

// TestSharedThoughIsolated says that a shared place is the wrong one where another moves this app alone: the folder of
// the next version is there, so the path of one cluster can name it.
func TestSharedThoughIsolated(t *testing.T) {
	f := fixtureNamed(t, "t09-version-is-a-folder")
	const vendored = "vendor/operator/v0.79.1/operator.yaml"
	f.Tree["vendor/operator/v0.79.2/operator.yaml"] = []byte(strings.ReplaceAll(string(f.Tree[vendored]), "v0.79.1", "v0.79.2"))
	repo := open(t, f)
	for _, claim := range f.complete(repo).Apps[1:] {
		if v := repo.Judge(Inventory{Apps: []Claim{claim}})[0]; v.Word != Wrong || !strings.Contains(v.Reason, "flux-system.yaml:32:27 is isolated") {
			t.Errorf("%s: %s %s", v.Pair, v.Word, v.Reason)
		}
	}
}

// TestNewFile says that a new manifest counts where a folder is taken whole, and not where a kustomization names what
// does.
func TestNewFile(t *testing.T) {
	f := fixtureNamed(t, "t07-generated-kustomization")
	repo := open(t, f)
	added := func(dir string) bool {
		text := strings.ReplaceAll(string(f.Tree["apps/a/redis.yaml"]), "redis", "added")
		for p := range repo.moves(Change{dir + "/added.yaml": []byte(text)}).apps {
			if p.Name == "added" {
				return true
			}
		}
		return false
	}
	if !added("apps/a") || !added("apps/new") || added("apps/c") || added("apps/.github") {
		t.Errorf("in a: %t, in a new folder: %t, in c: %t, in .github: %t", added("apps/a"), added("apps/new"), added("apps/c"), added("apps/.github"))
	}
}
