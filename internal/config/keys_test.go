package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const example = "../../config.example.yaml"

// TestExampleLoads loads the example as it stands, but for its kubeconfig path.
func TestExampleLoads(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(write(t, strings.ReplaceAll(string(text), "/etc/ferry/kubeconfig", "KUBECONFIG")), tokens, changing...)
	if err != nil {
		t.Fatal(err)
	}
	// What the example shows as a default must be one.
	d := Defaults()
	if c.Timeouts != d.Timeouts || c.Log != d.Log || c.State != d.State || c.Slack.BaseURL != d.Slack.BaseURL ||
		c.Slack.Command != d.Slack.Command || c.GitHub.BaseURL != d.GitHub.BaseURL || c.Registries.Lookup != d.Registries.Lookup || c.Repo.Branch != d.Repo.Branch {
		t.Errorf("the example shows other defaults: %+v", c)
	}
}

// TestExampleHasEveryKey demands each key at its place, commented away or not.
func TestExampleHasEveryKey(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	// A comment that is a key becomes one.
	var lines []string
	for line := range strings.Lines(string(text)) {
		if before, after, ok := strings.Cut(line, "# "); ok && strings.TrimSpace(before) == "" && (strings.Contains(after, "_file: ") || strings.Contains(after, "docker_config: ") || strings.HasPrefix(after, "kubeconfig: ") || strings.HasPrefix(after, "- ")) {
			line = before + after
		}
		lines = append(lines, line)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(strings.Join(lines, "")), &doc); err != nil {
		t.Fatal(err)
	}
	there := map[string]bool{}
	collect(doc.Content[0], "", there)
	for _, k := range Keys() {
		if !there[k.Path] {
			t.Errorf("config.example.yaml does not show %s", k.Path)
		}
		delete(there, k.Path)
		if k.Doc == "" || !strings.HasSuffix(k.Doc, ".") {
			t.Errorf("%s has no documentation that is a sentence: %q", k.Path, k.Doc)
		}
	}
}

func collect(n *yaml.Node, path string, there map[string]bool) {
	for i := 0; n.Kind == yaml.MappingNode && i+1 < len(n.Content); i += 2 {
		key := join(path, n.Content[i].Value)
		switch path {
		case "clusters", "plugins.repositories", "plugins.executors", "plugins.sources", "plugins.notifiers", "alerts.receivers":
			key = path + ".<name>"
		}
		there[key] = true
		value := n.Content[i+1]
		collect(value, key, there)
		for _, item := range value.Content {
			if value.Kind == yaml.SequenceNode {
				collect(item, key+"[]", there)
			}
		}
	}
}

func TestKeys(t *testing.T) {
	byPath := map[string]Key{}
	for _, k := range Keys() {
		byPath[k.Path] = k
	}
	for path, want := range map[string]Key{
		"clusters.<name>.file":    {Type: "text", Required: true},
		"roles[].users":           {Type: "list", Required: true},
		"repo.branch":             {Type: "text", Default: "main"},
		"timeouts.rollout":        {Type: "duration", Default: "10m"},
		"allow_shared_api_server": {Type: "true or false", Default: "false"},
		"slack":                   {},
		"registries.mirrors":      {Type: "texts by name"},

		"plugins.executors.<name>.config": {Type: "YAML"},
	} {
		got := byPath[path]
		if got.Type != want.Type || got.Default != want.Default || got.Required != want.Required {
			t.Errorf("%s = %+v, want %+v", path, got, want)
		}
	}
}

func TestSecretsStaySecret(t *testing.T) {
	type holder struct {
		Open   Secret
		hidden Secret
	}
	s := NewSecret("hunter2")
	h := holder{s, s}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "holder", h)
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "holder", h)
	asJSON, err := json.Marshal(map[string]any{"a": s, "b": h})
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(map[string]any{"a": s, "b": &s})
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{log.String(), string(asJSON), string(asYAML), s.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		shown = append(shown, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h), fmt.Sprintf(verb, []Secret{s}))
	}
	for _, text := range shown {
		if strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("it shows: %s", text)
		}
	}
	if !strings.Contains(fmt.Sprint(s), redacted) || s.Reveal() != "hunter2" || !NewSecret("").IsZero() {
		t.Error("redaction, Reveal or IsZero is broken")
	}
}
