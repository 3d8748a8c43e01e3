package grammar

import (
	"errors"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func newSeveral(t *testing.T) *Grammar {
	t.Helper()
	g, err := New([]chat.Syntax{
		{Verb: "promote", Form: "<app>@<version> [<field>] to <cluster> [with <targets>] [<option>]", Changes: true},
		{Verb: "zap", Form: "<app> on <cluster> [with <targets>] [<option>] [in <namespace>]"},
	}, []string{"prod", "prod-eu", "stage", "dev"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestSeveralWords(t *testing.T) {
	t.Parallel()
	g := newSeveral(t)
	for text, want := range map[string]chat.Args{
		"promote a@1 to prod pin":                               {App: "a", Version: "1", Cluster: "prod", Option: "pin"},
		"promote a@1 to prod tag-only pin":                      {App: "a", Version: "1", Cluster: "prod", Option: "tag-only pin"},
		"promote a@1 to prod with stage":                        {App: "a", Version: "1", Cluster: "prod", Targets: "stage"},
		"promote a@1 to prod with stage dev/b prod-eu/x/c":      {App: "a", Version: "1", Cluster: "prod", Targets: "stage,dev/b,prod-eu/x/c"},
		"promote a@1 to prod with stage, dev/b , prod-eu,stage": {App: "a", Version: "1", Cluster: "prod", Targets: "stage,dev/b,prod-eu"},
		"promote a@1 image to prod with stage, dev pin":         {App: "a", Version: "1", Field: "image", Cluster: "prod", Targets: "stage,dev", Option: "pin"},
		"zap a on prod with stage,dev/b pin in x":               {App: "a", Cluster: "prod", Targets: "stage,dev/b", Option: "pin", Namespace: "x"},
		"zap a on prod in x":                                    {App: "a", Cluster: "prod", Namespace: "x"},
	} {
		_, verb, got, err := g.Parse(text)
		if err != nil || got != want {
			t.Errorf("%q = %+v, %v, want %+v", text, got, err, want)
			continue
		}
		if _, _, again, err := g.Parse(g.Render(verb, got)); err != nil || again != got {
			t.Errorf("%q is written %q, which reads %+v, %v", text, g.Render(verb, got), again, err)
		}
	}
}

func TestSeveralWordsRefused(t *testing.T) {
	t.Parallel()
	g := newSeveral(t)
	for _, c := range []struct{ text, says, choice string }{
		{"promote a@6.5.4 to prod with", "the name of another cluster is missing after `with`", "promote a@6.5.4 to prod"},
		{"promote a@6.5.4 to prod with stgae", "there is no cluster `stgae`", "promote a@6.5.4 to prod with stage"},
		{"promote a@6.5.4 to prod with stage and dev", "there is no cluster `and`", "promote a@6.5.4 to prod with stage dev"},
		{"promote a@6.5.4 to prod with stage/x/y/z", "`stage/x/y/z` is no app on a cluster", "promote a@6.5.4 to prod with stage"},
		{"promote a@6.5.4 to prod with ,", "there is no cluster `,`", ""},
		{"promote a@6.5.4 to prod stage", "`stage` is no option", ""},
		{"promote a@6.5.4 to prod pin with stage", "", "promote a@6.5.4 to prod with stage pin"},
		{"promote a@6.5.4 to prod with to", "the name of another cluster is missing", ""},
	} {
		_, _, _, err := g.Parse(c.text)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || !strings.Contains(e.Says, c.says) || c.choice != "" && (len(e.Choices) == 0 || e.Choices[0] != c.choice) {
			t.Errorf("%q: %+v, want %q and %q", c.text, err, c.says, c.choice)
			if ok {
				t.Log(e.Choices)
			}
		}
	}
}
