package app

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ferry/bot/grammar"
	"ferry/dispatcher"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/k8s"
	"ferry/plugins"
	"ferry/plugins/api"
)

// asTool makes a plugin of the test binary, which has nothing to be built.
func TestMain(m *testing.M) {
	if os.Getenv(api.CookieKey) == api.CookieValue {
		api.ServeExecutor(tool{})
		return
	}
	os.Exit(m.Run())
}

type tool struct{}

func (tool) Info() api.Info {
	return api.Info{Name: "tool", Version: "v1", Description: "is a tool", Schema: []byte(`{"required":["size"]}`)}
}

func (tool) Execute(context.Context, api.ExecuteRequest, io.Writer) (api.Result, error) {
	return api.Result{}, nil
}

// TestPluginCommand makes a repository of the test binary and goes through what
// can be done with it.
func TestPluginCommand(t *testing.T) {
	dir := t.TempDir()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	itself, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/tool", itself, 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	text := "plugins:\n  dir: " + t.TempDir() + "\n  repositories: {r: {index: " + dir + "}}\n  executors:\n    tool: {plugin: r/tool@v1, config: {SIZE}}\n"
	run := func(config string, args ...string) (int, string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		code := Main(t.Context(), Process{Args: append(append([]string{"plugin"}, args...), "-config", file), Getenv: func(string) string { return "" }, Out: &out, Err: &out})
		return code, out.String()
	}
	for _, c := range []struct {
		size, args string
		code       int
		want       string
	}{
		{"", "index " + dir, exitOK, "index.yaml has 1 plugins"},
		{"", "list", exitOK, "r/tool@v1  executor  no         is a tool"},
		{"", "install r/tool@v2", exitFailed, "there is no version v2 of r/tool\n  there are v1"},
		{"", "install", exitOK, "r/tool@v1 is installed: executor "},
		{"", "install r/tool", exitOK, "r/tool@v1 is installed: executor "},
		{"", "list", exitOK, "r/tool@v1  executor  yes"},
		{"", "verify", exitFailed, "executor tool: its configuration does not fit: missing property 'size'"},
		{"size: 1", "verify tool", exitOK, "executor tool is a sound executor: tool v1, ready after "},
		{"", "verify " + dir + "/tool", exitOK, "has a schema of its configuration (21 bytes)\n  is a tool"},
		{"", "verify " + file, exitFailed, file + ": "},
		{"", "verify nothing", exitFailed, "there is no file nothing, no plugin is configured so"},
		{"", "remove r/tool", exitOK, "r/tool@v1 is removed: executor"},
		{"", "remove tool", exitFailed, "\"tool\" is configured, but not what a repository calls it\n  write r/tool@v1"},
		{"", "verify " + dir, exitFailed, dir + " is no file\n  name the executable"},
		{"", "remove r/tool", exitFailed, "r/tool is not installed"},
		{"", "verify r/tool@v1", exitOK, "executor r/tool@v1 is a sound executor"},
		{"", "remove", exitUsage, "ferry plugin: remove what? Name at least one\n\nferry plugin list  "},
		{"", "frob", exitUsage, `ferry plugin: there is no "frob"`},
		{"", "list r/tool", exitUsage, "takes no name: r/tool"},
		{"", "index", exitUsage, "index takes one folder"},
		{"", "verify r/tol", exitFailed, "r/tol: there is no plugin r/tol\n  did you mean r/tool?"},
	} {
		code, out := run(strings.Replace(text, "SIZE", c.size, 1), strings.Fields(c.args)...)
		if code != c.code || !strings.Contains(out, c.want) {
			t.Errorf("plugin %s: %d, %s\nwant %d, %s", c.args, code, out, c.code, c.want)
		}
	}
}

// TestCheckSaysWhatIsWrongWithPlugins, and what would help.
func TestCheckSaysWhatIsWrongWithPlugins(t *testing.T) {
	t.Parallel()
	one := []config.Plugin{{Name: "x", Plugin: "nowhere/x"}}
	for _, c := range []struct {
		plugins      config.Plugins
		detail, help string
	}{
		{config.Plugins{Executors: one}, `there is no plugin repository "nowhere"`, "the configuration names none: plugins.repositories; ferry runs without it, and starts it again and again"},
		{config.Plugins{Sources: one}, "nothing takes its events: it is not started", "say in `alerts` what becomes of them"},
	} {
		c.plugins.Dir = t.TempDir()
		found := checkPlugins(t.Context(), &config.Config{Plugins: c.plugins})
		if len(found) != 1 || found[0].ok || !found[0].spare || found[0].detail != c.detail || found[0].help != c.help {
			t.Errorf("%+v", found)
		}
	}
}

func TestExecutorsAreCommands(t *testing.T) {
	c := &config.Config{Plugins: config.Plugins{Executors: []config.Plugin{{Name: "kubectl"}, {Name: "tool"}}}}
	if err := checkVerbs(c); err != nil {
		t.Error(err)
	}
	found := 0
	for _, v := range changing(c) {
		if v == "tool" || v == "kubectl" {
			found++
		}
	}
	if found != 2 {
		t.Errorf("they need no role: %v", changing(c))
	}
	g, err := grammar.New(syntaxes(c), []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"tool confirmed:1 rm  -f 'a b'": "tool:confirmed:1 rm  -f 'a b'", "kubectl get po": "kubectl:get po", "plugins": "plugins:"} {
		if _, verb, args, err := g.Parse(text); err != nil || string(verb)+":"+string(args.Line) != want {
			t.Errorf("%s: %s:%s, %v", text, verb, args.Line, err)
		}
	}
	c.Plugins.Executors = append(c.Plugins.Executors, config.Plugin{Name: "promote"})
	if err := checkVerbs(c); err == nil || !strings.Contains(err.Error(), "plugins.executors.promote: ferry has a command of that name") {
		t.Errorf("an executor called promote: %v", err)
	}
}

