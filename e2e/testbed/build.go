package testbed

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// buildFlags are part of the cache key; split at spaces, the linker's flags follow separately.
const buildFlags = "-trimpath -buildvcs=false"

// Binaries are built executables, each in a folder of its own in the cache.
type Binaries struct {
	dirs map[string]string
}

// Path is where the executable of that name lies.
func (b *Binaries) Path(name string) string {
	return filepath.Join(b.dirs[name], name)
}

// CRDs returns the manifests of every CustomResourceDefinition that came with the binaries.
func (b *Binaries) CRDs() ([]string, error) {
	var manifests []string
	for _, bin := range binaries() {
		files, err := filepath.Glob(filepath.Join(b.dirs[bin.name], "crds", "*.yaml"))
		if err != nil {
			return nil, fmt.Errorf("list CRDs of %s: %w", bin.name, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read CRD: %w", err)
			}
			manifests = append(manifests, string(text))
		}
	}
	return manifests, nil
}

// Build returns every binary, and compiles those that the cache lacks: minutes for the first time, milliseconds
// after that. It tells progress one line per binary compiled. Several processes may call it at once; one builds, the
// others wait. The cache is $FERRY_TESTBED_CACHE, else ferry-testbed in the user's cache folder.
func Build(ctx context.Context, progress io.Writer) (*Binaries, error) {
	cache, err := cacheDir()
	if err != nil {
		return nil, err
	}
	toolchain, err := goTool(ctx, cache, "env", "GOVERSION", "GOOS", "GOARCH")
	if err != nil {
		return nil, err
	}
	unlock, err := lock(ctx, filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	built := &Binaries{dirs: map[string]string{}}
	for _, bin := range binaries() {
		if built.dirs[bin.name], err = bin.ensure(ctx, cache, toolchain, progress); err != nil {
			return nil, err
		}
	}
	return built, nil
}

// ensure returns the folder in the cache that holds b, and fills it first if it is not there. A folder appears under
// its final name only when it is complete.
func (b binary) ensure(ctx context.Context, cache, toolchain string, progress io.Writer) (string, error) {
	mod, sum, err := b.pins()
	if err != nil {
		return "", err
	}
	version, err := b.version(mod)
	if err != nil {
		return "", err
	}
	entry := filepath.Join(cache, b.cacheKey(version, mod, sum, toolchain))
	if _, err := os.Stat(filepath.Join(entry, b.name)); err == nil {
		return entry, nil
	}
	work, err := os.MkdirTemp(cache, "building-"+b.name+"-")
	if err != nil {
		return "", fmt.Errorf("make work folder for %s: %w", b.name, err)
	}
	defer os.RemoveAll(work)
	fmt.Fprintf(progress, "building %s %s ... ", b.name, version)
	start := time.Now()
	if err := b.compile(ctx, work, mod, sum); err != nil {
		fmt.Fprintln(progress, "no")
		return "", err
	}
	if err := os.Rename(work, entry); err != nil {
		return "", fmt.Errorf("keep %s in the cache: %w", b.name, err)
	}
	fmt.Fprintf(progress, "%.0f s\n", time.Since(start).Seconds())
	return entry, nil
}

// compile puts the executable and its CRDs into the folder work.
func (b binary) compile(ctx context.Context, work string, mod, sum []byte) error {
	for name, text := range map[string][]byte{"go.mod": mod, "go.sum": sum} {
		if err := os.WriteFile(filepath.Join(work, name), text, 0o600); err != nil {
			return fmt.Errorf("write %s for %s: %w", name, b.name, err)
		}
	}
	args := append([]string{"build"}, strings.Fields(buildFlags)...)
	args = append(args, "-ldflags", "-s -w", "-o", b.name, b.pkg)
	if _, err := goTool(ctx, work, args...); err != nil {
		return fmt.Errorf("build %s: %w", b.name, err)
	}
	if !b.crds {
		return nil
	}
	source, err := goTool(ctx, work, "list", "-m", "-f", "{{.Dir}}", b.module)
	if err != nil {
		return fmt.Errorf("find the CRDs of %s: %w", b.name, err)
	}
	bases := os.DirFS(filepath.Join(strings.TrimSpace(source), "config", "crd", "bases"))
	if err := os.CopyFS(filepath.Join(work, "crds"), bases); err != nil {
		return fmt.Errorf("copy the CRDs of %s: %w", b.name, err)
	}
	return nil
}

// goTool runs the go command in dir, against that folder's pinned go.mod and nothing else.
func goTool(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "CGO_ENABLED=0")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, tail(errs.String(), 20))
	}
	return out.String(), nil
}

func cacheDir() (string, error) {
	dir := os.Getenv("FERRY_TESTBED_CACHE")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find a cache folder (FERRY_TESTBED_CACHE names one): %w", err)
		}
		dir = filepath.Join(base, "ferry-testbed")
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", fmt.Errorf("make cache folder: %w", err)
	}
	return filepath.Abs(dir)
}

// lock waits for the file until ctx ends, and holds it until unlock is called or the process dies.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open build lock: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("take build lock %s: %w", path, err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("wait for another build to end: %w", ctx.Err()), file.Close())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// tail is the last n lines of text.
func tail(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
