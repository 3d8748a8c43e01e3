package app

import (
	"ferry/internal/config"
	"ferry/plugins/botkube"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

// tongue is what a plugin speaks, and what of it can be held against its index.
type tongue struct {
	dialect host.Dialect
	file    func(repo.Installed) host.File
}

// speaking returns what a configured plugin speaks. Plugins of Botkube's have no
// name of their own, and what they call their version is not what their index does:
// who they are is said by their checksum alone.
func speaking(c *config.Config, p *config.Plugin, ref repo.Ref) tongue {
	if c.Plugins.ProtocolOf(p) != config.ProtocolBotkube {
		return tongue{file: fileOf}
	}
	d := botkube.Dialect{Plugin: ref.Name, RBAC: rbacOf(&p.Context.RBAC), Webhooks: c.Plugins.Webhooks}
	for i := range c.Plugins.Executors {
		if e := &c.Plugins.Executors[i]; c.Plugins.ProtocolOf(e) == config.ProtocolBotkube && len(membersOf(c, e)) > 1 {
			d.Clustered = append(d.Clustered, e.Name)
		}
	}
	for _, g := range p.Groups {
		d.Groups = append(d.Groups, []byte(g))
	}
	return tongue{dialect: d, file: func(i repo.Installed) host.File {
		f := fileOf(i)
		f.Name, f.Version = "", ""
		if len(d.Groups) > 0 { // none of several has to fit by itself
			f.Schema = nil
		}
		return f
	}}
}

func rbacOf(r *config.PluginRBAC) *botkube.RBAC {
	if r.User.Type == "" && r.Group.Type == "" {
		return nil
	}
	subject := func(s *config.PluginSubject) botkube.Subject {
		return botkube.Subject{Type: s.Type, Prefix: s.Prefix, Values: s.Names()}
	}
	return &botkube.RBAC{User: subject(&r.User), Group: subject(&r.Group), Channels: r.ChannelNames()}
}
