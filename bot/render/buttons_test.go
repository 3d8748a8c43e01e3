package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"ferry/internal/chat"
)

// TestMenus: buttons that stand together with the same menu are one menu, whose
// options carry their operations; what Slack would not take stays buttons.
func TestMenus(t *testing.T) {
	buttons := []chat.Button{{Label: "Go"}, {Label: "get", Menu: "Verb"}, {Label: "describe", Menu: "Verb"}, {Label: "pods", Menu: "Resource"}, {Label: "Stop", Danger: true}}
	shape := func(operation func(int) string) string {
		in := Input{Message: chat.Message{Title: "Choose", Buttons: buttons}}
		for i := range buttons {
			in.Operations = append(in.Operations, operation(i))
		}
		text, err := json.Marshal(Message(in, Table).Blocks)
		if err != nil {
			t.Fatal(err)
		}
		var blocks []struct {
			Elements []struct {
				Type        string
				Action      string `json:"action_id"`
				Placeholder struct{ Text string }
				Options     []struct {
					Text  struct{ Text string }
					Value string
				}
			}
		}
		if err := json.Unmarshal(text, &blocks); err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, e := range blocks[len(blocks)-1].Elements {
			s := e.Type + " " + e.Action + " " + e.Placeholder.Text
			for _, o := range e.Options {
				s += " " + o.Text.Text + "=" + o.Value
			}
			out = append(out, strings.TrimSpace(s))
		}
		return strings.Join(out, "; ")
	}
	const menus = "button ferry/0; static_select ferry/1 Verb get=o1 describe=o2; static_select ferry/3 Resource pods=o3; button ferry/4"
	if got := shape(func(i int) string { return fmt.Sprintf("o%d", i) }); got != menus {
		t.Errorf("rendered %s\nwant %s", got, menus)
	}
	const plain = "button ferry/0; button ferry/1; button ferry/2; button ferry/3; button ferry/4"
	if got := shape(func(int) string { return strings.Repeat("o", 151) }); got != plain {
		t.Errorf("with long operations: %s\nwant %s", got, plain)
	}
}
