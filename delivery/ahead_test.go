package delivery_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestManyVersionsInOneFile are planned with few builds, and each plan is the one that
// the change has by itself.
func TestManyVersionsInOneFile(t *testing.T) {
	t.Parallel()
	const apps = 12
	clusters := []string{"prod-ca", "prod-eu"}
	r := newRig(t, crowded(apps, clusters...))
	if _, err := r.Plan(t.Context(), want("x/app00", "1.0.1", "prod-ca", "apps", false), unseen("prod-ca", "prod-eu")); err != nil {
		t.Fatal(explain(err))
	}
	before := r.flux.Builds()
	all := setOf(apps, "2.0.0", clusters...)
	tried, err := r.PlanSet(t.Context(), all, unseen("prod-ca", "prod-eu"))
	if err != nil {
		t.Fatal(explain(err))
	}
	if n := r.flux.Builds() - before; n > 3*len(clusters) {
		t.Errorf("%d builds for %d changes", n, len(all))
	}
	each(t, r, all, tried, "prod-ca", "prod-eu")
	plans, commit, err := r.ApplySet(t.Context(), all, func() []deploy.Declared { return unseen("prod-ca", "prod-eu") }, setBy, nil)
	if err != nil || commit.SHA == "" || len(plans) != len(all) {
		t.Fatal(explain(err))
	}
	for _, c := range clusters {
		path := "apps/" + c + "/kustomization.yaml"
		got, err := r.repo.ReadFile("main", path)
		if err != nil || got != strings.ReplaceAll(string(crowded(apps, c)[path].Data), "1.0.0", "2.0.0") {
			t.Errorf("%s is\n%s%v", path, got, err)
		}
	}
}

// each holds the plans of a set against those which its changes have alone.
func each(t *testing.T, r *rig, all []deploy.Change, tried []deploy.Tried, clusters ...deploy.Cluster) {
	t.Helper()
	for i, c := range all {
		alone, err := r.Plan(t.Context(), c, unseen(clusters...))
		p := tried[i].Plan
		if (err == nil) != (tried[i].Err == nil) || err != nil && saysOf(err) != saysOf(tried[i].Err) {
			t.Errorf("%s: alone %v, in the set %v", c.Target, err, tried[i].Err)
			continue
		}
		if !reflect.DeepEqual(p.Sharing, alone.Sharing) {
			t.Errorf("%s shares with %v, alone with %v", c.Target, p.Sharing, alone.Sharing)
		}
		if err == nil && (p.Hash != alone.Hash || p.From != alone.From || p.RenderedDiff != alone.RenderedDiff || p.Site != alone.Site || !reflect.DeepEqual(p.Edits, alone.Edits) || !reflect.DeepEqual(p.Affected, alone.Affected)) {
			t.Errorf("%s: in the set\n%+v\nalone\n%+v", c.Target, p, alone)
		}
	}
}

func saysOf(err error) string {
	if e, ok := errors.AsType[*fault.Error](err); ok {
		return e.Says
	}
	return fmt.Sprint(err)
}

// TestWhatIsNotKnownAhead is planned as it would be alone: whatever a set has beside
// it, and whatever else a version moves.
func TestWhatIsNotKnownAhead(t *testing.T) {
	t.Parallel()
	const kustomization, at = "apps/prod/kustomization.yaml", "1.0.0\n"
	edit := func(file, from, to string) func(fstest.MapFS) {
		return func(f fstest.MapFS) {
			now := strings.Replace(string(f[file].Data), from, to, 1)
			if now == string(f[file].Data) {
				panic(from + " is not in " + file)
			}
			f[file] = &fstest.MapFile{Data: []byte(now)}
		}
	}
	add := func(file, text string) func(fstest.MapFS) {
		return func(f fstest.MapFS) {
			f[file] = &fstest.MapFile{Data: append([]byte(nil), string(f[file].Data)+text...)}
		}
	}
	sidecar := "      - name: side\n        image: app03\n"
	deployment := func(name, image string) string {
		return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: " + name + ", namespace: x}\nspec:\n  template:\n    spec:\n      containers:\n      - name: main\n        image: " + image + "\n"
	}
	for name, c := range map[string]struct {
		change  func(fstest.MapFS)
		version string
		refused []int // of the apps, which
	}{
		"plain":                       {change: func(fstest.MapFS) {}},
		"a sidecar of another app":    {change: add("base/app04.yaml", sidecar), refused: []int{3}},
		"a version that two share":    {change: edit("base/app05.yaml", "image: app05", "image: app06"), refused: []int{5, 6}},
		"an object beside them":       {change: add("base/app07.yaml", "---\n"+deployment("other", "app07")), refused: []int{7}},
		"a scalar that moves nothing": {change: edit("base/app02.yaml", "image: app02", "image: elsewhere/app02:1.0.0")},
		"written as a number":         {change: edit(kustomization, "app01\n  newTag: "+at, "app01\n  newTag: \"1.0\"\n"), version: "2.0"},
		"copied into a label":         {change: add(kustomization, "replacements:\n- source: {kind: Deployment, name: app08, fieldPath: spec.template.spec.containers.0.image}\n  targets:\n  - select: {kind: Deployment, name: app08}\n    fieldPaths: [metadata.annotations.runs]\n    options: {create: true}\n")},
		"copied into another":         {change: add(kustomization, "replacements:\n- source: {kind: Deployment, name: app08, fieldPath: spec.template.spec.containers.0.image}\n  targets:\n  - select: {kind: Deployment, name: app09}\n    fieldPaths: [metadata.annotations.runs]\n    options: {create: true}\n"), refused: []int{8}},
		"an alias":                    {change: edit(kustomization, "app00\n  newTag: 1.0.0\n- name: app01\n  newTag: 1.0.0", "app00\n  newTag: &v 1.0.0\n- name: app01\n  newTag: *v"), refused: []int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := crowded(10, "prod")
			c.change(files)
			r, version := newRig(t, files), "2.0.0"
			if c.version != "" {
				version = c.version
			}
			all := setOf(10, version, "prod")
			tried, err := r.PlanSet(t.Context(), all, unseen("prod"))
			if err != nil {
				t.Fatal(explain(err))
			}
			var refused []int
			for i, one := range tried {
				if one.Err != nil {
					refused = append(refused, i)
				}
			}
			if !reflect.DeepEqual(refused, c.refused) {
				t.Errorf("refused are %v, want %v", refused, c.refused)
			}
			each(t, r, all, tried, "prod")
		})
	}
}
