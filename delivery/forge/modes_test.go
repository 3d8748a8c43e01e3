package forge_test

import (
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// moded is a world with an executable file, one of them UTF-16, and a symbolic
// link, beside plain files.
func moded(t *testing.T, change ...func(*github.Options)) *world {
	t.Helper()
	w := newWorld(t, change...)
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir = w.repo.Dir()
	cmd.Stdin = strings.NewReader("commit refs/heads/main\ncommitter o <o@x> 1700000000 +0000\ndata 5\nmodes\nfrom refs/heads/main^0\n" +
		"M 100755 inline deep/run.yaml\ndata 7\ntag: 1\n\nM 100755 inline wide.yaml\ndata 4\nt\x00\x31\x00\n" +
		"M 120000 inline deep/link.yaml\ndata 8\nrun.yaml\n\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return w
}

func (w *world) git(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", w.repo.Dir()}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// modes are the modes of all files of a branch.
func (w *world) modes(branch string) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(w.git("ls-tree", "-r", branch)) {
		about, path, _ := strings.Cut(strings.TrimSpace(line), "\t")
		out[path], _, _ = strings.Cut(about, " ")
	}
	return out
}

func executable(w *world) forge.NewCommit {
	return forge.NewCommit{
		On: w.head("main"), Headline: "promote run to 2", Body: "deep/run.yaml:1\n\nFerry-Job: j1\n", Job: "j1",
		Files: map[string][]byte{"deep/run.yaml": []byte("tag: <2> & ünicode\r\n"), "app.yaml": []byte("tag: 2\n"), "new.yaml": []byte("x\n")},
		Modes: map[string]string{"deep/run.yaml": "100755"},
	}
}

func TestModesAreKept(t *testing.T) {
	t.Parallel()
	w := moded(t)
	var count sent
	r := w.forge(func(o *forge.Options) { o.OnRequest = count.seen })
	before, began := w.modes("main"), time.Now()
	if _, err := r.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := executable(w)
	count.reset()
	made, err := r.Commit(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if count.counted != 4 { // the repository's ID, tree, commit, reference
		t.Errorf("%d requests for the first one", count.counted)
	}
	if made.SHA != w.head("main") || made.Tree != w.git("rev-parse", "main^{tree}") || made.URL == "" || made.At.Before(began.Add(-time.Minute)) || w.git("rev-parse", "main^") != c.On {
		t.Errorf("%+v", made)
	}
	before["new.yaml"] = "100644"
	for path, mode := range w.modes("main") {
		if before[path] != mode {
			t.Errorf("%s was %q, is %q", path, before[path], mode)
		}
	}
	for path, data := range c.Files {
		if got, err := w.repo.ReadFile("main", path); err != nil || got != string(data) {
			t.Errorf("%s is %q, %v", path, got, err)
		}
	}
	if author := w.git("log", "-1", "--format=%an %ae / %B", "main"); author != "ferry-bot ferry-bot@users.noreply.github.com / promote run to 2\n\ndeep/run.yaml:1\n\nFerry-Job: j1" {
		t.Errorf("%s", author)
	}
	if found, ok, err := r.Find(t.Context(), "Ferry-Job", "j1", began); err != nil || !ok || found.SHA != made.SHA {
		t.Errorf("%+v, %v, %v", found, ok, err)
	}
	w.git("fsck", "--strict")

	// Again, with a file that is no text, and one that goes.
	if _, err := r.Head(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.On, c.Files, c.Modes = w.head("main"), map[string][]byte{"wide.yaml": []byte("t\x002\x00"), "new.yaml": nil}, map[string]string{"wide.yaml": "100755"}
	count.reset()
	if _, err := r.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if got := w.git("cat-file", "-p", "main:wide.yaml"); got != "t\x002\x00" || w.modes("main")["wide.yaml"] != "100755" {
		t.Errorf("%q, %s", got, w.modes("main")["wide.yaml"])
	}
	if _, err := w.repo.ReadFile("main", "new.yaml"); err == nil {
		t.Error("new.yaml is still there")
	}
	if count.counted != 4 { // blob, tree, commit, reference
		t.Errorf("%d requests with a blob", count.counted)
	}
}

// TestModesRace has somebody push, and somebody rewind the branch, in the moment
// before it would move.
func TestModesRace(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(w *world){
		"pushed":  func(w *world) { w.push("main", "other.yaml", "x: 2\n") },
		"rewound": func(w *world) { w.git("update-ref", "refs/heads/main", "main~1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := moded(t)
			b := &before{method: http.MethodPost, path: "/graphql", do: func() { do(w) }}
			r := w.forge(func(o *forge.Options) { o.Transport = b })
			_, err := r.Commit(t.Context(), executable(w))
			if !fault.Is(err, fault.Moved) {
				t.Errorf("%v", err)
			}
			log, err := w.repo.Log("main")
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range log {
				if forge.HasTrailer(c.Message, "Ferry-Job", "j1") {
					t.Errorf("it is on the branch: %+v", c)
				}
			}
		})
	}
}

func TestModesLostAnswer(t *testing.T) {
	t.Parallel()
	w := moded(t)
	lost := github.CutAfterEffect()
	lost.Operation = "updateRefs"
	w.Inject(lost)
	r, began := w.forge(), time.Now()
	if _, err := r.Commit(t.Context(), executable(w)); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("%v", err)
	}
	if found, ok, err := r.Find(t.Context(), "Ferry-Job", "j1", began); err != nil || !ok || found.SHA != w.head("main") {
		t.Errorf("%+v, %v, %v", found, ok, err)
	}
}

func TestModesRefused(t *testing.T) {
	t.Parallel()
	answer := func(errs string) github.Fault {
		return github.Fault{Operation: "updateRefs", Status: http.StatusOK, Body: `{"data":{"updateRefs":null},"errors":[` + errs + `]}`}
	}
	for name, c := range map[string]struct {
		fault github.Fault
		kind  fault.Kind
		says  string
		pulls bool
	}{
		"signatures": {answer(`{"type":"UNPROCESSABLE","message":"Repository rule violations found\n\nCommits must have verified signatures."}`), fault.Refused, "`deep/run.yaml` is executable, and main wants signed commits", false},
		"an old one": {answer(`{"message":"Field 'updateRefs' doesn't exist on type 'Mutation'"}`), fault.Refused, "`deep/run.yaml` is executable, and this GitHub would take that from it", false},
		"a ruleset":  {answer(`{"type":"UNPROCESSABLE","message":"Repository rule violations found\n\nChanges must be made through a pull request."}`), fault.Refused, "a ruleset of acme/fleet does not let ferry push to main", true},
		"no right":   {github.Fault{Method: http.MethodPost, Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`}, fault.Denied, "ferry's token may not do that on acme/fleet", false},
		"trouble":    {github.Fault{Method: http.MethodPost}, fault.Unavailable, "GitHub has trouble answering", false},
	} {
		w := moded(t)
		w.Inject(c.fault)
		at := w.head("main")
		_, err := w.forge().Commit(t.Context(), executable(w))
		f, ok := errors.AsType[*fault.Error](err)
		if !ok || f.Kind != c.kind || f.Says != c.says || errors.Is(err, forge.ErrNeedsPullRequest) != c.pulls {
			t.Errorf("%s: %+v", name, err)
		}
		if w.head("main") != at {
			t.Errorf("%s: the branch moved", name)
		}
	}
	w := moded(t)
	w.repo.Protect("main", github.Protection{Reviews: 1})
	if _, err := w.forge().Commit(t.Context(), executable(w)); !errors.Is(err, forge.ErrNeedsPullRequest) {
		t.Errorf("a protected branch: %v", err)
	}
}

func TestModesOfProposals(t *testing.T) {
	t.Parallel()
	w := moded(t)
	n := w.proposal()
	n.Files, n.Modes = executable(w).Files, executable(w).Modes
	p, err := w.forge().Propose(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	check := func() {
		t.Helper()
		log, err := w.repo.Log(n.Branch)
		if err != nil || !forge.HasTrailer(log[0].Message, "Ferry-Job", "j1") || w.modes(n.Branch)["deep/run.yaml"] != "100755" || string(log[0].Parents[0]) != n.On {
			t.Errorf("%+v, %v, %v", log[0], w.modes(n.Branch), err)
		}
	}
	check()
	at := w.head(n.Branch)
	if _, err := w.forge().UpdateProposal(t.Context(), p.Number, n); err != nil || w.head(n.Branch) != at {
		t.Errorf("the same again makes another commit: %v", err)
	}
	w.push("main", "other.yaml", "x: 2\n")
	n.On = w.head("main")
	if _, err := w.forge().UpdateProposal(t.Context(), p.Number, n); err != nil {
		t.Fatal(err)
	}
	check()
}
