package config

import (
	"slices"
	"strings"
	"testing"
)

const withBotkube = `clusters: {prod: {file: KUBECONFIG}}
namespaces: [a]
repo: {owner: o, name: n}
plugins:
  webhooks: http://ferry:8080/sources/v1
  repositories:
    botkube: {index: /srv/botkube, protocol: botkube}
    ferry: {index: /srv/plugins}
  aliases: {kgp: kubectl get pods}
  executors:
    kubectl:
      plugin: botkube/kubectl@v1.14.0
      clusters: [prod]
      config: {a: 1}
      groups: [{a: 2}, {b: 3}]
      context: {rbac: {group: {type: ChannelName, prefix: ch-}, channels: {C0123: ops}}}
    own: {plugin: ferry/own}
  sources:
    k8s: {plugin: botkube/kubernetes, clusters: [prod], context: {rbac: {user: {type: Static, static: {value: jane}}}}}
    other: {plugin: ferry/cm, protocol: botkube}
`

func TestBotkube(t *testing.T) {
	c, err := Load(write(t, withBotkube), tokens, "list")
	if err != nil {
		t.Fatal(err)
	}
	p := &c.Plugins
	k := &p.Executors[0]
	if p.ProtocolOf(k) != ProtocolBotkube || p.ProtocolOf(&p.Executors[1]) != ProtocolFerry || p.ProtocolOf(&p.Sources[0]) != ProtocolBotkube || p.ProtocolOf(&p.Sources[1]) != ProtocolBotkube {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(k.Groups, []Raw{"a: 2\n", "b: 3\n"}) || k.Context.RBAC.ChannelNames()["C0123"] != "ops" || p.Sources[0].Context.RBAC.User.Names()[0] != "jane" {
		t.Errorf("%+v", k)
	}
	if v := p.Verbs(); len(v) != 3 || v[2] != "kgp" {
		t.Errorf("verbs %v", v)
	}
}

// TestBotkubesFaults are said with their file and line.
func TestBotkubesFaults(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"index: /srv/botkube, protocol: botkube", "index: /srv/botkube, protocol: bot", `:7: plugins.repositories.botkube.protocol: ferry speaks no protocol "bot"`},
		{"own: {plugin: ferry/own}", "own: {plugin: ferry/own, groups: [{a: 1}]}", ":17: plugins.executors.own.groups: only plugins of Botkube's have that"},
		{"own: {plugin: ferry/own}", "own: {plugin: ferry/own, clusters: [prod], context: {rbac: {user: {type: Static, static: {value: x}}}}}", ":17: plugins.executors.own.context: only plugins"},
		{"channels: {C0123: ops}", "channels: {}", ":16: plugins.executors.kubectl.context.rbac.group: no channel has a name"},
		{"type: ChannelName", "type: Dynamic", `:16: plugins.executors.kubectl.context.rbac.group: "Dynamic" is no type`},
		{"type: ChannelName", "typ: ChannelName", `did you mean "type"?`},
		{"static: {value: jane}", "static: {values: [a, b]}", ":19: plugins.sources.k8s.context.rbac.user: Static wants a name"},
		{"type: Static, static: {value: jane}", "type: ChannelName", ":19: plugins.sources.k8s.context.rbac.user: a source speaks in no channel"},
		{"type: Static, static: {value: jane}", "static: {value: jane}", ":19: plugins.sources.k8s.context.rbac.user: there is no type"},
		{"kubernetes, clusters: [prod],", "kubernetes,", ":19: plugins.sources.k8s.context: it acts in no cluster"},
		{"ferry/cm, protocol: botkube", "ferry/cm, protocol: botkube, groups: [{a: 1}]", ":20: plugins.sources.other.groups: a source gets one configuration"},
		{"  sources:", "  notifiers: {n: {plugin: botkube/n}}\n  sources:", "plugins.notifiers.n: Botkube's protocol has no notifiers"},
		{"kgp: kubectl get pods", "kgp: helm list", `:9: plugins.aliases.kgp: there is no executor "helm"`},
		{"kgp: kubectl get pods", "own: kubectl get pods", `:9: plugins.aliases.own: "own" cannot be an alias`},
		{"sources/v1", "sources/v1/", ":5: plugins.webhooks: "},
	} {
		_, err := Load(write(t, strings.Replace(withBotkube, c.old, c.new, 1)), tokens, "list")
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.new, err, c.want)
		}
	}
}
