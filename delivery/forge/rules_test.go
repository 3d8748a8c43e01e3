package forge_test

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

func TestRules(t *testing.T) {
	for _, c := range []struct {
		name    string
		protect *github.Protection
		want    forge.Rules
	}{
		{"free", nil, forge.Rules{}},
		{"ruleset", &github.Protection{Ruleset: true, Name: "main is reviewed", Reviews: 2}, forge.Rules{PullRequest: true, Source: "the ruleset “main is reviewed”"}},
		{"ruleset with checks", &github.Protection{Ruleset: true, Checks: []string{"lint", "ci"}}, forge.Rules{PullRequest: true, Checks: []string{"ci", "lint"}, Source: "the ruleset “protect main”"}},
		{"ruleset that ferry may bypass", &github.Protection{Ruleset: true, Checks: []string{"ci"}, Bypass: []string{"ferry-bot"}}, forge.Rules{}},
		{"ruleset that others may bypass", &github.Protection{Ruleset: true, Bypass: []string{"ana"}}, forge.Rules{PullRequest: true, Source: "the ruleset “protect main”"}},
		{"reviews", &github.Protection{Reviews: 1}, forge.Rules{PullRequest: true, Source: "branch protection"}},
		{"reviews that ferry may bypass", &github.Protection{Reviews: 1, Bypass: []string{"Ferry-Bot"}}, forge.Rules{}},
		{"checks", &github.Protection{Checks: []string{"ci"}}, forge.Rules{PullRequest: true, Checks: []string{"ci"}, Source: "branch protection"}},
		{"pushers without ferry", &github.Protection{Pushers: []string{"ana"}}, forge.Rules{PullRequest: true, Source: "branch protection"}},
		{"pushers with ferry", &github.Protection{Pushers: []string{"ana", "ferry-bot"}}, forge.Rules{}},
		{"locked", &github.Protection{Locked: true}, forge.Rules{PullRequest: true, Source: "branch protection", Blocked: "the branch main is locked: it is read-only for everybody"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.protect != nil {
				w.repo.Protect("main", *c.protect)
			}
			var s sent
			now := &clock{time.Now()}
			r := w.forge(func(o *forge.Options) { o.OnRequest, o.Clock = s.seen, now.now })
			got, err := r.Rules(t.Context())
			if err != nil || got.PullRequest != c.want.PullRequest || got.Source != c.want.Source || got.Blocked != c.want.Blocked || !slices.Equal(got.Checks, c.want.Checks) {
				t.Errorf("%+v, %v; want %+v", got, err, c.want)
			}
			cold := s
			s.reset()
			if _, err := r.Rules(t.Context()); err != nil || s.all != 0 {
				t.Errorf("again at once: %+v, %v", s, err)
			}
			now.at = now.at.Add(11 * time.Minute)
			if _, err := r.Rules(t.Context()); err != nil || s.counted != 0 || s.free == 0 {
				t.Errorf("after a while: %+v, %v", s, err)
			}
			t.Logf("cold %+v, then none, after ten minutes %+v", cold, s)
			// What was read is what happens.
			_, err = r.Commit(t.Context(), forge.NewCommit{On: w.head("main"), Headline: "x", Files: map[string][]byte{"app.yaml": []byte("2")}, Job: "j1"})
			if !c.want.PullRequest != (err == nil) {
				t.Errorf("commit: %v", err)
			}
		})
	}
}

