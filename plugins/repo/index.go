package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"ferry/internal/fault"
	"ferry/internal/near"
)

// Index is what a repository offers.
type Index struct {
	Entries []Entry `json:"entries"`

	at string // where it was read, which addresses in it may be relative to
}

// Entry is a plugin in one version.
type Entry struct {
	Name             string     `json:"name"`
	Type             string     `json:"type"` // source, executor, notifier
	Description      string     `json:"description,omitempty"`
	DocumentationURL string     `json:"documentationUrl,omitempty"`
	Version          string     `json:"version"`
	URLs             []URL      `json:"urls"`
	JSONSchema       JSONSchema `json:"jsonSchema,omitzero"`
	Recommended      bool       `json:"recommended,omitempty"`
}

// URL is an executable for one kind of machine. After a "//" in its path stands
// where it is within an archive.
type URL struct {
	URL          string                `json:"url"`
	Checksum     string                `json:"checksum,omitempty"` // hex SHA-256 of what is downloaded
	Platform     Platform              `json:"platform"`
	Dependencies map[string]Dependency `json:"dependencies,omitempty"`
}

// Platform is a kind of machine, in Go's words.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
}

// Dependency is a program that a plugin calls.
type Dependency struct {
	URL      string `json:"url"`
	Checksum string `json:"checksum,omitempty"`
}

// JSONSchema is that of the configuration.
type JSONSchema struct {
	Value  string `json:"value,omitempty"`
	RefURL string `json:"refURL,omitempty"`
}

var hexSum = regexp.MustCompile(`^[0-9a-fA-F]{64}$`)

// ParseIndex reads an index and holds it to what is promised of one. Keys that it
// does not know are left alone: the format has others' too.
func ParseIndex(text []byte) (*Index, error) {
	var i Index
	if err := yaml.Unmarshal(text, &i); err != nil {
		return nil, err
	}
	if i.Entries == nil {
		return nil, errors.New("it is no index: it has no `entries`")
	}
	seen := map[string]bool{}
	for n := range i.Entries {
		e := &i.Entries[n]
		key := e.Type + " " + e.Name + " " + e.Version
		switch {
		case !word.MatchString(e.Name), !word.MatchString(e.Version), !slices.Contains(kinds, e.Type):
			return nil, fmt.Errorf("entry %d: %q is no %s, name and version", n+1, key, strings.Join(kinds, ", "))
		case seen[key]:
			return nil, fmt.Errorf("entry %d: %s is there twice", n+1, key)
		case e.JSONSchema.Value != "" && !json.Valid([]byte(e.JSONSchema.Value)):
			return nil, fmt.Errorf("entry %d: the schema of %s is no JSON", n+1, key)
		}
		seen[key] = true
		for _, u := range e.URLs {
			if u.Checksum != "" && !hexSum.MatchString(u.Checksum) {
				return nil, fmt.Errorf("entry %d: the checksum of %s is no SHA-256 in hex", n+1, key)
			}
		}
	}
	return &i, nil
}

var kinds = []string{"source", "executor", "notifier"}

// choose returns the entry that is meant; any kind is if that is empty.
func (i *Index) choose(kind string, r Ref) (*Entry, error) {
	var best *Entry
	var versions, names, others []string
	for n := range i.Entries {
		e := &i.Entries[n]
		if kind != "" && e.Type != kind {
			if e.Name == r.Name && !slices.Contains(others, e.Type) {
				others = append(others, e.Type)
			}
			continue
		}
		if e.Name != r.Name {
			names = append(names, e.Name)
			continue
		}
		switch {
		case r.Version == e.Version:
			return e, nil
		case r.Version == "" && (best == nil || newer(e.Version, best.Version) > 0):
			best = e
		}
		versions = append(versions, e.Version)
	}
	switch {
	case best != nil:
		return best, nil
	case len(versions) > 0:
		slices.SortFunc(versions, func(a, b string) int { return newer(b, a) })
		return nil, fault.Newf(fault.NotFound, "there is no version %s of %s/%s", r.Version, r.Repository, r.Name).
			WithHelp("there are %s", strings.Join(versions[:min(5, len(versions))], ", "))
	}
	if kind == "" {
		kind = "plugin"
	}
	e := fault.Newf(fault.NotFound, "there is no %s %s/%s", kind, r.Repository, r.Name)
	if len(others) > 0 {
		return nil, e.WithHelp("what has that name is of another kind: %s", strings.Join(others, ", "))
	}
	if meant := near.Names(r.Name, names, 1); len(meant) > 0 {
		return nil, e.WithHelp("did you mean %s/%s?", r.Repository, meant[0])
	}
	return nil, e.WithHelp("`ferry plugin list` shows what there is")
}

// platform returns where an entry is for a machine.
func (e *Entry) platform(os, arch string) (URL, error) {
	var have []string
	for _, u := range e.URLs {
		if u.Platform == (Platform{os, arch}) {
			return u, nil
		}
		have = append(have, u.Platform.OS+"/"+u.Platform.Architecture)
	}
	return URL{}, fault.Newf(fault.NotFound, "%s %s is not made for %s/%s", e.Name, e.Version, os, arch).WithHelp("it is made for %s", strings.Join(have, ", "))
}
