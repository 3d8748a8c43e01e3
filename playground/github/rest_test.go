package github_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	gh "github.com/google/go-github/v50/github"

	"ferry/playground/github"
)

func TestReadsWithGoGitHub(t *testing.T) {
	w := start(t)
	c, ctx := w.client("reader"), t.Context()
	x, _, err := c.Repositories.GetCommit(ctx, "acme", "fleet", "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	if x.GetSHA() != string(head(t, w.repo)) || len(x.Files) != 4 || x.GetStats().GetAdditions() == 0 {
		t.Errorf("commit %s with %d files", x.GetSHA(), len(x.Files))
	}
	tree, _, err := c.Git.GetTree(ctx, "acme", "fleet", x.GetCommit().GetTree().GetSHA(), true)
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]string{}
	for _, e := range tree.Entries {
		modes[e.GetPath()] = e.GetMode()
	}
	if modes["bin/deploy.sh"] != "100755" || modes["apps/prod"] != "040000" || modes[kustomization] != "100644" || tree.GetTruncated() {
		t.Errorf("tree %v", modes)
	}
	for _, e := range tree.Entries {
		if e.GetPath() != "logo.bin" {
			continue
		}
		raw, _, err := c.Git.GetBlobRaw(ctx, "acme", "fleet", e.GetSHA())
		if err != nil || string(raw) != "\x00\x01\x02\xff" || e.GetSize() != 4 {
			t.Errorf("raw blob %q, size %d, %v", raw, e.GetSize(), err)
		}
	}
	file, _, _, err := c.Repositories.GetContents(ctx, "acme", "fleet", kustomization, &gh.RepositoryContentGetOptions{Ref: "main"})
	if err != nil {
		t.Fatal(err)
	}
	if text, err := file.GetContent(); err != nil || !strings.Contains(text, "6.5.3") {
		t.Errorf("contents %q, %v", text, err)
	}
	if _, _, err := c.Git.GetRef(ctx, "acme", "fleet", "heads/main"); err != nil {
		t.Error(err)
	}
	if b, _, err := c.Repositories.GetBranch(ctx, "acme", "fleet", "main", false); err != nil || b.GetCommit().GetSHA() != x.GetSHA() {
		t.Errorf("branch %v, %v", b, err)
	}
	archive, _, err := c.Repositories.GetArchiveLink(ctx, "acme", "fleet", gh.Tarball, &gh.RepositoryContentGetOptions{Ref: "main"}, false)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(archive.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if data, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || len(data) < 100 {
		t.Errorf("archive: %s, %d bytes", resp.Status, len(data))
	}
}

