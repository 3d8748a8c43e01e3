package rules

import (
	"path"
	"slices"
	"strings"
)

// Secrets is the one kind that no pattern covers: it is allowed by its own name.
const Secrets = "secrets"

// Scope is what somebody may ask about. The lists hold patterns as path.Match
// knows them.
type Scope struct {
	// Resources are those in namespaces: by plural for the kinds that are known
	// here, by plural.group for all.
	Resources []string `json:"resources,omitempty"`
	// ClusterResources are those without a namespace, which are never meant by the
	// other list.
	ClusterResources []string `json:"cluster_resources,omitempty"`
	Namespaces       []string `json:"namespaces,omitempty"`
}

// Place is where objects are asked for: in a namespace, or, with None, without
// one: objects that are in none, or those of all namespaces.
type Place struct {
	Namespace string
	None      bool
}

// Allows says whether objects of a kind may be asked about at a place. What a
// path without namespace means is known of known kinds alone; an unknown one has
// to be named, for a pattern that means everything was not written with it in mind.
func (s Scope) Allows(k Kind, at Place) bool {
	if !at.None {
		return Matches(s.Resources, k) && Pattern(s.Namespaces, at.Namespace)
	}
	everywhere := slices.Contains(s.Namespaces, "*")
	switch {
	case k.Known && k.Cluster:
		return Matches(s.ClusterResources, k)
	case k.Known:
		return Matches(s.Resources, k) && everywhere
	default:
		named := slices.DeleteFunc(slices.Clone(s.Resources), func(p string) bool { return p == "*" })
		return Matches(s.ClusterResources, k) || Matches(named, k) && everywhere
	}
}

// Might says whether a kind that is not known here could be one of the scope's:
// the path that comes of it decides.
func (s Scope) Might(at Place) bool {
	foreign := func(p string) bool { return p == "*" || strings.Contains(p, ".") }
	if slices.ContainsFunc(s.ClusterResources, foreign) {
		return true
	}
	place := at.None && slices.Contains(s.Namespaces, "*") || !at.None && Pattern(s.Namespaces, at.Namespace)
	return place && slices.ContainsFunc(s.Resources, foreign)
}

// Matches says whether patterns of resources mean a kind.
func Matches(patterns []string, k Kind) bool {
	if k.Plural == Secrets && k.Group == "" {
		return slices.Contains(patterns, Secrets)
	}
	return Pattern(patterns, k.String()) || k.Known && Pattern(patterns, k.Plural)
}

// Pattern says whether one of the patterns matches a name.
func Pattern(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}
