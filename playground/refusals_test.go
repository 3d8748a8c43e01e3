package main

import (
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ferry/playground/seed"
)

// refusal is something to ask for in the channel, and what ferry says to it.
type refusal struct {
	name string
	// press is a button of the control interface, "PATH STATE", before it is asked.
	press string
	ask   string
	title string   // the first line of the answer
	says  []string // essential words of the rest
	offer []string // commands that would be taken
}

func refusals() []refusal {
	return []refusal{
		{
			name: "shared base", ask: "promote backend@1.5.0 to prod", title: "backend on prod shares its version with others",
			says:  []string{"`apps/base/backend/deployment.yaml:23`", "on stage", "`pin` gives it a version of its own there, in `clusters/prod/"},
			offer: []string{"promote backend@1.5.0 to prod pin", "promote backend@1.5.0 to prod with stage"},
		},
		{
			name: "ambiguous", ask: "promote shop@6.5.4 to prod", title: "shop has more than one version in Git",
			says:  []string{"Chart `6.5.3` (apps/prod/shop/release.yaml:", "image", "Say which one is meant"},
			offer: []string{"promote shop@6.5.4 chart to prod", "promote shop@6.5.4 image to prod"},
		},
		{
			name: "encrypted", ask: "promote mailer@35 to prod", title: "The version of mailer seems to stand in an encrypted file",
			says: []string{"`apps/prod/mailer/release.yaml` is encrypted with SOPS", "Change it with `sops`"},
		},
		{
			name: "symlink out of the tree", ask: "promote search@2.9.0 to prod", title: "search on prod cannot be built from Git as it is",
			says: []string{"`apps/prod/search/deployment.yaml` is a symbolic link to `../../../../platform/search/deployment.yaml`", "put the file itself there, then ask again"},
		},
		{
			name: "invalid YAML on the path", ask: "promote checkout@3.2.0 to prod", title: "checkout on prod cannot be built from Git as it is",
			says: []string{"`apps/prod/checkout/deployment.yaml` has a merge conflict at line 12", "mend the file, then ask again"},
		},
		{
			name: "range", ask: "promote redis@18.6.1 to prod", title: "HelmRelease redis follows a range",
			says: []string{"Flux picks its version", "`pin` at the end puts exactly `18.6.1` there"}, offer: []string{"promote redis@18.6.1 to prod pin"},
		},
		{
			name: "not in Git", ask: "promote legacy@1.4.1 to prod", title: "legacy on prod is not managed by Flux",
			says: []string{"past Git", "Declare it in the repository"},
		},
		{
			name: "substitution from a Secret", ask: "promote billing@5.1.0 to prod", title: "The version of billing comes from a variable that is not in Git",
			says: []string{"`5.0.1` may come from Secret flux-system/versions", "change it there by hand, or move the variable into a ConfigMap in Git"},
		},
		{
			name: "image automation in charge", ask: "promote gateway@0.9.1 to prod", title: "The version of gateway on prod belongs to image automation, which would undo a promotion",
			says: []string{"ImageUpdateAutomation flux-system/gateway (`automation/gateway.yaml:", "writes `apps/prod/gateway/deployment.yaml:", "Set `spec.suspend: true` in `automation/gateway.yaml`", "or let the policy select `0.9.1`"},
		},
		{
			name: "no write permission", press: "token read", ask: "promote podinfo@6.5.4 to prod", title: "ferry's token may not write to acme/fleet",
			says: []string{"An operator has to give it write access"},
		},
	}
}

// TestRefusals asks the unmodified ferry for what it refuses, as somebody in the
// channel does.
func TestRefusals(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it compiles ferry, which takes more than -short allows")
	}
	r := openWith(t, Options{Ferry: compileFerry(t), Fleet: "refusals"})
	r.slack.SetRateLimits(false) // nobody asks this much at once
	eventually(t, func() bool { return r.ferry.state() == "running" })
	for _, c := range refusals() {
		t.Run(c.name, func(t *testing.T) {
			r.press(t, c.press)
			before := r.headOf(t)
			title, rest := r.answered(t, c.ask)
			if title != c.title {
				t.Errorf("the first line is %q, want %q", title, c.title)
			}
			if n := strings.Count(rest, "\n"); n > 6 {
				t.Errorf("%d lines are too many for somebody in a hurry", n)
			}
			for _, words := range append(c.says, "Nothing was changed.") {
				if !strings.Contains(rest, words) {
					t.Errorf("it does not say %q", words)
				}
			}
			for _, command := range c.offer {
				if !strings.Contains(rest, "\n• `"+command+"`") {
					t.Errorf("it does not offer %q", command)
				}
			}
			if n := strings.Count(rest, "\n• "); n > 0 && len(c.offer) == 0 {
				t.Errorf("it offers %d commands", n)
			}
			if now := r.headOf(t); now != before || len(r.repo().Pulls()) > 0 {
				t.Errorf("main went from %s to %s, and there are %d pull requests", before, now, len(r.repo().Pulls()))
			}
			if t.Failed() {
				t.Logf("ferry said\n%s\n%s", title, rest)
			}
		})
	}
	t.Run("a ruleset is no refusal", r.ruled)
}

