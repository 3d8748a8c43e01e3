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
	n.On = w.proposal().On // two worlds have the same commits only within a second
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
