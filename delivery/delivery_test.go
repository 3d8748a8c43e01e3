package delivery_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"ferry/delivery"
	fluxrender "ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// rig is a real repository behind a local GitHub, and the delivery to it.
type rig struct {
	*delivery.Delivery
	server   *github.Server
	flux     *fluxrender.Renderer
	repo     *github.Repo
	base     string
	requests atomic.Int64 // counted ones: a 304 is free
	sent     atomic.Int64
}

func newRig(t testing.TB, files fs.FS) *rig {
	t.Helper()
	return serve(t, github.Repository{Owner: "acme", Name: "fleet", Seed: files}, github.WriteAccess)
}

func newProtected(t testing.TB, p github.Protection, access github.Access) *rig {
	t.Helper()
	repo := github.Repository{Owner: "acme", Name: "fleet", Seed: archive(t, "fleet.txtar")}
	if p.Ruleset || p.Reviews > 0 || len(p.Checks) > 0 {
		repo.Protected = map[string]github.Protection{"main": p}
	}
	return serve(t, repo, access)
}

func serve(t testing.TB, repo github.Repository, access github.Access) *rig {
	t.Helper()
	s, err := github.New(github.Options{
		Dir:          t.TempDir(),
		Repositories: []github.Repository{repo},
		Tokens:       map[string]github.Token{"secret": {Login: "ferry-bot", Access: access}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return connect(t, &rig{server: s, repo: s.Repo("acme/fleet"), base: web.URL, flux: fluxrender.NewRenderer()})
}

// sibling is another process on the same repository.
func sibling(t testing.TB, r *rig) *rig {
	t.Helper()
	return connect(t, &rig{server: r.server, repo: r.repo, base: r.base, flux: r.flux})
}

func connect(t testing.TB, r *rig) *rig {
	t.Helper()
	r.configure(t, func(*delivery.Options) {})
	return r
}

// configure makes the delivery anew.
func (r *rig) configure(t testing.TB, change func(*delivery.Options)) {
	t.Helper()
	o := delivery.Options{
		Renderer: r.flux,
		Repository: forge.Options{
			Owner: "acme", Name: "fleet", Branch: "main", BaseURL: r.base + "/api/v3/",
			Token: func(context.Context) (string, error) { return "secret", nil },
			OnRequest: func(q forge.Request) {
				r.sent.Add(1)
				if q.Status != 304 {
					r.requests.Add(1)
				}
			},
		},
	}
	change(&o)
	var err error
	if r.Delivery, err = delivery.New(o); err != nil {
		t.Fatal(err)
	}
}

// archive reads a repository of testdata.
func archive(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	a, err := txtar.ParseFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for _, f := range a.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	return files
}

// unseen are clusters that ferry has not heard from: they are read from Git.
func unseen(names ...deploy.Cluster) []deploy.Declared {
	var out []deploy.Declared
	for _, n := range names {
		out = append(out, deploy.Declared{Cluster: n})
	}
	return out
}

func fleet() []deploy.Declared { return unseen("prod", "stage", "prod-eu") }

// want makes a change; an app is "namespace/name", an owner the name of its
// Kustomization.
func want(app, version, cluster, owner string, release bool) deploy.Change {
	ns, name, _ := strings.Cut(app, "/")
	c := deploy.Change{
		Target:  deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: ns, Name: name}},
		Version: deploy.Version(version),
		Owner:   deploy.Owner{Kustomization: deploy.Ref{Kind: "Kustomization", Namespace: "flux-system", Name: owner}},
	}
	if release {
		c.Owner.Release = deploy.Ref{Kind: "HelmRelease", Namespace: ns, Name: name}
	}
	return c
}

func with(c deploy.Change, f deploy.FieldKind) deploy.Change {
	c.Field = f
	return c
}

const newDigest = "6.5.4@sha256:2222222222222222222222222222222222222222222222222222222222222222"

func TestPlan(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	for _, c := range []struct {
		name          string
		change        deploy.Change
		file          string
		before, after string // of the line
		from, value   string
	}{
		{
			"kustomize images with a marker", want("podinfo/podinfo", "6.5.4", "prod", "apps", false),
			"apps/prod/kustomization.yaml", `  newTag: 6.5.3   # {"$imagepolicy": "flux-system:podinfo:tag"}`, `  newTag: 6.5.4   # {"$imagepolicy": "flux-system:podinfo:tag"}`, "6.5.3", "ghcr.io/acme/podinfo:6.5.4",
		},
		{
			"prod beside prod-eu", want("podinfo/podinfo", "20240101", "prod-eu", "apps", false),
			"apps/prod-eu/kustomization.yaml", `- {name: ghcr.io/acme/podinfo, newTag: "6.5.3"}`, `- {name: ghcr.io/acme/podinfo, newTag: "20240101"}`, "6.5.3", "ghcr.io/acme/podinfo:20240101",
		},
		{
			"digits get quotes", want("podinfo/podinfo", "20240101", "stage", "apps", false),
			"apps/stage/kustomization.yaml", "  newTag: 6.5.3", `  newTag: "20240101"`, "6.5.3", "ghcr.io/acme/podinfo:20240101",
		},
		{
			"chart version in a patch", want("redis/redis", "17.1.1", "prod", "apps", true),
			"apps/prod/redis.yaml", `      version: "17.1.0"`, `      version: "17.1.1"`, "17.1.0", "17.1.1",
		},
		{
			"chart asked for", with(want("web/web", "1.3.0", "prod", "apps", true), deploy.FieldChart),
			"apps/prod/web.yaml", "  chart: {spec: {version: 1.2.0}}", "  chart: {spec: {version: 1.3.0}}", "1.2.0", "1.3.0",
		},
		{
			"image asked for", with(want("web/web", "6.5.4", "prod", "apps", true), deploy.FieldImage),
			"apps/prod/web.yaml", "      tag: '6.5.3'", "      tag: '6.5.4'", "6.5.3", "6.5.4",
		},
		{
			"values tag with an anchor, chart a range", want("web/tagged", "6.5.4", "prod", "apps", true),
			"apps/prod/tagged.yaml", "        tag: &tag 6.5.3", "        tag: &tag 6.5.4", "6.5.3", "6.5.4",
		},
		{
			"tag and digest", want("web/digest", newDigest, "prod", "apps", true),
			"apps/prod/digest.yaml", "      tag: 6.5.3@sha256:" + strings.Repeat("1", 64), "      tag: " + newDigest, "6.5.3@sha256:" + strings.Repeat("1", 64), newDigest,
		},
		{
			"one of two namespaces", want("two-a/two", "7.0.1", "prod", "apps", false),
			"apps/prod/two.yaml", `      - {name: two, image: "reg.example:5000/two:7.0.0"}`, `      - {name: two, image: "reg.example:5000/two:7.0.1"}`, "7.0.0", "reg.example:5000/two:7.0.1",
		},
		{
			"a JSON patch in a block", want("two-b/two", "7.0.1", "prod", "apps", false),
			"apps/prod/kustomization.yaml", `      value: "reg.example:5000/two:7.0.0" # inside`, `      value: "reg.example:5000/two:7.0.1" # inside`, "7.0.0", "reg.example:5000/two:7.0.1",
		},
		{
			"images of the Flux Kustomization", want("tools/cron", "3.0.1", "prod", "plain", false),
			"clusters/prod/apps.yaml", "    newTag: 3.0.0 # in the owner itself", "    newTag: 3.0.1 # in the owner itself", "3.0.0", "reg.example:5000/cron:3.0.1",
		},
		{
			"an inline variable", want("tools/worker", "1.5.0", "prod", "plain", false),
			"clusters/prod/apps.yaml", `      worker_tag: "1.4.0"`, `      worker_tag: "1.5.0"`, "1.4.0", "reg.example:5000/worker:1.5.0",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := r.Plan(t.Context(), c.change, fleet())
			if err != nil {
				t.Fatal(explain(err))
			}
			if string(p.From) != c.from || p.Site.Value != c.value || p.Already || len(p.Edits) != 1 {
				t.Errorf("from %s, site %+v, edits %+v", p.From, p.Site, p.Edits)
			}
			src, err := r.repo.ReadFile("main", c.file)
			if err != nil {
				t.Fatal(err)
			}
			if wanted := strings.Replace(src, c.before+"\n", c.after+"\n", 1); string(p.Files[c.file]) != wanted || wanted == src {
				t.Errorf("%s:\n%s", c.file, p.Diff)
			}
			if !strings.Contains(p.Diff, "\n-"+c.before+"\n+"+c.after+"\n") {
				t.Errorf("diff:\n%s", p.Diff)
			}
			for _, a := range p.Affected {
				if a.Cluster != c.change.Target.Cluster {
					t.Errorf("affects %v", a)
				}
			}
			if p.RenderedDiff == "" || p.Hash == "" || p.Base == "" {
				t.Errorf("plan %+v", p)
			}
		})
	}
}

