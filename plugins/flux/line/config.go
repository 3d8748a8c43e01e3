package line

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"ferry/plugins/kubectl/rules"
)

// Config is the executor's configuration: the kubectl executor's, and what is Flux's
// alone. Nothing is allowed that no rule allows.
type Config struct {
	rules.Config
	// Confirm are the verbs that ask before they do something.
	Confirm []string `json:"confirm"`
	// Wait is how long reconcile and resume wait for Flux.
	Wait rules.Duration `json:"wait"`
}

// ReadConfig reads a configuration, strictly.
func ReadConfig(text []byte) (Config, error) {
	c := Config{Config: rules.Default(), Confirm: []string{Suspend, Resume}, Wait: rules.Duration(4 * time.Minute)}
	c.Namespace = "flux-system"
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return Config{}, fmt.Errorf("read the configuration: %w", err)
	}
	for _, verb := range c.Confirm {
		if !slices.Contains([]string{Reconcile, Suspend, Resume}, verb) {
			return Config{}, fmt.Errorf("confirm: %q is none of reconcile, suspend, resume", verb)
		}
	}
	if c.Wait <= 0 || time.Duration(c.Wait) > time.Hour {
		return Config{}, errors.New("wait: more than nothing and at most 1h")
	}
	return c, c.Check()
}

// identity is whom the clusters are asked as for a person.
func (c Config) identity(who rules.Person) (rules.Identity, error) {
	id, err := c.Impersonate.Identity(who)
	if err == nil && !c.Impersonate.Nobody && c.Impersonate.User == "" {
		id.User = "ferry-flux" // groups alone are impersonated by a user
	}
	return id, err
}

// whoMay says in words who may use a verb on a kind of objects somewhere.
func (c Config) whoMay(verb string, k Kind, at rules.Place, cluster string) string {
	var roles, groups, people []string
	for _, r := range c.Rules {
		if slices.Contains(r.Verbs, verb) && rules.Pattern(r.Clusters, cluster) && r.Allows(k.Kind, at) {
			roles, groups, people = append(roles, r.Roles...), append(groups, r.Groups...), append(people, r.Users...)
		}
	}
	out := []string{}
	for _, of := range []struct {
		what  string
		names []string
	}{{"role", roles}, {"group", groups}, {"user", people}} {
		names := slices.Compact(slices.Sorted(slices.Values(of.names)))
		switch {
		case slices.Contains(names, "*"):
			return "everybody"
		case len(names) == 1:
			out = append(out, of.what+" "+names[0])
		case len(names) > 1:
			out = append(out, of.what+"s "+strings.Join(names, ", "))
		}
	}
	return strings.Join(out, "; ")
}
