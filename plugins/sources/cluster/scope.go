package cluster

import (
	"fmt"
	"path"
	"slices"
)

// Scope is a choice of names by patterns. Nothing included means everything.
type Scope struct {
	Include []string `json:"include"`
	Exclude []string `json:"exclude"`
}

// Has says whether a name is chosen.
func (s Scope) Has(name string) bool {
	hit := func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	}
	return (len(s.Include) == 0 || slices.ContainsFunc(s.Include, hit)) && !slices.ContainsFunc(s.Exclude, hit)
}

// Check says which pattern is none.
func (s Scope) Check() error {
	for _, pattern := range slices.Concat(s.Include, s.Exclude) {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("%q is no pattern", pattern)
		}
	}
	return nil
}
