// Package docs holds no code, only the test that keeps the papers true: what is
// generated is up to date, examples load, commands exist, links lead somewhere.
package docs

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"ferry/bot/slack"
	"ferry/internal/app"
	"ferry/internal/config"
)

var update = flag.Bool("update", false, "write the generated parts of the papers again")

const root = ".."

// papers returns every Markdown file that is ours, by path from the root.
func papers(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != root && (name[0] == '.' || name == "node_modules" || name == "testdata" || name == "e2e" || name == "playground"):
			return filepath.SkipDir
		case filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		out[filepath.ToSlash(rel)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestGenerated compares what stands between a paper's markers with what the
// code says now; with -update it writes that.
func TestGenerated(t *testing.T) {
	for _, part := range []struct{ file, name, text string }{
		{"README.md", "commands", commands()},
		{"docs/configuration.md", "keys", keys()},
	} {
		path := filepath.Join(root, part.file)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		start, end := []byte("<!-- "+part.name+":start -->\n"), []byte("<!-- "+part.name+":end -->")
		before, rest, ok := bytes.Cut(text, start)
		_, after, closed := bytes.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no markers for %s", part.file, part.name)
		}
		want := slices.Concat(before, start, []byte(part.text), end, after)
		switch {
		case bytes.Equal(text, want):
		case *update:
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		default:
			t.Errorf("the %s in %s are not what the code says: run `make docs`", part.name, part.file)
		}
	}
}

// commands is what `ferry help-markdown` prints.
func commands() string {
	b := new(strings.Builder)
	app.Main(context.Background(), app.Process{Args: []string{"help-markdown"}, Getenv: func(string) string { return "" }, Out: b, Err: b})
	return b.String()
}

func keys() string {
	b := new(strings.Builder)
	fmt.Fprint(b, "| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range config.Keys() {
		def := ""
		switch {
		case k.Required:
			def = "*required*"
		case k.Default != "":
			def = "`" + k.Default + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.Path, k.Type, def, cell(k.Doc))
	}
	return b.String()
}

func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "<name>", "&lt;name&gt;").Replace(s)
}

var (
	fence  = regexp.MustCompile("(?ms)^( *)```yaml\n(.*?)^ *```")
	target = regexp.MustCompile("(?:`|^ {4,}|&& )make ([a-z0-9-]+)")
	link   = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	title  = regexp.MustCompile(`(?m)^#+ (.*)$`)
	quoted = regexp.MustCompile(`(?m)^\| "([^"]+)" \|`)

	// elsewhere are the files that examples name, which there are not here.
	elsewhere = regexp.MustCompile(`/(?:path|etc/ferry)/[a-z-]*(?:kubeconfig|\.yaml)`)
)

// TestExamplesLoad loads every configuration that a paper shows.
func TestExamplesLoad(t *testing.T) {
	loaded := 0
	for name, text := range papers(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			example := strings.TrimPrefix(strings.ReplaceAll("\n"+m[2], "\n"+m[1], "\n"), "\n")
			switch {
			case strings.HasPrefix(example, "clusters:"):
			case strings.HasPrefix(example, "plugins:"), strings.HasPrefix(example, "alerts:"): // a part of one
				example = "clusters: {prod: {file: /path/kubeconfig}}\nnamespaces: [a]\nrepo: {owner: o, name: n}\n" + example
			default:
				continue
			}
			loaded++
			dir := t.TempDir()
			empty, file := filepath.Join(dir, "empty"), filepath.Join(dir, "config.yaml")
			for path, content := range map[string]string{empty: "", file: elsewhere.ReplaceAllString(example, empty)} {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := config.Load(file, func(string) string { return "x" }, "promote", "rollback", "hold", "release"); err != nil {
				t.Errorf("an example in %s does not load:\n%v", name, err)
			}
		}
	}
	if loaded < 5 {
		t.Errorf("only %d examples were found", loaded)
	}
}

