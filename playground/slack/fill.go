package slack

import (
	"context"
	"encoding/json"
	"strings"
)

// Fill fills in menus and fields of a message and has the one with an action ID tell its
// app, as Enter and a choice do. values are by block ID and action ID, each in the shape of
// state.values; what is not in them holds what the message gives it.
func (s *Server) Fill(ctx context.Context, user, channel, ts, actionID string, values map[string]any) (Ack, error) {
	return s.click(ctx, user, channel, ts, press{action: actionID, values: values})
}

// press is what somebody did on a message: the action, the value of a button or an option,
// and what the message's menus and fields hold.
type press struct {
	action, value string
	values        map[string]any
	stale         bool
}

// held are the fields of an element in state.values, by its type.
func held(kind string) (field, initial string) {
	switch kind {
	case "static_select", "radio_buttons":
		return "selected_option", "initial_option"
	case "multi_static_select", "checkboxes":
		return "selected_options", "initial_options"
	case "plain_text_input", "email_text_input", "url_text_input", "number_input":
		return "value", "initial_value"
	}
	return "", ""
}

// stateOf is what all elements of a message hold: what was filled in, or what the message
// begins with. An option has to be one of the element's.
func stateOf(blocks json.RawMessage, values map[string]any) (map[string]any, error) {
	out := map[string]any{}
	var list []any
	_ = json.Unmarshal(blocks, &list) // a message without blocks holds nothing
	var failed error
	each(list, "", func(block string, e map[string]any) {
		field, initial := held(str(e, "type"))
		if field == "" {
			return
		}
		now := map[string]any{"type": e["type"], field: e[initial]}
		given, _ := values[block].(map[string]any)
		if filled, ok := given[str(e, "action_id")].(map[string]any); ok {
			now[field] = filled[field]
			if field != "value" && !offers(e, filled[field]) {
				failed = refusal("no_such_option", "%s has no such option: %v", str(e, "action_id"), filled[field])
			}
		}
		if now[field] == nil && field == "selected_options" {
			now[field] = []any{}
		}
		all, _ := out[block].(map[string]any)
		if all == nil {
			all = map[string]any{}
			out[block] = all
		}
		all[str(e, "action_id")] = now
	})
	return out, failed
}

// each calls fn with all elements that have an action ID, and their blocks.
func each(v any, block string, fn func(block string, e map[string]any)) {
	switch v := v.(type) {
	case []any:
		for _, child := range v {
			each(child, block, fn)
		}
	case map[string]any:
		if id := str(v, "block_id"); id != "" {
			block = id
		}
		if str(v, "action_id") != "" {
			fn(block, v)
		}
		for name, child := range v {
			if name != "confirm" {
				each(child, block, fn)
			}
		}
	}
}

// allOptions are those of a menu, in groups or not.
func allOptions(e map[string]any) []any {
	out := list(e, "options")
	for _, g := range list(e, "option_groups") {
		if m, ok := g.(map[string]any); ok {
			out = append(out, list(m, "options")...)
		}
	}
	return out
}

// offers reports whether what is chosen, one option or several, is an element's.
func offers(e map[string]any, chosen any) bool {
	several, ok := chosen.([]any)
	if !ok && chosen != nil {
		several = []any{chosen}
	}
	for _, c := range several {
		found := false
		for _, o := range allOptions(e) {
			a, _ := o.(map[string]any)
			b, _ := c.(map[string]any)
			found = found || a != nil && b != nil && str(a, "value") == str(b, "value")
		}
		if !found {
			return false
		}
	}
	return true
}

// tell puts into an action what its element holds, where the action does not say it.
func tell(action, state map[string]any) {
	block, _ := state[str(action, "block_id")].(map[string]any)
	now, _ := block[str(action, "action_id")].(map[string]any)
	field, _ := held(str(action, "type"))
	switch {
	case now == nil:
	case action[field] == nil || strings.HasPrefix(str(action, "type"), "multi_") || field == "value":
		action[field] = now[field]
	default:
		now[field] = action[field]
	}
}
