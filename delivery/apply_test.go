package delivery_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/playground/github"
)

var asked = deploy.Authorship{Job: "j1", Command: "promote", Requester: "U1", Name: "Ada\nFerry-Job: evil", Email: "ada@example.com"}

func TestApplyCommits(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	c := want("podinfo/podinfo", "6.5.4", "prod", "apps", false)
	began := time.Now()
	shown := 0
	p, made, err := r.Apply(t.Context(), c, fleet, asked, func(deploy.Plan) error { shown++; return nil })
	if err != nil {
		t.Fatal(explain(err))
	}
	cold := r.requests.Load()
	log, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	if shown != 1 || made.SHA != string(head(t, r)) || made.Site != p.Site || len(log) != 2 {
		t.Errorf("shown %d, commit %+v, %d commits", shown, made, len(log))
	}
	wanted := "promote podinfo to 6.5.4 on prod\n\napps/prod/kustomization.yaml:15: 6.5.3 becomes 6.5.4\n\n" +
		"Ferry-Job: j1\nFerry-App: podinfo/podinfo\nFerry-Cluster: prod\nFerry-From: 6.5.3\nFerry-Version: 6.5.4\nFerry-Requester: U1 Ada Ferry-Job: evil\n" +
		"Co-authored-by: Ada Ferry-Job: evil <ada@example.com>"
	if got := strings.TrimSpace(log[0].Message); got != wanted {
		t.Errorf("message:\n%s", got)
	}
	if found, ok, err := r.Find(t.Context(), "j1", began); err != nil || !ok || found.SHA != made.SHA {
		t.Errorf("find: %+v %v %v", found, ok, err)
	}
	if _, ok, err := r.Find(t.Context(), "evil", began); err != nil || ok {
		t.Errorf("found a job that somebody's name made up: %v", err)
	}
	again, err := r.Plan(t.Context(), c, fleet())
	if err != nil || !again.Already || again.Site.Value != p.Site.Value {
		t.Errorf("again: %+v %v", again, err)
	}
	r.requests.Store(0)
	r.sent.Store(0)
	c.Version = "6.5.5"
	if _, _, err := r.Apply(t.Context(), c, fleet, asked, nil); err != nil {
		t.Fatal(explain(err))
	}
	t.Logf("requests per promotion: %d cold, %d warm (%d sent)", cold, r.requests.Load(), r.sent.Load())
	if r.requests.Load() > 2 {
		t.Errorf("%d counted requests when warm", r.requests.Load())
	}
}

func head(t testing.TB, r *rig) github.OID {
	t.Helper()
	h, err := r.repo.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// race is a repository of n apps on adjacent lines of one file.
func race(n int) fstest.MapFS {
	var images, deployments strings.Builder
	for i := range n {
		fmt.Fprintf(&images, "- name: app%d\n  newTag: 1.0.0\n", i)
		fmt.Fprintf(&deployments, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app%d, namespace: x}\nspec: {template: {spec: {containers: [{name: app%d, image: app%d}]}}}\n", i, i, i)
	}
	return fstest.MapFS{
		"clusters/prod/apps.yaml": {Data: []byte("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux-system}\nspec: {path: apps, sourceRef: {kind: GitRepository, name: flux-system}}\n")},
		"apps/kustomization.yaml": {Data: []byte("resources: [apps.yaml]\nimages:\n" + images.String())},
		"apps/apps.yaml":          {Data: []byte(deployments.String())},
		"notes/README.md":         {Data: []byte("0\n")},
	}
}

// TestApplyRaces runs 50 promotions at once, half of them in another process's
// place, while an outsider pushes all the time.
func TestApplyRaces(t *testing.T) {
	const n = 50
	r := newRig(t, race(n))
	other := sibling(t, r)
	ctx, stop := context.WithCancel(t.Context())
	pushes := make(chan int)
	go func() {
		count := 0
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				pushes <- count
				return
			case <-tick.C:
				if _, err := r.repo.Commit("main", "outsider", map[string]string{fmt.Sprintf("notes/%d.md", count): "x\n"}); err == nil {
					count++
				}
			}
		}
	}()
	var wg sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		wg.Go(func() {
			d := r
			if i%2 == 1 {
				d = other
			}
			by := asked
			by.Job = fmt.Sprintf("job%d", i)
			_, _, errs[i] = d.Apply(t.Context(), want(fmt.Sprintf("x/app%d", i), fmt.Sprintf("2.0.%d", i), "prod", "apps", false),
				func() []deploy.Declared { return unseen("prod") }, by, nil)
		})
	}
	wg.Wait()
	stop()
	pushed := <-pushes
	for i, err := range errs {
		if err != nil {
			t.Errorf("job%d: %v", i, explain(err))
		}
	}
	file, err := r.repo.ReadFile("main", "apps/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	log, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if !strings.Contains(file, fmt.Sprintf("- name: app%d\n  newTag: 2.0.%d\n", i, i)) {
			t.Errorf("app%d is lost", i)
		}
		count := 0
		for _, c := range log {
			count += strings.Count(c.Message, fmt.Sprintf("Ferry-Job: job%d\n", i))
		}
		if count != 1 {
			t.Errorf("job%d committed %d times", i, count)
		}
	}
	for i := range pushed {
		if _, err := r.repo.ReadFile("main", fmt.Sprintf("notes/%d.md", i)); err != nil {
			t.Errorf("a push of the outsider is lost: %v", err)
		}
	}
	t.Logf("%d promotions and %d pushes, %d requests", n, pushed, r.sent.Load()+other.sent.Load())
}

