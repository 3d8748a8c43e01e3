package cluster

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// Git is a repository on disk as clusters fetch it. Several clusters share one:
// each commit is read once.
type Git struct {
	dir string

	mu     sync.Mutex
	commit string
	files  map[string][]byte
}

// NewGit returns the repository whose Git directory (a bare repository, or .git)
// is dir. The program git must be installed.
func NewGit(dir string) *Git { return &Git{dir: dir} }

// Head is the commit that a branch stands at.
func (g *Git) Head(ctx context.Context, branch string) (string, error) {
	out, err := g.run(ctx, "rev-parse", "--verify", "--quiet", "refs/heads/"+branch)
	if err != nil {
		return "", fmt.Errorf("couldn't find remote ref \"refs/heads/%s\": %w", branch, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Files are the contents of a commit.
func (g *Git) Files(ctx context.Context, commit string) (map[string][]byte, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.commit == commit {
		return g.files, nil
	}
	archive, err := g.run(ctx, "archive", "--format=tar", commit)
	if err != nil {
		return nil, fmt.Errorf("read commit %s: %w", commit, err)
	}
	files := map[string][]byte{}
	reader := tar.NewReader(bytes.NewReader(archive))
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read commit %s: %w", commit, err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(reader)
		if err != nil {
			return nil, fmt.Errorf("read %s of commit %s: %w", header.Name, commit, err)
		}
		files[header.Name] = content
	}
	g.commit, g.files = commit, files
	return files, nil
}

func (g *Git) run(ctx context.Context, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir", g.dir}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
