package delivery_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestSuspend: what would write over a change is suspended with it, where it stands
// and nowhere else; what cannot be is refused as before.
func TestSuspend(t *testing.T) {
	t.Parallel()
	for _, c := range suspendCases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			files := suspending(c.more)
			r := newRig(t, repo(files))
			change := want("x/web", "1.0.1", "prod", "apps", c.release)
			change.Suspend = true
			p, err := r.Plan(t.Context(), change, unseen("prod", "stage"))
			if c.refused != "" {
				f := asFault(err)
				if f == nil || f.Kind != fault.Refused || f.Code != delivery.Automated || !strings.Contains(f.Help, c.refused) {
					t.Fatalf("%s %+v", explainOrNil(err), p.Suspended)
				}
				return
			}
			if err != nil {
				t.Fatal(explain(err))
			}
			checkSuspended(t, c, files, p)
		})
	}
}

func checkSuspended(t *testing.T, c suspendCase, files map[string]string, p deploy.Plan) {
	t.Helper()
	now := map[string]string{}
	for file, data := range p.Files {
		now[file] = string(data)
	}
	wanted := map[string]string{}
	for file, lines := range c.edits {
		wanted[file] = files[file]
		for i := 0; i < len(lines); i += 2 {
			wanted[file] = strings.Replace(wanted[file], lines[i], lines[i+1], 1)
		}
	}
	if !maps.Equal(now, wanted) {
		t.Errorf("files %q\nwant %q", now, wanted)
	}
	var suspended []string
	for _, a := range p.Suspended {
		suspended = append(suspended, fmt.Sprintf("%s %s/%s %s:%d", a.Cluster, a.Ref.Namespace, a.Ref.Name, a.At.File, a.At.Line))
		if lines := strings.Split(now[a.At.File], "\n"); !strings.Contains(lines[a.At.Line-1], "suspend: true") || !a.Suspended || a.InCharge() || a.Field.File == "" {
			t.Errorf("%+v points at %q", a, lines[a.At.Line-1])
		}
		shown := slices.ContainsFunc(p.Affected, func(o deploy.Affected) bool { return o.Cluster == a.Cluster && o.Object == a.Ref })
		if shown != (a.Cluster != "") || shown && !strings.Contains(p.RenderedDiff, "\n+  suspend: true\n") {
			t.Errorf("affected %v\n%s", p.Affected, p.RenderedDiff)
		}
	}
	if !slices.Equal(suspended, c.suspended) || len(p.Affected) > 1+len(c.suspended) {
		t.Errorf("suspended %q, want %q; affected %v", suspended, c.suspended, p.Affected)
	}
	if len(p.Warnings) != len(c.warns) {
		t.Errorf("warns %q, want %q", p.Warnings, c.warns)
	}
	for i, w := range p.Warnings[:min(len(p.Warnings), len(c.warns))] {
		if !strings.Contains(w, c.warns[i]) || c.warns[i] == says && w != says {
			t.Errorf("warns %q, want %q", w, c.warns[i])
		}
	}
}

// planSuspending is the plan of the plain repository.
func planSuspending(t *testing.T, r *rig, suspend bool) (deploy.Plan, error) {
	t.Helper()
	change := want("x/web", "1.0.1", "prod", "apps", false)
	change.Suspend = suspend
	return r.Plan(t.Context(), change, unseen("prod", "stage"))
}

// TestSuspendOnlyWhereTold: without it, and where nothing would write over it, a
// plan is as it always was.
func TestSuspendOnlyWhereTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(suspending(nil)))
	if p, err := planSuspending(t, r, false); asFault(err) == nil || asFault(err).Code != delivery.Automated || len(p.Suspended) > 0 {
		t.Errorf("%s %+v", explainOrNil(err), p.Suspended)
	}
	free := newRig(t, repo(suspending(map[string]string{"clusters/prod/auto.yaml": "", "apps/web.yaml": marked("1.0.0", "none")})))
	told, err := planSuspending(t, free, true)
	if err != nil {
		t.Fatal(explain(err))
	}
	untold, err := planSuspending(t, free, false)
	if err != nil || told.Hash != untold.Hash || told.Diff != untold.Diff || len(told.Warnings) > 0 {
		t.Errorf("%v: %q and %q", err, told.Hash, untold.Hash)
	}
}