func TestApplyConflict(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	c := want("podinfo/podinfo", "6.5.4", "prod", "apps", false)
	_, _, err := r.Apply(t.Context(), c, fleet, asked, func(deploy.Plan) error {
		src, err := r.repo.ReadFile("main", "apps/prod/kustomization.yaml")
		if err != nil {
			return err
		}
		_, err = r.repo.Commit("main", "somebody else", map[string]string{"apps/prod/kustomization.yaml": strings.Replace(src, "newTag: 6.5.3   #", "newTag: 7.0.0   #", 1)})
		return err
	})
	if !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), "7.0.0") || !strings.Contains(explain(err), "6.5.3") {
		t.Errorf("%v", err)
	}
}

func TestApplyLostAnswer(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	fault := github.CutAfterEffect()
	fault.Operation, fault.Times = "createCommitOnBranch", 1
	r.server.Inject(fault)
	c := want("podinfo/podinfo", "6.5.4", "prod", "apps", false)
	_, made, err := r.Apply(t.Context(), c, fleet, asked, nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	log, err := r.repo.Log("main")
	if err != nil || len(log) != 2 || made.SHA != string(head(t, r)) {
		t.Errorf("%d commits, %+v, %v", len(log), made, err)
	}
}

func TestHolding(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	base := string(head(t, r))
	p, made, err := r.Apply(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), fleet, asked, nil)
	if err != nil {
		t.Fatal(explain(err))
	}
	later, err := r.repo.Commit("main", "unrelated", map[string]string{"x.md": "x"})
	if err != nil {
		t.Fatal(err)
	}
	src, err := r.repo.ReadFile("main", "apps/prod/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	replaced, err := r.repo.Commit("main", "replaced", map[string]string{"apps/prod/kustomization.yaml": strings.Replace(src, "newTag: 6.5.4", "newTag: 6.6.0", 1)})
	if err != nil {
		t.Fatal(err)
	}
	for revision, wanted := range map[string]deploy.Holding{
		"main@sha1:" + made.SHA:                deploy.Holds,
		"main@sha1:" + string(later):           deploy.Holds,
		"main@sha1:" + string(replaced):        deploy.Replaced,
		"main@sha1:" + base:                    deploy.NotYet,
		"main/" + made.SHA:                     deploy.Holds,
		"":                                     deploy.NotYet,
		"main@sha1:" + strings.Repeat("0", 40): deploy.NotYet,
	} {
		for range 2 {
			if got, err := r.Holding(t.Context(), p, made, revision, fleet()); err != nil || got != wanted {
				t.Errorf("%s: %s %v, want %s", revision, got, err, wanted)
			}
		}
	}
}

func TestProtectedBranch(t *testing.T) {
	for name, demand := range map[string]github.Protection{"ruleset": {Ruleset: true}, "reviews": {Reviews: 1}, "checks": {Checks: []string{"ci"}}} {
		t.Run(name, func(t *testing.T) {
			r := newProtected(t, demand, github.WriteAccess)
			_, _, err := r.Apply(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), fleet, asked, nil)
			if !fault.Is(err, fault.Refused) {
				t.Errorf("%v", explainOrNil(err))
			}
			rows := r.Check(t.Context())
			if last := rows[len(rows)-1]; last.OK || last.Help == "" {
				t.Errorf("check: %+v", rows)
			}
			t.Log(explainOrNil(err), rows[len(rows)-1])
		})
	}
	r := newProtected(t, github.Protection{}, github.ReadAccess)
	_, _, err := r.Apply(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), fleet, asked, nil)
	if !fault.Is(err, fault.Denied) {
		t.Errorf("%v", explainOrNil(err))
	}
	t.Log(explainOrNil(err), r.Check(t.Context()))
}
