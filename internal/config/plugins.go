package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"ferry/internal/chat"
)

// Plugins are the processes that ferry gets events from, hands command lines to
// and notifies through.
type Plugins struct {
	Dir          string             `yaml:"dir" doc:"Folder in which ferry keeps plugins that it got, and runs them. It is made if it does not exist."`
	Repositories []PluginRepository `yaml:"repositories" doc:"Where plugins come from, by name."`
	Executors    []Plugin           `yaml:"executors" doc:"What command lines are handed to, by the word that they begin with. Who may use one is said by roles, as for other commands."`
	Sources      []Plugin           `yaml:"sources" doc:"Where events come from, by name."`
	Notifiers    []Plugin           `yaml:"notifiers" doc:"What is notified through, by name."`
	Aliases      map[string]string  `yaml:"aliases" doc:"Words that stand for the beginning of a line: {kgp: kubectl get pods}. A role has to name them like an executor."`
	Webhooks     string             `yaml:"webhooks" doc:"Address below which sources of Botkube's are called from outside, as they are told it, such as http://ferry:8080/sources/v1. Without it they are told none."`
}

// PluginRepository is an index of plugins.
type PluginRepository struct {
	Name                    string `yaml:",name"`
	Index                   string `yaml:"index,required" eg:"https://example.com/plugins/index.yaml" doc:"Address of the index file, or its path, or that of a folder in which it is called index.yaml."`
	Protocol                string `yaml:"protocol" doc:"What its plugins speak: ferry, or botkube. Without it: ferry."`
	TrustedWithoutChecksums bool   `yaml:"trusted_without_checksums" doc:"Takes plugins for which the index has no checksum. Whoever can change what lies there then runs it beside ferry."`
}

// Plugin is a plugin under a name, with a configuration; each runs as a process
// of its own.
type Plugin struct {
	Name       string            `yaml:",name"`
	Plugin     string            `yaml:"plugin,required" eg:"ferry/kubectl@v1.0.0" doc:"Which one: repository/name@version. Without a version the newest there is when ferry starts."`
	Config     Raw               `yaml:"config" doc:"Its configuration, which ferry holds against the plugin's own schema before the plugin is asked for anything."`
	ConfigFile string            `yaml:"config_file" doc:"File that holds its configuration (YAML), for one with secrets in it."`
	Clusters   []string          `yaml:"clusters" doc:"The clusters that it gets the kubeconfig of, as patterns of their names. Without it: none. A source runs once for each."`
	Kubeconfig string            `yaml:"kubeconfig" doc:"Kubeconfig file that it gets instead of the clusters' own, with a context for each that is called like the cluster: for rights of its own."`
	Env        map[string]string `yaml:"env" doc:"Variables that it finds in its environment, such as HTTPS_PROXY. It sees nothing of ferry's."`
	Memory     int64             `yaml:"memory" doc:"How many MiB of memory it and what it starts may take; with more it is ended and started again. Without it: 256."`
	Timeout    time.Duration     `yaml:"timeout" doc:"How long one command may run (5m), or one delivery (30s); then it is cancelled."`
	Protocol   string            `yaml:"protocol" doc:"What it speaks: ferry, or botkube. Without it: what its repository says."`
	Groups     []Raw             `yaml:"groups" doc:"Further configurations of an executor of Botkube's, behind config, in their order; the later wins."`
	Context    PluginContext     `yaml:"context" doc:"As whom a plugin of Botkube's acts."`
}

// Raw is a part of the file that is not ferry's to read: YAML by itself.
type Raw string

