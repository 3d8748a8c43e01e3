package changes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"ferry/plugins/sources/cluster"
)

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	// Kinds are written as group/version/resource, or v1/resource.
	Kinds      []string      `json:"kinds"`
	Namespaces cluster.Scope `json:"namespaces"`
	// Operations are those that are told.
	Operations []string `json:"operations"`
	// Ignore are patterns of fields; a * means anything.
	Ignore []string `json:"ignore"`
	// Lines is how many lines of a difference are shown.
	Lines int `json:"lines"`
}

func parse(text []byte) (config, error) {
	c := config{Operations: []string{"create", "update", "delete"}, Lines: 20}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if len(c.Kinds) == 0 {
		return config{}, fmt.Errorf("kinds: name at least one, such as apps/v1/deployments")
	}
	for _, kind := range c.Kinds {
		if resource, _ := address(kind); resource == "" {
			return config{}, fmt.Errorf("kinds: %q is no group/version/resource, such as apps/v1/deployments or v1/configmaps", kind)
		}
	}
	slices.Sort(c.Kinds)
	c.Kinds = slices.Compact(c.Kinds)
	if c.Lines < 1 {
		return config{}, fmt.Errorf("lines: at least 1")
	}
	return c, c.Namespaces.Check()
}

// shape is that of what is hashed; another one when other fields matter to this source.
const shape = 1

// matters is the same as long as an object that stays as it is has the same hash, and
// the same objects are wanted.
func (c *config) matters() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %q %q", shape, c.Ignore, c.Namespaces))
	return hex.EncodeToString(sum[:6])
}

func (c *config) tells(operation string) bool { return slices.Contains(c.Operations, operation) }

func (c *config) ignores(field string) bool {
	return slices.ContainsFunc(c.Ignore, func(pattern string) bool {
		return match(pattern, field) || strings.HasPrefix(field, pattern+".") || strings.HasPrefix(field, pattern+"[")
	})
}

// match holds a text against a pattern in which * is anything.
func match(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, part := range parts[1 : len(parts)-1] {
		if _, rest, ok = strings.Cut(rest, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// address is where a kind is served; resource is empty if it is none.
func address(kind string) (resource, at string) {
	switch parts := strings.Split(kind, "/"); {
	case len(parts) == 2 && parts[0] == "v1" && parts[1] != "":
		return parts[1], "/api/v1/" + parts[1]
	case len(parts) == 3 && parts[0] != "" && parts[1] != "" && parts[2] != "":
		return parts[2], "/apis/" + kind
	}
	return "", ""
}

// singular is a resource's kind as well as it can be guessed, where nothing is left
// of it that would say.
func singular(resource string) string {
	one := strings.TrimSuffix(resource, "s")
	switch {
	case strings.HasSuffix(resource, "sses"), strings.HasSuffix(resource, "xes"):
		one = strings.TrimSuffix(resource, "es")
	case strings.HasSuffix(resource, "ies"):
		one = strings.TrimSuffix(resource, "ies") + "y"
	}
	for plain, camel := range map[string]string{"set": "Set", "map": "Map", "job": "Job", "release": "Release", "role": "Role", "account": "Account", "policy": "Policy", "claim": "Claim", "binding": "Binding", "class": "Class", "definition": "Definition"} {
		if head, ok := strings.CutSuffix(one, plain); ok && head != "" {
			one = head + camel
			break
		}
	}
	if one == "" {
		return resource
	}
	return strings.ToUpper(one[:1]) + one[1:]
}
