// Package rules holds who may ask which clusters about what, as the executor's
// configuration says it and as the two walls apply it: the guard, which reads the
// line, and the wall, which reads the requests. Both ask the same questions here,
// so that a line that the one lets through and the other does not is a mistake in
// reading it, not a difference of rules.
package rules

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// Config is the executor's configuration. Nothing is allowed that no rule allows.
type Config struct {
	// Namespace is the one that a line means which names none.
	Namespace   string      `json:"namespace"`
	Impersonate Impersonate `json:"impersonate"`
	Rules       []Rule      `json:"rules"`
	Limits      Limits      `json:"limits"`
}

// Impersonate is whom the clusters are asked as. {{.ID}} is the person's ID,
// {{.Group}} makes an entry of each of their groups; names are not to be had, for
// anybody can choose theirs.
type Impersonate struct {
	User   string   `json:"user"`
	Groups []string `json:"groups"`
	// Nobody leaves every request to whoever the kubeconfig belongs to.
	Nobody bool `json:"nobody"`
}

// Rule lets people use verbs on a scope of some clusters.
type Rule struct {
	// Who: any of these; "*" is everybody.
	Users  []string `json:"users"`
	Groups []string `json:"groups"`
	Roles  []string `json:"roles"`
	// Verbs are patterns of verbs that read, and exact names of those that change
	// something. Without it: all that read.
	Verbs    []string `json:"verbs"`
	Clusters []string `json:"clusters"`
	Scope
}

// Limits of one line.
type Limits struct {
	// Time is how long each cluster may take.
	Time Duration `json:"time"`
	// Output is the most bytes that are shown of each.
	Output int `json:"output"`
	// Parallel is how many clusters are asked at once, by all lines of a binding together.
	Parallel int `json:"parallel"`
}

// Duration is a time.Duration that is written as "30s".
type Duration time.Duration

// UnmarshalText reads "30s".
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

// Person is who asks.
type Person struct {
	ID            string
	Groups, Roles []string
}

// Default is what holds where a configuration says nothing.
func Default() Config {
	return Config{
		Namespace: "default",
		Limits:    Limits{Time: Duration(30 * time.Second), Output: 1 << 20, Parallel: 4},
	}
}

// Parse reads a configuration, strictly.
func Parse(text []byte) (Config, error) {
	c := Default()
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if err := c.Check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// Check says what is wrong with a configuration that was read.
func (c Config) Check() error {
	for i, r := range c.Rules {
		if err := r.check(); err != nil {
			return fmt.Errorf("rules[%d]: %w", i, err)
		}
	}
	switch l := c.Limits; {
	case l.Time <= 0 || time.Duration(l.Time) > 10*time.Minute:
		return errors.New("limits.time: more than nothing and at most 10m")
	case l.Output < 1<<10 || l.Output > 16<<20:
		return errors.New("limits.output: between 1 KiB and 16 MiB, in bytes")
	case l.Parallel < 1 || l.Parallel > 16:
		return errors.New("limits.parallel: between 1 and 16")
	}
	return c.Impersonate.check()
}

// Verbs refuses rules for verbs that there are not: they would silently allow nothing.
// What only reads is meant by patterns, too; what changes something word for word.
func (c Config) Verbs(reading, changing []string) error {
	for i, r := range c.Rules {
		for _, v := range r.Verbs {
			if slices.Contains(changing, v) || slices.ContainsFunc(reading, func(name string) bool { return Pattern([]string{v}, name) }) {
				continue
			}
			return fmt.Errorf("rules[%d].verbs: there is no %q here; there is %s", i, v, strings.Join(slices.Concat(changing, reading), ", "))
		}
	}
	return nil
}

func (r Rule) check() error {
	if len(r.Users)+len(r.Groups)+len(r.Roles) == 0 {
		return errors.New(`nobody is named: users, groups or roles; users: ["*"] is everybody`)
	}
	if len(r.Clusters) == 0 {
		return errors.New(`no cluster is named: clusters; ["*"] is all`)
	}
	for name, list := range map[string][]string{
		"verbs": r.Verbs, "clusters": r.Clusters, "resources": r.Resources,
		"cluster_resources": r.ClusterResources, "namespaces": r.Namespaces,
	} {
		if i := slices.IndexFunc(list, bad); i >= 0 {
			return fmt.Errorf("%s: %q is no pattern", name, list[i])
		}
	}
	if len(r.Resources) > 0 && len(r.Namespaces) == 0 {
		return errors.New(`resources without namespaces: ["*"] is all of them`)
	}
	return nil
}

func bad(pattern string) bool {
	_, err := path.Match(pattern, "")
	return err != nil || pattern == ""
}

func (i Impersonate) check() error {
	some := i.User != "" || len(i.Groups) > 0
	if some == i.Nobody {
		return errors.New("impersonate: say as which user or groups the clusters are asked, or `nobody: true`")
	}
	for _, text := range append([]string{i.User}, i.Groups...) {
		left := strings.NewReplacer("{{.ID}}", "", "{{.Group}}", "").Replace(text)
		if strings.Contains(left, "{{") {
			return fmt.Errorf("impersonate: %q: {{.ID}} and {{.Group}} are all there is", text)
		}
	}
	if strings.Contains(i.User, "{{.Group}}") {
		return errors.New("impersonate: {{.Group}} belongs into groups, for a person has several")
	}
	return nil
}

// Identity is whom the clusters are asked as for a person. What a person's ID or
// group makes never names one of Kubernetes' own users or groups.
func (i Impersonate) Identity(p Person) (Identity, error) {
	if i.Nobody {
		return Identity{}, nil
	}
	id := Identity{User: strings.ReplaceAll(i.User, "{{.ID}}", p.ID)}
	if id.User == "" { // a group is impersonated by a user
		id.User = "ferry-kubectl"
	}
	made := []string{}
	if id.User != i.User {
		made = append(made, id.User)
	}
	for _, text := range i.Groups {
		of := []string{""}
		if strings.Contains(text, "{{.Group}}") {
			of = p.Groups
		}
		for _, group := range of {
			name := strings.NewReplacer("{{.ID}}", p.ID, "{{.Group}}", group).Replace(text)
			if name != text {
				made = append(made, name)
			}
			id.Groups = append(id.Groups, name)
		}
	}
	if p.ID == "" || slices.ContainsFunc(made, func(s string) bool { return s == "" || strings.HasPrefix(s, "system:") }) {
		return Identity{}, fmt.Errorf("impersonate: %q with groups %q makes nobody that a cluster could be asked as", p.ID, p.Groups)
	}
	return id, nil
}

// For returns the rules that let a person do something on a cluster. A verb that
// changes something has to be named; patterns mean those that read.
func (c Config) For(p Person, verb string, changes bool, cluster string) []Rule {
	return slices.DeleteFunc(slices.Clone(c.Rules), func(r Rule) bool {
		who := hit(r.Users, p.ID) || slices.ContainsFunc(p.Groups, func(g string) bool { return hit(r.Groups, g) }) ||
			slices.ContainsFunc(p.Roles, func(g string) bool { return hit(r.Roles, g) })
		verbs := !changes && (len(r.Verbs) == 0 || Pattern(r.Verbs, verb)) || slices.Contains(r.Verbs, verb)
		return !who || !verbs || !Pattern(r.Clusters, cluster)
	})
}

// hit says whether a list names somebody; names are not patterns but for "*".
func hit(list []string, name string) bool {
	return name != "" && (slices.Contains(list, name) || slices.Contains(list, "*"))
}
