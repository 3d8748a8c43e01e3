package delivery_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/playground/github"
)

var (
	asker  = deploy.Authorship{Job: "j7", Command: "promote", Requester: "U1", Name: "Ana"}
	change = want("podinfo/podinfo", "6.5.4", "prod", "apps", false)
)

func anyPlan(deploy.Plan) error { return nil }

// proposing is a rig whose prod goes through pull requests.
func proposing(t *testing.T) *rig {
	t.Helper()
	r := newRig(t, archive(t, "fleet.txtar"))
	r.configure(t, func(o *delivery.Options) {
		o.Proposing = []deploy.Cluster{"prod"}
		o.Proposals = delivery.Proposals{Labels: []string{"promotion"}}
	})
	return r
}

// open opens the pull request of the change.
func open(t *testing.T, r *rig) (deploy.Plan, deploy.Proposal) {
	t.Helper()
	plan, p, err := r.Propose(t.Context(), change, fleet, asker, anyPlan)
	if err != nil {
		t.Fatal(explain(err))
	}
	return plan, p
}

func TestWay(t *testing.T) {
	t.Parallel()
	r := proposing(t)
	for cluster, wants := range map[deploy.Cluster]bool{"prod": true, "stage": false} {
		if pull, why, err := r.Way(t.Context(), cluster); err != nil || pull != wants || why != "" {
			t.Errorf("%s: %v, %q, %v", cluster, pull, why, err)
		}
	}
	r.requests.Store(0)
	for range 3 {
		if _, _, err := r.Way(t.Context(), "stage"); err != nil {
			t.Error(err)
		}
	}
	if n := r.requests.Load(); n != 0 {
		t.Errorf("asking again cost %d requests", n)
	}
	ruled := newProtected(t, github.Protection{Ruleset: true, Name: "main only"}, github.WriteAccess)
	if pull, why, err := ruled.Way(t.Context(), "stage"); err != nil || !pull || why != "the ruleset “main only” wants one" {
		t.Errorf("with a rule: %v, %q, %v", pull, why, err)
	}
	locked := serve(t, github.Repository{Owner: "acme", Name: "fleet", Seed: archive(t, "fleet.txtar")}, github.WriteAccess)
	locked.repo.Protect("main", github.Protection{Locked: true})
	if _, _, err := locked.Way(t.Context(), "prod"); !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), "locked") {
		t.Errorf("a locked branch: %v", err)
	}
}

// TestARuleThatNobodyWasShown is hidden from the token: the commit is refused, and
// the way is another one from then on.
func TestARuleThatNobodyWasShown(t *testing.T) {
	t.Parallel()
	r := newRig(t, archive(t, "fleet.txtar"))
	r.repo.Protect("main", github.Protection{Reviews: 1})
	r.server.Inject(github.Fault{Path: regexp.MustCompile(`/protection$`), Status: http.StatusForbidden, Body: `{"message":"Resource not accessible"}`, Times: 9})
	if pull, _, err := r.Way(t.Context(), "prod"); err != nil || pull {
		t.Fatalf("the rule is seen: %v, %v", pull, err)
	}
	if _, _, err := r.Apply(t.Context(), change, fleet, asker, nil); !fault.Is(err, fault.Refused) {
		t.Fatal(explainOrNil(err))
	}
	if pull, why, err := r.Way(t.Context(), "prod"); err != nil || !pull || !strings.Contains(why, "protected") {
		t.Errorf("afterwards: %v, %q, %v", pull, why, err)
	}
}

