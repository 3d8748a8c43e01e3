package e2e

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"ferry/e2e/testbed"
)

// bring pushes the files of a folder of the script as somebody else, and returns
// when every cluster has applied them. They are taken away when the script ends.
func (s *scene) bring(folder string) error {
	files := map[string]string{}
	root := os.DirFS(filepath.Join(s.dir, folder))
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(root, path)
		files[path] = string(text)
		return err
	})
	if err != nil {
		return err
	}
	head, err := s.repo.Commit(branch, "What a script brings", files)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for _, cluster := range s.running() {
		if err := cluster.Reconcile(ctx, testbed.GitRepository, "flux-system", "flux-system"); err != nil {
			return err
		}
	}
	for _, cluster := range s.running() {
		if err := cluster.WaitRevision(ctx, string(head)); err != nil {
			return err
		}
	}
	return s.gitMark()
}
