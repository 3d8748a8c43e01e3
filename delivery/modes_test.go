package delivery_test

import (
	"os/exec"
	"strings"
	"testing"

	"ferry/delivery"
	"ferry/internal/deploy"
)

// executables is the fleet with the file of prod's versions executable.
func executables(t *testing.T) *rig {
	t.Helper()
	files := archive(t, "fleet.txtar")
	files["apps/prod/kustomization.yaml"].Mode = 0o755
	return newRig(t, files)
}

func modeOf(t *testing.T, r *rig, branch, path string) string {
	t.Helper()
	out, err := exec.Command("git", "-C", r.repo.Dir(), "ls-tree", branch, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mode, _, _ := strings.Cut(string(out), " ")
	return mode
}

func TestExecutablesStayExecutable(t *testing.T) {
	t.Parallel()
	r := executables(t)
	const file = "apps/prod/kustomization.yaml"
	if _, _, err := r.Apply(t.Context(), change, fleet, asked, nil); err != nil {
		t.Fatal(explain(err))
	}
	if mode := modeOf(t, r, "main", file); mode != "100755" {
		t.Errorf("after the first change it is %s", mode)
	}
	// Warm, and from the tree that the first one left in memory.
	r.requests.Store(0)
	again := change
	again.Version = "6.5.5"
	if _, _, err := r.Apply(t.Context(), again, fleet, asked, nil); err != nil {
		t.Fatal(explain(err))
	}
	if n := r.requests.Load(); n > 4 { // the head, then tree, commit, reference
		t.Errorf("%d counted requests", n)
	}
	if text, err := r.repo.ReadFile("main", file); err != nil || !strings.Contains(text, "newTag: 6.5.5") || modeOf(t, r, "main", file) != "100755" {
		t.Errorf("after the second one: %v, %s\n%s", err, modeOf(t, r, "main", file), text)
	}
	if _, err := r.repo.Commit("main", "somebody else", map[string]string{"notes/x.md": "x\n"}); err != nil {
		t.Fatal(err)
	}
	again.Version = "6.5.6"
	if _, _, err := r.Apply(t.Context(), again, fleet, asked, nil); err != nil {
		t.Fatal(explain(err))
	}
	if mode := modeOf(t, r, "main", file); mode != "100755" {
		t.Errorf("after a push and a third one it is %s", mode)
	}
}

func TestExecutablesInProposals(t *testing.T) {
	t.Parallel()
	r := executables(t)
	r.configure(t, func(o *delivery.Options) { o.Proposing = []deploy.Cluster{"prod"} })
	plan, p := open(t, r)
	if mode := modeOf(t, r, p.Branch, "apps/prod/kustomization.yaml"); mode != "100755" {
		t.Errorf("proposed it is %s", mode)
	}
	if _, err := r.repo.Commit("main", "somebody else", map[string]string{"notes/x.md": "x\n"}); err != nil {
		t.Fatal(err)
	}
	p.Behind = true
	if _, p, err := r.Renew(t.Context(), p, plan, fleet, asker); err != nil || modeOf(t, r, p.Branch, "apps/prod/kustomization.yaml") != "100755" {
		t.Errorf("renewed it is %s, %v", modeOf(t, r, p.Branch, "apps/prod/kustomization.yaml"), err)
	}
}