// TestManifestParses checks that the Slack manifest has the scopes that its
// events need, and is YAML.
func TestManifestParses(t *testing.T) {
	text, err := os.ReadFile("slack-manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var m struct {
		Features struct {
			Commands []struct {
				Command string `yaml:"command"`
				Escape  bool   `yaml:"should_escape"`
			} `yaml:"slash_commands"`
		} `yaml:"features"`
		OAuth struct {
			Scopes struct {
				Bot []string `yaml:"bot"`
			} `yaml:"scopes"`
		} `yaml:"oauth_config"`
		Settings struct {
			Events struct {
				Bot []string `yaml:"bot_events"`
			} `yaml:"event_subscriptions"`
			Socket bool `yaml:"socket_mode_enabled"`
		} `yaml:"settings"`
	}
	if err := yaml.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if !m.Settings.Socket {
		t.Error("Socket Mode is off")
	}
	if len(m.Features.Commands) != 1 || m.Features.Commands[0].Command != config.Defaults().Slack.Command || !m.Features.Commands[0].Escape {
		t.Errorf("slash command: %+v", m.Features.Commands)
	}
	for scope, why := range slack.Scopes() {
		if !slices.Contains(m.OAuth.Scopes.Bot, scope) {
			t.Errorf("the scope %s is not there, which ferry needs %s", scope, why)
		}
	}
	if !slices.Contains(m.OAuth.Scopes.Bot, slack.EmailScope) {
		t.Errorf("the scope %s is not there, by which co-authors are known", slack.EmailScope)
	}
	for event, scope := range map[string]string{"app_mention": "app_mentions:read", "message.im": "im:history"} {
		if !slices.Contains(m.Settings.Events.Bot, event) || !slices.Contains(m.OAuth.Scopes.Bot, scope) {
			t.Errorf("%s and its scope %s are not both there", event, scope)
		}
	}
}

// TestMakeTargets demands that every `make …` in a paper exists.
func TestMakeTargets(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for name, text := range papers(t) {
		for line := range strings.Lines(text) {
			for _, m := range target.FindAllStringSubmatch(line, -1) {
				named++
				if !bytes.Contains(makefile, []byte("\n"+m[1]+": ")) {
					t.Errorf("%s names `make %s`, which does not exist", name, m[1])
				}
			}
		}
	}
	if named < 5 {
		t.Errorf("only %d targets were found in the papers", named)
	}
}

// TestLinks demands that links within the repository lead to a file, and to a
// title in it. Pictures are made by `make screenshots` and may not be there yet.
func TestLinks(t *testing.T) {
	all := papers(t)
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := name
			if file != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(name), file))
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil && !strings.HasPrefix(to, "docs/images/") {
				t.Errorf("%s links to %s, which is not there", name, m[1])
			}
			if anchor != "" && !slices.Contains(anchors(all[to]), anchor) {
				t.Errorf("%s links to %s: no such title; there are %q", name, m[1], anchors(all[to]))
			}
		}
	}
}

// TestQuotedMessages demands that what the paper on operation quotes from ferry's
// answers is still in the code that answers.
func TestQuotedMessages(t *testing.T) {
	text, err := os.ReadFile("operation.md")
	if err != nil {
		t.Fatal(err)
	}
	code := new(strings.Builder)
	for _, room := range []string{"bot", "delivery", "dispatcher", "jobs", "k8s"} {
		err := filepath.WalkDir(filepath.Join(root, room), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			source, err := os.ReadFile(path)
			code.Write(source)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	quotes := quoted.FindAllStringSubmatch(string(text), -1)
	for _, m := range quotes {
		if !strings.Contains(code.String(), m[1]) {
			t.Errorf("operation.md quotes %q, which ferry does not say", m[1])
		}
	}
	if len(quotes) < 3 {
		t.Errorf("only %d quotes were found", len(quotes))
	}
}

// anchors returns the anchors that GitHub makes of a text's titles.
func anchors(text string) []string {
	var out []string
	for _, m := range title.FindAllStringSubmatch(text, -1) {
		a := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127:
				return r
			default:
				return -1
			}
		}, strings.ToLower(m[1]))
		out = append(out, a)
	}
	return out
}
