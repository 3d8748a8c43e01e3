package slack

import (
	"strings"

	"ferry/bot/outbox"
	"ferry/bot/render"
)

// maxFilled bounds what a field may hold; a command is shorter.
const maxFilled = 2000

// element is what a menu or a field of a message holds, as Slack tells it.
type element struct {
	Type  string `json:"type"`
	Value string `json:"value"`
	// Selected is the option that was chosen, SelectedMany are those of a menu of several.
	Selected     *option  `json:"selected_option"`
	SelectedMany []option `json:"selected_options"`
}

type option struct {
	Value string `json:"value"`
}

// state is what all of them hold, by block and action.
type state struct {
	Values map[string]map[string]element `json:"values"`
}

// entry is what the control with an action's ID holds; ok is false for all else.
func entry(action string, e *element) (out outbox.Entry, ok bool) {
	operation, ok := strings.CutPrefix(action, render.ControlPrefix)
	if !ok || len(operation) > maxOperation || len(e.Value) > maxFilled {
		return outbox.Entry{}, false
	}
	out.Operation = operation
	switch {
	case e.Type == "plain_text_input":
		out.Values = []string{e.Value}
	case e.Selected != nil:
		out.Values = []string{e.Selected.Value}
	default:
		for _, o := range e.SelectedMany {
			out.Values = append(out.Values, o.Value)
		}
	}
	return out, true
}

// entries are those of a whole message.
func (s *state) entries() (out []outbox.Entry) {
	for _, block := range s.Values {
		for action, e := range block {
			if one, ok := entry(action, &e); ok {
				out = append(out, one)
			}
		}
	}
	return out
}
