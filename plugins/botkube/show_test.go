package botkube

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"ferry/internal/chat"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// TestInteractivity: buttons, menus and fields send their commands back as if typed, and
// links are links. A menu with neither command nor options only keeps a place.
func TestInteractivity(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("kubectl", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Name = "kc" })}})
	talk := &Talk{User: "U1"}
	if _, out, err := execute(t, h, line("kc", ""), talk); err != nil || out != "" || len(talk.Shown) != 1 {
		t.Fatalf("%q, %+v, %v", out, talk.Shown, err)
	}
	verbs := []chat.Option{{Label: "get", Value: "get", Group: "all"}, {Label: "describe", Value: "describe", Group: "all"}}
	want := Shown{Replace: true, Message: chat.Message{
		Tone: chat.Info, Title: "Build a command", For: "U1",
		Lines: []string{"Ask @ferry for it.", "*Hints*", "• one", "• two"},
		Controls: []chat.Control{
			{Kind: chat.Typed, Label: "Filter", Hint: "words", Command: "kc @builder --filter-query "},
			{Kind: chat.OneOf, ID: "s1", Label: "Verb", Command: "kc @builder --verbs ", Options: verbs, Chosen: []string{"get"}},
			{Kind: chat.OneOf, ID: "s1", Label: "Resource", Command: "kc @builder --resource-name ", Options: []chat.Option{{Label: "a", Value: "a", Group: "all"}, {Label: "b", Value: "b", Group: "all"}}},
			{Kind: chat.SomeOf, ID: "s1", Label: "Namespaces", Command: "kc @builder --ns ", Options: []chat.Option{{Label: "A", Value: "a"}, {Label: "B", Value: "b"}}},
		},
		Fields: []chat.Field{{Name: "Cluster", Value: "prod"}},
		Code:   &chat.Code{Text: "kubectl get pods"},
		Footer: "more in @ferry help",
		Buttons: []chat.Button{
			{Label: "Run", Command: "kc get pods -l 'a in (b)' --sort-by=&lt;x&gt; &amp;&amp; y", Beside: "`runs it`"},
			{Label: "Delete", Command: "kc delete pod x", Danger: true},
			{Label: "Docs", URL: "https://example.com/kubectl"},
		},
	}}
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
	for i := range 120 {
		options = append(options, Option{Value: fmt.Sprint("o", i)})
	}
	s := shower{}
	m := s.show(&Message{Sections: []Section{{Selects: Selects{Items: []Select{{Name: "Pod", Command: "{{BotName}} x", OptionGroups: []OptionGroup{{Options: options}}}}}}}})
	if len(m.Buttons) != 0 || !strings.HasPrefix(m.Title, "Pod: type `x …` with one of `o0`") || !strings.HasSuffix(m.Title, "80 more") || len(m.Controls) != 0 {
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
