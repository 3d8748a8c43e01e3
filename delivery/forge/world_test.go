package forge_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/fault"
	"ferry/playground/github"
)

// world is a local GitHub with one repository.
type world struct {
	*github.Server
	t    *testing.T
	repo *github.Repo
	url  string
}

func newWorld(t *testing.T, change ...func(*github.Options)) *world {
	t.Helper()
	o := github.Options{
		Repositories: []github.Repository{{
			Owner: "acme", Name: "fleet", Labels: []string{"promotion", "prod"}, Teams: []string{"platform"},
			Seed: fstest.MapFS{"app.yaml": {Data: []byte("tag: 1\n")}, "other.yaml": {Data: []byte("x: 1\n")}},
		}},
		Tokens: map[string]github.Token{
			"secret": {Login: "ferry-bot", Access: github.WriteAccess},
			"human":  {Login: "ana", Access: github.WriteAccess},
		},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return &world{s, t, s.Repo("acme/fleet"), web.URL}
}

// forge is a ferry that knows nothing yet, as after a restart.
func (w *world) forge(change ...func(*forge.Options)) *forge.Repository {
	w.t.Helper()
	o := forge.Options{
		Owner: "acme", Name: "fleet", Branch: "main", BaseURL: w.url + "/api/v3/",
		Token: func(context.Context) (string, error) { return "secret", nil },
	}
	for _, f := range change {
		f(&o)
	}
	r, err := forge.New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) head(branch string) string {
	w.t.Helper()
	id, err := w.repo.Head(branch)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(id)
}

// push is somebody else's commit.
func (w *world) push(branch, path, content string) string {
	w.t.Helper()
	id, err := w.repo.Commit(branch, "outside", map[string]string{path: content})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(id)
}

func (w *world) proposal() forge.NewProposal {
	return forge.NewProposal{
		On: w.head("main"), Branch: "ferry/prod/app-j1", Headline: "promote app to 2", Body: "app.yaml:1\n\nFerry-Job: j1\nFerry-App: app",
		Files: map[string][]byte{"app.yaml": []byte("tag: 2\n")}, Job: "j1", Title: "Promote app to 2", Text: "1 becomes 2",
	}
}

// one demands exactly one branch of the job with one commit, and one pull request.
func (w *world) one(p forge.Proposal) {
	w.t.Helper()
	pulls := w.repo.Pulls()
	if len(pulls) != 1 || p.Number != 1 || pulls[0].Branch != "ferry/prod/app-j1" {
		w.t.Fatalf("pull requests %+v, answered %+v", pulls, p)
	}
	log, err := w.repo.Log("ferry/prod/app-j1")
	if err != nil {
		w.t.Fatal(err)
	}
	made := 0
	for _, c := range log {
		if forge.HasTrailer(c.Message, "Ferry-Job", "j1") {
			made++
		}
	}
	if made != 1 || !forge.HasTrailer(log[0].Message, "Ferry-Job", "j1") || string(log[0].Parents[0]) != w.head("main") {
		w.t.Errorf("%d commits of the job on the branch; the first is %+v", made, log[0])
	}
	if text, err := w.repo.ReadFile("ferry/prod/app-j1", "app.yaml"); err != nil || text != "tag: 2\n" {
		w.t.Errorf("the branch holds %q, %v", text, err)
	}
	if _, err := w.repo.Head("ferry/prod/app-j1-next"); err == nil {
		w.t.Error("the branch beside is left")
	}
}

// again calls until it works, as a caller does after Unavailable, each time as after a restart.
func (w *world) again(propose func(*forge.Repository) (forge.Proposal, error)) (p forge.Proposal, failures int) {
	w.t.Helper()
	for range 5 {
		p, err := propose(w.forge())
		if err == nil {
			return p, failures
		}
		if !fault.Is(err, fault.Unavailable) {
			w.t.Fatalf("%v", err)
		}
		failures++
	}
	w.t.Fatal("it never works")
	return p, failures
}

// sent counts requests.
type sent struct{ all, counted, free, graph int }

func (s *sent) seen(r forge.Request) {
	s.all++
	if strings.HasSuffix(r.Path, "/graphql") {
		s.graph++
	}
	if r.Status == 304 {
		s.free++
	} else {
		s.counted++
	}
}

func (s *sent) reset() { *s = sent{} }

// clock is a clock that is set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// pile puts empty commits on a branch, by git's own fast way.
func (w *world) pile(branch string, n int) {
	w.t.Helper()
	var in strings.Builder
	for i := range n {
		fmt.Fprintf(&in, "commit refs/heads/%s\ncommitter o <o@x> %d +0000\ndata 4\npile\n", branch, time.Now().Unix())
		if i == 0 {
			fmt.Fprintf(&in, "from refs/heads/%s^0\n", branch)
		}
		in.WriteString("\n")
	}
	cmd := exec.Command("git", "fast-import", "--quiet")
	cmd.Dir, cmd.Stdin = w.repo.Dir(), strings.NewReader(in.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("pile: %v\n%s", err, out)
	}
}

// hand does something with GitHub's API as a person would with the site.
func (w *world) hand(method, path, body string) {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+"/api/v3/repos/acme/fleet/"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer human")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		w.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// before does something in the moment before a request is sent.
type before struct {
	method, path string // end of the path
	do           func()
}

func (b *before) RoundTrip(r *http.Request) (*http.Response, error) {
	if do := b.do; do != nil && r.Method == b.method && strings.HasSuffix(r.URL.Path, b.path) {
		b.do = nil
		do()
	}
	return http.DefaultTransport.RoundTrip(r)
}