func TestPropose(t *testing.T) {
	t.Parallel()
	r := proposing(t)
	before, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	var shown deploy.Plan
	plan, p, err := r.Propose(t.Context(), change, fleet, asker, func(p deploy.Plan) error { shown = p; return nil })
	if err != nil {
		t.Fatal(explain(err))
	}
	if after, _ := r.repo.Log("main"); len(after) != len(before) {
		t.Errorf("main has %d commits more", len(after)-len(before))
	}
	if shown.Hash != plan.Hash || p.Number != 1 || p.State != deploy.ProposalOpen || p.Branch != "ferry/prod/podinfo-j7" || p.Merged.SHA != "" {
		t.Errorf("%+v", p)
	}
	pull := r.repo.Pulls()[0]
	if pull.Title != "promote podinfo to 6.5.4 on prod" || !slices.Equal(pull.Labels, []string{"promotion"}) {
		t.Errorf("%+v", pull)
	}
	t.Log(pull.Body)
	for _, line := range []string{
		"apps/prod/kustomization.yaml:15: 6.5.3 becomes 6.5.4",
		"Rendered for every cluster, this changes Deployment podinfo/podinfo on prod and nothing else:",
		"    +      - image: ghcr.io/acme/podinfo:6.5.4",
		"Ferry-Job: j7", "Ferry-Version: 6.5.4", "Ferry-Requester: U1 Ana",
	} {
		if !slices.Contains(strings.Split(pull.Body, "\n"), line) {
			t.Errorf("no line %q in\n%s", line, pull.Body)
		}
	}
	if text, err := r.repo.ReadFile(p.Branch, "apps/prod/kustomization.yaml"); err != nil || !strings.Contains(text, "newTag: 6.5.4") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestAProposalIsFoundAgain loses the answer to opening it, as does a crash before
// the row has the number.
func TestAProposalIsFoundAgain(t *testing.T) {
	t.Parallel()
	r, began := proposing(t), time.Now()
	if _, ok, err := r.FindProposal(t.Context(), "j7", began); err != nil || ok {
		t.Fatalf("found before it is there: %v", err)
	}
	r.server.Inject(github.Fault{Method: http.MethodPost, Path: regexp.MustCompile(`/pulls$`), Effect: true, Cut: true})
	if _, _, err := r.Propose(t.Context(), change, fleet, asker, anyPlan); !fault.Is(err, fault.Unavailable) {
		t.Fatal(explainOrNil(err))
	}
	other := sibling(t, r)
	if p, ok, err := other.FindProposal(t.Context(), "j7", began); err != nil || !ok || p.Number != 1 {
		t.Errorf("%+v, %v, %v", p, ok, err)
	}
	if _, p := open(t, other); p.Number != 1 || len(r.repo.Pulls()) != 1 {
		t.Errorf("told again: %+v, %+v", p, r.repo.Pulls())
	}
}

// TestMerged merges in each way, on a branch that moved; the commit that came of it
// is what Flux will apply.
func TestMerged(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r := proposing(t)
			plan, p := open(t, r)
			push(t, r, "notes.txt", "x\n")
			if _, err := r.repo.MergePull(1, method, "ana"); err != nil {
				t.Fatal(err)
			}
			p, err := r.Proposal(t.Context(), p.Number)
			head, _ := r.repo.Head("main")
			if err != nil || p.State != deploy.ProposalMerged || p.MergedBy != "ana" || p.Merged.SHA != string(head) || !strings.HasSuffix(p.Merged.URL, "/commit/"+string(head)) {
				t.Fatalf("%+v, %v", p, err)
			}
			for revision, wants := range map[string]deploy.Holding{
				"main@sha1:" + string(head): deploy.Holds, "main@sha1:" + plan.Base: deploy.NotYet,
				"main@sha1:" + push(t, r, "notes.txt", "y\n"): deploy.Holds,
			} {
				if got, err := r.Holding(t.Context(), plan, p.Merged, revision, fleet()); err != nil || got != wants {
					t.Errorf("%s: %s, %v, want %s", revision, got, err, wants)
				}
			}
		})
	}
}

