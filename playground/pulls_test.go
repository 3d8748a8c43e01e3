package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// hub asks the local GitHub as ferry does.
func (r *running) hub(t *testing.T, path, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.githubURL()+"repos/acme/fleet/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+githubToken)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusCreated {
		t.Fatalf("%s: %s: %s", path, response.Status, said)
	}
}

// propose opens a pull request that says so in a file.
func (r *running) propose(t *testing.T, name string) {
	t.Helper()
	head, err := r.repo().Head(branch)
	if err != nil {
		t.Fatal(err)
	}
	r.hub(t, "git/refs", fmt.Sprintf(`{"ref":"refs/heads/%s","sha":%q}`, name, head))
	if _, err := r.repo().Commit(name, "promote", map[string]string{name: "<new>\n"}); err != nil {
		t.Fatal(err)
	}
	r.hub(t, "pulls", fmt.Sprintf(`{"title":"Promote <%s>","head":%q,"base":%q}`, name, name, branch))
}

// TestPullRequests does what people do with them: by the control interface, and
// by the buttons of the page that links lead to.
func TestPullRequests(t *testing.T) {
	r := open(t, "")
	act := func(n int, body string) int {
		return r.call(t, "POST", fmt.Sprintf("/playground/github/pulls/%d", n), body, nil)
	}
	state := func(n int) PullState {
		var s State
		r.call(t, "GET", "/playground/state", "", &s)
		return s.Pulls[n-1]
	}
	if code := r.call(t, "POST", "/playground/github/protection/main", `{"state":"checks"}`, nil); code != http.StatusOK {
		t.Error(code)
	}
	for i, name := range []string{"one", "two", "three"} {
		r.propose(t, name)
		if s := state(i + 1); s.State != "open" || s.Branch != name {
			t.Errorf("%+v", s)
		}
	}
	if code := act(1, `{"state":"merged","method":"squash"}`); code != http.StatusOK || state(1).State != "merged" {
		t.Errorf("merging: %d, %+v", code, state(1))
	}
	if text, err := r.repo().ReadFile(branch, "one"); err != nil || text != "<new>\n" {
		t.Errorf("merged is %q, %v", text, err)
	}
	if code := act(2, `{"state":"closed"}`); code != http.StatusOK || state(2).State != "closed" {
		t.Errorf("closing: %d, %+v", code, state(2))
	}
	if code := act(3, `{"state":"approved"}`) + act(3, `{"state":"checked"}`); code != 2*http.StatusOK {
		t.Error(code)
	}
	for n, body := range map[int]string{1: `{"state":"merged"}`, 2: `{"state":"closed"}`, 3: `{"state":"gone"}`, 9: `{"state":"merged"}`} {
		if code := act(n, body); code < 400 {
			t.Errorf("#%d %s: %d", n, body, code)
		}
	}
	if code := r.call(t, "POST", "/playground/github/protection/main", `{"state":"moat"}`, nil); code < 400 {
		t.Error(code)
	}
	page := func() string {
		response, err := http.Get(state(3).URL) //nolint:noctx // a person's browser
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusOK {
			t.Fatal(response.Status, err)
		}
		return string(text)
	}
	if text := page(); !strings.Contains(text, "Promote &lt;three&gt;") || !strings.Contains(text, "&#43;&lt;new&gt;") || !strings.Contains(text, "Squash and merge") {
		t.Errorf("the page is\n%s", text)
	}
	response, err := http.PostForm(r.url+"/playground/github/pulls/3", url.Values{"state": {"merged"}, "method": {"squash"}}) //nolint:noctx // as above
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if text := page(); response.StatusCode != http.StatusOK || response.Request.URL.Path != "/acme/fleet/pull/3" || state(3).State != "merged" || strings.Contains(text, "<button") {
		t.Errorf("the button: %s at %s, %+v", response.Status, response.Request.URL, state(3))
	}
}
