package forge_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// steps are the requests by which Propose changes something, in their order.
func steps() map[string]github.Fault {
	return map[string]github.Fault{
		"branch":    {Method: http.MethodPost, Path: regexp.MustCompile(`/git/refs$`)},
		"commit":    {Operation: "createCommitOnBranch"},
		"pull":      {Method: http.MethodPost, Path: regexp.MustCompile(`/pulls$`)},
		"labels":    {Path: regexp.MustCompile(`/labels$`)},
		"reviewers": {Path: regexp.MustCompile(`/requested_reviewers$`)},
	}
}

func dressed(w *world) forge.NewProposal {
	n := w.proposal()
	n.Labels, n.Reviewers, n.TeamReviewers = []string{"promotion"}, []string{"ana"}, []string{"platform"}
	return n
}

// TestProposeOnce loses the answer of each step, before or after its effect, and
// starts anew each time.
func TestProposeOnce(t *testing.T) {
	for name, step := range steps() {
		for _, effect := range []bool{true, false} {
			t.Run(name+map[bool]string{true: " answer lost", false: " never done"}[effect], func(t *testing.T) {
				w := newWorld(t)
				n := dressed(w)
				f := step
				f.Effect, f.Cut = effect, true
				w.Inject(f)
				if name == "pull" { // then branch and commit are done
					t.Cleanup(func() {
						if n := w.Requests()["POST /graphql"].Counted; n != 1 {
							t.Errorf("%d requests for commits", n)
						}
					})
				}
				p, failures := w.again(func(r *forge.Repository) (forge.Proposal, error) { return r.Propose(t.Context(), n) })
				w.one(p)
				if wants := name != "labels" && name != "reviewers"; (failures > 0) != wants {
					t.Errorf("%d failures", failures)
				}
				// Told again it does what is left and nothing twice.
				var s sent
				p, err := w.forge(func(o *forge.Options) { o.OnRequest = s.seen }).Propose(t.Context(), n)
				if err != nil || len(p.Warnings) > 0 || s.graph > 0 {
					t.Fatalf("told again: %v, %q, %+v", err, p.Warnings, s)
				}
				w.one(p)
				if x := w.repo.Pulls()[0]; !slices.Equal(x.Labels, n.Labels) || !slices.Equal(x.Reviewers, n.Reviewers) || !slices.Equal(x.Teams, n.TeamReviewers) {
					t.Errorf("it has labels %q, reviewers %q, teams %q", x.Labels, x.Reviewers, x.Teams)
				}
				if !forge.HasTrailer(w.repo.Pulls()[0].Body+"\n", "Ferry-Job", "j1") {
					t.Errorf("the text has no trailer: %q", w.repo.Pulls()[0].Body)
				}
			})
		}
	}
}

// TestProposeUnseen has its pull request, and GitHub's list does not show it yet;
// then somebody rewrites its text.
func TestProposeUnseen(t *testing.T) {
	w := newWorld(t)
	if _, err := w.forge().Propose(t.Context(), w.proposal()); err != nil {
		t.Fatal(err)
	}
	behind := github.Fault{Method: http.MethodGet, Path: regexp.MustCompile(`/pulls$`), Status: http.StatusOK, Body: "[]"}
	w.Inject(behind)
	p, err := w.forge().Propose(t.Context(), w.proposal())
	if err != nil {
		t.Fatal(err)
	}
	w.one(p)
	behind.Times = 2
	w.Inject(behind)
	if _, err := w.forge().Propose(t.Context(), w.proposal()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("it is never shown: %v", err)
	}
	w.hand(http.MethodPatch, "pulls/1", `{"body":"better words"}`)
	if p, err = w.forge().Propose(t.Context(), w.proposal()); err != nil {
		t.Fatal(err)
	}
	w.one(p)
	n := w.proposal()
	n.Job = "j2"
	w.hand(http.MethodPatch, "pulls/1", `{"body":"words\n\nFerry-Job: j1"}`)
	if _, err := w.forge().Propose(t.Context(), n); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "another job, #1") {
		t.Errorf("another job on the same branch: %v", err)
	}
}