func TestHistoryPagesAndCompare(t *testing.T) {
	w := start(t)
	c, ctx := w.client("reader"), t.Context()
	first := head(t, w.repo)
	for n := range 5 {
		if _, err := w.repo.Commit("main", "bump", version(n)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.repo.Commit("main", "elsewhere", map[string]string{"other": "x"}); err != nil {
		t.Fatal(err)
	}
	opts := &gh.CommitsListOptions{Path: kustomization, ListOptions: gh.ListOptions{PerPage: 2}}
	var seen []string
	for {
		page, resp, err := c.Repositories.ListCommits(ctx, "acme", "fleet", opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range page {
			seen = append(seen, x.GetSHA())
		}
		if resp.NextPage == 0 {
			break
		}
		opts.Page = resp.NextPage
	}
	if len(seen) != 6 || seen[5] != string(first) {
		t.Errorf("history of the file: %v", seen)
	}
	cmp, _, err := c.Repositories.CompareCommits(ctx, "acme", "fleet", string(first), "main", nil)
	if err != nil {
		t.Fatal(err)
	}
	if cmp.GetStatus() != "ahead" || cmp.GetAheadBy() != 6 || len(cmp.Files) != 2 || cmp.GetMergeBaseCommit().GetSHA() != string(first) {
		t.Errorf("compare: %s by %d, %d files", cmp.GetStatus(), cmp.GetAheadBy(), len(cmp.Files))
	}
}

func TestConditionalRequestsAreFree(t *testing.T) {
	w := start(t)
	c, ctx := w.client("reader"), t.Context()
	at := head(t, w.repo)
	sha, resp, err := c.Repositories.GetCommitSHA1(ctx, "acme", "fleet", "main", "")
	if err != nil || sha != string(at) {
		t.Fatalf("%s, %v", sha, err)
	}
	before := resp.Rate.Remaining
	for range 3 {
		_, resp, err = c.Repositories.GetCommitSHA1(ctx, "acme", "fleet", "main", sha)
		if err == nil || resp.StatusCode != http.StatusNotModified || resp.Rate.Remaining != before {
			t.Fatalf("%v, %v, remaining %d of %d", err, resp.Status, resp.Rate.Remaining, before)
		}
	}
	if _, err := w.repo.Commit("main", "move", version(9)); err != nil {
		t.Fatal(err)
	}
	if now, _, err := c.Repositories.GetCommitSHA1(ctx, "acme", "fleet", "main", sha); err != nil || now == sha {
		t.Errorf("after a push: %s, %v", now, err)
	}
	if n := w.Requests()["GET /repos/{owner}/{repo}/commits/{ref}"]; n != (github.Count{Counted: 2, NotModified: 3}) {
		t.Errorf("counted %+v", n)
	}
}

func TestLimitRunsOutAndComesBack(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	w := start(t, func(o *github.Options) { o.HourlyLimit, o.Now = 2, func() time.Time { return now } })
	ask := func() error {
		// A client of its own each time: go-github keeps a run-out limit in mind.
		_, _, err := w.client("reader").Repositories.Get(t.Context(), "acme", "fleet")
		return err
	}
	for range 2 {
		if err := ask(); err != nil {
			t.Fatal(err)
		}
	}
	if _, ok := ask().(*gh.RateLimitError); !ok {
		t.Errorf("third request: %v", ask())
	}
	now = now.Add(time.Hour)
	if err := ask(); err != nil {
		t.Error(err)
	}
}

func TestGitDataWrites(t *testing.T) {
	w := start(t)
	c, ctx := w.client("writer"), t.Context()
	at := string(head(t, w.repo))
	parent, _, err := c.Git.GetCommit(ctx, "acme", "fleet", at)
	if err != nil {
		t.Fatal(err)
	}
	tree, _, err := c.Git.CreateTree(ctx, "acme", "fleet", parent.GetTree().GetSHA(), []*gh.TreeEntry{
		{Path: gh.String(kustomization), Mode: gh.String("100644"), Type: gh.String("blob"), Content: gh.String("new\n")},
		{Path: gh.String("logo.bin"), Mode: gh.String("100644")},
	})
	if err != nil {
		t.Fatal(err)
	}
	made := func(message string) *gh.Reference {
		x, _, err := c.Git.CreateCommit(ctx, "acme", "fleet", &gh.Commit{Message: &message, Tree: tree, Parents: []*gh.Commit{parent}})
		if err != nil {
			t.Fatal(err)
		}
		return &gh.Reference{Ref: gh.String("refs/heads/main"), Object: &gh.GitObject{SHA: x.SHA}}
	}
	if _, _, err := c.Git.UpdateRef(ctx, "acme", "fleet", made("one"), false); err != nil {
		t.Fatal(err)
	}
	_, _, err = c.Git.UpdateRef(ctx, "acme", "fleet", made("two"), false)
	if status(err) != 422 || !strings.Contains(err.Error(), "Update is not a fast forward") {
		t.Errorf("second child of one parent: %v", err)
	}
	if text, err := w.repo.ReadFile("main", kustomization); text != "new\n" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := w.repo.ReadFile("main", "logo.bin"); err == nil {
		t.Error("a deleted file is still there")
	}
	ref := &gh.Reference{Ref: gh.String("refs/heads/feature/a"), Object: &gh.GitObject{SHA: &at}}
	if _, _, err := c.Git.CreateRef(ctx, "acme", "fleet", ref); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Git.CreateRef(ctx, "acme", "fleet", ref); status(err) != 422 || !strings.Contains(err.Error(), "Reference already exists") {
		t.Errorf("twice: %v", err)
	}
	if refs, _, err := c.Git.ListMatchingRefs(ctx, "acme", "fleet", &gh.ReferenceListOptions{Ref: "heads/feature"}); err != nil || len(refs) != 1 {
		t.Errorf("matching: %v, %v", refs, err)
	}
	if _, err := c.Git.DeleteRef(ctx, "acme", "fleet", "heads/feature/a"); err != nil {
		t.Error(err)
	}
	sound(t, w.repo)
}

func TestContentsConflicts(t *testing.T) {
	w := start(t)
	c, ctx := w.client("writer"), t.Context()
	put := func(path, sha string) error {
		o := &gh.RepositoryContentFileOptions{Message: gh.String("m"), Content: []byte("x\n"), Branch: gh.String("main")}
		if sha != "" {
			o.SHA = &sha
		}
		_, _, err := c.Repositories.UpdateFile(ctx, "acme", "fleet", path, o)
		return err
	}
	if err := put("fresh", ""); err != nil {
		t.Error(err)
	}
	if err := put(kustomization, ""); status(err) != 422 || !strings.Contains(err.Error(), "wasn't supplied") {
		t.Errorf("without sha: %v", err)
	}
	if err := put(kustomization, strings.Repeat("1", 40)); status(err) != 409 || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("stale sha: %v", err)
	}
	file, _, _, err := c.Repositories.GetContents(ctx, "acme", "fleet", "bin/deploy.sh", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := put("bin/deploy.sh", file.GetSHA()); err != nil {
		t.Error(err)
	}
	if out := mustGit(t, w.repo.Dir(), "ls-tree", "main", "bin/deploy.sh"); !strings.HasPrefix(out, "100755 ") {
		t.Errorf("mode after the write: %s", out)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	w := start(t)
	ctx := t.Context()
	sha := string(head(t, w.repo))
	for token, want := range map[string][2]int{"writer": {0, 0}, "reader": {0, 403}, "nothing": {404, 404}, "wrong": {401, 401}, "": {404, 401}} {
		_, _, err := w.client(token).Repositories.Get(ctx, "acme", "fleet")
		if got := status(err); got != want[0] {
			t.Errorf("%q reads: %v", token, err)
		}
		ref := &gh.Reference{Ref: gh.String("refs/heads/by-" + token), Object: &gh.GitObject{SHA: &sha}}
		_, _, err = w.client(token).Git.CreateRef(ctx, "acme", "fleet", ref)
		if got := status(err); got != want[1] {
			t.Errorf("%q writes: %v", token, err)
		}
	}
	_, resp, err := w.client("writer").Users.Get(ctx, "")
	if err != nil || resp.Header.Get("X-OAuth-Scopes") != "repo, workflow" || resp.Header.Get("X-GitHub-Request-Id") == "" {
		t.Errorf("user: %v, %v", resp.Header, err)
	}
}

func TestEmptyRepository(t *testing.T) {
	w := start(t)
	c, ctx := w.client("writer"), t.Context()
	if _, _, err := c.Git.GetTree(ctx, "acme", "empty", strings.Repeat("1", 40), false); status(err) != 409 {
		t.Errorf("tree: %v", err)
	}
	if _, _, err := c.Repositories.GetCommit(ctx, "acme", "empty", "main", nil); status(err) != 409 {
		t.Errorf("commit: %v", err)
	}
	o := &gh.RepositoryContentFileOptions{Message: gh.String("first"), Content: []byte("# hi\n")}
	if _, _, err := c.Repositories.CreateFile(ctx, "acme", "empty", "README.md", o); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Repositories.GetCommit(ctx, "acme", "empty", "main", nil); err != nil {
		t.Error(err)
	}
}

func TestProtection(t *testing.T) {
	w := start(t)
	c, ctx := w.client("writer"), t.Context()
	for branch, want := range map[string]string{
		"ruled": "Changes must be made through a pull request", "reviewed": "At least 1 approving review is required",
		"checked": "2 of 2 required status checks are expected",
	} {
		at, err := w.repo.Commit(branch, "begin", map[string]string{"f": "1"})
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = c.Git.UpdateRef(ctx, "acme", "fleet", &gh.Reference{Ref: gh.String("heads/" + branch), Object: &gh.GitObject{SHA: gh.String(string(at))}}, false)
		if status(err) != 422 || !strings.Contains(err.Error(), want) {
			t.Errorf("%s by REST: %v", branch, err)
		}
		out, err := graphQL(ctx, c, commitMutation, commitInput(branch, at, version(1)))
		if err != nil || len(out.Errors) != 1 || !strings.Contains(out.Errors[0].Message, want) {
			t.Errorf("%s by GraphQL: %v, %+v", branch, err, out)
		}
	}
	dir := w.clone(t, "writer")
	if out, err := git(t, dir, "push", "origin", "HEAD:reviewed", "--force"); err == nil || !strings.Contains(out, "GH006") {
		t.Errorf("push to reviewed: %v\n%s", err, out)
	}
	if out, err := git(t, dir, "push", "origin", "HEAD:ruled", "--force"); err == nil || !strings.Contains(out, "GH013") {
		t.Errorf("push to ruled: %v\n%s", err, out)
	}
	if _, resp, _ := c.Repositories.GetBranchProtection(ctx, "acme", "fleet", "ruled"); resp.StatusCode != 404 {
		t.Errorf("a ruleset shows as branch protection: %s", resp.Status)
	}
}

func TestTreeIsTruncated(t *testing.T) {
	w := start(t, func(o *github.Options) { o.TreeLimit = 2 })
	tree, _, err := w.client("reader").Git.GetTree(t.Context(), "acme", "fleet", "main", true)
	if err != nil || !tree.GetTruncated() || len(tree.Entries) != 2 {
		t.Errorf("%d entries, truncated %v, %v", len(tree.Entries), tree.GetTruncated(), err)
	}
}
