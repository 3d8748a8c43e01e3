package github_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	gh "github.com/google/go-github/v50/github"

	"ferry/playground/github"
)

// propose opens a pull request with one commit into main.
func (w *world) propose(t testing.TB, branch string, files map[string]string) *gh.PullRequest {
	t.Helper()
	c, ctx := w.client("writer"), t.Context()
	ref := &gh.Reference{Ref: gh.String("refs/heads/" + branch), Object: &gh.GitObject{SHA: gh.String(string(head(t, w.repo)))}}
	if _, _, err := c.Git.CreateRef(ctx, "acme", "fleet", ref); err != nil {
		t.Fatal(err)
	}
	w.commit(t, c, branch, head(t, w.repo), files)
	p, _, err := c.PullRequests.Create(ctx, "acme", "fleet", &gh.NewPullRequest{Title: gh.String("promote"), Head: gh.String(branch), Base: gh.String("main")})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMergesAreGits merges in each way beside another change, and lets git judge.
func TestMergesAreGits(t *testing.T) {
	for _, method := range []string{"merge", "squash", "rebase"} {
		w := start(t)
		p := w.propose(t, "side", version(9))
		if _, err := w.repo.Commit("side", "second", map[string]string{"second": "2\n"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.repo.Commit("main", "outside", map[string]string{"other": "1\n"}); err != nil {
			t.Fatal(err)
		}
		before := head(t, w.repo)
		id, err := w.repo.MergePull(p.GetNumber(), method, "ana")
		if err != nil || id != head(t, w.repo) {
			t.Fatalf("%s: %s, %v", method, id, err)
		}
		dir := w.repo.Dir()
		if out := mustGit(t, dir, "ls-tree", "--name-only", "main"); !strings.Contains(out, "other") || !strings.Contains(out, "second") {
			t.Errorf("%s: main holds %s", method, out)
		}
		if text := mustGit(t, dir, "show", "main:"+kustomization); !strings.Contains(text, "6.5.9") {
			t.Errorf("%s: %s", method, text)
		}
		want := map[string]string{"merge": "3", "squash": "1", "rebase": "2"}[method]
		if n := mustGit(t, dir, "rev-list", "--count", string(before)+"..main"); n != want {
			t.Errorf("%s: %s commits, want %s", method, n, want)
		}
		if at := mustGit(t, dir, "rev-parse", "refs/pull/1/head"); at != string(w.repo.Pulls()[0].Head) {
			t.Errorf("%s: refs/pull/1/head is at %s", method, at)
		}
		sound(t, w.repo)
	}
}

// TestConflict refuses what git cannot merge, in every way, and leaves the base alone.
func TestConflict(t *testing.T) {
	w := start(t)
	p := w.propose(t, "side", version(9))
	theirs, err := w.repo.Commit("main", "outside", version(8))
	if err != nil {
		t.Fatal(err)
	}
	got, _, err := w.client("reader").PullRequests.Get(t.Context(), "acme", "fleet", p.GetNumber())
	if err != nil || got.GetMergeableState() != "dirty" || got.GetMergeable() {
		t.Errorf("%s, %v", got.GetMergeableState(), err)
	}
	for _, method := range []string{"merge", "squash", "rebase"} {
		if _, err := w.repo.MergePull(1, method, "ana"); err == nil || head(t, w.repo) != theirs {
			t.Errorf("%s: %v", method, err)
		}
	}
	if w.repo.Pulls()[0].State != "open" {
		t.Error("it is closed")
	}
}

// TestPullsFollowGit are closed and merged by what is pushed.
func TestPullsFollowGit(t *testing.T) {
	w := start(t)
	w.propose(t, "a", version(1))
	w.propose(t, "b", map[string]string{"b": "1"})
	w.propose(t, "c", map[string]string{"c": "1"})
	w.propose(t, "d", map[string]string{"d": "1"})
	dir := w.clone(t, "writer")
	mustGit(t, dir, "push", "--quiet", "origin", "origin/a:main")            // merged by hand
	mustGit(t, dir, "push", "--quiet", "origin", ":b")                       // deleted
	mustGit(t, dir, "push", "--quiet", "--force", "origin", "origin/main:c") // nothing left
	mustGit(t, dir, "checkout", "--quiet", "d")
	write(t, dir, "d", "2")
	mustGit(t, dir, "commit", "--quiet", "-am", "more")
	mustGit(t, dir, "push", "--quiet", "origin", "d")
	all := w.repo.Pulls()
	for i, want := range []string{"merged", "closed", "closed", "open"} {
		if all[i].State != want {
			t.Errorf("#%d is %s, want %s", i+1, all[i].State, want)
		}
	}
	if all[0].MergeCommit != head(t, w.repo) || string(all[3].Head) != mustGit(t, dir, "rev-parse", "d") {
		t.Errorf("%+v", all)
	}
}

// TestProtectionCanBeSet holds for every way in from then on, and names those whom it spares.
func TestProtectionCanBeSet(t *testing.T) {
	for name, c := range map[string]struct {
		github.Protection
		push, api string
	}{
		"ruleset": {github.Protection{Ruleset: true, Checks: []string{"ci"}}, "- Changes must be made through a pull request.", "Changes must be made through a pull request.\n\nRequired status check \"ci\" is expected."},
		"pushers": {github.Protection{Pushers: []string{"ana"}}, "You're not authorized to push to this branch.", "You're not authorized to push to this branch."},
		"locked":  {github.Protection{Locked: true}, "Cannot change this locked branch", "Cannot change this locked branch"},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			w.repo.Protect("main", c.Protection)
			dir := w.clone(t, "writer")
			write(t, dir, "x", "y")
			mustGit(t, dir, "add", ".")
			mustGit(t, dir, "commit", "--quiet", "-m", "pushed")
			if out, err := git(t, dir, "push", "origin", "HEAD:main"); err == nil || !strings.Contains(out, c.push) {
				t.Errorf("push: %v\n%s", err, out)
			}
			out, err := graphQL(t.Context(), w.client("writer"), commitMutation, commitInput("main", head(t, w.repo), version(2)))
			if err != nil || len(out.Errors) != 1 || !strings.Contains(out.Errors[0].Message, c.api) {
				t.Errorf("API: %v, %+v", err, out.Errors)
			}
			_, err = w.client("writer").Git.DeleteRef(t.Context(), "acme", "fleet", "heads/main")
			if status(err) != http.StatusUnprocessableEntity {
				t.Errorf("deleting: %v", err)
			}
			spared := c.Protection
			spared.Bypass = []string{"Ferry-Bot"}
			w.repo.Protect("main", spared)
			mustGit(t, dir, "push", "--quiet", "origin", "HEAD:main")
			w.repo.Protect("main", c.Protection)
			w.repo.Unprotect("main")
			if made := w.commit(t, w.client("writer"), "main", head(t, w.repo), version(2)); made == "" {
				t.Error("a free branch refuses")
			}
		})
	}
}

// TestMergeWaitsForRules needs the last word of each reviewer, and every check.
func TestMergeWaitsForRules(t *testing.T) {
	w := start(t)
	w.repo.Protect("main", github.Protection{Reviews: 1, Checks: []string{"ci"}, Strict: true})
	p := w.propose(t, "side", version(9))
	c := w.client("writer")
	merge := func() error {
		_, _, err := c.PullRequests.Merge(t.Context(), "acme", "fleet", p.GetNumber(), "", nil)
		return err
	}
	states := []string{}
	state := func() {
		got, _, err := c.PullRequests.Get(t.Context(), "acme", "fleet", p.GetNumber())
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, got.GetMergeableState())
		if err := merge(); (err == nil) != (got.GetMergeableState() == "clean") {
			t.Errorf("%s: merging: %v", got.GetMergeableState(), err)
		}
	}
	state()
	if err := w.repo.ApprovePull(1, "ana"); err != nil {
		t.Fatal(err)
	}
	state()
	if _, err := w.repo.Commit("main", "outside", map[string]string{"x": "1"}); err != nil {
		t.Fatal(err)
	}
	w.repo.SetStatus(w.repo.Pulls()[0].Head, "ci", github.CommitStatus{State: "success"})
	state()
	w.repo.Protect("main", github.Protection{Reviews: 1, Checks: []string{"ci"}})
	w.repo.SetStatus(w.repo.Pulls()[0].Head, "lint", github.CommitStatus{State: "success"})
	state()
	if want := []string{"blocked", "blocked", "behind", "clean"}; !slices.Equal(states, want) || w.repo.Pulls()[0].State != "merged" {
		t.Errorf("%q, want %q", states, want)
	}
}