// ruled asks for a change of a branch that wants pull requests: it becomes one,
// and the status message says why.
func (r *running) ruled(t *testing.T) {
	r.press(t, "token write")
	r.press(t, "protection/main ruleset")
	before := r.headOf(t)
	thread := r.say(t, "promote podinfo@6.5.4 to prod")
	const why = "✓ Pull request #1: the ruleset “changes are reviewed” wants one"
	eventually(t, func() bool {
		said := r.thread(t, thread)
		return len(said) == 1 && strings.Contains(said[0], why) && strings.Contains(said[0], "▸ It waits for approval")
	})
	if now := r.headOf(t); now != before {
		t.Errorf("main went from %s to %s", before, now)
	}
}

// compileFerry makes the binary that users get.
func compileFerry(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "ferry")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "ferry").CombinedOutput(); err != nil {
		t.Fatalf("build ferry: %v\n%s", err, out)
	}
	return binary
}

// press uses the control interface of the local GitHub: "PATH STATE", or nothing.
func (r *running) press(t *testing.T, button string) {
	t.Helper()
	path, state, ok := strings.Cut(button, " ")
	if !ok {
		return
	}
	if code := r.call(t, "POST", "/playground/github/"+path, fmt.Sprintf(`{"state":%q,"method":"squash"}`, state), nil); code != http.StatusOK {
		t.Fatalf("%s: %d", button, code)
	}
}

func (r *running) headOf(t *testing.T) string {
	t.Helper()
	head, err := r.repo().Head(branch)
	if err != nil {
		t.Fatal(err)
	}
	return string(head)
}

// say asks ferry in the channel and returns the thread.
func (r *running) say(t *testing.T, text string) string {
	t.Helper()
	ts, err := r.slack.Say(adminID, "C0DEPLOY", "<@U0FERRY> "+text, "")
	if err != nil {
		t.Fatal(err)
	}
	return ts
}

// thread is what ferry said in a thread, as notifications show it.
func (r *running) thread(t *testing.T, ts string) []string {
	t.Helper()
	var in struct {
		Messages []struct{ User, Text string }
	}
	r.call(t, "GET", "/playground/messages?channel=C0DEPLOY&user="+adminID+"&thread_ts="+ts, "", &in)
	var out []string
	for _, m := range in.Messages {
		if m.User == "U0FERRY" {
			out = append(out, m.Text)
		}
	}
	return out
}

// answered asks and returns the closing message: its first line, without the
// sign of its mood, and the rest.
func (r *running) answered(t *testing.T, text string) (title, rest string) {
	t.Helper()
	thread := r.say(t, text)
	var said []string
	eventually(t, func() bool { // the edit of the one and the post of the other may come in either order
		said = r.thread(t, thread)
		return len(said) == 2 && strings.HasPrefix(said[0], "⛔ ")
	})
	if status := said[0]; !strings.Contains(status, "\n✗ ") {
		t.Errorf("the status message is %q", status)
	}
	title, rest, _ = strings.Cut(said[1], "\n")
	mood, title, _ := strings.Cut(title, " ")
	if mood != "⛔" {
		t.Errorf("the answer begins with %s", mood)
	}
	return title, rest
}

// TestFleets opens every fleet with what it has beside its repository.
func TestFleets(t *testing.T) {
	if _, err := New(Options{Addr: "127.0.0.1:0", Fleet: "regatta"}); err == nil || !strings.Contains(err.Error(), "demo or refusals or armada") {
		t.Errorf("a fleet that is not there: %v", err)
	}
	r := openWith(t, Options{Fleet: "refusals"})
	if code := r.call(t, "POST", "/playground/github/token", `{"state":"admin"}`, nil); code != http.StatusBadRequest {
		t.Errorf("a token that may do everything: %d", code)
	}
	if len(r.clusters) != 2 || len(seed.Fleets()) != 3 {
		t.Errorf("%d clusters, %d fleets", len(r.clusters), len(seed.Fleets()))
	}
	// What runs at first runs everywhere, so that what is pushed later is no more
	// than a push.
	for _, c := range r.clusters {
		if err := c.Settled(t.Context()); err != nil {
			t.Errorf("%s: %v", c.Name(), err)
		}
	}
}