// TestSuspendRefused says which automation stays, and what helps; when told to,
// ferry only warns, and suspends the others.
func TestSuspendRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(suspending(map[string]string{
		"clusters/prod/auto.yaml": automation("updates", "x", "./apps", "") + "---\n" + automation("stubborn", "x", ".", "  suspend: \"false\"\n"),
	})))
	_, err := planSuspending(t, r, true)
	f := asFault(err)
	if f == nil || f.Says != "image automation would undo this change of web on prod, and cannot be suspended in Git" ||
		!strings.HasPrefix(f.Help, "ImageUpdateAutomation x/stubborn (`clusters/prod/auto.yaml:17`) writes `apps/web.yaml:10`, as ImagePolicy x/web selects\n") ||
		!strings.HasSuffix(f.Help, "\nsuspend it where it is declared, or take the marker off `apps/web.yaml:10`: then it writes there no more") {
		t.Fatalf("%s", explainOrNil(err))
	}
	r.configure(t, func(o *delivery.Options) { o.WarnAutomated = true })
	p, err := planSuspending(t, r, true)
	if err != nil || len(p.Suspended) != 1 || p.Suspended[0].Ref.Name != "updates" || len(p.Warnings) != 2 || !strings.HasPrefix(p.Warnings[1], f.Says+": ImageUpdateAutomation x/stubborn") {
		t.Errorf("%s %+v %q", explainOrNil(err), p.Suspended, p.Warnings)
	}
}

// TestSuspendHash: an approval is of who is out of service after the commit. That
// somebody suspended it meanwhile makes no other plan; one more automation does.
func TestSuspendHash(t *testing.T) {
	t.Parallel()
	hash := func(auto string) string {
		t.Helper()
		p, err := planSuspending(t, newRig(t, repo(suspending(map[string]string{"clusters/prod/auto.yaml": auto}))), true)
		if err != nil {
			t.Fatal(explain(err))
		}
		return p.Hash
	}
	one := hash(automation("updates", "x", "./apps", ""))
	if hash(automation("updates", "x", ".", "  suspend: true\n")) != one {
		t.Error("it is another plan where the automation is suspended already")
	}
	for what, auto := range map[string]string{
		"another automation": automation("others", "x", "./apps", ""), "none": sources,
		"one more": automation("updates", "x", "./apps", "") + "---\n" + automation("others", "x", "./apps", ""),
	} {
		if hash(auto) == one {
			t.Errorf("%s makes no other plan", what)
		}
	}
}

// TestSuspendApplied: version and suspension are one commit, which says both. A
// second change of what the same automation writes finds it suspended, whether it
// waited with the first one or comes later.
func TestSuspendApplied(t *testing.T) {
	t.Parallel()
	api := strings.ReplaceAll(marked("1.0.0", "x:api"), "web", "api")
	api = strings.Replace(api, "x:web", "x:api", 1)
	r := newRig(t, repo(suspending(map[string]string{"apps/api.yaml": api})))
	declared := func() []deploy.Declared { return unseen("prod", "stage") }
	by := deploy.Authorship{Job: "j1", Command: "rollback", Requester: "U1"}
	change := want("x/web", "0.9.0", "prod", "apps", false)
	change.Suspend = true
	later := want("x/api", "0.9.0", "prod", "apps", false)
	later.Suspend = true
	before, err := r.Plan(t.Context(), later, declared())
	if err != nil || len(before.Suspended) != 1 {
		t.Fatal(explainOrNil(err), before.Suspended)
	}
	p, made, err := r.Apply(t.Context(), change, declared, by, nil)
	if err != nil || made.SHA == "" || len(p.Suspended) != 1 {
		t.Fatal(explainOrNil(err), p.Suspended)
	}
	log, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	wanted := "rollback web to 0.9.0 on prod\n\napps/web.yaml:10: reg.example/web:1.0.0 becomes reg.example/web:0.9.0\nclusters/prod/auto.yaml:15: ImageUpdateAutomation x/updates is suspended\n\nFerry-Job: j1\n"
	if len(log) != 2 || !strings.HasPrefix(log[0].Message, wanted) {
		t.Errorf("%d commits: %s", len(log), log[0].Message)
	}
	src, err := r.repo.ReadFile("main", "clusters/prod/auto.yaml")
	if err != nil || src != strings.Replace(automation("updates", "x", "./apps", ""), lastLine, inserted, 1) {
		t.Errorf("%v %s", err, src)
	}
	by.Job = "j2"
	after, made, err := r.Apply(t.Context(), later, declared, by, nil)
	if err != nil || made.SHA == "" || len(after.Suspended) > 0 || len(after.Warnings) > 0 || after.Hash != before.Hash {
		t.Errorf("%s %+v, hash %s, before it was %s", explainOrNil(err), after.Suspended, after.Hash, before.Hash)
	}
}

