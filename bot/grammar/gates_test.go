package grammar

import (
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func gatesGrammar(t testing.TB) *Grammar {
	t.Helper()
	g, err := New([]chat.Syntax{
		{Verb: "promote", Form: "<app>@<version> [<field>] to <cluster> [with <targets>] [<option>] [<mode>] [despite <gate> because <reason>]", Changes: true},
		{Verb: "unpin", Form: "<app> [<field>] on <cluster> [<mode>] [despite <gate> because <reason>]", Changes: true},
		{Verb: "hold", Form: "<app> on <cluster> [for <duration>] because <reason>", Changes: true},
		{Verb: "release", Form: "<app> on <cluster> [because <reason>]", Changes: true},
		{Verb: "holds", Form: "[on <cluster>]"},
	}, []string{"prod", "prod-eu", "stage", "dev"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestReasonsAndGates(t *testing.T) {
	t.Parallel()
	g := gatesGrammar(t)
	podinfo := chat.Args{App: "podinfo", Version: "6.5.4", Cluster: "prod"}
	with := func(change func(*chat.Args)) chat.Args {
		a := podinfo
		change(&a)
		return a
	}
	for text, want := range map[string]chat.Args{
		"promote podinfo@6.5.4 to prod":                                         podinfo,
		"promote podinfo@6.5.4 to prod --dry-run":                               with(func(a *chat.Args) { a.Mode = "--dry-run" }),
		"promote podinfo@6.5.4 to prod —dry-run":                                with(func(a *chat.Args) { a.Mode = "--dry-run" }),
		"promote podinfo@6.5.4 to prod dry-run":                                 with(func(a *chat.Args) { a.Mode = "dry-run" }),
		"promote podinfo@6.5.4 to prod pin --dry-run":                           with(func(a *chat.Args) { a.Option, a.Mode = "pin", "--dry-run" }),
		"promote podinfo@6.5.4 to prod despite freeze because the shop is down": with(func(a *chat.Args) { a.Gate, a.Reason = "freeze", "the shop is down" }),
		"promote podinfo@6.5.4 to prod --dry-run despite hold,freeze because “it burns” &amp; how": with(func(a *chat.Args) {
			a.Mode, a.Gate, a.Reason = "--dry-run", "hold,freeze", `"it burns" & how`
		}),
		"promote podinfo@6.5.4 to prod with stage, dev tag-only --dry-run despite hold because it is with dev": with(func(a *chat.Args) {
			a.Targets, a.Option, a.Mode, a.Gate, a.Reason = "stage,dev", "tag-only", "--dry-run", "hold", "it is with dev"
		}),
		"promote podinfo@6.5.4 to prod with stage dry-run":                            with(func(a *chat.Args) { a.Targets, a.Mode = "stage", "dry-run" }),
		"promote podinfo@6.5.4 to prod with stage/web despite freeze because of prod": with(func(a *chat.Args) { a.Targets, a.Gate, a.Reason = "stage/web", "freeze", "of prod" }),
		"unpin podinfo chart on prod --dry-run":                                       {App: "podinfo", Field: "chart", Cluster: "prod", Mode: "--dry-run"},
		"unpin podinfo on prod despite freeze because we must":                        {App: "podinfo", Cluster: "prod", Gate: "freeze", Reason: "we must"},
		// What follows is a reason, whatever it looks like.
		"promote podinfo@6.5.4 to prod despite freeze because to prod-eu despite hold because": with(func(a *chat.Args) { a.Gate, a.Reason = "freeze", "to prod-eu despite hold because" }),
		"promote podinfo@6.5.4 to prod despite freeze because <!channel> <@U1|ann> said":       with(func(a *chat.Args) { a.Gate, a.Reason = "freeze", "<!channel> <@U1|ann> said" }),
		"hold podinfo on prod because for 2h":                                                  {App: "podinfo", Cluster: "prod", Reason: "for 2h"},
		"hold podinfo on prod for 1d12h because a; b":                                          {App: "podinfo", Cluster: "prod", Duration: "1d12h", Reason: "a; b"},
		"release a/podinfo on prod":                                                            {App: "a/podinfo", Cluster: "prod"},
		"release podinfo on prod because it was fixed":                                         {App: "podinfo", Cluster: "prod", Reason: "it was fixed"},
		"holds on prod": {Cluster: "prod"},
	} {
		_, verb, got, err := g.Parse(text)
		if err != nil || got != want {
			t.Errorf("%q = %s %+v, %v; want %+v", text, verb, got, err, want)
			continue
		}
		again := g.Render(verb, got)
		if _, args, miss := g.parse(again); miss != nil || args != got {
			t.Errorf("%q renders to %q, which is %+v", text, again, args)
		}
	}
}

func TestReasonsAndGatesThatAreNone(t *testing.T) {
	t.Parallel()
	g := gatesGrammar(t)
	for text, says := range map[string]string{
		"promote podinfo@6.5.4 to prod despite freeze":                  "`because` is missing after `freeze`",
		"promote podinfo@6.5.4 to prod despite freeze because":          "a reason is missing after `because`",
		"promote podinfo@6.5.4 to prod despite freeze because ...":      "`...` is no reason",
		"promote podinfo@6.5.4 to prod despite role because I want":     "`role` is no gate",
		"promote podinfo@6.5.4 to prod despite freeze,freeze because x": "`freeze,freeze` is no gate",
		"promote podinfo@6.5.4 to prod despite , because x":             "`,` is no gate",
		"promote podinfo@6.5.4 to prod because x":                       "is too much",
		"promote podinfo@6.5.4 to prod --dry":                           "`--dry` is",
		"hold podinfo on prod":                                          "`because` is missing after `prod`",
		"hold podinfo on prod for ever because x":                       "`ever` is no duration",
		"hold podinfo on prod for 0h because x":                         "`0h` is no duration",
		"hold podinfo on prod for 12h1d because x":                      "`12h1d` is no duration",
		"hold podinfo on prod for 400d because x":                       "`400d` is no duration",
		"hold podinfo on prod because a\nrelease podinfo on prod":       "a command is one line",
		"release podinfo on prod-us":                                    "there is no cluster `prod-us`",
	} {
		_, _, _, err := g.Parse(text)
		if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

func FuzzReasons(f *testing.F) {
	g := gatesGrammar(f)
	for _, seed := range []string{
		"promote podinfo@6.5.4 to prod --dry-run despite freeze,hold because it burns", "hold a/b on prod for 2h because `x` \"y\"", "release a on dev because <!here>",
		"promote a@1 to prod despite approval because 'quoted'", "hold a on prod because ```x```",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, verb, args, err := g.Parse(raw)
		if err != nil {
			return
		}
		if strings.ContainsAny(string(args.Reason), "\n\r\u2028\u2029") {
			t.Fatalf("%q: the reason has lines: %q", raw, args.Reason)
		}
		again := g.Render(verb, args)
		if verb2, args2, miss := g.parse(again); miss != nil || verb2 != verb || args2 != args {
			t.Fatalf("%q = %+v renders to %q = %+v", raw, args, again, args2)
		}
	})
}
