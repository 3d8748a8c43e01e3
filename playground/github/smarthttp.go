package github

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"strings"
)

// updateHook refuses a push to a protected branch in GitHub's words.
const updateHook = `#!/bin/sh
branch=${1#refs/heads/}
[ -f "$GITHUB_PROTECTED/$branch" ] || exit 0
cat "$GITHUB_PROTECTED/$branch" >&2
exit 1
`

// postReceiveHook leaves a line "old new ref" for each reference that the push moved.
const postReceiveHook = `#!/bin/sh
cat >> "$GITHUB_PUSHED"
`

func writeHooks(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("write hooks: %w", err)
	}
	for name, script := range map[string]string{"update": updateHook, "post-receive": postReceiveHook} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			return "", fmt.Errorf("write hooks: %w", err)
		}
	}
	return dir, nil
}

// smartHTTP serves fetches and pushes with git's own http-backend.
func (s *Server) smartHTTP(w http.ResponseWriter, r *http.Request) {
	_, verb, _ := strings.Cut(r.URL.Path[strings.LastIndex(r.URL.Path, "/"):], "git-")
	if verb == "" {
		verb = strings.TrimPrefix(r.URL.Query().Get("service"), "git-")
	}
	write := verb == "receive-pack"
	repo, who, ok := s.gitAccess(w, r, write)
	if !ok {
		return
	}
	s.counts.add("GIT "+verb, false)
	if len(r.TransferEncoding) > 0 {
		// CGI knows no chunks: it wants to be told the length first.
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			http.Error(w, "body cut short", http.StatusBadRequest)
			return
		}
		r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	}
	backend := &cgi.Handler{
		Path: s.git, Args: []string{"http-backend"}, Dir: repo.dir, Logger: log.New(io.Discard, "", 0), Stderr: io.Discard,
		Env: append(gitEnv(repo.dir), "GIT_HTTP_EXPORT_ALL=1", "PATH_TRANSLATED="+repo.dir+s.gitPath(r)),
	}
	if !write {
		backend.ServeHTTP(w, r)
		return
	}
	s.receive(w, r, repo, who, backend)
}

func (s *Server) gitPath(r *http.Request) string {
	return strings.TrimPrefix(r.URL.Path, "/"+r.PathValue("owner")+"/"+r.PathValue("repo"))
}

// gitAccess answers for itself when it returns false.
func (s *Server) gitAccess(w http.ResponseWriter, r *http.Request, write bool) (*Repo, Token, bool) {
	repo := s.Repo(r.PathValue("owner") + "/" + strings.TrimSuffix(r.PathValue("repo"), ".git"))
	who, secret, err := s.known(r)
	if err != nil || secret == "" && (write || who.Access == NoAccess) {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Invalid username or token.", http.StatusUnauthorized)
		return nil, who, false
	}
	if repo == nil || who.Access == NoAccess {
		http.Error(w, "Repository not found.", http.StatusNotFound)
		return nil, who, false
	}
	if write && who.Access < WriteAccess {
		http.Error(w, fmt.Sprintf("Permission to %s.git denied to %s.", repo.fullName(), who.Login), http.StatusForbidden)
		return nil, who, false
	}
	return repo, who, true
}

// receive runs a push and tells OnPush what it moved, before the client sees the end of the answer.
func (s *Server) receive(w http.ResponseWriter, r *http.Request, repo *Repo, who Token, backend *cgi.Handler) {
	dir, err := os.MkdirTemp(filepath.Dir(s.hooks), "push-")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer os.RemoveAll(dir)
	if err := writeProtected(dir, repo, who.Login); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	pushed := filepath.Join(dir, "pushed")
	for i, kv := range backend.Env {
		if strings.HasPrefix(kv, "GIT_CONFIG_COUNT=") {
			backend.Env[i] = "GIT_CONFIG_COUNT=4"
		}
	}
	backend.Env = append(backend.Env, "GIT_CONFIG_KEY_3=core.hooksPath", "GIT_CONFIG_VALUE_3="+s.hooks,
		"GITHUB_PROTECTED="+filepath.Join(dir, "protected"), "GITHUB_PUSHED="+pushed, "REMOTE_USER="+who.Login)
	backend.ServeHTTP(w, r)
	lines, err := os.ReadFile(pushed)
	if err != nil {
		return // nothing moved
	}
	for line := range strings.Lines(string(lines)) {
		if f := strings.Fields(line); len(f) == 3 {
			repo.pushed(f[2], OID(f[0]), OID(f[1]))
		}
	}
}

// writeProtected leaves for the hook what to say, in a file per protected branch.
func writeProtected(dir string, repo *Repo, login string) error {
	for _, branch := range repo.protected() {
		said, ruleset := repo.violation(branch, login)
		if said == "" {
			continue
		}
		text := "error: GH006: Protected branch update failed for refs/heads/" + branch + ".\nerror: " + said + "\n"
		if ruleset {
			text = "error: GH013: Repository rule violations found for refs/heads/" + branch + ".\n"
			for _, rule := range strings.Split(strings.TrimSpace(said), "\n\n")[1:] {
				text += "- " + rule + "\n"
			}
		}
		path := filepath.Join(dir, "protected", filepath.FromSlash(branch))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("protect %s: %w", branch, err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return fmt.Errorf("protect %s: %w", branch, err)
		}
	}
	return nil
}
