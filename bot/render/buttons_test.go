package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
)

// shape writes the blocks of a message that are acted on, one a line, by their types.
func shape(t *testing.T, m chat.Message) string {
	t.Helper()
	in := Input{Message: m}
	for i := range m.Buttons {
		in.Operations = append(in.Operations, fmt.Sprintf("o%d", i))
	}
	for i := range m.Controls {
		in.ControlOperations = append(in.ControlOperations, fmt.Sprintf("c%d", i))
	}
	text, err := json.Marshal(Message(in, Table).Blocks)
	if err != nil {
		t.Fatal(err)
	}
	type option struct {
		Text struct{ Text string }
	}
	type element struct {
		Type, Value, URL, Style string
		Action                  string `json:"action_id"`
		Placeholder             struct{ Text string }
		Options                 []option
		Groups                  []struct {
			Label   struct{ Text string }
			Options []option
		} `json:"option_groups"`
		Initial  *option  `json:"initial_option"`
		Initials []option `json:"initial_options"`
		Dispatch struct {
			On []string `json:"trigger_actions_on"`
		} `json:"dispatch_action_config"`
	}
	var blocks []struct {
		Type               string
		Text               struct{ Text string }
		Label              struct{ Text string }
		Elements           []json.RawMessage
		Element, Accessory *element
		Dispatch           bool `json:"dispatch_action"`
	}
	if err := json.Unmarshal(text, &blocks); err != nil {
		t.Fatal(err)
	}
	words := func(all []option) string {
		var out []string
		for _, o := range all {
			out = append(out, o.Text.Text)
		}
		return strings.Join(out, ",")
	}
	show := func(e *element) string {
		s := strings.Join(strings.Fields(strings.Join([]string{e.Type, e.Action, e.Value, e.URL, e.Style, e.Placeholder.Text, words(e.Options)}, " ")), " ")
		for _, g := range e.Groups {
			s += " " + g.Label.Text + ":" + words(g.Options)
		}
		if e.Initial != nil {
			s += " =" + e.Initial.Text.Text
		}
		if len(e.Initials) > 0 {
			s += " =" + words(e.Initials)
		}
		return s + strings.Join(e.Dispatch.On, ",")
	}
	var out []string
	for _, b := range blocks[1:] { // the first is the title
		line := b.Type
		switch {
		case b.Accessory != nil:
			line += " " + b.Text.Text + " | " + show(b.Accessory)
		case b.Element != nil:
			line += fmt.Sprintf(" %s | %s %t", b.Label.Text, show(b.Element), b.Dispatch)
		case b.Type == "actions":
			for _, raw := range b.Elements {
				var e element
				if err := json.Unmarshal(raw, &e); err != nil {
					t.Fatal(err)
				}
				line += " | " + show(&e)
			}
		default:
			var texts []struct{ Text string }
			raw, err := json.Marshal(b.Elements)
			if err != nil || json.Unmarshal(raw, &texts) != nil {
				t.Fatal(err)
			}
			for _, x := range texts {
				line += " " + x.Text
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// TestAMomentIsShownInTheReadersTimeZone; no moment is none.
func TestAMomentIsShownInTheReadersTimeZone(t *testing.T) {
	const want = "context <!date^1767323045^{date_num} {time_secs}|Fri, 02 Jan 2026 03:04:05 UTC>"
	if got := shape(t, chat.Message{Title: "x", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}); got != want {
		t.Errorf("rendered %s", got)
	}
	for _, at := range []time.Time{{}, time.Unix(-5, 0)} {
		if got := shape(t, chat.Message{Title: "x", At: at}); got != "" {
			t.Errorf("%s is rendered %s", at, got)
		}
	}
}

// TestButtons: those beside a text have a row each, the others share one; what leads
// somewhere carries no operation, and only where it may lead.
func TestButtons(t *testing.T) {
	got := shape(t, chat.Message{Title: "Choose", Buttons: []chat.Button{
		{Label: "Go"}, {Label: "Stop", Danger: true}, {Label: "Docs", URL: "https://example.com/x"}, {Label: "Bad", URL: "javascript:alert(1)"}, {Label: "Pods", Beside: "`get pods` <!channel>"},
	}})
	const want = "section `get pods` &lt;!channel&gt; | button ferry/4 o4\nactions | button ferry/0 o0 primary | button ferry/1 o1 danger | button link/2 https://example.com/x"
	if got != want {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
}

// TestControls: menus share a row, those of several and fields have one each; a group has
// its name; what is chosen is shown; and the values stay with ferry.
func TestControls(t *testing.T) {
	got := shape(t, chat.Message{Title: "Choose", Controls: []chat.Control{
		{Kind: chat.OneOf, Label: "Verb", Command: "kc --verbs ", Options: []chat.Option{{Label: "get", Value: "secret value"}, {Label: "describe", Value: "d"}}, Chosen: []string{"d"}},
		{Kind: chat.OneOf, Label: "Name", Command: "kc --name ", Options: []chat.Option{{Label: "a", Value: "1", Group: "A"}, {Label: "b", Value: "2", Group: "B"}, {Label: "c", Value: "3", Group: "B"}}},
		{Kind: chat.SomeOf, Label: "Sources <!here>", Command: "edit ", Options: []chat.Option{{Label: "x", Value: "x"}, {Label: "y", Value: "y"}}, Chosen: []string{"x", "y"}},
		{Kind: chat.Typed, Label: "Filter", Hint: "words", Command: "kc --filter="},
		{Kind: chat.Typed, Label: "Note", Command: "kc --note=", Silent: true},
	}})
	const want = "actions | static_select ferry/fill/c0 Verb get,describe =describe | static_select ferry/fill/c1 Name A:a B:b,c\n" +
		"section *Sources &lt;!here&gt;* | multi_static_select ferry/fill/c2 Sources <!here> x,y =x,y\n" +
		"input Filter | plain_text_input ferry/fill/c3 wordson_enter_pressed true\n" +
		"input Note | plain_text_input ferry/fill/c4 false"
	if got != want {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
	if text, _ := json.Marshal(Message(Input{Message: chat.Message{Title: "x", Controls: []chat.Control{{Kind: chat.OneOf, Label: "V", Command: "kc ", Options: []chat.Option{{Label: "get", Value: "secret value"}}}}}, ControlOperations: []string{"c"}}, Table)); strings.Contains(string(text), "secret value") {
		t.Error("an option's value goes to Slack")
	}
}

// TestControlsThatSlackWouldNotTakeSayWhatToType, and a message stays within its bounds.
func TestControlsThatSlackWouldNotTakeSayWhatToType(t *testing.T) {
	var many []chat.Option
	for i := range 101 {
		many = append(many, chat.Option{Label: fmt.Sprint(i), Value: fmt.Sprint(i)})
	}
	got := shape(t, chat.Message{Title: "Choose", Controls: []chat.Control{{Kind: chat.OneOf, Label: "Pod", Command: "kc logs ", Options: many}, {Kind: chat.OneOf, Label: "None", Command: "kc x "}}})
	if want := "context *Pod*: type `kc logs …`\ncontext *None*: type `kc x …`"; got != want {
		t.Errorf("rendered\n%s\nwant\n%s", got, want)
	}
	for i := range many {
		many[i].Label = strings.Repeat("x", 75)
	}
	var menus []chat.Control
	for i := range 4 {
		menus = append(menus, chat.Control{Kind: chat.OneOf, Label: "Pod", Command: fmt.Sprint("kc ", i, " "), Options: many[:60]})
	}
	m := chat.Message{Title: "Choose", Controls: menus}
	if got := shape(t, m); strings.Count(got, "static_select") != 1 || strings.Count(got, "type `kc") != 3 {
		t.Errorf("rendered\n%.2000s", got)
	}
}
