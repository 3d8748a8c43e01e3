// Package gitrepo is a real git repository behind smart HTTP, for clusters to follow and for tests to push to. It is
// git itself throughout: a bare repository, `git http-backend` in front of it, and a clone that commits are made in.
package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Branch is the one that clusters follow.
const Branch = "main"

// Repo is a bare repository with a clone beside it. Its methods may be called from several goroutines.
type Repo struct {
	dir string // holds name.git and clone
	env []string

	mu sync.Mutex // the clone has one user at a time
}

// New makes the repository in dir, which is the caller's to remove, with one commit that holds the files.
func New(ctx context.Context, dir string, files fs.FS) (*Repo, error) {
	r := &Repo{dir: dir, env: append(os.Environ(),
		"GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull, "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=Somebody Else", "GIT_AUTHOR_EMAIL=else@example.com",
		"GIT_COMMITTER_NAME=Somebody Else", "GIT_COMMITTER_EMAIL=else@example.com",
	)}
	if _, err := r.git(ctx, dir, "init", "-q", "--bare", "-b", Branch, r.Bare()); err != nil {
		return nil, err
	}
	if _, err := r.git(ctx, r.Bare(), "config", "http.receivepack", "true"); err != nil {
		return nil, err
	}
	if _, err := r.git(ctx, dir, "clone", "-q", r.Bare(), r.clone()); err != nil {
		return nil, err
	}
	if _, err := r.git(ctx, r.clone(), "checkout", "-q", "-B", Branch); err != nil {
		return nil, err
	}
	if err := os.CopyFS(r.clone(), files); err != nil {
		return nil, fmt.Errorf("copy files into the clone: %w", err)
	}
	if _, err := r.push(ctx, "The fleet as it is"); err != nil {
		return nil, err
	}
	return r, nil
}

// Bare is the path of the bare repository.
func (r *Repo) Bare() string { return filepath.Join(r.dir, "fleet.git") }

func (r *Repo) clone() string { return filepath.Join(r.dir, "clone") }

// Handler serves the repository at /fleet.git, for fetches and pushes by anybody.
func (r *Repo) Handler(ctx context.Context) (http.Handler, error) {
	programs, err := r.git(ctx, r.dir, "--exec-path")
	if err != nil {
		return nil, err
	}
	return &cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(programs), "git-http-backend"),
		Dir:  r.dir,
		Env: []string{
			"GIT_PROJECT_ROOT=" + r.dir, "GIT_HTTP_EXPORT_ALL=1",
			"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_SYSTEM=" + os.DevNull,
		},
		InheritEnv: []string{"PATH"},
	}, nil
}

// Commit changes files on top of the branch's head, pushes, and returns the new commit. A file is given by its path
// and the function that gets its bytes (nil for a new one) and returns the new ones.
func (r *Repo) Commit(ctx context.Context, message string, edits map[string]func([]byte) []byte) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.git(ctx, r.clone(), "fetch", "-q", "origin"); err != nil {
		return "", err
	}
	if _, err := r.git(ctx, r.clone(), "reset", "-q", "--hard", "origin/"+Branch); err != nil {
		return "", err
	}
	for name, edit := range edits {
		file := filepath.Join(r.clone(), filepath.FromSlash(path.Clean("/"+name)))
		old, err := os.ReadFile(file)
		if err != nil && !os.IsNotExist(err) {
			return "", fmt.Errorf("read %s: %w", name, err)
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return "", fmt.Errorf("make folder of %s: %w", name, err)
		}
		if err := os.WriteFile(file, edit(old), 0o600); err != nil {
			return "", fmt.Errorf("write %s: %w", name, err)
		}
	}
	return r.push(ctx, message)
}

// Replace is an edit that swaps every occurrence of one text for another.
func Replace(from, to string) func([]byte) []byte {
	return func(old []byte) []byte { return bytes.ReplaceAll(old, []byte(from), []byte(to)) }
}

func (r *Repo) push(ctx context.Context, message string) (string, error) {
	for _, args := range [][]string{
		{"add", "-A"},
		{"commit", "-q", "-m", message},
		{"push", "-q", "origin", Branch},
	} {
		if _, err := r.git(ctx, r.clone(), args...); err != nil {
			return "", err
		}
	}
	return r.Head(ctx)
}

// Head is the commit that the branch points at.
func (r *Repo) Head(ctx context.Context) (string, error) {
	return r.Git(ctx, "rev-parse", "refs/heads/"+Branch)
}

// Read returns a file as it is at the branch's head.
func (r *Repo) Read(ctx context.Context, name string) (string, error) {
	return r.git(ctx, r.Bare(), "show", Branch+":"+name)
}

// Git runs git in the bare repository and returns its output without the last newline.
func (r *Repo) Git(ctx context.Context, args ...string) (string, error) {
	out, err := r.git(ctx, r.Bare(), args...)
	return strings.TrimSuffix(out, "\n"), err
}

func (r *Repo) git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = dir, r.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