var (
	pluginName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	pluginRef  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*/[A-Za-z0-9][A-Za-z0-9._+-]*(@[A-Za-z0-9][A-Za-z0-9._+-]*)?$`)
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// LoadPlugins reads what a configuration says of plugins, whatever is wrong with
// the rest. Without a file there are none.
func LoadPlugins(path string, getenv func(string) string) (*Config, error) {
	named := path != "" || getenv(EnvFile) != ""
	if path == "" {
		path = getenv(EnvFile)
	}
	if path == "" {
		path = DefaultFile
	}
	p := &problems{file: path, lines: map[string]int{}}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		c := Defaults()
		c.File = path
		return &c, nil
	case err != nil:
		p.line(0, "", unreadable(err), "name one with -config or "+EnvFile)
		return nil, p.err()
	}
	c := parse(text, p)
	if c == nil {
		return nil, p.err()
	}
	c.File = path
	checkPlugins(c, p)
	p.found = slices.DeleteFunc(p.found, func(one Problem) bool { return one.Key != "" && !strings.HasPrefix(one.Key, "plugins") })
	if err := p.err(); err != nil {
		return nil, err
	}
	return c, nil
}

// Verbs are the commands that executors answer, and their aliases.
func (p *Plugins) Verbs() []chat.Verb {
	out := make([]chat.Verb, 0, len(p.Executors)+len(p.Aliases))
	for _, e := range p.Executors {
		out = append(out, chat.Verb(e.Name))
	}
	for _, alias := range slices.Sorted(maps.Keys(p.Aliases)) {
		out = append(out, chat.Verb(alias))
	}
	return out
}

func checkPlugins(c *Config, p *problems) {
	if c.Plugins.Dir == "" {
		p.at("plugins.dir", "plugins.dir is empty", "name a folder, such as plugins")
	}
	var repositories []string
	for _, r := range c.Plugins.Repositories {
		key := join("plugins.repositories", r.Name)
		if !pluginName.MatchString(r.Name) {
			p.at(key, fmt.Sprintf("%q is no name for a plugin repository", r.Name), "lower-case letters, digits and dashes, such as ferry")
		}
		if strings.HasPrefix(r.Index, "http://") && r.TrustedWithoutChecksums {
			p.at(key+".index", key+".index: nobody can tell what comes over http without checksums", "write an address with https, or take trusted_without_checksums out")
		}
		repositories = append(repositories, r.Name)
	}
	for _, kind := range []struct {
		key     string
		plugins []Plugin
	}{{"plugins.executors", c.Plugins.Executors}, {"plugins.sources", c.Plugins.Sources}, {"plugins.notifiers", c.Plugins.Notifiers}} {
		for _, one := range kind.plugins {
			checkPlugin(c, p, join(kind.key, one.Name), one, repositories)
		}
	}
	checkProtocols(c, p)
}

func checkPlugin(c *Config, p *problems, key string, one Plugin, repositories []string) {
	if !pluginName.MatchString(one.Name) {
		p.at(key, fmt.Sprintf("%q is no name for a plugin", one.Name), "lower-case letters, digits and dashes, at most 31, such as kubectl; people type it")
	}
	repository, _, _ := strings.Cut(one.Plugin, "/")
	switch {
	case one.Plugin == "": // that it is missing was said
	case !pluginRef.MatchString(one.Plugin):
		p.at(key+".plugin", fmt.Sprintf("%s.plugin: %q names no plugin", key, one.Plugin), "write repository/name@version, such as ferry/kubectl@v1.0.0")
	default:
		unknown(p, key+".plugin", repository, repositories, "repository", "name it in plugins.repositories")
	}
	if one.Config != "" && one.ConfigFile != "" {
		p.at(key+".config_file", key+": config and config_file stand beside each other", "keep one of them")
	}
	for at, file := range map[string]string{key + ".config_file": one.ConfigFile, key + ".kubeconfig": one.Kubeconfig} {
		if file != "" {
			checkReadable(p, at, file, "name a file that ferry may read")
		}
	}
	checkPatterns(p, key+".clusters", one.Clusters, clusterNames(c), "no cluster is called")
	for name := range one.Env {
		if !envName.MatchString(name) || strings.HasPrefix(name, "PLUGIN_") || strings.HasPrefix(name, "LD_") {
			p.at(join(key+".env", name), fmt.Sprintf("%s.env: %q is no variable that a plugin may be given", key, name), "letters, digits and underscores, such as HTTPS_PROXY")
		}
	}
}

// raw keeps a part of the file as YAML of its own, anchors resolved.
func (d *decoder) raw(n *yaml.Node, path string, to *Raw) {
	var value any
	if err := n.Decode(&value); err != nil {
		says := strings.TrimPrefix(err.Error(), "yaml: ")
		if e, ok := errors.AsType[*yaml.TypeError](err); ok {
			_, says, _ = strings.Cut(e.Errors[0], ": ")
		}
		d.line(n.Line, path, path+": "+says, "look at the keys that stand there")
		return
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		d.line(n.Line, path, path+": "+err.Error(), "")
		return
	}
	*to = Raw(text)
}
