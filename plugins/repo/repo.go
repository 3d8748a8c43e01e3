// Package repo gets plugins from repositories: index files, over HTTP or in a
// folder, that say of each plugin and version where its executable is for which
// machine, and which checksum it has. The format is Botkube's, with notifiers
// beside its sources and executors.
//
// What was got once is kept and started without asking anybody again: a version is
// downloaded when it is missing, into a file that gets its name when its checksum
// is right. A version that is named is that version or an error. An entry without
// a checksum is taken only from a repository that is trusted without; then the
// one of the first download is remembered and holds from then on.
package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"

	"ferry/internal/fault"
	"ferry/internal/near"
)

// Repository is where plugins come from.
type Repository struct {
	Name string
	// Index is the address of the index file (http, https), or the path of it or of
	// the folder where it is called index.yaml.
	Index string
	// Trusted takes entries without checksums.
	Trusted bool
}

// Ref names a plugin: repository/name, or repository/name@version.
type Ref struct{ Repository, Name, Version string }

func (r Ref) String() string {
	if r.Version == "" {
		return r.Repository + "/" + r.Name
	}
	return r.Repository + "/" + r.Name + "@" + r.Version
}

var word = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// Parse reads a Ref.
func Parse(s string) (Ref, error) {
	key, version, pinned := strings.Cut(s, "@")
	repository, name, whole := strings.Cut(key, "/")
	if !whole || !word.MatchString(repository) || !word.MatchString(name) || pinned && !word.MatchString(version) {
		return Ref{}, fault.Newf(fault.Invalid, "%q names no plugin", s).WithHelp("write repository/name or repository/name@version, such as ferry/kubectl@v1.0.0")
	}
	return Ref{Repository: repository, Name: name, Version: version}, nil
}

// Options say where plugins come from and where they are kept.
type Options struct {
	Dir          string
	Repositories []Repository
	// OS and Arch are this machine's if they are empty.
	OS, Arch string
}

// Store gets and keeps plugins.
type Store struct {
	o  Options
	mu sync.Mutex // one download at a time
	// indexes are those that were read since the store was made.
	indexes map[string]*Index
}

// New returns a store; it touches nothing before it is asked for something.
func New(o Options) *Store {
	if o.OS == "" {
		o.OS = runtime.GOOS
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	return &Store{o: o, indexes: map[string]*Index{}}
}

// Installed is a plugin that is there.
type Installed struct {
	Ref
	Kind string
	// Path is its executable, Checksum the SHA-256 that it must have, in hex.
	Path, Checksum string
	// Schema is that of its configuration, if the index has one.
	Schema []byte
}

// Find returns a plugin, and gets it first if it is not there. Without a version
// it is the newest of the index as it was when this store first read it.
func (s *Store) Find(ctx context.Context, kind string, r Ref) (Installed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repository, err := s.repository(r.Repository)
	if err != nil {
		return Installed{}, err
	}
	if r.Version != "" { // what is there needs no index
		if got, err := s.installed(kind, r); err == nil {
			return got, nil
		}
	}
	index, err := s.index(ctx, repository, false)
	if err != nil {
		return Installed{}, err
	}
	return s.chosen(ctx, repository, index, kind, r)
}

// chosen is the plugin that an index has for a name: what is there already, or is got.
func (s *Store) chosen(ctx context.Context, repository Repository, index *Index, kind string, r Ref) (Installed, error) {
	e, err := index.choose(kind, r)
	if err != nil {
		return Installed{}, err
	}
	r.Version = e.Version
	if got, err := s.installed(e.Type, r); err == nil {
		return got, nil
	}
	return s.install(ctx, repository, index, e, r)
}

// Install is Find by the index as it is now. Without a kind it is the first of the
// plugins that have the name.
func (s *Store) Install(ctx context.Context, r Ref) (Installed, error) {
	return s.InstallKind(ctx, "", r)
}

// InstallKind is Install for a plugin of one kind.
func (s *Store) InstallKind(ctx context.Context, kind string, r Ref) (Installed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repository, err := s.repository(r.Repository)
	if err != nil {
		return Installed{}, err
	}
	index, err := s.index(ctx, repository, true)
	if err != nil {
		return Installed{}, err
	}
	return s.chosen(ctx, repository, index, kind, r)
}

// Kinds returns the kinds of the plugins that have a name, by the index as it is now:
// a source and an executor may share one.
func (s *Store) Kinds(ctx context.Context, r Ref) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	repository, err := s.repository(r.Repository)
	if err != nil {
		return nil, err
	}
	index, err := s.index(ctx, repository, true)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(kinds), func(kind string) bool {
		return !slices.ContainsFunc(index.Entries, func(e Entry) bool { return e.Type == kind && e.Name == r.Name })
	}), nil
}

