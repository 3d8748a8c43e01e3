package grammar

import (
	"errors"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func commands() []chat.Syntax {
	return []chat.Syntax{
		{Verb: "list", Form: "[<glob>] [on <cluster>] [in <namespace>]"},
		{Verb: "diff", Form: "<cluster> [<other>] [<glob>]"},
		{Verb: "promote", Form: "<app>@<version> [<field>] to <cluster>", Changes: true},
		{Verb: "rollback", Form: "<app> on <cluster> [to <version>]", Changes: true},
		{Verb: "status", Form: "[<job>]"},
		{Verb: "history", Form: "[<app>] [on <cluster>]"},
		{Verb: "help", Form: "[<topic>]"},
		{Verb: "kubectl", Form: "<line>"},
	}
}

func newGrammar(t testing.TB) *Grammar {
	t.Helper()
	g, err := New(commands(), []string{"prod", "prod-eu", "stage", "dev"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const digest = "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0"

func TestParse(t *testing.T) {
	t.Parallel()
	g := newGrammar(t)
	type args = chat.Args
	for text, want := range map[string]args{
		"list":                                    {},
		"list pod*":                               {Glob: "pod*"},
		"list on prod":                            {Cluster: "prod"},
		"list in podinfo":                         {Namespace: "podinfo"},
		"list a/pod? on prod-eu in x":             {Glob: "a/pod?", Cluster: "prod-eu", Namespace: "x"},
		"diff prod":                               {Cluster: "prod"},
		"diff prod stage":                         {Cluster: "prod", Other: "stage"},
		"diff prod pod*":                          {Cluster: "prod", Glob: "pod*"},
		"diff prod stage pod*":                    {Cluster: "prod", Other: "stage", Glob: "pod*"},
		"promote podinfo@6.5.4 to prod":           {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote podinfo@6.5.4 to prod-eu":        {App: "podinfo", Version: "6.5.4", Cluster: "prod-eu"},
		"promote a/podinfo@6.5.4 chart to prod":   {App: "a/podinfo", Version: "6.5.4", Field: "chart", Cluster: "prod"},
		"promote podinfo@V1.0_RC.1-x to dev":      {App: "podinfo", Version: "V1.0_RC.1-x", Cluster: "dev"},
		"promote podinfo@1.2.3+build.5 to dev":    {App: "podinfo", Version: "1.2.3+build.5", Cluster: "dev"},
		"promote podinfo@" + digest + " to dev":   {App: "podinfo", Version: digest, Cluster: "dev"},
		"promote podinfo@1@" + digest + " to dev": {App: "podinfo", Version: "1@" + digest, Cluster: "dev"},
		"rollback podinfo on prod":                {App: "podinfo", Cluster: "prod"},
		"rollback podinfo on prod to 6.5.3":       {App: "podinfo", Cluster: "prod", Version: "6.5.3"},
		"status":                                  {},
		"status ab3de":                            {Job: "ab3de"},
		"history podinfo on prod":                 {App: "podinfo", Cluster: "prod"},
		"history on prod":                         {Cluster: "prod"},
		"help promote":                            {Topic: "promote"},
		"kubectl get pods  -o 'x y' | grep \"a\"": {Line: "get pods  -o 'x y' | grep \"a\""},

		// what chat clients make of it
		"  promote   podinfo@6.5.4\u00a0to\tprod ":             {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote <mailto:podinfo@6.5.4|podinfo@6.5.4> to prod": {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote <mailto:podinfo@6.5.4> to prod":               {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"rollback <http://podinfo.io|podinfo.io> on prod":      {App: "podinfo.io", Cluster: "prod"},
		"promote <http://podinfo.io|podinfo.io>@6.5.4 to prod": {App: "podinfo.io", Version: "6.5.4", Cluster: "prod"},
		"`promote podinfo@6.5.4 to prod`":                      {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"```promote podinfo@6.5.4 to prod```":                  {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"“promote podinfo@6.5.4 to prod”":                      {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote `podinfo@6.5.4` to “prod”":                    {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote pod\u200binfo@6.5.4 to prod\ufeff":            {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"kubectl get po —all-namespaces &gt; “a &amp; b”":      {Line: `get po --all-namespaces > "a & b"`},
		"kubectl get po &amp;lt;":                              {Line: "get po &lt;"},
	} {
		_, verb, got, err := g.Parse(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got != want {
			t.Errorf("%q = %s %+v, want %+v", text, verb, got, want)
		}
	}
}

func TestRefusalsSayWhatWouldWork(t *testing.T) {
	t.Parallel()
	g := newGrammar(t)
	for _, c := range []struct{ text, says, choice string }{
		{"", "there is no command", ""},
		{"Promote podinfo@6.5.4 to prod", "there is no command `Promote`", "promote podinfo@6.5.4 to prod"},
		{"promot podinfo@6.5.4 to prod", "there is no command `promot`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 prod", "`prod` stands where `to` was expected", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo 6.5.4 prod", "`podinfo` is not `app@version`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo @6.5.4 to prod", "is not `app@version`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@ 6.5.4 to prod", "", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo:6.5.4 to prod", "`podinfo:6.5.4` is not", "promote podinfo@6.5.4 to prod"},
		{"promote to prod podinfo@6.5.4", "missing after `promote`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 to prod now", "`now` is too much", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 to prod please, thanks", "`please, thanks` is too much", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 TO Prod", "`TO` stands where `to`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo to prod", "`podinfo` is not `app@version`", ""},
		{"promote podinfo@6.5.4 to", "the name of a cluster is missing after `to`", ""},
		{"promote podinfo@6.5.4 to prd", "there is no cluster `prd`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 to production", "there is no cluster `production`", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5.4 to Prod", "there is no cluster `Prod`", "promote podinfo@6.5.4 to prod"},
		{"promote Podinfo@6.5.4 to prod", "`Podinfo` is no app", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@6.5/4 to prod", "`6.5/4` is no version", ""},
		{"promote podinfo@<@U1> to prod", "a mention or a link cannot stand", ""},
		{"promote podinfo@&lt;!channel&gt; to prod", "a mention or a link cannot stand", ""},
		{"promote <@U123> to prod", "a mention or a link", ""},
		{"promote pоdinfo@6.5.4 to prod", "U+043E", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@６.5.4 to prod", "U+FF16", "promote podinfo@6.5.4 to prod"},
		{"promote podinfo@sha256:abc to prod", "is no version", ""},
		{"promote podinfo@1 image chart to prod", "`chart` stands where `to`", "promote podinfo@1 chart to prod"},
		{"rollback podinfo prod", "`prod` stands where `on`", "rollback podinfo on prod"},
		{"rollback podinfo in prod", "`in` stands where `on`", "rollback podinfo on prod"},
		{"list on", "the name of a cluster is missing after `on`", ""},
		{"list on prod in", "a namespace is missing after `in`", ""},
		{"list a b", "`b` is too much", ""},
		{"status AB", "`AB` is no job", "status"},
		{"help promot", "there is no command `promot`", "help promote"},
		{"list\nlist", "one line", ""},
		{"promote podinfo@6.5.4 to prod\npromote podinfo@6.5.4 to stage", "one line", ""},
		{"list \u202eon prod", "invisible character (U+202E)", ""},
		{"list \x00", "invisible character", ""},
		{"list \xff", "UTF-8", ""},
		{strings.Repeat("a", 3000), "too long", ""},
		{"kubectl", "the command itself is missing", ""},
	} {
		_, _, _, err := g.Parse(c.text)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Kind != fault.Invalid {
			t.Errorf("%q: %v, want an Invalid fault", c.text, err)
			continue
		}
		if !strings.Contains(e.Says, c.says) {
			t.Errorf("%q says %q, want %q in it", c.text, e.Says, c.says)
		}
		choice := ""
		if len(e.Choices) > 0 {
			choice = e.Choices[0]
		}
		if c.choice != choice && (c.choice != "" || choice != "" && !strings.HasPrefix(choice, "list")) {
			t.Errorf("%q offers %q, want %q first", c.text, e.Choices, c.choice)
		}
	}
}

func TestUnknownClusterNamesAll(t *testing.T) {
	t.Parallel()
	_, _, _, err := newGrammar(t).Parse("list on stge")
	e, _ := errors.AsType[*fault.Error](err)
	if e == nil || !strings.Contains(e.Help, "`prod`, `prod-eu`, `stage`, `dev`") {
		t.Errorf("%+v does not name the clusters", e)
	}
	if e != nil && (strings.Contains(e.Help, "did you mean") || len(e.Choices) != 1 || e.Choices[0] != "list on stage") {
		t.Errorf("the help %q and the choices %q do not offer it once", e.Help, e.Choices)
	}
}

func TestWhatNobodyAnswersIsUnderstoodAndNotOffered(t *testing.T) {
	t.Parallel()
	all := commands()
	all[7].Unlisted = true // kubectl
	g, err := New(all, []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	if _, verb, _, err := g.Parse("kubectl get pods"); err != nil || verb != "kubectl" {
		t.Errorf("kubectl: %s, %v", verb, err)
	}
	for _, text := range []string{"kubect get pods", "help kubect", "nonsense"} {
		_, _, _, err := g.Parse(text)
		if e, ok := errors.AsType[*fault.Error](err); !ok || strings.Contains(e.Help+strings.Join(e.Choices, " "), "kubectl") {
			t.Errorf("%q: %+v", text, err)
		}
	}
}

func TestChanges(t *testing.T) {
	t.Parallel()
	g := newGrammar(t)
	for text, want := range map[string]bool{"list": false, "rollback podinfo on prod": true, "rollback podinfo": false, "promoted": false} {
		if g.Changes(text) != want {
			t.Errorf("Changes(%q) = %v", text, !want)
		}
	}
}

func TestBadForms(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"<nothing>", "[", "]", "[]", "<line> x", "[<line>] x", "<app><version>", "<app>@", "<app>@x"} {
		if _, err := New([]chat.Syntax{{Verb: "x", Form: form}}, nil); err == nil {
			t.Errorf("form %q compiles", form)
		}
	}
	if _, err := New([]chat.Syntax{{Verb: "x"}, {Verb: "x"}}, nil); err == nil {
		t.Error("a verb may come twice")
	}
	if _, err := New(commands(), []string{"to"}); err == nil {
		t.Error("a cluster may be called `to`")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "list", "list pod* on prod in x", "diff prod stage pod*", "promote podinfo@6.5.4 to prod",
		"promote <mailto:podinfo@6.5.4|podinfo@6.5.4> to prod", "promote podinfo 6.5.4 prod", "rollback a/b on prod to x+1",
		"`promote` “x”@1 to prod", "kubectl get po  &lt;x", "<<>", "<|>", "<!channel>", "help <@U1>", "```", "\u00a0\u200b\ufeff",
		"promote a@b@" + digest + " image to dev", "list [", "list [a-z]* in x", "kubectl <a|b>",
	} {
		f.Add(seed)
	}
	g := newGrammar(f)
	f.Fuzz(func(t *testing.T, raw string) {
		text, verb, args, err := g.Parse(raw)
		if err != nil {
			e, ok := errors.AsType[*fault.Error](err)
			if !ok || e.Kind != fault.Invalid || e.Says == "" {
				t.Fatalf("%q: %v is no Invalid fault", raw, err)
			}
			for _, c := range e.Choices {
				if _, _, miss := g.parse(c); miss != nil {
					t.Fatalf("%q: the choice %q does not parse", raw, c)
				}
			}
			return
		}
		again := g.Render(verb, args)
		verb2, args2, miss := g.parse(again)
		if miss != nil || verb2 != verb || args2 != args {
			t.Fatalf("%q (%q) = %s %+v renders to %q = %s %+v (%v)", raw, text, verb, args, again, verb2, args2, miss)
		}
		for _, p := range placeholders() {
			word := string(*field(&args, p))
			if word == "" || p == "line" || p == "reason" {
				continue
			}
			if says, _ := g.check(p, word); says != "" {
				t.Fatalf("%q: %s %q: %s", raw, p, word, says)
			}
			if strings.ContainsAny(word, "<> \n\t") {
				t.Fatalf("%q: %s %q has signs", raw, p, word)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	g := newGrammar(b)
	for b.Loop() {
		if _, _, _, err := g.Parse("promote <mailto:podinfo@6.5.4|podinfo@6.5.4> to prod"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNearMiss(b *testing.B) {
	g := newGrammar(b)
	for b.Loop() {
		if _, _, _, err := g.Parse("promot podinfo 6.5.4 prod now please ok"); err == nil {
			b.Fatal("parsed")
		}
	}
}