// TestProposeOnStaleBranch made its commit, and GitHub shows the branch where it
// was before, for a while.
func TestProposeOnStaleBranch(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	c := steps()["commit"]
	c.Cut = true
	w.Inject(c) // the branch is there, the commit is not
	if _, err := w.forge().Propose(t.Context(), n); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("cut: %v", err)
	}
	stop, err := w.repo.ServeStale(n.Branch, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c.Effect = true
	w.Inject(c)
	for range 2 { // its answer is lost; then it cannot be seen
		if _, err := w.forge().Propose(t.Context(), n); !fault.Is(err, fault.Unavailable) {
			t.Errorf("stale: %v", err)
		}
	}
	fresh := &before{http.MethodPost, "/graphql", stop}
	p, err := w.forge(func(o *forge.Options) { o.Transport = fresh }).Propose(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	w.one(p)
}

// TestFindsOwnAlone does not take for a job's what goes elsewhere.
func TestFindsOwnAlone(t *testing.T) {
	w := newWorld(t)
	w.push("release", "r", "1")
	w.push("theirs", "t", "1")
	w.hand(http.MethodPost, "pulls", `{"title":"a copy","body":"x\n\nFerry-Job: j1","head":"theirs","base":"release"}`)
	if p, ok, err := w.forge().FindProposal(t.Context(), "j1", time.Time{}); err != nil || ok {
		t.Errorf("%+v, %v", p, err)
	}
	fork := github.Fault{Method: http.MethodGet, Path: regexp.MustCompile(`/pulls$`), Status: http.StatusOK, Body: `[{"number":7,"state":"open",
		"body":"x\n\nFerry-Job: j1","head":{"ref":"x","repo":{"full_name":"eve/fleet"}},"base":{"ref":"main","repo":{"full_name":"acme/fleet"}}}]`}
	w.Inject(fork)
	if p, ok, err := w.forge().FindProposal(t.Context(), "j1", time.Time{}); err != nil || ok {
		t.Errorf("a stranger's: %+v, %v", p, err)
	}
	w.hand(http.MethodPost, "pulls", `{"title":"words","body":"as in Ferry-Job: j1","head":"release","base":"main"}`)
	if p, ok, err := w.forge().FindProposal(t.Context(), "j1", time.Time{}); err != nil || ok {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestMergedWhileClosing loses against a person who merges.
func TestMergedWhileClosing(t *testing.T) {
	w := newWorld(t)
	if _, err := w.forge().Propose(t.Context(), w.proposal()); err != nil {
		t.Fatal(err)
	}
	merge := &before{http.MethodPatch, "", func() {
		if _, err := w.repo.MergePull(1, "squash", "ana"); err != nil {
			t.Error(err)
		}
	}}
	if err := w.forge(func(o *forge.Options) { o.Transport = merge }).CloseProposal(t.Context(), 1, ""); !fault.Is(err, fault.Already) {
		t.Errorf("%v", err)
	}
}

// TestProposeWarns wants what does not exist beside what does.
func TestProposeWarns(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	n.Labels, n.Reviewers, n.TeamReviewers = []string{"promotion", "nothing"}, []string{"ana", "stranger", "ferry-bot"}, []string{"nobody"}
	n.Title = strings.Repeat("é", 300)
	p, err := w.forge().Propose(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	said := strings.Join(p.Warnings, "\n")
	for _, want := range []string{`label "nothing" could not be set: You do not have permission`, "stranger could not be asked for a review: Reviews may only", "ferry-bot could not be asked for a review: Review cannot be requested from pull request author", "team nobody could not"} {
		if !strings.Contains(said, want) {
			t.Errorf("no warning %q in\n%s", want, said)
		}
	}
	x := w.repo.Pulls()[0]
	if len(p.Warnings) != 4 || !slices.Equal(x.Labels, []string{"promotion"}) || !slices.Equal(x.Reviewers, []string{"ana"}) {
		t.Errorf("%d warnings, labels %q, reviewers %q", len(p.Warnings), x.Labels, x.Reviewers)
	}
	if n := len([]rune(x.Title)); n != 256 {
		t.Errorf("a title of %d", n)
	}
}

func TestProposeDraft(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	n.Draft = true
	if p, err := w.forge().Propose(t.Context(), n); err != nil || len(p.Warnings) > 0 || !w.repo.Pulls()[0].Draft {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := w.forge().Proposal(t.Context(), 1); err != nil || p.Waits != "it is a draft" {
		t.Errorf("%+v, %v", p, err)
	}
	w = newWorld(t)
	w.Inject(github.Fault{Method: http.MethodPost, Path: regexp.MustCompile(`/pulls$`), Status: http.StatusUnprocessableEntity, Body: `{"message":"Draft pull requests are not supported in this repository."}`})
	if p, err := w.forge().Propose(t.Context(), n); err != nil || len(p.Warnings) != 1 || w.repo.Pulls()[0].Draft {
		t.Errorf("where there are none: %+v, %v", p, err)
	}
}

// TestProposeOnMovedBase is told again on a newer commit, when only the branch,
// and when the commit was there.
func TestProposeOnMovedBase(t *testing.T) {
	for _, name := range []string{"commit", "pull"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			n := w.proposal()
			f := steps()[name]
			f.Cut = true
			w.Inject(f)
			if _, err := w.forge().Propose(t.Context(), n); !fault.Is(err, fault.Unavailable) {
				t.Fatalf("cut: %v", err)
			}
			n.On = w.push("main", "other.yaml", "x: 2\n")
			p, err := w.forge().Propose(t.Context(), n)
			if err != nil {
				t.Fatal(err)
			}
			w.one(p)
			if text, err := w.repo.ReadFile(n.Branch, "other.yaml"); err != nil || text != "x: 2\n" {
				t.Errorf("the branch is on the old base: %q, %v", text, err)
			}
		})
	}
}

// TestForeignBranch keeps its hands off what others made.
func TestForeignBranch(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	mine := w.push(n.Branch, "mine", "x")
	if _, err := w.forge().Propose(t.Context(), n); !fault.Is(err, fault.Refused) {
		t.Errorf("a branch of somebody else: %v", err)
	}
	if w.head(n.Branch) != mine || len(w.repo.Pulls()) != 0 {
		t.Error("it was touched")
	}
	if _, err := w.forge().Propose(t.Context(), forge.NewProposal{}); err == nil {
		t.Error("an empty proposal passes")
	}
	n.Branch = "main"
	if _, err := w.forge().Propose(t.Context(), n); err == nil {
		t.Error("the base passes as branch")
	}
}

// TestFollow merges in each way, and follows the merge commit.
func TestFollow(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		t.Run(method, func(t *testing.T) {
			w := newWorld(t)
			var s sent
			r := w.forge(func(o *forge.Options) { o.OnRequest = s.seen })
			began := time.Now()
			p, err := r.Propose(t.Context(), w.proposal())
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("Propose cold: %d requests, %d counted", s.all, s.counted)
			if s.counted > 4 {
				t.Errorf("Propose cost %d counted requests", s.counted)
			}
			if p, err = r.Proposal(t.Context(), p.Number); err != nil || p.State != forge.Open || p.Waits != "nothing is in the way of merging it" {
				t.Fatalf("%+v, %v", p, err)
			}
			s.reset()
			for range 5 {
				if _, err := r.Proposal(t.Context(), p.Number); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("following warm: %d requests, %d counted", s.all, s.counted)
			if s.counted != 0 || s.free != 5 {
				t.Errorf("following cost %+v", s)
			}
			w.push("main", "other.yaml", "x: 3\n") // so that a rebase makes a new commit
			if _, err := w.repo.MergePull(p.Number, method, "ana"); err != nil {
				t.Fatal(err)
			}
			p, err = r.Proposal(t.Context(), p.Number)
			if err != nil || p.State != forge.Merged || p.MergedBy != "ana" || p.MergeCommit != w.head("main") || p.MergedAt.IsZero() {
				t.Errorf("merged: %+v, %v", p, err)
			}
			if p.Job != "j1" || (p.MergeCommit == p.Head) {
				t.Errorf("job %q, head %s", p.Job, p.Head)
			}
			// The job is found on the branch and among the pull requests.
			if m, ok, err := r.Find(t.Context(), "Ferry-Job", "j1", began); err != nil || !ok || (method != "merge" && m.SHA != p.MergeCommit) {
				t.Errorf("found %+v, %v, %v", m, ok, err)
			}
			if found, ok, err := w.forge().FindProposal(t.Context(), "j1", began); err != nil || !ok || found.MergeCommit != p.MergeCommit {
				t.Errorf("found %+v, %v, %v", found, ok, err)
			}
			if _, ok, err := w.forge().FindProposal(t.Context(), "j", began); err != nil || ok {
				t.Errorf("another job is found: %v", err)
			}
			// It has ended, and stays so.
			if again, err := r.Propose(t.Context(), w.proposal()); err != nil || again.MergeCommit != p.MergeCommit || len(w.repo.Pulls()) != 1 {
				t.Errorf("proposed again: %+v, %v", again, err)
			}
			if err := r.CloseProposal(t.Context(), p.Number, "x"); !fault.Is(err, fault.Already) {
				t.Errorf("closing it: %v", err)
			}
		})
	}
}

func TestCloseProposal(t *testing.T) {
	cut := map[string]github.Fault{
		"comment": {Method: http.MethodPost, Path: regexp.MustCompile(`/comments$`)}, "close": {Method: http.MethodPatch, Path: regexp.MustCompile(`/pulls/`)},
		"delete": {Method: http.MethodDelete},
	}
	for name, f := range cut {
		for _, f.Effect = range []bool{true, false} {
			w := newWorld(t)
			if _, err := w.forge().Propose(t.Context(), w.proposal()); err != nil {
				t.Fatal(err)
			}
			f.Cut = true
			w.Inject(f)
			if err := w.forge().CloseProposal(t.Context(), 1, "cancelled by ana"); !fault.Is(err, fault.Unavailable) {
				t.Errorf("%s cut: %v", name, err)
			}
			for range 2 {
				if err := w.forge().CloseProposal(t.Context(), 1, "cancelled by ana"); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			x := w.repo.Pulls()[0]
			if x.State != "closed" || !slices.Equal(x.Comments, []string{"cancelled by ana"}) {
				t.Errorf("%s: %+v", name, x)
			}
			if _, err := w.repo.Head("ferry/prod/app-j1"); err == nil {
				t.Errorf("%s: the branch is left", name)
			}
			if p, err := w.forge().Proposal(t.Context(), 1); err != nil || p.State != forge.Closed || p.MergeCommit != "" {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
		}
	}
}

// TestCloseKeepsTheirs does not delete a branch that somebody else pushed to.
func TestCloseKeepsTheirs(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	if _, err := w.forge().Propose(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	theirs := w.push(n.Branch, "more", "x")
	if err := w.forge().CloseProposal(t.Context(), 1, ""); err != nil {
		t.Fatal(err)
	}
	if w.head(n.Branch) != theirs || w.repo.Pulls()[0].State != "closed" {
		t.Error("their branch is gone, or the pull request open")
	}
	n.On = w.head("main")
	if _, err := w.forge().UpdateProposal(t.Context(), 1, n); !fault.Is(err, fault.Already) {
		t.Errorf("updating a closed one: %v", err)
	}
}

// TestUpdateProposal brings a pull request that conflicts to the new base; no
// answer that is lost on the way leaves it half done, or closed.
func TestUpdateProposal(t *testing.T) {
	cut := map[string]github.Fault{
		"nothing": {Path: regexp.MustCompile(`^$`)}, "branch": steps()["branch"], "commit": steps()["commit"], "move": {Operation: "updateRefs"},
		"text": {Method: http.MethodPatch, Path: regexp.MustCompile(`/pulls/`)},
	}
	for name, f := range cut {
		for _, f.Effect = range []bool{true, false} {
			w := newWorld(t)
			n := w.proposal()
			if _, err := w.forge().Propose(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			w.push("main", "app.yaml", "tag: 1 # theirs\n")
			if p, err := w.forge().Proposal(t.Context(), 1); err != nil || !p.Conflict || p.Waits != "it conflicts with main" {
				t.Errorf("in conflict: %+v, %v", p, err)
			}
			n.On, n.Files, n.Text = w.head("main"), map[string][]byte{"app.yaml": []byte("tag: 2\n")}, "1 becomes 2, on theirs"
			f.Cut = true
			w.Inject(f)
			p, _ := w.again(func(r *forge.Repository) (forge.Proposal, error) { return r.UpdateProposal(t.Context(), 1, n) })
			w.one(p)
			p, err := w.forge().Proposal(t.Context(), 1)
			if err != nil || p.State != forge.Open || p.Conflict || p.Head != w.head(n.Branch) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			if body := w.repo.Pulls()[0].Body; body != "1 becomes 2, on theirs\n\nFerry-Job: j1\n" {
				t.Errorf("%s: text %q", name, body)
			}
			head := p.Head
			var s sent
			if p, err := w.forge(func(o *forge.Options) { o.OnRequest = s.seen }).UpdateProposal(t.Context(), 1, n); err != nil || p.Head != head || s.graph > 0 {
				t.Errorf("%s told again: %+v, %v, %+v", name, p, err, s)
			}
		}
	}
	w := newWorld(t)
	n := w.proposal()
	if _, err := w.forge().Propose(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	theirs := w.push(n.Branch, "more", "x")
	if _, err := w.forge().UpdateProposal(t.Context(), 1, n); !fault.Is(err, fault.Refused) || w.head(n.Branch) != theirs {
		t.Errorf("somebody else's commit on the branch: %v", err)
	}
}

func TestAutoMerge(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		w := newWorld(t)
		n := w.proposal()
		n.AutoMerge = "squash"
		p, err := w.forge().Propose(t.Context(), n)
		if err != nil || p.State != forge.Merged || p.MergeCommit != w.head("main") || len(p.Warnings) > 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		if log, err := w.repo.Log("main"); err != nil || log[0].Message != "promote app to 2\n\napp.yaml:1\n\nFerry-Job: j1\nFerry-App: app\n" {
			t.Errorf("%q, %v", log[0].Message, err)
		}
	})
	t.Run("later", func(t *testing.T) {
		w := newWorld(t)
		w.repo.Protect("main", github.Protection{Ruleset: true, Reviews: 1, Checks: []string{"ci"}})
		n := w.proposal()
		n.AutoMerge = "merge"
		p, err := w.forge().Propose(t.Context(), n)
		if err != nil || p.State != forge.Open || !p.AutoMerge || len(p.Warnings) > 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		var s sent
		if p, err = w.forge(func(o *forge.Options) { o.OnRequest = s.seen }).Propose(t.Context(), n); err != nil || !p.AutoMerge || s.all != 1 {
			t.Errorf("told again: %+v, %v, %+v", p, err, s)
		}
		if err := w.repo.ApprovePull(1, "ana"); err != nil {
			t.Fatal(err)
		}
		if p, err = w.forge().Proposal(t.Context(), 1); err != nil || p.State != forge.Open || p.Waits != "it waits for approval or for checks" {
			t.Errorf("without its check: %+v, %v", p, err)
		}
		w.repo.SetStatus(github.OID(p.Head), "ci", github.CommitStatus{State: "success"})
		if p, err = w.forge().Proposal(t.Context(), 1); err != nil || p.State != forge.Merged || p.MergeCommit != w.head("main") || p.MergedBy != "ferry-bot" {
			t.Errorf("with it: %+v, %v", p, err)
		}
	})
	t.Run("not allowed", func(t *testing.T) {
		w := newWorld(t, func(o *github.Options) { o.Repositories[0].NoAutoMerge = true })
		n := w.proposal()
		n.AutoMerge = "rebase"
		p, err := w.forge().Propose(t.Context(), n)
		if err != nil || p.State != forge.Open || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "Auto merge is not allowed for this repository") {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("checks run that nobody requires", func(t *testing.T) {
		w := newWorld(t)
		n := w.proposal()
		if _, err := w.forge().Propose(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		w.repo.SetStatus(w.repo.Pulls()[0].Head, "ci", github.CommitStatus{State: "pending"})
		n.AutoMerge = "squash"
		p, err := w.forge().Propose(t.Context(), n)
		if err != nil || p.State != forge.Open || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "unstable") {
			t.Errorf("%+v, %v", p, err)
		}
	})
	t.Run("answer lost", func(t *testing.T) {
		w := newWorld(t)
		f := github.CutAfterEffect()
		f.Method = http.MethodPut
		w.Inject(f)
		n := w.proposal()
		n.AutoMerge = "squash"
		p, err := w.forge().Propose(t.Context(), n)
		if err != nil || len(p.Warnings) != 1 {
			t.Errorf("%+v, %v", p, err)
		}
		if p, err = w.forge().Propose(t.Context(), n); err != nil || p.State != forge.Merged || len(w.repo.Pulls()) != 1 {
			t.Errorf("told again: %+v, %v", p, err)
		}
	})
}
