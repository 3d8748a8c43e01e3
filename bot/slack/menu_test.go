package slack

import "testing"

// TestAChosenOptionIsAPress: an option of a menu carries an operation as a button does.
func TestAChosenOptionIsAPress(t *testing.T) {
	t.Parallel()
	r, why, err := Decode([]byte(`{"envelope_id":"E1","type":"interactive","payload":{"type":"block_actions","user":{"id":"U1"},"channel":{"id":"C1"},"container":{"message_ts":"2.2"},` +
		`"actions":[{"type":"static_select","action_id":"ferry/1","selected_option":{"text":{"type":"plain_text","text":"get"},"value":"op"},"action_ts":"3.3"}]}}`))
	if err != nil || why != "" || r.Click.Operation != "op" || r.Kind != Press {
		t.Errorf("%+v, %q, %v", r, why, err)
	}
}