// TestBindings: a source runs once for each of its clusters, an executor once for
// all.
func TestBindings(t *testing.T) {
	c := &config.Config{Clusters: []config.Cluster{{Name: "prod", File: "a"}, {Name: "prod-eu", File: "b"}, {Name: "dev", File: "c"}}}
	p := &config.Plugin{Name: "x", Plugin: "r/x", Clusters: []string{"prod*"}, Memory: 3, Config: "a: 1"}
	for kind, want := range map[string]string{api.KindSource: "x/prod x/prod-eu", api.KindExecutor: "x", api.KindNotifier: "x"} {
		all, err := bindings(c, newStore(c.Plugins), kind, p, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, b := range all {
			names = append(names, b.Name)
			if b.Memory != 3<<20 || string(b.Config) != "a: 1" {
				t.Errorf("binding = %+v", b)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("a %s runs as %s, want %s", kind, got, want)
		}
	}
	p.Kubeconfig = "own"
	if m := membersOf(c, p); len(m) != 2 || m[1].Kubeconfig != "own" || m[1].Context != "prod-eu" {
		t.Errorf("members = %+v", m)
	}
}

// TestHandouts: a way in that cannot be read does not keep a line from the others.
func TestHandouts(t *testing.T) {
	good := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(good, []byte(`{apiVersion: v1, kind: Config, current-context: c, clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}], contexts: [{name: c, context: {cluster: c}}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	bad, log := k8s.Member{Name: "bad", Kubeconfig: good + ".none"}, slog.New(slog.DiscardHandler)
	got, err := handouts([]k8s.Member{bad, {Name: "good", Kubeconfig: good}}, log)(t.Context())
	if err != nil || len(got) != 2 || got[0].Name != "bad" || len(got[0].Kubeconfig) != 0 || len(got[1].Kubeconfig) == 0 {
		t.Errorf("two, of which one cannot be read: %+v, %v", got, err)
	}
	if got, err := handouts([]k8s.Member{bad}, log)(t.Context()); err == nil {
		t.Errorf("the only one cannot be read: %+v", got)
	}
}

type people struct{}

func (people) Person(_ context.Context, id chat.UserID) (chat.Person, error) {
	return chat.Person{ID: id}, nil
}

func (people) Members(_ context.Context, g chat.GroupID) ([]chat.UserID, error) {
	return map[chat.GroupID][]chat.UserID{"SOPS00001": {"UADA00001"}}[g], nil
}

func (people) Of(context.Context, deploy.Target) ([]deploy.Hold, error) { return nil, nil }

// TestWhoAsks: a plugin learns identifiers, groups and roles, and no names.
func TestWhoAsks(t *testing.T) {
	c := &config.Config{
		Bot: config.Bot{Admins: []config.Person{"UBOB00001"}},
		Roles: []config.Role{
			{Name: "shell", Users: []config.Person{"SOPS00001"}, Commands: []string{"kubectl"}}, {Name: "none", Users: []config.Person{"UEVE00001"}},
		},
	}
	a := acquaintances{dispatcher.NewPolicy(rules(c, nil), dispatcher.Witnesses{People: people{}, Holds: people{}})}
	for id, want := range map[chat.UserID]api.User{
		"UADA00001": {ID: "UADA00001", Groups: []string{"SOPS00001"}, Roles: []string{"shell"}},
		"UBOB00001": {ID: "UBOB00001", Roles: []string{"admin"}},
		"UNOB00001": {ID: "UNOB00001"},
	} {
		got, err := a.who(t.Context(), id)
		if err != nil || got.ID != want.ID || strings.Join(got.Groups, " ") != strings.Join(want.Groups, " ") || strings.Join(got.Roles, " ") != strings.Join(want.Roles, " ") {
			t.Errorf("%s is %+v, %v, want %+v", id, got, err, want)
		}
	}
}

type asking struct{}

func (asking) Names(string) []string { return []string{"tool"} }

func (asking) Info(string, string) (api.Info, bool) { return api.Info{}, false }

func (asking) Execute(_ context.Context, _ string, r api.ExecuteRequest, _ io.Writer) (api.Result, error) {
	if r.Confirmed {
		return api.Result{Title: r.Line}, nil
	}
	return api.Result{Confirm: "Sure?"}, nil
}

// TestConfirmedLines: whatever a line has in it, the button under it confirms that
// line, through the parser that reads what is pressed.
func TestConfirmedLines(t *testing.T) {
	g, err := grammar.New(syntaxes(&config.Config{Plugins: config.Plugins{Executors: []config.Plugin{{Name: "tool"}}}}), []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	e := plugins.Executors{Runner: asking{}, Who: func(context.Context, chat.UserID) (api.User, error) { return api.User{}, nil }}
	for _, line := range []string{"rm -f x", `patch -p '{"a": "<b>"}' & more  &amp;`, "a <@U1> <!here>", "a ' b", "`x`", "confirmed:1 x"} {
		asked, err := e.Execute(t.Context(), "tool", line, chat.Command{}, nil)
		if err != nil || len(asked.Buttons) != 1 {
			t.Fatalf("%s: %+v, %v", line, asked, err)
		}
		_, _, args, err := g.Parse(asked.Buttons[0].Command)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimPrefix(line, "confirmed:1 ")
		if m, err := e.Execute(t.Context(), "tool", string(args.Line), chat.Command{}, nil); err != nil || m.Title != want {
			t.Errorf("%s: pressed, it is %+v, %v", line, m, err)
		}
	}
}
