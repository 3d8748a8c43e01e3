package events

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sigs.k8s.io/yaml"

	"ferry/plugins/sources/cluster"
)

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	Namespaces cluster.Scope `json:"namespaces"`
	// Events are those of events.k8s.io.
	Events struct {
		Disabled bool          `json:"disabled"`
		Types    []string      `json:"types"`
		Reasons  cluster.Scope `json:"reasons"`
		// Covered tells also those that say what is told as a problem.
		Covered bool `json:"covered"`
	} `json:"events"`
	// Skip names problems and checks that are not wanted.
	Skip         []string `json:"skip"`
	PendingAfter duration `json:"pending_after"`
	ResolveAfter duration `json:"resolve_after"`
	Recent       duration `json:"recent"`
}

type duration time.Duration

// UnmarshalText reads "30s".
func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

func parse(text []byte) (config, error) {
	c := config{PendingAfter: duration(5 * time.Minute), ResolveAfter: duration(time.Minute), Recent: duration(10 * time.Minute)}
	c.Events.Types = []string{"Warning"}
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return config{}, fmt.Errorf("read the configuration: %w", err)
	}
	if err := errors.Join(c.Namespaces.Check(), c.Events.Reasons.Check()); err != nil {
		return config{}, err
	}
	if c.PendingAfter <= 0 || c.ResolveAfter <= 0 || c.Recent <= 0 {
		return config{}, errors.New("pending_after, resolve_after and recent are more than nothing")
	}
	return c, nil
}

// covers says whether a namespace is wanted; what is in none always is.
func (c *config) covers(namespace string) bool { return namespace == "" || c.Namespaces.Has(namespace) }

func (c *config) skips(reason string) bool { return slices.Contains(c.Skip, reason) }
