package config

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"ferry/internal/chat"
)

// The protocols of plugins.
const (
	ProtocolFerry   = "ferry"
	ProtocolBotkube = "botkube"
)

// PluginContext is what Botkube's configuration calls so.
type PluginContext struct {
	RBAC PluginRBAC `yaml:"rbac" doc:"As whom it acts in its clusters. Without a user or group it gets no kubeconfig."`
}

// PluginRBAC says as whom a plugin acts.
type PluginRBAC struct {
	User     PluginSubject     `yaml:"user" doc:"The user that it acts as."`
	Group    PluginSubject     `yaml:"group" doc:"The groups that it acts for; without a user it is botkube-internal-static-user."`
	Channels map[string]string `yaml:"channels" doc:"Names of channels by their ID, for the type ChannelName. What a channel is called in the chat does not count: anybody can rename theirs."`
}

// PluginSubject is a user, or groups.
type PluginSubject struct {
	Type   string       `yaml:"type" doc:"Static, or ChannelName for the name of the channel that a line is written in."`
	Prefix string       `yaml:"prefix" doc:"What stands before each name."`
	Static PluginStatic `yaml:"static" doc:"The names, for the type Static."`
}

// PluginStatic are names.
type PluginStatic struct {
	Value  string   `yaml:"value" doc:"The name of a user."`
	Values []string `yaml:"values" doc:"The names of groups."`
}

// Names are those of a subject of the type Static.
func (s *PluginSubject) Names() []string {
	if s.Static.Value != "" {
		return append([]string{s.Static.Value}, s.Static.Values...)
	}
	return s.Static.Values
}

// ProtocolOf is what a plugin speaks.
func (p *Plugins) ProtocolOf(one *Plugin) string {
	if one.Protocol != "" {
		return one.Protocol
	}
	repository, _, _ := strings.Cut(one.Plugin, "/")
	for _, r := range p.Repositories {
		if r.Name == repository {
			return cmp.Or(r.Protocol, ProtocolFerry)
		}
	}
	return ProtocolFerry
}

// checkProtocols holds what is said of protocols, and what only one of them has,
// against each other.
func checkProtocols(c *Config, p *problems) {
	for _, r := range c.Plugins.Repositories {
		checkProtocol(p, join("plugins.repositories", r.Name)+".protocol", r.Protocol)
	}
	for _, kind := range []struct {
		key     string
		plugins []Plugin
	}{{"plugins.executors", c.Plugins.Executors}, {"plugins.sources", c.Plugins.Sources}, {"plugins.notifiers", c.Plugins.Notifiers}} {
		for i := range kind.plugins {
			one := &kind.plugins[i]
			key := join(kind.key, one.Name)
			checkProtocol(p, key+".protocol", one.Protocol)
			if c.Plugins.ProtocolOf(one) == ProtocolBotkube {
				checkBotkube(p, kind.key, key, one)
				continue
			}
			for name, is := range map[string]bool{"groups": len(one.Groups) > 0, "context": !one.Context.RBAC.none()} {
				if is {
					p.at(key+"."+name, fmt.Sprintf("%s.%s: only plugins of Botkube's have that", key, name), "write protocol: botkube if it is one, or take it out")
				}
			}
		}
	}
	checkAliases(c, p)
	if at := c.Plugins.Webhooks; at != "" {
		u, err := url.Parse(at)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.HasSuffix(at, "/") {
			p.at("plugins.webhooks", fmt.Sprintf("plugins.webhooks: %q is no address", at), "write one without a slash at its end, such as http://ferry:8080/sources/v1")
		}
	}
}

func checkProtocol(p *problems, key, protocol string) {
	if protocol != "" && protocol != ProtocolFerry && protocol != ProtocolBotkube {
		p.at(key, fmt.Sprintf("%s: ferry speaks no protocol %q", key, protocol), "write ferry or botkube")
	}
}

func checkBotkube(p *problems, kind, key string, one *Plugin) {
	if kind == "plugins.notifiers" {
		p.at(key, key+": Botkube's protocol has no notifiers", "take one of ferry's")
	}
	if kind == "plugins.sources" && len(one.Groups) > 0 {
		p.at(key+".groups", key+".groups: a source gets one configuration", "write a source for each")
	}
	r := &one.Context.RBAC
	for _, s := range []struct {
		key     string
		subject *PluginSubject
		most    int
	}{{key + ".context.rbac.user", &r.User, 1}, {key + ".context.rbac.group", &r.Group, 1 << 10}} {
		names := s.subject.Names()
		switch s.subject.Type {
		case "":
			if len(names) > 0 || s.subject.Prefix != "" {
				p.at(s.key, s.key+": there is no type", "write type: Static")
			}
		case "Static":
			if len(names) == 0 || len(names) > s.most || slices.Contains(names, "") {
				p.at(s.key, s.key+": Static wants a name", "write static: {value: name} for a user, static: {values: [names]} for groups")
			}
		case "ChannelName":
			switch {
			case kind == "plugins.sources":
				p.at(s.key, s.key+": a source speaks in no channel", "write type: Static")
			case len(r.Channels) == 0:
				p.at(s.key, s.key+": no channel has a name", "write channels: {C0123456789: name} beside user and group")
			}
		default:
			p.at(s.key+".type", fmt.Sprintf("%s: %q is no type", s.key, s.subject.Type), "write Static or ChannelName")
		}
	}
	if !r.none() && len(one.Clusters) == 0 {
		p.at(key+".context", key+".context: it acts in no cluster", "name some in clusters")
	}
}

func (r *PluginRBAC) none() bool { return r.User.Type == "" && r.Group.Type == "" }

func checkAliases(c *Config, p *problems) {
	executors := make([]string, 0, len(c.Plugins.Executors))
	for _, e := range c.Plugins.Executors {
		executors = append(executors, e.Name)
	}
	for name, stands := range c.Plugins.Aliases {
		key := join("plugins.aliases", name)
		first, _, _ := strings.Cut(stands, " ")
		switch {
		case !pluginName.MatchString(name) || slices.Contains(executors, name):
			p.at(key, fmt.Sprintf("%s: %q cannot be an alias", key, name), "lower-case letters, digits and dashes, and no executor's name")
		case !slices.Contains(executors, first):
			p.at(key, fmt.Sprintf("%s: there is no executor %q", key, first), "an alias begins with the name of an executor: "+strings.Join(executors, ", "))
		}
	}
}

// ChannelNames are the names of channels by their identifiers.
func (r *PluginRBAC) ChannelNames() map[chat.ChannelID]string {
	out := make(map[chat.ChannelID]string, len(r.Channels))
	for id, name := range r.Channels {
		out[chat.ChannelID(id)] = name
	}
	return out
}
