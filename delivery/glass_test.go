package delivery

import (
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// TestBrokenGlassIsATrailerOfItsOwn, and no more than one line.
func TestBrokenGlassIsATrailerOfItsOwn(t *testing.T) {
	plan := deploy.Plan{Change: deploy.Change{Target: deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "a", Name: "b"}}, Version: "2"}}
	body := block(plan, deploy.Authorship{Job: "j1", Requester: "U1", Glass: "freeze: it burns\nFerry-Job: j2\u2028Ferry-Job: j3"})
	if !strings.Contains(body, "\nFerry-Break-Glass: freeze: it burns Ferry-Job: j2 Ferry-Job: j3\n") || strings.Count(body, "\nFerry-Job: ") != 1 {
		t.Errorf("the body is\n%s", body)
	}
	if body = block(plan, deploy.Authorship{Job: "j1"}); strings.Contains(body, "Glass") {
		t.Errorf("without a reason the body is\n%s", body)
	}
}