// Remove removes a plugin; without a version all of them. It returns what it
// removed.
func (s *Store) Remove(r Ref) ([]Installed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.listInstalled()
	if err != nil {
		return nil, err
	}
	var gone []Installed
	for _, i := range all {
		if i.Repository != r.Repository || i.Name != r.Name || r.Version != "" && i.Version != r.Version {
			continue
		}
		err := errors.Join(os.Remove(i.Path+".json"), os.Remove(i.Path), os.RemoveAll(i.Path+"_deps"))
		if err != nil {
			return gone, err
		}
		gone = append(gone, i)
	}
	if len(gone) == 0 {
		return nil, fault.Newf(fault.NotFound, "%s is not installed", r)
	}
	return gone, nil
}

// Listed is a plugin of an index, and whether it is installed.
type Listed struct {
	Ref
	Kind, Description string
	Installed         bool
}

// List returns what there is: what the indexes offer, and what is installed. A
// repository that does not answer is in the error, beside what the others have.
func (s *Store) List(ctx context.Context) ([]Listed, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	installed, err := s.listInstalled()
	if err != nil {
		return nil, err
	}
	var out []Listed
	seen := map[Ref]bool{}
	var errs []error
	for _, r := range s.o.Repositories {
		index, err := s.index(ctx, r, true)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for i := range index.Entries {
			e := &index.Entries[i]
			ref := Ref{r.Name, e.Name, e.Version}
			is := slices.ContainsFunc(installed, func(i Installed) bool { return i.Ref == ref && i.Kind == e.Type })
			out, seen[ref] = append(out, Listed{ref, e.Type, e.Description, is}), true
		}
	}
	for _, i := range installed {
		if !seen[i.Ref] {
			out = append(out, Listed{Ref: i.Ref, Kind: i.Kind, Installed: true})
		}
	}
	slices.SortStableFunc(out, func(a, b Listed) int {
		if c := strings.Compare(a.Repository+"/"+a.Name, b.Repository+"/"+b.Name); c != 0 {
			return c
		}
		return newer(b.Version, a.Version)
	})
	return out, errors.Join(errs...)
}

func (s *Store) repository(name string) (Repository, error) {
	var names []string
	for _, r := range s.o.Repositories {
		if r.Name == name {
			return r, nil
		}
		names = append(names, r.Name)
	}
	e := fault.Newf(fault.NotFound, "there is no plugin repository %q", name)
	if meant := near.Names(name, names, 1); len(meant) > 0 {
		return Repository{}, e.WithHelp("did you mean %q?", meant[0])
	}
	if len(names) == 0 {
		return Repository{}, e.WithHelp("the configuration names none: plugins.repositories")
	}
	return Repository{}, e.WithHelp("there are %s", strings.Join(names, ", "))
}

// newer compares versions: by semver where both are, else as text.
func newer(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	switch {
	case errA == nil && errB == nil:
		return va.Compare(vb)
	case errA == nil:
		return 1
	case errB == nil:
		return -1
	}
	return strings.Compare(a, b)
}

// index reads the index of a repository; the one that was read last is taken if
// the repository does not answer.
func (s *Store) index(ctx context.Context, r Repository, again bool) (*Index, error) {
	if i := s.indexes[r.Name]; i != nil && !again {
		return i, nil
	}
	at := location(r.Index)
	kept := filepath.Join(s.o.Dir, r.Name+".yaml")
	text, err := read(ctx, at, maxIndex)
	if err != nil {
		old, missing := os.ReadFile(kept)
		if missing != nil || ctx.Err() != nil {
			return nil, fault.Newf(fault.Unavailable, "the plugin repository %s does not answer", r.Name).
				WithHelp("its index is %s", r.Index).Because(err)
		}
		text = old
	} else if old, missing := os.ReadFile(kept); missing != nil || !bytes.Equal(old, text) {
		if err := writeFile(kept, text); err != nil {
			return nil, err
		}
	}
	index, err := ParseIndex(text)
	if err != nil {
		return nil, fmt.Errorf("the index of the plugin repository %s: %w", r.Name, err)
	}
	index.at, s.indexes[r.Name] = at, index
	return index, nil
}
