package config

import (
	"os"
	"strings"
	"testing"
)

const withPlugins = `clusters: {prod: {file: KUBECONFIG}, dev: {file: KUBECONFIG}}
allow_shared_api_server: true
namespaces: [a]
repo: {owner: o, name: n}
roles: [{name: shell, users: [U012AB3CD], commands: [kubectl], clusters: ["*"]}]
plugins:
  repositories:
    ferry: {index: /srv/plugins}
    odd: {index: http://example.com/i.yaml, trusted_without_checksums: true}
  executors:
    kubectl:
      plugin: ferry/kubectl@v1.0.0
      clusters: [prod]
      config: &c {verbs: [get], deep: {a: 0x10}}
    Tool: {plugin: fery/tool, config: *c, config_file: /absent, env: {LD_PRELOAD: x}, clusters: [pord]}
    none: {plugin: kubectl}
    twice: {plugin: ferry/a, config: {a: 1, a: 2}}
`

func TestPlugins(t *testing.T) {
	_, err := Load(write(t, withPlugins), tokens, changing...)
	got := ""
	if err != nil {
		got = err.Error()
	}
	for _, want := range []string{
		":9: plugins.repositories.odd.index: nobody can tell what comes over http",
		`:15: "Tool" is no name for a plugin`, `:15: plugins.executors.Tool.plugin: there is no repository "fery"; did you mean "ferry"?`,
		":15: plugins.executors.Tool: config and config_file stand beside each other", `:15: plugins.executors.Tool.env: "LD_PRELOAD" is no variable`,
		`plugins.executors.Tool.clusters[0]: no cluster is called "pord"`, `:16: plugins.executors.none.plugin: "kubectl" names no plugin`,
		`:17: plugins.executors.twice.config: mapping key "a" already defined`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the problems lack %q:\n%s", want, got)
		}
	}
	text, _, _ := strings.Cut(withPlugins, "    odd:")
	_, rest, _ := strings.Cut(withPlugins, "  executors:")
	rest, _, _ = strings.Cut(rest, "    Tool:")
	c, err := Load(write(t, text+"  executors:"+rest), tokens, "promote")
	if err != nil {
		t.Fatal(err)
	}
	if p := c.Plugins; len(p.Executors) != 1 || p.Dir != "plugins" || p.Executors[0].Config != "deep:\n    a: 16\nverbs:\n    - get\n" || p.Verbs()[0] != "kubectl" {
		t.Errorf("plugins = %+v", p)
	}
}

// TestPluginsAlone reads what is said of plugins from a file with other faults.
func TestPluginsAlone(t *testing.T) {
	none := func(string) string { return "" }
	file := write(t, "clusters: {prod: {file: /absent}}\nplugins: {repositories: {ferry: {index: /srv}}}\n")
	if c, err := LoadPlugins(file, none); err != nil || len(c.Plugins.Repositories) != 1 {
		t.Errorf("%v", err)
	}
	file = write(t, "plugins: {repositories: {ferry: {index: /srv}, x: {}}}\n")
	if _, err := LoadPlugins(file, none); err == nil || !strings.Contains(err.Error(), "plugins.repositories.x.index is missing") {
		t.Errorf("%v", err)
	}
	if _, err := LoadPlugins(file+"x", none); err == nil {
		t.Error("a file that is not there is read")
	}
	t.Chdir(t.TempDir())
	if c, err := LoadPlugins("", none); err != nil || c.Plugins.Dir != "plugins" {
		t.Errorf("without a file: %v", err)
	}
	if err := os.WriteFile(DefaultFile, []byte("plugins: {dir: x}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := LoadPlugins("", none); err != nil || c.Plugins.Dir != "x" {
		t.Errorf("with a file: %v", err)
	}
}