func explain(err error) string {
	if f, ok := err.(*fault.Error); ok {
		return fmt.Sprintf("%s: %s | %s | %v | %v", f.Kind, f.Says, f.Help, f.Choices, f.Err)
	}
	return err.Error()
}

func TestPlanRefuses(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	for _, c := range []struct {
		name   string
		change deploy.Change
		kind   fault.Kind
		says   []string
	}{
		{"a shared base", want("podinfo/shared", "17.0.1", "prod", "apps", false), fault.Refused, []string{"apps/base/shared/deployment.yaml:13", "Deployment podinfo/shared on stage"}},
		{"a base used directly", want("podinfo/direct", "1.0.1", "stage", "direct", false), fault.Refused, []string{"on prod", "direct"}},
		{"chart in the base", want("redis/redis", "17.0.1", "stage", "apps", true), "", nil},
		{"chart or image", want("web/web", "6.5.4", "prod", "apps", true), fault.Ambiguous, []string{"apps/prod/web.yaml:7", "apps/prod/web.yaml:10"}},
		{"no chart", with(want("podinfo/podinfo", "6.5.4", "prod", "apps", false), deploy.FieldChart), fault.Refused, []string{"no chart"}},
		{"a range", want("web/ranged", "6.5.4", "prod", "apps", true), fault.Refused, []string{"6.x"}},
		{"not a version", want("podinfo/podinfo", "6.5 .4", "prod", "apps", false), fault.Invalid, []string{"6.5 .4"}},
		{"a chart range wanted", want("redis/redis", "17.1", "prod", "apps", true), fault.Invalid, []string{"17.1"}},
		{"latest", want("podinfo/podinfo", "latest", "prod", "apps", false), fault.Refused, []string{"latest"}},
		{"a stale digest", want("web/digest", "6.5.4", "prod", "apps", true), fault.Refused, []string{"digest"}},
		{"another object's chart", want("web/chartref", "6.5.4", "prod", "apps", true), fault.Refused, []string{"OCIRepository web/thing", "does not declare"}},
		{"not in Git", want("podinfo/gone", "1.0.0", "prod", "apps", false), fault.Refused, []string{"Deployment podinfo/gone"}},
		{"not declared", want("podinfo/podinfo", "1.0.0", "prod", "nowhere", false), fault.Refused, []string{"flux-system/nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Plan(t.Context(), c.change, fleet())
			if fault.KindOf(err) != c.kind {
				t.Fatalf("%v", err)
			}
			for _, s := range c.says {
				if !strings.Contains(explain(err), s) {
					t.Errorf("%s does not say %q", explain(err), s)
				}
			}
			t.Log(explainOrNil(err))
		})
	}
	if _, err := r.Plan(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), unseen("prod", "nobody")); !fault.Is(err, fault.Refused) {
		t.Errorf("a cluster of which nothing is known: %v", err)
	}
}

// TestAnUnreadableEntryIsNoPermission is for a cluster that was not seen: what
// its folder may declare decides, and a file there cannot be read.
func TestAnUnreadableEntryIsNoPermission(t *testing.T) {
	t.Parallel()
	r := newRig(t, archive(t, "fleet.txtar"))
	broken := "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n  metadata: {name: x\n"
	if _, err := r.repo.Commit("main", "break it", map[string]string{"clusters/stage/more.yaml": broken}); err != nil {
		t.Fatal(err)
	}
	change := want("podinfo/podinfo", "6.5.4", "prod", "apps", false)
	if _, err := r.Plan(t.Context(), change, fleet()); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "clusters/stage/more.yaml") {
		t.Errorf("a plan while stage's entry cannot be read: %v", err)
	}
	if _, err := r.repo.Commit("main", "mend it", map[string]string{"clusters/stage/more.yaml": "not: [yaml of Flux's\n"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Plan(t.Context(), change, fleet()); err != nil {
		t.Errorf("a file that cannot hold a Kustomization hurts: %v", err)
	}
}

func explainOrNil(err error) string {
	if err == nil {
		return ""
	}
	return explain(err)
}
