package slack

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"ferry/bot/outbox"
)

func filled(action, values string) string {
	return fmt.Sprintf(`{"envelope_id":"E1","type":"interactive","payload":{"type":"block_actions","user":{"id":"U1"},"channel":{"id":"C1"},"container":{"message_ts":"2.2","thread_ts":"2.1"},`+
		`"response_url":"https://hooks.slack.com/x","actions":[%s],"state":{"values":%s}}}`, action, values)
}

// TestAMenuOrAFieldIsFilled: it carries its operation, as all the others of the message
// do, with what they hold.
func TestAMenuOrAFieldIsFilled(t *testing.T) {
	t.Parallel()
	const state = `{"b1":{"ferry/fill/op1":{"type":"static_select","selected_option":{"value":"v1"}},"ferry/fill/op2":{"type":"static_select","selected_option":null}},` +
		`"b2":{"ferry/fill/op3":{"type":"multi_static_select","selected_options":[{"value":"a"},{"value":"b"}]}},"b3":{"ferry/fill/op4":{"type":"plain_text_input","value":"x y"},"theirs":{"type":"datepicker"}}}`
	held := []outbox.Entry{{Operation: "op1", Values: []string{"v1"}}, {Operation: "op2"}, {Operation: "op3", Values: []string{"a", "b"}}, {Operation: "op4", Values: []string{"x y"}}}
	for action, want := range map[string]outbox.Entry{
		`{"type":"static_select","action_id":"ferry/fill/op1","selected_option":{"text":{"type":"plain_text","text":"get"},"value":"v1"},"action_ts":"3.3"}`: held[0],
		`{"type":"multi_static_select","action_id":"ferry/fill/op3","selected_options":[{"value":"a"},{"value":"b"}],"action_ts":"3.3"}`:                     held[2],
		`{"type":"plain_text_input","action_id":"ferry/fill/op4","value":"x y","action_ts":"3.3"}`:                                                           held[3],
	} {
		r, why, err := Decode([]byte(filled(action, state)))
		if err != nil || why != "" || r.Kind != Fill || !reflect.DeepEqual(r.Entry, want) || r.Root != "2.1" || r.Key != "click/"+want.Operation+"/U1/3.3" || r.Click.Via != "https://hooks.slack.com/x" {
			t.Errorf("%s: %+v, %q, %v", action, r, why, err)
		}
		slices.SortFunc(r.Click.State, func(a, b outbox.Entry) int { return strings.Compare(a.Operation, b.Operation) })
		if !reflect.DeepEqual(r.Click.State, held) {
			t.Errorf("state %+v, want %+v", r.Click.State, held)
		}
	}
}

// TestAFieldThatHoldsTooMuchAsksForNothing.
func TestAFieldThatHoldsTooMuchAsksForNothing(t *testing.T) {
	t.Parallel()
	long := fmt.Sprintf(`{"type":"plain_text_input","action_id":"ferry/fill/op","value":%q,"action_ts":"1.1"}`, strings.Repeat("x", maxFilled+1))
	if _, _, err := Decode([]byte(filled(long, `{}`))); err == nil {
		t.Error("it was taken")
	}
}

// TestAClickOnALinkAsksForNothing: Slack tells of it, and it is acknowledged.
func TestAClickOnALinkAsksForNothing(t *testing.T) {
	t.Parallel()
	if _, why, err := Decode([]byte(filled(`{"type":"button","action_id":"link/0","action_ts":"1.1"}`, `{}`))); err != nil || why == "" {
		t.Errorf("%q, %v", why, err)
	}
}