// TestAMergeThatBroughtSomethingElse has somebody's push to the pull request's
// branch: the commit that came of it does not hold what was proven.
func TestAMergeThatBroughtSomethingElse(t *testing.T) {
	t.Parallel()
	r := proposing(t)
	plan, p := open(t, r)
	edit(t, r, p.Branch, "apps/prod/kustomization.yaml", "6.5.4", "6.5.5")
	if _, err := r.repo.MergePull(1, "squash", "ana"); err != nil {
		t.Fatal(err)
	}
	p, err := r.Proposal(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Holding(t.Context(), plan, p.Merged, "main@sha1:"+p.Merged.SHA, fleet()); err != nil || got != deploy.Replaced {
		t.Errorf("%s, %v", got, err)
	}
}

func TestClosedAndWithdrawn(t *testing.T) {
	t.Parallel()
	r := proposing(t)
	open(t, r)
	if err := r.repo.ClosePull(1); err != nil {
		t.Fatal(err)
	}
	if p, err := r.Proposal(t.Context(), 1); err != nil || p.State != deploy.ProposalClosed || p.Merged.SHA != "" {
		t.Errorf("closed: %+v, %v", p, err)
	}
	r = proposing(t)
	_, p := open(t, r)
	for range 2 {
		if err := r.Withdraw(t.Context(), 1, "Superseded by job j8."); err != nil {
			t.Fatal(err)
		}
	}
	if pull := r.repo.Pulls()[0]; pull.State != "closed" {
		t.Errorf("withdrawn: %+v", pull)
	}
	if _, err := r.repo.Head(p.Branch); err == nil {
		t.Error("its branch is left")
	}
}

// TestRenew moves the base under an open pull request.
func TestRenew(t *testing.T) {
	t.Parallel()
	const file = "apps/prod/kustomization.yaml"
	for _, c := range []struct {
		name  string
		moves func(t *testing.T, r *rig)
		check func(t *testing.T, r *rig, first, now deploy.Plan, was, is string, err error)
	}{
		{"not at all", func(*testing.T, *rig) {}, func(t *testing.T, _ *rig, first, now deploy.Plan, was, is string, err error) {
			if err != nil || now.Base != first.Base || was != is {
				t.Errorf("%v, on %s after %s, %s after %s", err, now.Base, first.Base, is, was)
			}
		}},
		{"elsewhere", func(t *testing.T, r *rig) { push(t, r, "notes.txt", "x\n") }, func(t *testing.T, _ *rig, first, now deploy.Plan, was, is string, err error) {
			if err != nil || now.Base == first.Base || was != is {
				t.Errorf("%v, on %s after %s; the branch went from %s to %s though nothing asks for that", err, now.Base, first.Base, was, is)
			}
		}},
		{"beside it", func(t *testing.T, r *rig) { edit(t, r, "main", file, "acme/podinfo\n", "acme/podinfo # ours\n") }, renewed},
		{"by the same version", func(t *testing.T, r *rig) { edit(t, r, "main", file, "newTag: 6.5.3", "newTag: 6.5.4") }, func(t *testing.T, _ *rig, _, now deploy.Plan, _, _ string, err error) {
			if err != nil || !now.Already {
				t.Errorf("%v, %+v", err, now)
			}
		}},
		{"by another version", func(t *testing.T, r *rig) { edit(t, r, "main", file, "newTag: 6.5.3", "newTag: 6.6.0") }, func(t *testing.T, r *rig, _, _ deploy.Plan, was, is string, err error) {
			e, _ := err.(*fault.Error)
			if !fault.Is(err, fault.Refused) || e.Code != deploy.Conflict || was != is || r.repo.Pulls()[0].State != "open" {
				t.Fatalf("%v, %+v", err, r.repo.Pulls())
			}
			if want := "when it was opened Git had `6.5.3`, now it has `6.6.0`\npull request #1 stays open with `6.5.4`: merge or close it by hand, or ask again"; e.Help != want {
				t.Errorf("says %q", e.Help)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := proposing(t)
			first, p := open(t, r)
			was, _ := r.repo.Head(p.Branch)
			c.moves(t, r)
			p, err := r.Proposal(t.Context(), 1)
			if err != nil {
				t.Fatal(err)
			}
			now, _, err := r.Renew(t.Context(), p, first, fleet, asker)
			is, _ := r.repo.Head(p.Branch)
			c.check(t, r, first, now, string(was), string(is), err)
		})
	}
}

// renewed demands that a conflict was solved by one commit on the new head.
func renewed(t *testing.T, r *rig, first, now deploy.Plan, was, is string, err error) {
	t.Helper()
	if err != nil || now.Base == first.Base || was == is || now.Hash != first.Hash {
		t.Fatalf("%v, on %s after %s, %s after %s", err, now.Base, first.Base, is, was)
	}
	log, err := r.repo.Log("ferry/prod/podinfo-j7")
	if err != nil || string(log[0].Parents[0]) != now.Base {
		t.Errorf("%v, %+v", err, log[0])
	}
	if p, err := r.Proposal(t.Context(), 1); err != nil || p.Conflict {
		t.Errorf("it still conflicts: %+v, %v", p, err)
	}
}

func push(t *testing.T, r *rig, file, text string) string {
	t.Helper()
	id, err := r.repo.Commit("main", "outside", map[string]string{file: text})
	if err != nil {
		t.Fatal(err)
	}
	return string(id)
}

// edit replaces some text in a file of a branch.
func edit(t *testing.T, r *rig, branch, file, old, new string) {
	t.Helper()
	text, err := r.repo.ReadFile(branch, file)
	if err != nil || !strings.Contains(text, old) {
		t.Fatalf("%v: no %q in\n%s", err, old, text)
	}
	if _, err := r.repo.Commit(branch, "outside", map[string]string{file: strings.Replace(text, old, new, 1)}); err != nil {
		t.Fatal(err)
	}
}
