package grammar

import (
	"errors"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

func TestMatchers(t *testing.T) {
	t.Parallel()
	g, err := New([]chat.Syntax{
		{Verb: "silence", Form: "<matchers> for <duration> because <reason>", Changes: true},
		{Verb: "unsilence", Form: "<id>", Changes: true},
		{Verb: "events", Form: "[<matchers>]"},
		{Verb: "notify", Form: "<switch>", Changes: true},
	}, []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]chat.Args{
		"silence cluster=prod for 2h because it is cold":                    {Matchers: "cluster=prod", Duration: "2h", Reason: "it is cold"},
		"silence cluster=prod,app!=web for 2h because x":                    {Matchers: "cluster=prod,app!=web", Duration: "2h", Reason: "x"},
		"silence cluster=prod, app!=web for 2h because x":                   {Matchers: "cluster=prod, app!=web", Duration: "2h", Reason: "x"},
		`silence namespace=~"kube-.*" reason="for 3h" for 2h because x`:     {Matchers: `namespace=~"kube-.*" reason="for 3h"`, Duration: "2h", Reason: "x"},
		"silence namespace=~“kube-.*” title!~\"a \\\" b\" for 1d because y": {Matchers: `namespace=~"kube-.*" title!~"a \" b"`, Duration: "1d", Reason: "y"},
		"unsilence s1":                {ID: "s1"},
		"events":                      {},
		"events severity=critical":    {Matchers: "severity=critical"},
		`events app="a b", reason=""`: {Matchers: `app="a b", reason=""`},
		"notify off":                  {Switch: "off"},
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
	for text, says := range map[string]string{
		"silence for 2h because x":                 "what is to be chosen, such as `cluster=prod`, is missing after `silence`",
		"silence cluster=prod because x":           "`because` stands where `for` was expected",
		"silence cluster='prod' for 2h because x":  "`cluster='prod'` chooses no label",
		"silence prod for 2h because x":            "`prod` chooses no label",
		"silence cluster=prod 2h because x":        "`2h` chooses no label",
		`silence app="a b for 2h because x`:        "chooses no label",
		"silence cluster=prod,=x for 2h because x": "chooses no label",
		"silence cluster=prod for 2h":              "`because` is missing",
		"silence cluster=prod for 2h because 123":  "is no reason",
		"silence cluster=<@U1> for 2h because x":   "chooses no label",
		"silence аpp=x for 2h because x":           "has the character",
		"unsilence S1":                             "`S1` is no ID",
		"notify maybe":                             "`maybe` is neither `on` nor `off`",
		"events cluster==prod":                     "chooses no label",
		"unsilence " + strings.Repeat("a", 17):     "is no ID",
	} {
		if _, _, _, err := g.Parse(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// TestWhatWasMeantByMatchers: a cluster's name is a label's value, and who wants
// silence does not want it to end.
func TestWhatWasMeantByMatchers(t *testing.T) {
	t.Parallel()
	g, err := New([]chat.Syntax{
		{Verb: "silence", Form: "<matchers> for <duration> because <reason>", Changes: true},
		{Verb: "unsilence", Form: "<id>", Changes: true},
		{Verb: "events", Form: "[<matchers>]"},
	}, []string{"prod"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"events prod":                    "events cluster=prod",
		"events prod severity=critical":  "events cluster=prod severity=critical",
		"silence prod for 2h because x":  "silence cluster=prod for 2h because x",
		"silence cluster=prod":           "",
		"silence cluster=prod because x": "",
		"unsilense s1":                   "unsilence s1",
	} {
		_, _, _, err := g.Parse(text)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok {
			t.Fatalf("%q: %v", text, err)
		}
		if got := strings.Join(e.Choices, ", "); got != want && (want == "" || !strings.HasPrefix(got, want)) {
			t.Errorf("%q offers %q, want %q", text, got, want)
		}
	}
}
