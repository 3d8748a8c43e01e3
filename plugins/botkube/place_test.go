package botkube

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/plugins/api"
	"ferry/plugins/host"
)

// TestAnAnswerOfOneClusterStaysThere: what it asks for names the cluster, of which the
// plugin hears nothing.
func TestAnAnswerOfOneClusterStaysThere(t *testing.T) {
	both := func(b *host.Binding, d *Dialect) {
		b.Name = "kc"
		b.Clusters = func(context.Context) ([]api.Cluster, error) {
			return []api.Cluster{{Name: "prod", Kubeconfig: []byte(oneCluster)}, {Name: "stage", Kubeconfig: []byte(oneCluster)}}, nil
		}
		d.RBAC = &RBAC{User: Subject{Type: Static, Values: []string{"jane"}}}
	}
	h := run(t, host.Options{Bindings: []host.Binding{bound("kubectl", api.KindExecutor, both)}})
	talk := &Talk{User: "U1"}
	if _, _, err := execute(t, h, line("kc", "--cluster-name=stage"), talk); err != nil || len(talk.Shown) != 1 {
		t.Fatalf("%+v, %v", talk.Shown, err)
	}
	m := talk.Shown[0].Message
	verb := m.Controls[1]
	if verb.Command != "kc --cluster-name=stage @builder --verbs " || m.Controls[0].Command != "kc --cluster-name=stage @builder --filter-query " || m.Buttons[1].Command != "kc --cluster-name=stage delete pod x" {
		t.Errorf("controls %+v, buttons %+v", m.Controls, m.Buttons)
	}
	talk = &Talk{User: "U1", Filled: []chat.Filled{{Kind: chat.OneOf, ID: verb.ID, Command: verb.Command, Options: verb.Options[:1]}}}
	if _, _, err := execute(t, h, line("kc", "%s", strings.TrimPrefix(verb.Command, "kc ")+"get"), talk); err != nil || len(talk.Shown) != 1 || talk.Shown[0].Code.Text != "kubectl get" {
		t.Fatalf("%+v, %v", talk.Shown, err)
	}
}

// TestWhatAnEventSaysCanBeTyped, where it happened.
func TestWhatAnEventSaysCanBeTyped(t *testing.T) {
	p := &Peer{Dialect: Dialect{Plugin: "kubernetes", Clustered: []string{"kubectl"}}, sequence: newSequence()}
	e, ok := p.toEvent([]byte(`{"Message":{"sections":[{"header":"Pod failed","textFields":[{"key":"Kind","value":"Pod"},{"key":"Node","value":"n1"}],`+
		`"buttons":[{"name":"Runbook","url":"https://example.com/x"},{"name":"Help","command":"{{BotName}} help <x>"}],`+
		`"selects":{"items":[{"name":"Run command…","command":"{{BotName}} kubectl","optionGroups":[{"name":"all","options":[{"name":"logs","value":"logs pods/a --namespace b"}]}]}]}}]},`+
		`"RawObject":{"Kind":"Pod","Name":"a","Namespace":"b","Cluster":"prod"}}`), "prod", time.Now())
	const want = "Node: n1\nRunbook: https://example.com/x\nHelp: `@ferry help <x>`\nlogs: `@ferry kubectl --cluster-name=prod logs pods/a --namespace b`"
	if !ok || e.Text != want {
		t.Errorf("it says\n%s\nwant\n%s", e.Text, want)
	}
}

// TestAButtonSaysWhoseCommandItAsksFor, if it is not the plugin's; a menu and a field ask
// for nobody else's.
func TestAButtonSaysWhoseCommandItAsksFor(t *testing.T) {
	s := shower{plugin: "kubectl", binding: "kc"}
	m := s.show(&Message{BaseBody: Body{Plaintext: "x"}, Sections: []Section{{
		Buttons: []Button{{Name: "Own", Command: botName + " kubectl get pods"}, {Name: "Other", Command: botName + " promote podinfo@1 to prod"}},
		Selects: Selects{Items: []Select{{Name: "To", Command: botName + " promote podinfo@1 to", OptionGroups: []OptionGroup{{Options: []Option{{Name: "prod", Value: "prod"}}}}}}},
	}}, PlaintextInputs: []Input{{Text: "App", Command: botName + " promote "}}})
	if len(m.Buttons) != 2 || m.Buttons[0].Confirm != "" || m.Buttons[1].Confirm != "This asks ferry for: promote podinfo@1 to prod" || len(m.Controls) != 0 {
		t.Errorf("%+v", m)
	}
	if text := strings.Join(m.Lines, "\n"); !strings.Contains(text, "To: type `promote podinfo@1 to …` with one of `prod`.") || !strings.Contains(text, "App: type `promote …`.") {
		t.Errorf("%s", text)
	}
}

// TestWhereAMessageBelongs: to whom it is shown, where, and what of it counts for its type.
func TestWhereAMessageBelongs(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("talks", api.KindExecutor, func(b *host.Binding, _ *Dialect) {
		b.Env["SAYS"] = `{"type":"threadMessage","parentActivityId":"1700000000.000100","replaceOriginal":true,"onlyVisibleForYou":true,"userHandle":"U9","timestamp":"2026-01-02T03:04:05Z","baseBody":{"codeBlock":"only code"}}`
	})}})
	talk := &Talk{User: "U1"}
	if _, out, err := execute(t, h, line("talks", "x"), talk); err != nil || out != "" || len(talk.Shown) != 1 {
		t.Fatalf("%q, %+v, %v", out, talk.Shown, err)
	}
	if s := talk.Shown[0]; s.For != "U1" || !s.Replace || s.Thread != "1700000000.000100" || s.At.Unix() != 1767323045 || s.Code.Text != "only code" {
		t.Errorf("%+v", s)
	}
	for id, want := range map[string]string{"": "", "1700000000.000100": "1700000000.000100", "x": "", "1.2.3": "", "-1.2": "", "<!here>.1": "", "1.": ""} {
		if got := (&Message{ParentActivityID: id}).thread(); got != want {
			t.Errorf("%q is the thread %q", id, got)
		}
	}
	section := []Section{{Header: "Section"}}
	for kind, want := range map[string]string{"": "Section base", withFilter: "base", singleSection: "Section"} {
		s := shower{}
		m := s.show(&Message{Type: kind, BaseBody: Body{Plaintext: "base"}, Sections: section})
		if got := strings.TrimSpace(m.Title + " " + strings.Join(m.Lines, " ")); got != want {
			t.Errorf("of the type %q is shown %q", kind, got)
		}
	}
}

