package botkube

import (
	"reflect"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// TestInteractivity: buttons and menus send their commands back as if typed, links
// are links, and what chat has no word for says what to type.
func TestInteractivity(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("kubectl", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Name = "kc" })}})
	talk := &Talk{}
	if _, out, err := execute(t, h, line("kc", ""), talk); err != nil || out != "" || len(talk.Shown) != 1 {
		t.Fatalf("%q, %+v, %v", out, talk.Shown, err)
	}
	want := chat.Message{
		Tone: chat.Info, Title: "Build a command",
		Lines: []string{
			"Ask @ferry for it.",
			"Resource: type `kc @builder --resource-name …` with one of `a`, `b`.",
			"Namespaces: type `kc @builder --ns a,b` with some of `a`, `b`, joined by commas.",
			"Filter: type `kc @builder --filter-query \"words\"`.",
			"*Hints*", "• one", "• two", "runs it",
		},
		Fields: []chat.Field{{Name: "Cluster", Value: "prod"}},
		Code:   &chat.Code{Text: "kubectl get pods"},
		Links:  []chat.Link{{Text: "Docs", URL: "https://example.com/kubectl"}},
		Footer: "Verb: get · more in @ferry help · the plugin meant this for you alone; everybody here sees it",
		Buttons: []chat.Button{
			{Label: "get", Command: "kc @builder --verbs get", Menu: "Verb"},
			{Label: "describe", Command: "kc @builder --verbs describe", Menu: "Verb"},
			{Label: "Run", Command: "kc get pods -l 'a in (b)' --sort-by=&lt;x&gt; &amp;&amp; y"},
			{Label: "Delete", Command: "kc delete pod x", Danger: true},
		},
	}
	if !reflect.DeepEqual(talk.Shown[0], want) {
		t.Errorf("shown %+v\nwant %+v", talk.Shown[0], want)
	}
}

// TestFilterKeepsLinesThatContainIt, of an answer that is sent to where output goes.
func TestFilterKeepsLinesThatContainIt(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("kubectl", api.KindExecutor)}})
	for typed, want := range map[string]string{
		"get pods": "NAME READY\npodinfo-1 1/1\nother-2 0/1\n", "get pods --filter=podinfo": "podinfo-1 1/1\n", "get pods --filter 'er-2 0'": "other-2 0/1\n",
	} {
		if _, out, err := execute(t, h, line("kubectl", "%s", typed), nil); err != nil || out != want {
			t.Errorf("%s: %q, %v", typed, out, err)
		}
	}
}

// TestMenusOfManyOptionsSayWhatToType instead of being cut.
func TestMenusOfManyOptionsSayWhatToType(t *testing.T) {
	var options []Option
	for range 60 {
		options = append(options, Option{Value: "o"})
	}
	s := shower{}
	m := s.show(&Message{Sections: []Section{{Selects: Selects{Items: []Select{{Name: "Pod", Command: "{{BotName}} x", OptionGroups: []OptionGroup{{Options: options}}}}}}}})
	if len(m.Buttons) != 0 || !strings.HasPrefix(m.Title, "Pod: type `x …` with one of `o`") || !strings.HasSuffix(m.Title, "20 more") {
		t.Errorf("%+v", m)
	}
}

// TestCommandsOfButtonsSurviveBeingTyped: those with more than a line, or too long,
// are not offered.
func TestCommandsOfButtonsSurviveBeingTyped(t *testing.T) {
	s := shower{}
	m := s.show(&Message{BaseBody: Body{Plaintext: "x"}, Sections: []Section{{Buttons: []Button{
		{Name: "a", Command: "x\ny"}, {Name: "b", Command: strings.Repeat("x", 2000)}, {Name: "c", Command: "x"}, {Name: "d"},
	}}}})
	if len(m.Buttons) != 1 || m.Buttons[0].Label != "c" || len(m.Lines) != 2 {
		t.Errorf("%+v", m)
	}
}
