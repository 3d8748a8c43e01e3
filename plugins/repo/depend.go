package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"ferry/internal/fault"
)

// maxSchema is the most bytes that a schema may have which an index refers to.
const maxSchema = 1 << 20

// getDependencies downloads the programs that an executable calls into a new folder,
// and returns their checksums.
func (s *Store) getDependencies(ctx context.Context, r Repository, index *Index, u URL, ref Ref, to string) (map[string]string, error) {
	if len(u.Dependencies) == 0 {
		return nil, nil
	}
	if err := os.Mkdir(to, 0o750); err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(u.Dependencies)) {
		sum, err := getDependency(ctx, r, index, ref, name, u.Dependencies[name], to)
		if err != nil {
			return nil, err
		}
		sums[name] = sum
	}
	return sums, nil
}

func getDependency(ctx context.Context, r Repository, index *Index, ref Ref, name string, d Dependency, dir string) (string, error) {
	what := fmt.Sprintf("%s, which %s needs,", name, ref)
	at, inside := within(d.URL)
	at, foreign := resolve(index.at, at), remote(index.at)
	switch {
	case !word.MatchString(name):
		return "", fault.Newf(fault.Invalid, "%s needs a program %q, which is no name for one", ref, name)
	case d.Checksum == "" && !r.Trusted:
		return "", fault.Newf(fault.Refused, "%s has no checksum in its index", what).
			WithHelp("set trusted_without_checksums for plugins.repositories.%s if you trust whoever runs it, and all that lies between", r.Name)
	case foreign && !remote(at):
		return "", fault.Newf(fault.Refused, "%s is said to be on this machine by an index that is not", what)
	}
	asset := filepath.Join(dir, ".asset")
	sum, err := download(ctx, at, asset)
	if err != nil {
		return "", fault.Newf(fault.Unavailable, "%s could not be downloaded", what).WithHelp("it is at %s", at).Because(err)
	}
	defer os.Remove(asset) // what became the program is not there any more
	if d.Checksum != "" && !strings.EqualFold(d.Checksum, sum) {
		return "", fault.Newf(fault.Refused, "%s is not what the index says", what).WithHelp("its checksum is %s, not %s\nit is at %s", sum, d.Checksum, at)
	}
	program := filepath.Join(dir, name)
	if archived(at) {
		sum, err = extractNamed(asset, at, inside, name, program)
	} else {
		err = os.Rename(asset, program)
	}
	if err != nil {
		return "", fmt.Errorf("take %s out of %s: %w", what, at, err)
	}
	return sum, os.Chmod(program, 0o755) //nolint:gosec // it is to be executed
}

// extractNamed takes a program out of an archive: the file of its name, which is not
// always the first one that could be executed (LICENSE could), else that one.
func extractNamed(archive, at, inside, name, to string) (string, error) {
	inside = strings.Trim(path.Clean("/"+inside), "/")
	sum, err := extractFirst(archive, at, to, func(file string) bool {
		base := path.Base(file)
		return executable(file, inside) && (base == name || base == name+".exe")
	})
	if errors.Is(err, errNoExecutable) {
		return extract(archive, at, inside, to)
	}
	return sum, err
}

// checkDependencies fails unless the programs beside an executable are those that
// were downloaded.
func checkDependencies(executable string, sums map[string]string) error {
	for name, want := range sums {
		got, err := checksum(filepath.Join(executable+"_deps", name))
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s is not what was downloaded", name)
		}
	}
	return nil
}

// schema returns that of an entry's configuration. One that the index only refers to
// and that cannot be got is none: the plugin says its own when it runs.
func (e *Entry) schema(ctx context.Context, index *Index) json.RawMessage {
	if e.JSONSchema.Value != "" {
		return json.RawMessage(e.JSONSchema.Value)
	}
	if e.JSONSchema.RefURL == "" {
		return nil
	}
	at := resolve(index.at, e.JSONSchema.RefURL)
	if remote(index.at) && !remote(at) {
		return nil // an index from elsewhere has no say in what is read here
	}
	text, err := read(ctx, at, maxSchema)
	if err != nil || !json.Valid(text) {
		return nil
	}
	return text
}
