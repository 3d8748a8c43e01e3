package grammar_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"ferry/bot/grammar"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

func several(t *testing.T) *grammar.Grammar {
	t.Helper()
	g, err := grammar.New([]chat.Syntax{
		{
			Verb: "promote", Changes: true,
			Form: "<app>@<version> [<field>] to <cluster> [with <targets>] [<option>] [<mode>] [despite <gate> because <reason>]",
			Also: []string{
				"all from <from> to <clusters> [<mode>] [despite <gate> because <reason>]",
				"<app> from <from> to <clusters> [<mode>] [despite <gate> because <reason>]",
				"<app>@<version> [<field>] to <clusters> [<mode>] [despite <gate> because <reason>]",
			},
		},
		{Verb: "rollback", Form: "<app> on <cluster>", Changes: true},
	}, []string{"stage", "prod", "prod-eu", "prod-us"})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// TestFormsOfOneCommand reads each form, and writes it again so that it reads the same.
func TestFormsOfOneCommand(t *testing.T) {
	g := several(t)
	for text, want := range map[string]chat.Args{
		"promote podinfo@6.5.4 to prod":                            {App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		"promote podinfo@6.5.4 to prod with stage":                 {App: "podinfo", Version: "6.5.4", Cluster: "prod", Targets: "stage"},
		"promote all from stage to prod":                           {From: "stage", Clusters: "prod"},
		"promote all from stage to prod-*":                         {From: "stage", Clusters: "prod-*"},
		"promote all from stage to *":                              {From: "stage", Clusters: "*"},
		"promote all from stage to prod-eu,prod-us --dry-run":      {From: "stage", Clusters: "prod-eu,prod-us", Mode: "--dry-run"},
		"promote podinfo from stage to prod":                       {App: "podinfo", From: "stage", Clusters: "prod"},
		"promote apps/all from stage to prod":                      {App: "apps/all", From: "stage", Clusters: "prod"},
		"promote podinfo@6.5.4 to prod-*":                          {App: "podinfo", Version: "6.5.4", Clusters: "prod-*"},
		"promote podinfo@6.5.4 image to prod-eu,prod-[tu]s":        {App: "podinfo", Version: "6.5.4", Field: "image", Clusters: "prod-eu,prod-[tu]s"},
		"promote all from stage to prod despite hold because we 5": {From: "stage", Clusters: "prod", Gate: "hold", Reason: "we 5"},
	} {
		_, verb, args, err := g.Parse(text)
		if err != nil || args != want {
			t.Errorf("%q is %+v, %v", text, args, err)
			continue
		}
		written := g.Render(verb, args)
		if _, _, again, err := g.Parse(written); err != nil || again != want || !strings.Contains(text, "despite") && written != text {
			t.Errorf("%q is written %q", text, written)
		}
	}
	if _, _, args, err := g.Parse("promote all from stage to prod-eu, prod-us"); err != nil || args.Clusters != "prod-eu,prod-us" {
		t.Errorf("a list with a space: %+v, %v", args, err)
	}
}

// TestWhatNoFormTakes is answered for the form that was meant.
func TestWhatNoFormTakes(t *testing.T) {
	g := several(t)
	for text, c := range map[string]struct {
		says, help string
		choice     string
	}{
		"promote podinfo to prod":                {says: "`podinfo` is not `app@version`", help: "write `promote app@version [chart|image] to cluster"},
		"promote podinfo@6.5.4 to prod-x":        {says: "there is no cluster `prod-x`", choice: "promote podinfo@6.5.4 to prod"},
		"promote podinfo@6.5.4 to dev-*":         {says: "there is no cluster `dev-*`", help: "the clusters are `stage`, `prod`, `prod-eu`, `prod-us`"},
		"promote all from stage to dev-*":        {says: "no cluster is called like `dev-*`", help: "the clusters are `stage`, `prod`, `prod-eu`, `prod-us`"},
		"promote all from stage to prod/x":       {says: "there is no cluster `prod/x`"},
		"promote all from prod-* to stage":       {says: "there is no cluster `prod-*`"},
		"promote all from stage":                 {says: "`to` is missing after `stage`", help: "write `promote all from cluster to clusters [--dry-run]"},
		"promote all to prod":                    {says: "`to` stands where `from` was expected", help: "write `promote all from cluster to clusters"},
		"promote all@6.5.4 to prod":              {says: "`all` means every app", help: "`namespace/all`"},
		"rollback all on prod":                   {says: "`all` means every app"},
		"promote al form stage to prod":          {choice: "promote al from stage to prod"},
		"promote all from stage to prod-* now":   {says: "`now`", choice: "promote all from stage to prod-*"},
		"promote podinfo@1 to prod-* with stage": {says: "`prod-*`"},
	} {
		_, _, _, err := g.Parse(text)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || !strings.Contains(e.Says, c.says) || !strings.Contains(e.Help, c.help) || c.choice != "" && !slices.Contains(e.Choices, c.choice) {
			t.Errorf("%q: %+v", text, e)
		}
	}
}
