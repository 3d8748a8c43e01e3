package delivery_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// armada is a repository of apps on clusters, each with an overlay and a version of
// its own, but for one base that all clusters share.
func armada(apps int, clusters ...string) fstest.MapFS {
	files := fstest.MapFS{"notes/README.md": {Data: []byte("0\n")}}
	for _, c := range clusters {
		var resources strings.Builder
		for i := range apps {
			name := fmt.Sprintf("app%02d", i)
			fmt.Fprintf(&resources, "- %s\n", name)
			files["apps/"+c+"/"+name+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [../../../base/" + name + "]\nimages:\n- name: " + name + "\n  newTag: 1.0.0\n")}
		}
		files["clusters/"+c+"/apps.yaml"] = &fstest.MapFile{Data: []byte(fmt.Sprintf("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec: {path: apps/%s, sourceRef: {kind: GitRepository, name: flux-system}}\n", c))}
		files["apps/"+c+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources:\n" + resources.String() + "- ../../base/common\n")}
	}
	deployment := func(name, tag string) string {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: %s, namespace: x}\nspec:\n  template:\n    spec:\n      containers:\n      - name: %s\n        image: %s%s\n", name, name, name, tag)
	}
	for i := range apps {
		name := fmt.Sprintf("app%02d", i)
		files["base/"+name+"/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [app.yaml]\n")}
		files["base/"+name+"/app.yaml"] = &fstest.MapFile{Data: []byte(deployment(name, ""))}
	}
	files["base/common/kustomization.yaml"] = &fstest.MapFile{Data: []byte("resources: [app.yaml]\n")}
	files["base/common/app.yaml"] = &fstest.MapFile{Data: []byte(deployment("common", ":1.0.0"))}
	return files
}

func setOf(apps int, version string, clusters ...string) (out []deploy.Change) {
	for i := range apps {
		for _, c := range clusters {
			out = append(out, want(fmt.Sprintf("x/app%02d", i), version, c, "apps", false))
		}
	}
	return out
}

var setBy = deploy.Authorship{Job: "k3f9q", Command: "promote", Requester: "U1", Name: "Ada", Email: "ada@example.com", Wave: 1}

// TestASetIsOneCommit carries 40 apps to three clusters in two waves, a commit each,
// which are told apart; nothing but the versions changes.
func TestASetIsOneCommit(t *testing.T) {
	t.Parallel()
	const apps = 40
	r := newRig(t, armada(apps, "prod-ca", "prod-eu", "prod-us"))
	declared := func() []deploy.Declared { return unseen("prod-ca", "prod-eu", "prod-us") }
	began := time.Now()
	tried, err := r.PlanSet(t.Context(), setOf(apps, "2.0.0", "prod-ca", "prod-eu", "prod-us"), declared())
	if err != nil {
		t.Fatal(explain(err))
	}
	t.Logf("%d changes planned in %s", len(tried), time.Since(began))
	shown := map[deploy.Target]string{}
	for _, one := range tried {
		if one.Err != nil || one.Plan.From != "1.0.0" || len(one.Plan.Edits) != 1 {
			t.Fatalf("%s: %+v, %v", one.Plan.Change.Target, one.Plan.Edits, explain(one.Err))
		}
		shown[one.Plan.Change.Target] = one.Plan.Hash
	}
	var made []deploy.Commit
	for i, clusters := range [][]string{{"prod-ca"}, {"prod-eu", "prod-us"}} {
		by, asked := setBy, 0
		by.Wave = i + 1
		began = time.Now()
		plans, commit, err := r.ApplySet(t.Context(), setOf(apps, "2.0.0", clusters...), declared, by, func(plans []deploy.Plan) error {
			if asked++; i == 1 { // somebody pushes something else in that moment
				if _, err := r.repo.Commit("main", "note", map[string]string{"notes/README.md": "1\n"}); err != nil {
					return err
				}
			}
			for _, p := range plans {
				if shown[p.Change.Target] != p.Hash {
					return fmt.Errorf("%s is another plan than was shown", p.Change.Target)
				}
			}
			return nil
		})
		if err != nil || len(plans) != apps*len(clusters) || asked != 1 {
			t.Fatalf("wave %d: %d plans, asked %d times, %v", i+1, len(plans), asked, explain(err))
		}
		t.Logf("wave %d of %d changes planned and committed in %s", i+1, len(plans), time.Since(began))
		made = append(made, commit)
	}
	log, err := r.repo.Log("main")
	if err != nil || len(log) != 4 { // the seed, two waves and the push between
		t.Fatalf("%d commits, %v", len(log), err)
	}
	message := log[0].Message
	for _, want := range []string{"promote 40 apps on prod-eu, prod-us\n", "\nFerry-Wave: k3f9q/2\n", "\nFerry-App: x/app39\nFerry-Cluster: prod-us\nFerry-From: 1.0.0\nFerry-Version: 2.0.0\n", "Co-authored-by: Ada <ada@example.com>"} {
		if !strings.Contains(message, want) {
			t.Errorf("%q is not in the message:\n%.600s", want, message)
		}
	}
	for n, want := range made {
		found, ok, err := r.FindWave(t.Context(), "k3f9q", n+1, began.Add(-time.Hour))
		if err != nil || !ok || found.SHA != want.SHA {
			t.Errorf("wave %d is %+v, %v, want %s", n+1, found, err, want.SHA)
		}
	}
	if _, ok, err := r.FindWave(t.Context(), "k3f9q", 3, began.Add(-time.Hour)); ok || err != nil {
		t.Errorf("a third wave is found: %v", err)
	}
	for _, c := range []string{"prod-ca", "prod-eu", "prod-us"} {
		for name, file := range armada(apps, c) {
			want := string(file.Data)
			if name == "notes/README.md" {
				want = "1\n"
			}
			text, err := r.repo.ReadFile("main", name)
			if want = strings.ReplaceAll(want, "newTag: 1.0.0", "newTag: 2.0.0"); err != nil || text != want {
				t.Errorf("%s is\n%s", name, text)
			}
		}
	}
	records := 0
	err = r.Promotions(t.Context(), began.Add(-time.Hour), func(rec deploy.Record) error {
		if records++; rec.Job != "k3f9q" || rec.By != "U1" || rec.Version != "2.0.0" {
			return fmt.Errorf("%+v", rec)
		}
		return nil
	})
	if err != nil || records != 3*apps {
		t.Errorf("Git tells of %d promotions, %v", records, err)
	}
	_, again, err := r.ApplySet(t.Context(), setOf(apps, "2.0.0", "prod-ca"), declared, setBy, nil)
	if err != nil || again.SHA != "" {
		t.Errorf("what is there already makes %+v, %v", again, err)
	}
}

