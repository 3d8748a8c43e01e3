package delivery

import (
	"slices"
	"strings"
	"testing"

	"ferry/delivery/forge"
	"ferry/internal/deploy"
)

// TestBrokenGlassIsATrailerOfItsOwn, and no more than one line.
func TestBrokenGlassIsATrailerOfItsOwn(t *testing.T) {
	in := &intent{plan: deploy.Plan{Change: deploy.Change{Target: deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "a", Name: "b"}}, Version: "2"}}}
	in.by = deploy.Authorship{Job: "j1", Requester: "U1", Glass: "freeze: it burns\nFerry-Job: j2\u2028Ferry-Job: j3"}
	body := trailers([]*intent{in})
	if !strings.Contains(body, "\nFerry-Break-Glass: freeze: it burns Ferry-Job: j2 Ferry-Job: j3\n") || strings.Count("\n"+body, "\nFerry-Job: ") != 1 {
		t.Errorf("the trailers are\n%s", body)
	}
	in.by = deploy.Authorship{Job: "j1"}
	if body = trailers([]*intent{in}); strings.Contains(body, "Glass") || strings.Contains(body, "Approved") {
		t.Errorf("without a reason the trailers are\n%s", body)
	}
}

// TestApproversAreATrailer that can be read again, whatever they are called.
func TestApproversAreATrailer(t *testing.T) {
	in := &intent{plan: deploy.Plan{Change: deploy.Change{Target: deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "a", Name: "b"}}, Version: "2"}}}
	in.by = deploy.Authorship{Job: "j1", Requester: "U1", Glass: "freeze: it burns", Approvers: []string{"U2 Bea, U9 Eve\nFerry-Job: j2", "U3"}}
	body := trailers([]*intent{in})
	if !strings.Contains(body, "\nFerry-Approved-By: U2 Bea U9 Eve Ferry-Job: j2, U3\n") {
		t.Errorf("the trailers are\n%s", body)
	}
	read := promotions(forge.Logged{Message: "promote b\n\n" + body})
	if len(read) != 1 || !slices.Equal(read[0].Approvers, []string{"U2", "U3"}) || read[0].Why != "it burns" {
		t.Errorf("read again: %+v", read)
	}
}