// TestLongAnswersCanBeFiltered by a field below them, whose command is the line again.
func TestLongAnswersCanBeFiltered(t *testing.T) {
	h := run(t, host.Options{Bindings: []host.Binding{bound("kubectl", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Name = "kc" })}})
	talk := &Talk{}
	_, out, err := execute(t, h, line("kc", "get long"), talk)
	if err != nil || strings.Count(out, "\n") < filterFrom || len(talk.Shown) != 1 || len(talk.Shown[0].Controls) != 1 {
		t.Fatalf("%q, %+v, %v", out, talk.Shown, err)
	}
	if c := talk.Shown[0].Controls[0]; c.Kind != chat.Typed || c.Command != "kc get long --filter=" || talk.Shown[0].Title != "`kc get long` is done" {
		t.Errorf("%+v", talk.Shown[0])
	}
	for _, typed := range []string{"get pods", `get long --filter="pod"`} {
		talk = &Talk{}
		if _, _, err := execute(t, h, line("kc", "%s", typed), talk); err != nil || len(talk.Shown) != 0 {
			t.Errorf("%s: %+v, %v", typed, talk.Shown, err)
		}
	}
}

// TestFieldsAskWhenTheyAreDone: at each character would be a command for each; what never
// asks is told as state alone.
func TestFieldsAskWhenTheyAreDone(t *testing.T) {
	s := shower{plugin: "kubectl", binding: "kc"}
	m := s.show(&Message{PlaintextInputs: []Input{
		{Command: botName + " kubectl a ", Dispatched: "on_character_entered"}, {Command: botName + " kubectl b=", Text: "B", Dispatched: "on_enter_pressed"}, {Command: botName + " kubectl c", Text: "C"}, {Text: "D"},
	}})
	want := []chat.Control{{Kind: chat.Typed, Label: "Input", Command: "kc a "}, {Kind: chat.Typed, Label: "B", Command: "kc b="}, {Kind: chat.Typed, Label: "C", Command: "kc c", Silent: true}}
	if !reflect.DeepEqual(m.Controls, want) {
		t.Errorf("%+v", m.Controls)
	}
}

// TestAMessageHasOnlySoManyControls: it is kept whole, as long as it may be pressed.
func TestAMessageHasOnlySoManyControls(t *testing.T) {
	s := shower{plugin: "kubectl", binding: "kc"}
	var all []Input
	for i := range maxControls + 2 {
		all = append(all, Input{Command: fmt.Sprint(botName, " kubectl a", i)})
	}
	m := s.show(&Message{PlaintextInputs: append(all, all[0])})
	if len(m.Controls) != maxControls || len(m.Lines) != 2 {
		t.Errorf("%d controls, %q", len(m.Controls), m.Lines)
	}
	s = shower{plugin: "kubectl", binding: "kc"}
	if m := s.show(&Message{PlaintextInputs: slices.Repeat(all[:1], 3)}); len(m.Controls) != 1 {
		t.Errorf("one control is %d", len(m.Controls))
	}
}

// TestWhatIsToBeSkippedIsNotShown, nor what says nothing.
func TestWhatIsToBeSkippedIsNotShown(t *testing.T) {
	for _, says := range []string{`{"type":"skipMessage","baseBody":{"plaintext":"x"}}`, `{"timestamp":"0001-01-01T00:00:00Z"}`, `{}`} {
		h := run(t, host.Options{Bindings: []host.Binding{bound("talks", api.KindExecutor, func(b *host.Binding, _ *Dialect) { b.Env["SAYS"] = says })}})
		talk := &Talk{}
		if r, out, err := execute(t, h, line("talks", "x"), talk); err != nil || out != "" || len(talk.Shown) != 0 || r.Title != "" {
			t.Errorf("%s: %q, %+v, %v", says, out, talk.Shown, err)
		}
	}
}

// TestWhatIsChosenIsAnOption, whatever is in its value.
func TestWhatIsChosenIsAnOption(t *testing.T) {
	s := shower{plugin: "kubectl", binding: "kc"}
	all := []Option{{Name: "one", Value: "get <x> & y"}}
	m := s.show(&Message{Sections: []Section{{
		Selects:     Selects{Items: []Select{{Name: "One", Command: botName + " kubectl", OptionGroups: []OptionGroup{{Options: all}}, Initial: &all[0]}}},
		MultiSelect: MultiSelect{Name: "Some", Command: botName + " kubectl some", Options: all, InitialOptions: all},
	}}})
	for _, c := range m.Controls {
		if len(c.Chosen) != 1 || c.Chosen[0] != c.Options[0].Value || untyped(c.Chosen[0]) != all[0].Value {
			t.Errorf("%+v", c)
		}
	}
	if len(m.Controls) != 2 {
		t.Errorf("%+v", m.Controls)
	}
}
