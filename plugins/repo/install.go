package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ferry/internal/fault"
)

// record stands beside an executable. It is written last: what has none is not
// there.
type record struct {
	Repository string `json:"repository"`
	Name       string `json:"name"`
	Version    string `json:"version"`
	Kind       string `json:"kind"`
	URL        string `json:"url"`
	// Checksum is that of the executable, which an archive's is not.
	Checksum string          `json:"checksum"`
	Schema   json.RawMessage `json:"schema,omitempty"`
	// Dependencies are the checksums of the programs beside it.
	Dependencies map[string]string `json:"dependencies,omitempty"`
}

// path is where a plugin's executable is kept.
func (s *Store) path(kind string, r Ref) string {
	return filepath.Join(s.o.Dir, r.Repository, kind+"_"+r.Version+"_"+r.Name)
}

func (s *Store) installed(kind string, r Ref) (Installed, error) {
	return installedAt(s.path(kind, r))
}

func installedAt(path string) (Installed, error) {
	text, err := os.ReadFile(path + ".json")
	if err != nil {
		return Installed{}, err
	}
	var rec record
	if err := json.Unmarshal(text, &rec); err != nil {
		return Installed{}, fmt.Errorf("%s.json: %w", path, err)
	}
	if _, err := os.Stat(path); err != nil || !hexSum.MatchString(rec.Checksum) {
		return Installed{}, errors.Join(errors.New("it is not whole"), err)
	}
	if err := checkDependencies(path, rec.Dependencies); err != nil {
		return Installed{}, fmt.Errorf("it is not whole: %w", err)
	}
	return Installed{
		Ref: Ref{rec.Repository, rec.Name, rec.Version}, Kind: rec.Kind, Path: path, Checksum: rec.Checksum, Schema: rec.Schema,
	}, nil
}

func (s *Store) listInstalled() ([]Installed, error) {
	files, err := filepath.Glob(filepath.Join(s.o.Dir, "*", "*_*_*.json"))
	if err != nil {
		return nil, err
	}
	var out []Installed
	for _, file := range files {
		if i, err := installedAt(strings.TrimSuffix(file, ".json")); err == nil {
			out = append(out, i)
		}
	}
	return out, nil
}

// install downloads an entry. Nothing has the executable's name before its
// checksum was found right.
func (s *Store) install(ctx context.Context, r Repository, index *Index, e *Entry, ref Ref) (Installed, error) {
	u, err := e.platform(s.o.OS, s.o.Arch)
	if err != nil {
		return Installed{}, err
	}
	if u.Checksum == "" && !r.Trusted {
		return Installed{}, fault.Newf(fault.Refused, "%s has no checksum in its index", ref).
			WithHelp("set trusted_without_checksums for plugins.repositories.%s if you trust whoever runs it, and all that lies between", r.Name)
	}
	at, inside := within(u.URL)
	at = resolve(index.at, at)
	path := s.path(e.Type, ref)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return Installed{}, err
	}
	sweep(filepath.Dir(path))
	work, err := os.MkdirTemp(filepath.Dir(path), beingGot)
	if err != nil {
		return Installed{}, err
	}
	defer os.RemoveAll(work)
	asset := filepath.Join(work, "asset")
	sum, err := download(ctx, at, asset)
	if err != nil {
		return Installed{}, fault.Newf(fault.Unavailable, "%s could not be downloaded", ref).WithHelp("it is at %s", at).Because(err)
	}
	if u.Checksum != "" && !strings.EqualFold(u.Checksum, sum) {
		return Installed{}, fault.Newf(fault.Refused, "what was downloaded as %s is not what its index says", ref).
			WithHelp("its checksum is %s, not %s\nit is at %s", sum, u.Checksum, at)
	}
	executable := asset
	if archived(at) {
		executable = filepath.Join(work, "executable")
		if sum, err = extract(asset, at, inside, executable); err != nil {
			return Installed{}, fmt.Errorf("take %s out of %s: %w", ref, at, err)
		}
	}
	if err := os.Chmod(executable, 0o755); err != nil { //nolint:gosec // it is to be executed
		return Installed{}, err
	}
	deps := filepath.Join(work, "deps")
	sums, err := s.getDependencies(ctx, r, index, u, ref, deps)
	if err != nil {
		return Installed{}, err
	}
	rec := record{
		Repository: ref.Repository, Name: ref.Name, Version: ref.Version, Kind: e.Type, URL: at, Checksum: sum, Schema: e.schema(ctx, index), Dependencies: sums,
	}
	return keep(rec, executable, deps, path)
}

// beingGot begins the name of a folder in which something is got; one that is older than
// forgotten has been left behind by somebody who was ended meanwhile.
const (
	beingGot  = ".get-"
	forgotten = 24 * time.Hour
)

// sweep removes what was left behind.
func sweep(dir string) {
	folders, _ := filepath.Glob(filepath.Join(dir, beingGot+"*"))
	for _, f := range folders {
		if info, err := os.Stat(f); err == nil && time.Since(info.ModTime()) > forgotten {
			_ = os.RemoveAll(f) // the next one tries again
		}
	}
}

// keep gives what was downloaded its names, the record's last.
func keep(rec record, executable, deps, path string) (Installed, error) {
	if err := os.RemoveAll(path + "_deps"); err != nil {
		return Installed{}, err
	}
	if len(rec.Dependencies) > 0 {
		if err := os.Rename(deps, path+"_deps"); err != nil {
			return Installed{}, err
		}
	}
	if err := os.Rename(executable, path); err != nil {
		return Installed{}, err
	}
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return Installed{}, err
	}
	if err := writeFile(path+".json", append(text, '\n')); err != nil {
		return Installed{}, err
	}
	return installedAt(path)
}
