package github_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ferry/playground/github"
)

func TestCreateCommitOnBranch(t *testing.T) {
	w := start(t)
	c := w.client("writer")
	at := head(t, w.repo)
	files := version(4)
	files["bin/deploy.sh"] = "#!/bin/sh\nexit\n"
	made := w.commit(t, c, "main", at, files)
	if made != head(t, w.repo) {
		t.Fatalf("made %s, head %s", made, head(t, w.repo))
	}
	log, err := w.repo.Log("main")
	if err != nil || log[0].Message != "promote\n\nFerry-Job: 1" || log[0].Author.Name != "ferry-bot" || log[0].Parents[0] != at {
		t.Errorf("%+v, %v", log[0], err)
	}
	if out := mustGit(t, w.repo.Dir(), "ls-tree", "main", "bin/deploy.sh"); !strings.HasPrefix(out, "100644 ") {
		t.Errorf("an executable file stays one: %s", out)
	}
	out, err := graphQL(t.Context(), c, commitMutation, commitInput("main", at, version(5)))
	want := fmt.Sprintf("Expected branch to point to %q but it did not.  Pull and try again.", string(at))
	if err != nil || len(out.Errors) != 1 || out.Errors[0].Type != "STALE_DATA" || out.Errors[0].Message != want || out.Errors[0].Path[0] != "createCommitOnBranch" {
		t.Errorf("stale head: %v, %+v", err, out)
	}
	if v, there := out.Data["createCommitOnBranch"]; !there || v != nil {
		t.Errorf("data beside the error: %v", out.Data)
	}
	sound(t, w.repo)
}

func TestDeletionsAndTheirRefusal(t *testing.T) {
	w := start(t)
	c := w.client("writer")
	in := commitInput("main", head(t, w.repo), nil)
	changes := in["input"].(map[string]any)["fileChanges"].(map[string]any)
	changes["deletions"] = []any{map[string]any{"path": "apps/stage/podinfo.yml"}}
	if out, err := graphQL(t.Context(), c, commitMutation, in); err != nil || len(out.Errors) > 0 {
		t.Fatalf("%v, %+v", err, out)
	}
	if out := mustGit(t, w.repo.Dir(), "ls-tree", "main:apps"); strings.Contains(out, "stage") {
		t.Errorf("an empty directory stays: %s", out)
	}
	in["input"].(map[string]any)["expectedHeadOid"] = string(head(t, w.repo))
	if out, err := graphQL(t.Context(), c, commitMutation, in); err != nil || len(out.Errors) != 1 {
		t.Errorf("deleting what is gone: %v, %+v", err, out)
	}
}

func TestManyBlobsInOneQuery(t *testing.T) {
	w := start(t)
	var q strings.Builder
	q.WriteString(`query($o: String!, $n: String!) { repository(owner: $o, name: $n) { id ref(qualifiedName: "refs/heads/main") { target { oid ... on Commit { tree { oid } history(first: 1) { nodes { oid } } } } }`)
	for i := range 300 {
		fmt.Fprintf(&q, ` b%d: object(expression: "main:%s") { ... on Blob { text byteSize isBinary oid isTruncated } }`, i, kustomization)
	}
	q.WriteString(` gone: object(expression: "main:nowhere") { oid } apps: object(expression: "main:apps") { ... on Tree { entries { name type oid mode object { ... on Tree { entries { name } } } } } }
		logo: object(expression: "main:logo.bin") { ... on Blob { text isBinary } } } }`)
	out, err := graphQL(t.Context(), w.client("reader"), q.String(), map[string]any{"o": "acme", "n": "fleet"})
	if err != nil || len(out.Errors) > 0 {
		t.Fatalf("%v, %+v", err, out.Errors)
	}
	repo := out.Data["repository"].(map[string]any)
	if text := repo["b299"].(map[string]any)["text"].(string); !strings.Contains(text, "6.5.3") {
		t.Errorf("text %q", text)
	}
	if logo := repo["logo"].(map[string]any); logo["text"] != nil || logo["isBinary"] != true || repo["gone"] != nil {
		t.Errorf("logo %v, gone %v", logo, repo["gone"])
	}
	if e := repo["apps"].(map[string]any)["entries"].([]any)[0].(map[string]any); e["name"] != "prod" || e["mode"] != float64(16384) {
		t.Errorf("entry %v", e)
	}
	target := repo["ref"].(map[string]any)["target"].(map[string]any)
	if target["oid"] != string(head(t, w.repo)) {
		t.Errorf("target %v", target)
	}
	missing, err := graphQL(t.Context(), w.client("reader"), `{ repository(owner: "acme", name: "no") { id } }`, nil)
	if err != nil || len(missing.Errors) != 1 || missing.Errors[0].Type != "NOT_FOUND" {
		t.Errorf("%v, %+v", err, missing)
	}
}

