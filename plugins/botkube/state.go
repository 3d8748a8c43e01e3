package botkube

import (
	"encoding/json"
	"strings"

	"ferry/internal/chat"
)

// The state of a message as Slack writes it, which plugins read: by block, and in it by
// action. A menu's action is its command without the bot's name, a field's block too.
type (
	state struct {
		Values map[string]map[string]action `json:"values"`
	}
	action struct {
		ActionID string   `json:"action_id"`
		BlockID  string   `json:"block_id"`
		Type     string   `json:"type"`
		Value    string   `json:"value,omitempty"`
		Selected *picked  `json:"selected_option,omitempty"`
		Many     []picked `json:"selected_options,omitempty"`
	}
	picked struct {
		Text  plain  `json:"text"`
		Value string `json:"value"`
	}
	plain struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
)

// slackState is what the controls of a message hold, in the plugin's words; nil if that
// is nothing: plugins crash with what is no JSON.
func (t *Talk) slackState(plugin, binding string) []byte {
	s := state{Values: map[string]map[string]action{}}
	for _, f := range t.Filled {
		first, rest, _ := strings.Cut(untyped(f.Command), " ")
		if first == binding {
			first = plugin
		}
		if strings.HasPrefix(rest, clusterFlag) { // which the host put there
			_, rest, _ = strings.Cut(rest, " ")
		}
		command := first + " " + rest
		a := action{ActionID: strings.TrimSpace(command), BlockID: f.ID}
		switch f.Kind {
		case chat.Typed:
			a.Type, a.BlockID, a.Value = "plain_text_input", command, f.Options[0].Value
		case chat.OneOf:
			one := pick(f.Options[0])
			a.Type, a.Selected = "static_select", &one
		case chat.SomeOf:
			a.Type = "multi_static_select"
			for _, o := range f.Options {
				a.Many = append(a.Many, pick(o))
			}
		}
		if s.Values[a.BlockID] == nil {
			s.Values[a.BlockID] = map[string]action{}
		}
		s.Values[a.BlockID][a.ActionID] = a
	}
	if len(s.Values) == 0 {
		return nil
	}
	text, err := json.Marshal(s)
	if err != nil {
		return nil // strings always encode
	}
	return text
}

func pick(o chat.Option) picked {
	return picked{Text: plain{Type: "plain_text", Text: o.Label}, Value: untyped(o.Value)}
}

// untyped undoes Typed.
func untyped(command string) string {
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(command)
}
