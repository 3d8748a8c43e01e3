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

// TestUpdateMeetsPush loses against somebody who pushes to the branch meanwhile.
func TestUpdateMeetsPush(t *testing.T) {
	w := newWorld(t)
	n := w.proposal()
	if _, err := w.forge().Propose(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.On = w.push("main", "other.yaml", "x: 2\n")
	theirs := ""
	push := &before{http.MethodPost, "/git/refs", func() { theirs = w.push(n.Branch, "more", "x") }}
	if _, err := w.forge(func(o *forge.Options) { o.Transport = push }).UpdateProposal(t.Context(), 1, n); !fault.Is(err, fault.Moved) {
		t.Errorf("%v", err)
	}
	if theirs == "" || w.head(n.Branch) != theirs || string(w.repo.Pulls()[0].Head) != theirs {
		t.Error("their commit is gone")
	}
	if _, err := w.repo.Head(n.Branch + "-next"); err == nil {
		t.Error("the branch beside is left")
	}
	if _, err := w.forge().UpdateProposal(t.Context(), 1, n); !fault.Is(err, fault.Refused) {
		t.Errorf("again: %v", err)
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
