package github

import (
	"bytes"
	"compress/zlib"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// cacheBytes bounds what one repository keeps of objects it has read.
const cacheBytes = 64 << 20

// store is the object side of one bare repository.
type store struct {
	dir   string
	batch *batch

	mu    sync.Mutex
	cache map[OID]object
	held  int
	pack  sync.Pool   // of *zlib.Writer, which are dear to make
	sizes map[OID]int // of blobs that were asked for; an entry outlives the cache
}

func newStore(dir string) *store {
	s := &store{dir: dir, cache: map[OID]object{}, sizes: map[OID]int{}}
	s.batch = &batch{start: func() *exec.Cmd { return s.git(context.Background(), "cat-file", "--batch") }}
	return s
}

// gitEnv keeps the user's and the machine's git configuration out, and git from tidying up behind our back.
func gitEnv(dir string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "LC_ALL=C", "GIT_TERMINAL_PROMPT=0",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_CONFIG_COUNT=3",
		"GIT_CONFIG_KEY_0=gc.auto", "GIT_CONFIG_VALUE_0=0",
		"GIT_CONFIG_KEY_1=receive.autogc", "GIT_CONFIG_VALUE_1=false",
		"GIT_CONFIG_KEY_2=safe.directory", "GIT_CONFIG_VALUE_2=*",
	}
}

func (s *store) git(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = s.dir, append(gitEnv(s.dir), "GIT_DIR="+s.dir)
	return cmd
}

// gitError is a git that said no; Stderr is what it said.
type gitError struct {
	args   []string
	stderr string
	err    error
}

func (e *gitError) Error() string { return fmt.Sprintf("git %s: %v: %s", e.args[0], e.err, e.stderr) }
func (e *gitError) Unwrap() error { return e.err }

// run runs git to its end and returns what it printed.
func (s *store) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	cmd := s.git(ctx, args...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, &gitError{args, string(bytes.TrimSpace(stderr.Bytes())), err}
	}
	return out, nil
}

// lookup reads by any name git knows; only what the caller has checked may be passed on.
func (s *store) lookup(name string) (object, error) {
	o, err := s.batch.read(name)
	if err == nil {
		s.keep(o)
	}
	return o, err
}

// read returns the object; errMissing when the repository does not hold it.
func (s *store) read(id OID) (object, error) {
	if !id.valid() {
		return object{}, fmt.Errorf("%q: %w", id, errMissing)
	}
	s.mu.Lock()
	o, ok := s.cache[id]
	s.mu.Unlock()
	if ok {
		return o, nil
	}
	return s.lookup(string(id))
}

// want reads an object of one kind; another kind counts as missing.
func (s *store) want(id OID, k kind) (object, error) {
	o, err := s.read(id)
	if err == nil && o.kind != k {
		return o, fmt.Errorf("%s is a %s, no %s: %w", id, o.kind, k, errMissing)
	}
	return o, err
}

func (s *store) commit(id OID) (Commit, error) {
	o, err := s.want(id, commitKind)
	if err != nil {
		return Commit{}, err
	}
	return parseCommit(o.id, o.data)
}

func (s *store) tree(id OID) ([]entry, error) {
	o, err := s.want(id, treeKind)
	if err != nil {
		return nil, err
	}
	return parseTree(o.data)
}

// size of a blob in bytes.
func (s *store) size(id OID) (int, error) {
	s.mu.Lock()
	n, ok := s.sizes[id]
	s.mu.Unlock()
	if ok {
		return n, nil
	}
	o, err := s.want(id, blobKind)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sizes[id] = len(o.data)
	return len(o.data), nil
}

func (s *store) keep(o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.cache[o.id]; ok || len(o.data) > cacheBytes/4 {
		return
	}
	if s.held += len(o.data); s.held > cacheBytes {
		clear(s.cache)
		s.held = len(o.data)
	}
	s.cache[o.id] = o
}

// write stores a loose object, whole or not at all. Writing what exists is harmless.
func (s *store) write(k kind, data []byte) (OID, error) {
	o := newObject(k, data)
	s.mu.Lock()
	_, known := s.cache[o.id]
	s.mu.Unlock()
	if known {
		return o.id, nil
	}
	dir := filepath.Join(s.dir, "objects", string(o.id[:2]))
	path := filepath.Join(dir, string(o.id[2:]))
	if _, err := os.Stat(path); err == nil {
		s.keep(o)
		return o.id, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("write %s: %w", o.id, err)
	}
	tmp, err := os.CreateTemp(dir, "tmp_obj_")
	if err != nil {
		return "", fmt.Errorf("write %s: %w", o.id, err)
	}
	z, _ := s.pack.Get().(*zlib.Writer)
	if z == nil {
		z, _ = zlib.NewWriterLevel(nil, zlib.BestSpeed)
	}
	defer s.pack.Put(z)
	z.Reset(tmp)
	_, err = fmt.Fprintf(z, "%s %d\x00", k, len(data))
	if err == nil {
		_, err = z.Write(data)
	}
	if err = errors.Join(err, z.Close(), tmp.Chmod(0o444), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
		return "", fmt.Errorf("write %s: %w", o.id, err)
	}
	s.keep(o)
	return o.id, nil
}

func (s *store) writeTree(entries []entry) (OID, error) {
	data, err := encodeTree(entries)
	if err != nil {
		return "", err
	}
	return s.write(treeKind, data)
}