// TestHiddenRules may not read what protects the branch: no error, and the
// commit says it. Then the rules are read anew.
func TestHiddenRules(t *testing.T) {
	w := newWorld(t)
	w.repo.Protect("main", github.Protection{Reviews: 1})
	w.Inject(github.Fault{Path: regexp.MustCompile(`/protection$`), Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by personal access token"}`})
	w.Inject(github.Fault{Path: regexp.MustCompile(`/rules/branches/`), Status: http.StatusForbidden, Body: `{"message":"Upgrade to GitHub Pro or make this repository public to enable this feature."}`})
	r := w.forge()
	if got, err := r.Rules(t.Context()); err != nil || got.PullRequest {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := r.Commit(t.Context(), forge.NewCommit{On: w.head("main"), Headline: "x", Files: map[string][]byte{"app.yaml": []byte("2")}, Job: "j1"})
	if !errors.Is(err, forge.ErrNeedsPullRequest) || !fault.Is(err, fault.Refused) {
		t.Errorf("commit: %v", err)
	}
	if got, err := r.Rules(t.Context()); err != nil || !got.PullRequest {
		t.Errorf("after the refusal: %+v, %v", got, err)
	}
	// Everybody sees which checks are required.
	w.repo.Protect("main", github.Protection{Checks: []string{"ci"}})
	w.Inject(github.Fault{Path: regexp.MustCompile(`/protection$`), Status: http.StatusNotFound, Body: `{"message":"Not Found"}`})
	if got, err := w.forge().Rules(t.Context()); err != nil || !got.PullRequest || !slices.Equal(got.Checks, []string{"ci"}) {
		t.Errorf("checks: %+v, %v", got, err)
	}
	// GitHub being slow with us is no rule, and no freedom.
	w.Inject(github.SecondaryLimit(time.Hour))
	if got, err := w.forge().Rules(t.Context()); !fault.Is(err, fault.Unavailable) {
		t.Errorf("limited: %+v, %v", got, err)
	}
}

// TestCommitAgainstRules turns each of GitHub's refusals into the same thing.
func TestCommitAgainstRules(t *testing.T) {
	for _, p := range []github.Protection{{Ruleset: true}, {Ruleset: true, Checks: []string{"a", "b"}}, {Reviews: 2}, {Checks: []string{"a"}}, {Checks: []string{"a", "b"}}, {}, {Locked: true}, {Pushers: []string{}}} {
		w := newWorld(t)
		w.repo.Protect("main", p)
		before := w.head("main")
		_, err := w.forge().Commit(t.Context(), forge.NewCommit{On: before, Headline: "x", Files: map[string][]byte{"app.yaml": []byte("2")}, Job: "j1"})
		if !errors.Is(err, forge.ErrNeedsPullRequest) || !fault.Is(err, fault.Refused) || w.head("main") != before {
			t.Errorf("%+v: %v", p, err)
		}
		if pr, err := w.forge().Propose(t.Context(), w.proposal()); err != nil || pr.State != forge.Open {
			t.Errorf("%+v: propose: %+v, %v", p, pr, err)
		}
	}
}

// TestCheck says who ferry is, and how it may change the branch.
func TestCheck(t *testing.T) {
	w := newWorld(t)
	w.repo.Protect("main", github.Protection{Ruleset: true, Name: "reviewed", Checks: []string{"ci"}})
	rows := w.forge(func(o *forge.Options) { o.Proposes = true }).Check(t.Context())
	said := map[string]string{}
	for _, r := range rows {
		if !r.OK {
			t.Errorf("%+v", r)
		}
		said[r.What] = r.Detail
	}
	if said["identity"] != "the token of ferry-bot" || said["changes of main"] != "the ruleset “reviewed” wants pull requests and checks: ci" {
		t.Errorf("%q", said)
	}
	rows = w.forge().Check(t.Context())
	if last := rows[len(rows)-1]; last.OK || last.Help == "" {
		t.Errorf("who may only push directly: %+v", last)
	}
	w.repo.Protect("main", github.Protection{Locked: true})
	rows = w.forge().Check(t.Context())
	if last := rows[len(rows)-1]; last.OK || last.Help == "" {
		t.Errorf("%+v", last)
	}
	stranger := w.forge(func(o *forge.Options) { o.Token = nil })
	if rows := stranger.Check(t.Context()); rows[0].OK || len(rows) != 1 {
		t.Errorf("without a token: %+v", rows)
	}
}
