package forge_test

import (
	"regexp"
	"testing"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// TestAConflictPasses: GitHub answers 409 while it is at something else, and in the
// same way where a repository has no commit yet.
func TestAConflictPasses(t *testing.T) {
	w := newWorld(t)
	for body, kind := range map[string]fault.Kind{
		`{"message":"Conflict"}`:                 fault.Unavailable,
		`{"message":"Git Repository is empty."}`: fault.NotFound,
	} {
		w.Inject(github.Fault{Status: 409, Body: body})
		if _, err := w.forge().Head(t.Context()); !fault.Is(err, kind) {
			t.Errorf("%s: %v, want %s", body, err, kind)
		}
	}
}

// TestWhoClosedIt is told where GitHub tells it.
func TestWhoClosedIt(t *testing.T) {
	w := newWorld(t)
	for by, answer := range map[string]github.Fault{
		"ana": {Path: regexp.MustCompile(`/issues/7$`), Status: 200, Body: `{"closed_by":{"login":"ana"}}`},
		"":    {Path: regexp.MustCompile(`/issues/7$`), Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`},
	} {
		w.Inject(github.Fault{Path: regexp.MustCompile(`/pulls/7$`), Status: 200, Body: `{"number":7,"state":"closed"}`})
		w.Inject(answer)
		if p, err := w.forge().Proposal(t.Context(), 7); err != nil || p.State != forge.Closed || p.ClosedBy != by {
			t.Errorf("closed by %q, %s, %v; want %q", p.ClosedBy, p.State, err, by)
		}
	}
}
