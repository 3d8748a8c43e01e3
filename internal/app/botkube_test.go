package app

import (
	"context"
	"io"
	"strings"
	"testing"

	"ferry/bot/grammar"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/plugins"
	"ferry/plugins/api"
	"ferry/plugins/botkube"
	"ferry/plugins/host"
	"ferry/plugins/repo"
)

// recorded answers nothing and remembers what it was asked.
type recorded struct {
	asking
	name, line string
}

func (r *recorded) Execute(_ context.Context, name string, q api.ExecuteRequest, _ io.Writer) (api.Result, error) {
	r.name, r.line = name, q.Line
	return api.Result{}, nil
}

// TestCommandsOfBotkubesButtonsComeBackAsTheyWere: Botkube's host escapes them for
// HTML, and its plugins are asked for something else.
func TestCommandsOfBotkubesButtonsComeBackAsTheyWere(t *testing.T) {
	c := &config.Config{Plugins: config.Plugins{Executors: []config.Plugin{{Name: "tool"}}, Aliases: map[string]string{"tt": "tool get --sort"}}}
	g, err := grammar.New(syntaxes(c), []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	r := &recorded{}
	e := plugins.Executors{Runner: r, Aliases: c.Plugins.Aliases, Who: func(context.Context, chat.UserID) (api.User, error) { return api.User{}, nil }}
	for _, line := range []string{`get -o jsonpath='{.items[?(@.x<"3")]}' && a`, "a &amp; b", "get <x|y> <@U1>", `-l "a in (b,c)"`} {
		button := botkube.Typed("tool " + line)
		_, verb, args, err := g.Parse(button)
		if err != nil {
			t.Fatalf("%s: %v", button, err)
		}
		if _, err := e.Execute(t.Context(), string(verb), string(args.Line), chat.Command{}, nil); err != nil || r.line != line {
			t.Errorf("%s comes back as %s, %v", line, r.line, err)
		}
	}
	_, verb, args, err := g.Parse("tt name")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Execute(t.Context(), string(verb), string(args.Line), chat.Command{}, nil); err != nil || r.name != "tool" || r.line != "get --sort name" {
		t.Errorf("an alias is %s %s, %v", r.name, r.line, err)
	}
}

// TestSpeakingBotkubes: who a plugin of Botkube's is says its checksum alone, and as
// whom it acts its context.
func TestSpeakingBotkubes(t *testing.T) {
	p := config.Plugins{Repositories: []config.PluginRepository{{Name: "bk", Protocol: config.ProtocolBotkube}, {Name: "r"}}, Webhooks: "http://f/sources/v1"}
	one := &config.Plugin{Plugin: "bk/kubectl@v1", Groups: []config.Raw{"a: 1\n"}}
	one.Context.RBAC.User = config.PluginSubject{Type: "Static", Static: config.PluginStatic{Value: "jane"}}
	installed := repo.Installed{Ref: repo.Ref{Repository: "bk", Name: "kubectl", Version: "v1"}, Path: "/x", Checksum: "c", Schema: []byte("{}")}
	s := speaking(&config.Config{Plugins: p}, one, installed.Ref)
	d, ok := s.dialect.(botkube.Dialect)
	if f := s.file(installed); !ok || f.Name+f.Version+string(f.Schema) != "" || f.Checksum != "c" {
		t.Errorf("%+v, %+v", s.dialect, f)
	}
	if d.Plugin != "kubectl" || len(d.Groups) != 1 || d.Webhooks == "" || d.RBAC == nil || d.RBAC.User.Values[0] != "jane" {
		t.Errorf("%+v", d)
	}
	own := speaking(&config.Config{Plugins: p}, &config.Plugin{Plugin: "r/kubectl@v1"}, installed.Ref)
	if f := own.file(installed); own.dialect != nil || f.Name != "kubectl" || f.Version != "v1" {
		t.Errorf("%+v", f)
	}
	var _ host.Dialect = d
}

// TestAliasesAreNoCommandsOfFerrysOwn: promote stays promote.
func TestAliasesAreNoCommandsOfFerrysOwn(t *testing.T) {
	c := &config.Config{Plugins: config.Plugins{Executors: []config.Plugin{{Name: "tool"}}, Aliases: map[string]string{"promote": "tool x"}}}
	if err := checkVerbs(c); err == nil || !strings.Contains(err.Error(), "plugins.aliases.promote: ferry has a command of that name") {
		t.Errorf("%v", err)
	}
}
