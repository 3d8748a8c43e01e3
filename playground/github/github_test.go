package github_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	gh "github.com/google/go-github/v50/github"

	"ferry/playground/github"
)

const kustomization = "apps/prod/kustomization.yaml"

func seed() fs.FS {
	return fstest.MapFS{
		kustomization:            {Data: []byte("images:\n- name: podinfo\n  newTag: 6.5.3\n"), Mode: 0o644},
		"apps/stage/podinfo.yml": {Data: []byte("tag: 6.5.3\n"), Mode: 0o644},
		"bin/deploy.sh":          {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"logo.bin":               {Data: []byte{0, 1, 2, 0xff}, Mode: 0o644},
	}
}

type world struct {
	*github.Server
	repo *github.Repo
	url  string
}

func start(t testing.TB, change ...func(*github.Options)) *world {
	t.Helper()
	o := github.Options{
		Repositories: []github.Repository{
			{Owner: "acme", Name: "fleet", Seed: seed(), Protected: map[string]github.Protection{
				"ruled": {Ruleset: true}, "reviewed": {Reviews: 1}, "checked": {Checks: []string{"ci", "lint"}},
			}},
			{Owner: "acme", Name: "empty"},
		},
		Tokens: map[string]github.Token{
			"writer":  {Login: "ferry-bot", Access: github.WriteAccess, Scopes: []string{"repo", "workflow"}},
			"reader":  {Login: "reader", Access: github.ReadAccess},
			"nothing": {Login: "nobody"},
		},
	}
	for _, f := range change {
		f(&o)
	}
	s, err := github.New(o)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	t.Cleanup(func() {
		web.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &world{s, s.Repo("acme/fleet"), web.URL}
}

// client is go-github as ferry sets it up.
func (w *world) client(token string) *gh.Client {
	c := gh.NewClient(&http.Client{Transport: bearer{token}})
	c.BaseURL, _ = url.Parse(w.url + "/api/v3/")
	return c
}

type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	return http.DefaultTransport.RoundTrip(r)
}

type answer struct {
	Data   map[string]any
	Errors []struct {
		Type, Message string
		Path          []any
	}
}

func graphQL(ctx context.Context, c *gh.Client, query string, variables map[string]any) (answer, error) {
	req, err := c.NewRequest("POST", "graphql", map[string]any{"query": query, "variables": variables})
	if err != nil {
		return answer{}, err
	}
	var out answer
	_, err = c.Do(ctx, req, &out)
	return out, err
}

const commitMutation = `mutation($input: CreateCommitOnBranchInput!) { createCommitOnBranch(input: $input) { commit { oid url } } }`

func commitInput(branch string, head github.OID, files map[string]string) map[string]any {
	var additions []any
	for path, content := range files {
		additions = append(additions, map[string]any{"path": path, "contents": base64.StdEncoding.EncodeToString([]byte(content))})
	}
	return map[string]any{"input": map[string]any{
		"branch":          map[string]any{"repositoryNameWithOwner": "acme/fleet", "branchName": branch},
		"message":         map[string]any{"headline": "promote", "body": "Ferry-Job: 1"},
		"expectedHeadOid": string(head),
		"fileChanges":     map[string]any{"additions": additions},
	}}
}

// commit returns the new commit, or "" when the head had moved.
func (w *world) commit(t testing.TB, c *gh.Client, branch string, head github.OID, files map[string]string) github.OID {
	t.Helper()
	out, err := graphQL(t.Context(), c, commitMutation, commitInput(branch, head, files))
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Errors) > 0 {
		if out.Errors[0].Type != "STALE_DATA" {
			t.Fatalf("unexpected error %+v", out.Errors)
		}
		return ""
	}
	made := out.Data["createCommitOnBranch"].(map[string]any)["commit"].(map[string]any)
	return github.OID(made["oid"].(string))
}

func head(t testing.TB, r *github.Repo) github.OID {
	t.Helper()
	id, err := r.Head("main")
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func status(err error) int {
	var e *gh.ErrorResponse
	if errors.As(err, &e) {
		return e.Response.StatusCode
	}
	return 0
}

func git(t testing.TB, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=o", "GIT_AUTHOR_EMAIL=o@x", "GIT_COMMITTER_NAME=o", "GIT_COMMITTER_EMAIL=o@x")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func mustGit(t testing.TB, dir string, args ...string) string {
	t.Helper()
	out, err := git(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(out)
}

func (w *world) clone(t testing.TB, token string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "clone")
	mustGit(t, ".", "clone", "--quiet", w.cloneURL(token), dir)
	return dir
}

func (w *world) cloneURL(token string) string {
	at := w.repo.CloneURL(w.url)
	if token == "" {
		return at
	}
	return strings.Replace(at, "http://", "http://x:"+token+"@", 1)
}

// sound runs git's own judge over everything that was written.
func sound(t testing.TB, r *github.Repo) {
	t.Helper()
	if out, err := git(t, r.Dir(), "fsck", "--strict", "--full", "--no-dangling"); err != nil {
		t.Errorf("git fsck: %v\n%s", err, out)
	}
}

func write(t testing.TB, dir, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func version(n int) map[string]string {
	return map[string]string{kustomization: fmt.Sprintf("images:\n- name: podinfo\n  newTag: 6.5.%d\n", n)}
}
