package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ferry/playground/cluster"
	"ferry/playground/registry"
)

// The rules of the demo: what is paid with goes to prod with the word of a release
// manager, whoever asks for it, and what does not get healthy on dev goes back by
// itself; elsewhere that is offered. Each is for fleets that have such a cluster.
const (
	developers = `roles:
  - {name: developers, users: [U0BOB], commands: [promote, rollback, hold, release], clusters: ["*"]}
`
	approvals = `approvals:
  - {name: release managers, from: [` + managersID + `], clusters: [prod], namespaces: [payments]}
`
	rollbacks = `rollbacks: [{name: dev, clusters: [dev], on_failure: auto, soak: 1m}]
`
)

// rules are what the configuration says of who may do what, and of what becomes of
// what fails.
func (p *Playground) rules() string {
	has := func(name string) bool {
		return slices.ContainsFunc(p.clusters, func(c *cluster.Cluster) bool { return c.Name() == name })
	}
	out := p.options.Gates
	if out == "" {
		if out = developers; has("prod") {
			out += approvals
		}
	}
	if has("dev") {
		out += rollbacks
	}
	return out
}

// writeConfig writes the kubeconfigs and the configuration file, an ordinary
// one, and returns its path.
func (p *Playground) writeConfig() (string, error) {
	var b strings.Builder
	b.WriteString("clusters:\n")
	for _, c := range p.clusters {
		file := p.kubeconfig(c.Name())
		if err := os.WriteFile(file, []byte(c.Kubeconfig()), 0o600); err != nil {
			return "", fmt.Errorf("write the kubeconfig of %s: %w", c.Name(), err)
		}
		fmt.Fprintf(&b, "  %s: {file: %q}\n", c.Name(), file)
	}
	fmt.Fprintf(&b, "namespaces: [%s]\n", strings.Join(p.fleet.Namespaces, ", "))
	fmt.Fprintf(&b, "repo: {owner: %s, name: %s, branch: %s}\n", repoOwner, repoName, branch)
	fmt.Fprintf(&b, "bot: {admins: [%s]}\n", adminID)
	b.WriteString(p.rules())
	fmt.Fprintf(&b, "slack: {base_url: %q}\n", p.slackURL())
	fmt.Fprintf(&b, "github: {base_url: %q}\n", p.githubURL())
	b.WriteString("registries:\n")
	mirrors := registry.Mirrors(p.url)
	if p.fleet.Unpublished {
		b.WriteString("  lookup: \"off\"\n")
	}
	b.WriteString("  mirrors:\n")
	for _, from := range slices.Sorted(maps.Keys(mirrors)) {
		fmt.Fprintf(&b, "    %q: %q\n", from, mirrors[from])
	}
	fmt.Fprintf(&b, "state: {file: %q}\n", filepath.Join(p.options.Dir, "ferry.db"))
	b.WriteString("http: {address: 127.0.0.1:0}\n" + p.fleet.Settings + p.options.Settings)
	file := filepath.Join(p.options.Dir, "config.yaml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		return "", fmt.Errorf("write the configuration: %w", err)
	}
	return file, nil
}

func (p *Playground) kubeconfig(cluster string) string {
	return filepath.Join(p.options.Dir, cluster+".kubeconfig")
}

func (p *Playground) slackURL() string { return p.url + "/api/" }

func (p *Playground) githubURL() string { return p.url + "/api/v3/" }