// TestOneBadChangeStopsNoOtherPlan tells of each what stands in its way; but none of
// them is committed without the others.
func TestOneBadChangeStopsNoOtherPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, armada(3, "prod-eu", "prod-us"))
	declared := func() []deploy.Declared { return unseen("prod-eu", "prod-us") }
	changes := append(setOf(3, "2.0.0", "prod-eu"), want("x/common", "2.0.0", "prod-eu", "apps", false), want("x/app00", "3.0.0", "prod-eu", "apps", false), want("x/gone", "2.0.0", "prod-eu", "apps", false))
	tried, err := r.PlanSet(t.Context(), changes, declared())
	if err != nil || len(tried) != 6 {
		t.Fatal(tried, err)
	}
	for i, one := range tried {
		if (one.Err != nil) != (i >= 3) {
			t.Errorf("%s %s: %v", one.Plan.Change.Target, one.Plan.Change.Version, explain(one.Err))
		}
	}
	us := deploy.Target{Cluster: "prod-us", App: deploy.App{Namespace: "x", Name: "common"}}
	if shared := tried[3]; !slices.Equal(shared.Plan.Sharing, []deploy.Target{us}) {
		t.Errorf("common shares its version with %v", shared.Plan.Sharing)
	}
	if !fault.Is(tried[4].Err, fault.Invalid) {
		t.Errorf("an app twice: %v", explain(tried[4].Err))
	}
	_, made, err := r.ApplySet(t.Context(), changes, declared, setBy, func([]deploy.Plan) error { t.Error("it shows plans"); return nil })
	if !fault.Is(err, fault.Refused) || made.SHA != "" {
		t.Errorf("%+v, %v", made, explain(err))
	}
	together := append(setOf(3, "2.0.0", "prod-eu"), want("x/common", "2.0.0", "prod-eu", "apps", false))
	together[3].With = []deploy.Target{us}
	plans, made, err := r.ApplySet(t.Context(), together, declared, setBy, nil)
	if err != nil || made.SHA == "" || len(plans[3].Parts) != 1 || plans[3].Parts[0].From != "1.0.0" {
		t.Errorf("together: %+v, %v", made, explain(err))
	}
	if log, err := r.repo.Log("main"); err != nil || len(log) != 2 {
		t.Errorf("%d commits, %v", len(log), err)
	}
}

// TestASetThatBecameAnother is not committed: somebody changed one of its values
// between the plans that were shown and the commit.
func TestASetThatBecameAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t, armada(2, "prod-eu"))
	declared := func() []deploy.Declared { return unseen("prod-eu") }
	_, made, err := r.ApplySet(t.Context(), setOf(2, "2.0.0", "prod-eu"), declared, setBy, func([]deploy.Plan) error {
		text, err := r.repo.ReadFile("main", "apps/prod-eu/app00/kustomization.yaml")
		if err != nil {
			return err
		}
		_, err = r.repo.Commit("main", "by hand", map[string]string{"apps/prod-eu/app00/kustomization.yaml": strings.Replace(text, "newTag: 1.0.0", "newTag: 1.5.0", 1)})
		return err
	})
	if !fault.Is(err, fault.Refused) || made.SHA != "" || !strings.Contains(explain(err), "app00 on prod-eu was changed by somebody else meanwhile") {
		t.Errorf("%+v, %s", made, explain(err))
	}
	if log, err := r.repo.Log("main"); err != nil || len(log) != 2 {
		t.Errorf("%d commits, %v", len(log), err)
	}
}