// TestSuspendTogether: two changes that wait together suspend one automation once,
// in one commit.
func TestSuspendTogether(t *testing.T) {
	t.Parallel()
	api := strings.ReplaceAll(marked("1.0.0", "x:api"), "web", "api")
	r := newRig(t, repo(suspending(map[string]string{"apps/api.yaml": api, "apps/first.yaml": workload("first", "first:1.0.0")})))
	declared := func() []deploy.Declared { return unseen("prod", "stage") }
	started, rest := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	apply := func(app string, onPlan func(deploy.Plan) error) {
		group.Go(func() {
			change := want("x/"+app, "0.9.0", "prod", "apps", false)
			change.Suspend = true
			if _, made, err := r.Apply(t.Context(), change, declared, deploy.Authorship{Job: app, Command: "rollback"}, onPlan); err != nil || made.SHA == "" {
				t.Errorf("%s: %s", app, explainOrNil(err))
			}
		})
	}
	apply("first", func(deploy.Plan) error { close(started); <-rest; return nil })
	<-started
	apply("web", nil)
	apply("api", nil)
	for r.Waiting() < 3 {
		runtime.Gosched() // they only have to queue
	}
	close(rest)
	group.Wait()
	log, err := r.repo.Log("main")
	if err != nil || len(log) != 3 || strings.Count(log[0].Message, "is suspended") != 1 || strings.Count(log[0].Message, "Ferry-Job") != 2 {
		t.Errorf("%v, %d commits: %s", err, len(log), log[0].Message)
	}
}

// TestSuspendProposed: a pull request holds both, and is still the same one after
// somebody else suspended the automation.
func TestSuspendProposed(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(suspending(nil)))
	declared := func() []deploy.Declared { return unseen("prod", "stage") }
	change := want("x/web", "0.9.0", "prod", "apps", false)
	change.Suspend = true
	first, opened, err := r.Propose(t.Context(), change, declared, deploy.Authorship{Job: "j1", Command: "rollback"}, anyPlan)
	if err != nil || len(first.Suspended) != 1 {
		t.Fatal(explainOrNil(err), first.Suspended)
	}
	text := r.repo.Pulls()[0].Body
	for _, wanted := range []string{
		"this changes Deployment x/web on prod, ImageUpdateAutomation x/updates on prod and nothing else:\n", "\n    +  suspend: true\n",
		"clusters/prod/auto.yaml:15: ImageUpdateAutomation x/updates is suspended\n",
	} {
		if !strings.Contains(text, wanted) {
			t.Errorf("the description lacks %q: %s", wanted, text)
		}
	}
	by := strings.Replace(automation("updates", "x", "./apps", ""), lastLine, inserted, 1)
	if _, err := r.repo.Commit("main", "suspend it", map[string]string{"clusters/prod/auto.yaml": by}); err != nil {
		t.Fatal(err)
	}
	now, renewed, err := r.Renew(t.Context(), opened, first, declared, deploy.Authorship{Job: "j1", Command: "rollback"})
	if err != nil || now.Hash != first.Hash || len(now.Suspended) > 0 || renewed.Number != opened.Number {
		t.Errorf("%s %+v, pull request %d and %d", explainOrNil(err), now.Suspended, opened.Number, renewed.Number)
	}
}