func TestUpdateRefsIsExact(t *testing.T) {
	w := start(t)
	c := w.client("writer")
	first := head(t, w.repo)
	second, err := w.repo.Commit("main", "two", version(2))
	if err != nil {
		t.Fatal(err)
	}
	q := `{ repository(owner: "acme", name: "fleet") { id } }`
	out, err := graphQL(t.Context(), c, q, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := out.Data["repository"].(map[string]any)["id"]
	move := func(before, after github.OID, force bool) answer {
		t.Helper()
		out, err := graphQL(t.Context(), c, `mutation($i: UpdateRefsInput!) { updateRefs(input: $i) { clientMutationId } }`, map[string]any{"i": map[string]any{
			"repositoryId": id, "refUpdates": []any{map[string]any{"name": "refs/heads/main", "beforeOid": string(before), "afterOid": string(after), "force": force}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if out := move(first, second, false); len(out.Errors) != 1 {
		t.Errorf("from where it is not: %+v", out)
	}
	if out := move(second, first, false); len(out.Errors) != 1 {
		t.Errorf("backwards: %+v", out)
	}
	if out := move(second, first, true); len(out.Errors) != 0 || head(t, w.repo) != first {
		t.Errorf("backwards by force: %+v", out)
	}
	if out := move(first, second, false); len(out.Errors) != 0 || head(t, w.repo) != second {
		t.Errorf("forwards: %+v", out)
	}
}

// One base, two ways in, one winner each time.
func TestPushAndAPIRace(t *testing.T) {
	w := start(t)
	c := w.client("writer")
	dir := w.clone(t, "writer")
	api, pushes := 0, 0
	for round := range 12 {
		base := head(t, w.repo)
		mustGit(t, dir, "fetch", "--quiet", "origin")
		mustGit(t, dir, "reset", "--quiet", "--hard", string(base))
		write(t, dir, "pushed", fmt.Sprint(round))
		mustGit(t, dir, "add", ".")
		mustGit(t, dir, "commit", "--quiet", "-m", "pushed")
		var both sync.WaitGroup
		var pushErr error
		var pushed string
		both.Go(func() { pushed, pushErr = git(t, dir, "push", "origin", "HEAD:main") })
		// Between the push's start-up and its lock there is room for either to win: vary who is early.
		for range round % 4 {
			mustGit(t, dir, "ls-remote", "origin")
		}
		made := w.commit(t, c, "main", base, version(round))
		both.Wait()
		if (made != "") == (pushErr == nil) {
			t.Fatalf("round %d: API made %q, push says %v\n%s", round, made, pushErr, pushed)
		}
		if made != "" {
			api++
		} else {
			pushes++
		}
	}
	log, err := w.repo.Log("main")
	if err != nil || len(log) != 13 {
		t.Errorf("%d commits in a row, %v", len(log), err)
	}
	t.Logf("API won %d, pushes won %d", api, pushes)
	sound(t, w.repo)
}

func TestManyWritersOneWinner(t *testing.T) {
	w := start(t)
	base := head(t, w.repo)
	var won atomic.Int32
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			out, err := graphQL(t.Context(), w.client("writer"), commitMutation, commitInput("main", base, version(n)))
			switch {
			case err != nil:
				t.Error(err)
			case len(out.Errors) == 0:
				won.Add(1)
			case out.Errors[0].Type != "STALE_DATA":
				t.Errorf("%+v", out.Errors)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d writers won", won.Load())
	}
}

func TestOutsidersAreNeverLost(t *testing.T) {
	w := start(t)
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if _, err := w.repo.Commit("main", "outside", map[string]string{fmt.Sprintf("dir/%d", n): "x"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if log, err := w.repo.Log("main"); err != nil || len(log) != 9 {
		t.Errorf("%d commits, %v", len(log), err)
	}
	sound(t, w.repo)
}

func TestOnPushHearsEveryWayIn(t *testing.T) {
	w := start(t)
	var mu sync.Mutex
	var heard []string
	w.repo.OnPush(func(ref string, old, new github.OID) {
		mu.Lock()
		defer mu.Unlock()
		heard = append(heard, ref+" "+string(new))
	})
	a, err := w.repo.Commit("main", "outside", version(1))
	if err != nil {
		t.Fatal(err)
	}
	b := w.commit(t, w.client("writer"), "main", a, version(2))
	dir := w.clone(t, "writer")
	write(t, dir, "x", "y")
	mustGit(t, dir, "add", ".")
	mustGit(t, dir, "commit", "--quiet", "-m", "pushed")
	mustGit(t, dir, "push", "--quiet", "origin", "HEAD:main", "HEAD:side")
	p := mustGit(t, dir, "rev-parse", "HEAD")
	want := []string{"refs/heads/main " + string(a), "refs/heads/main " + string(b), "refs/heads/main " + p, "refs/heads/side " + p}
	mu.Lock()
	defer mu.Unlock()
	if strings.Join(heard, "\n") != strings.Join(want, "\n") {
		t.Errorf("heard\n%s\nwant\n%s", strings.Join(heard, "\n"), strings.Join(want, "\n"))
	}
}

func TestSmartHTTPAsksWhoItIs(t *testing.T) {
	w := start(t)
	for token, want := range map[string]string{"": "could not read Username", "wrong": "Authentication failed", "nothing": "not found"} {
		if out, err := git(t, t.TempDir(), "ls-remote", w.cloneURL(token)); err == nil || !strings.Contains(out, want) {
			t.Errorf("%q reads: %v\n%s", token, err, out)
		}
	}
	dir := w.clone(t, "reader")
	if out, err := git(t, dir, "push", "origin", "HEAD:new"); err == nil || !strings.Contains(out, "403") {
		t.Errorf("a reader pushes: %v\n%s", err, out)
	}
	open := start(t, func(o *github.Options) { o.AnonymousRead = true })
	open.clone(t, "")
}

func TestFaults(t *testing.T) {
	w := start(t)
	c, ctx := w.client("writer"), t.Context()
	f := github.SecondaryLimit(7 * time.Second)
	f.Path, f.Times = regexp.MustCompile(`/repos/`), 2
	w.Inject(f)
	for range 2 {
		_, resp, err := w.client("writer").Repositories.Get(ctx, "acme", "fleet")
		if err == nil || resp.StatusCode != 403 || resp.Header.Get("Retry-After") != "7" {
			t.Fatalf("%v, %v", err, resp)
		}
	}
	if _, _, err := c.Repositories.Get(ctx, "acme", "fleet"); err != nil {
		t.Errorf("after the fault: %v", err)
	}
	cut := github.CutAfterEffect()
	cut.Operation = "createCommitOnBranch"
	w.Inject(cut)
	at := head(t, w.repo)
	if _, err := graphQL(ctx, c, `{ viewer { login } }`, nil); err != nil {
		t.Errorf("another operation meets the fault: %v", err)
	}
	if _, err := graphQL(ctx, c, commitMutation, commitInput("main", at, version(1))); err == nil {
		t.Error("no error on a cut connection")
	}
	if head(t, w.repo) == at {
		t.Error("the effect did not happen")
	}
	cancel := w.Inject(github.Fault{Method: http.MethodGet, Status: 503, Times: 1000})
	if _, resp, _ := c.Repositories.Get(ctx, "acme", "fleet"); resp.StatusCode != 503 {
		t.Errorf("status %s", resp.Status)
	}
	cancel()
	if _, _, err := c.Repositories.Get(ctx, "acme", "fleet"); err != nil {
		t.Errorf("after taking it back: %v", err)
	}
}

func TestStaleHeadIsServedForAWhile(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	var mu sync.Mutex
	w := start(t, func(o *github.Options) {
		o.Now = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	c := w.client("writer")
	old := head(t, w.repo)
	if _, err := w.repo.ServeStale("main", 30*time.Second); err != nil {
		t.Fatal(err)
	}
	fresh := w.commit(t, c, "main", old, version(1))
	read := func() string {
		ref, _, err := c.Git.GetRef(t.Context(), "acme", "fleet", "heads/main")
		if err != nil {
			t.Fatal(err)
		}
		return ref.GetObject().GetSHA()
	}
	if read() != string(old) {
		t.Error("the head is fresh at once")
	}
	if w.commit(t, c, "main", old, version(2)) != "" {
		t.Error("the write believed the stale head")
	}
	mu.Lock()
	now = now.Add(31 * time.Second)
	mu.Unlock()
	if read() != string(fresh) {
		t.Error("the head is stale for ever")
	}
}
