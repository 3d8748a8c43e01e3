package bot_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"ferry/bot/bottest"
	"ferry/internal/chat"
)

// builder is a message with a menu, a menu of several, a field and a button.
func builder(to chat.UserID) chat.Message {
	return chat.Message{
		Title: "Build it", For: to,
		Controls: []chat.Control{
			{Kind: chat.OneOf, ID: "row", Label: "Verb", Command: "kc @builder --verbs ", Options: []chat.Option{{Label: "get", Value: "get"}, {Label: "all", Value: "get pods -A"}}},
			{Kind: chat.SomeOf, Label: "Spaces", Command: "kc @builder --ns ", Options: []chat.Option{{Label: "A", Value: "a"}, {Label: "B", Value: "b"}}},
			{Kind: chat.Typed, Label: "Filter", Command: "kc get pods --filter="},
			{Kind: chat.OneOf, Label: "Promote", Command: "promote podinfo@6.5.4 to ", Options: []chat.Option{{Label: "prod", Value: "prod"}, {Label: "nowhere", Value: "nowhere"}}},
		},
		Buttons: []chat.Button{{Label: "Run", Command: "kc get pods"}},
	}
}

// filling starts a bot with an executor and shows a message.
func filling(t *testing.T, to chat.UserID) (*house, bottest.Message) {
	t.Helper()
	h := newHouse(t)
	h.options.Commands = append(h.options.Commands, chat.Syntax{Verb: "kc", Form: "<line>", Changes: true})
	h.start()
	h.ready()
	if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, "builder", builder(to)); err != nil {
		t.Fatal(err)
	}
	return h, h.said("Build it")
}

// actionsOf are the IDs of a message's controls, in their order.
func actionsOf(m bottest.Message) (out []string) {
	seen := map[string]bool{}
	for _, found := range regexp.MustCompile(`"action_id":"(ferry/fill/[^"]*)"`).FindAllStringSubmatch(m.Blocks, -1) {
		if !seen[found[1]] {
			seen[found[1]] = true
			out = append(out, found[1])
		}
	}
	return out
}

func one(value string) map[string]any {
	return map[string]any{"type": "static_select", "selected_option": map[string]any{"value": chat.Option{Value: value}.Token()}}
}

func some(values ...string) map[string]any {
	var out []any
	for _, v := range values {
		out = append(out, map[string]any{"value": chat.Option{Value: v}.Token()})
	}
	return map[string]any{"type": "multi_static_select", "selected_options": out}
}

func typed(text string) map[string]any {
	return map[string]any{"type": "plain_text_input", "value": text}
}

// TestWhatIsFilledInIsACommand as if whoever does had typed it, as often as they like;
// what they write is one word of it.
func TestWhatIsFilledInIsACommand(t *testing.T) {
	t.Parallel()
	h, m := filling(t, "")
	ids := actionsOf(m)
	if len(ids) != 4 {
		t.Fatalf("controls %v", ids)
	}
	for i, c := range []struct {
		action string
		held   map[string]any
		want   string
	}{
		{ids[0], one("get pods -A"), "kc @builder --verbs get pods -A"},
		{ids[1], some("a", "b"), "kc @builder --ns a,b"},
		{ids[2], typed("podinfo“ --as=admin \" <!here>"), `kc get pods --filter="podinfo\" --as=admin \" <!here>"`},
		{ids[0], one("get pods -A"), "kc @builder --verbs get pods -A"},
		{ids[3], one("prod"), "promote podinfo@6.5.4 to prod"},
	} {
		raw := h.slack.Fill("E"+string(rune('a'+i)), "U1", m, c.action, "9."+string(rune('1'+i)), map[string]any{c.action: c.held, ids[1]: some("a")})
		if c.action == ids[1] {
			raw = h.slack.Fill("E"+string(rune('a'+i)), "U1", m, c.action, "9."+string(rune('1'+i)), map[string]any{c.action: c.held})
		}
		h.send(raw)
		h.send(raw) // delivered twice
		h.decided(i + 1)
		got := h.handler.commands()
		if len(got) != i+1 {
			t.Fatalf("%s: handled %+v; said %+v", c.want, got, h.slack.Messages())
		}
		last := got[i]
		if last.Text != c.want || last.User != "U1" || last.Thread.Root != "50.1" || last.Origin == nil || last.Origin.Key != "builder" {
			t.Errorf("handled %+v, want %s", last, c.want)
		}
		if c.action != ids[1] && (len(last.Origin.Filled) != 2) {
			t.Errorf("%s: beside it is filled %+v", c.want, last.Origin.Filled)
		}
		for _, before := range got[:i] {
			if before.Key == last.Key {
				t.Errorf("%s and %s are one command", before.Text, last.Text)
			}
		}
	}
}

// TestNothingIsFilledInThatTheMessageDoesNotOffer: an option of its own making, a
// control of another message, one that is gone, a command that the grammar refuses.
func TestNothingIsFilledInThatTheMessageDoesNotOffer(t *testing.T) {
	t.Parallel()
	h, m := filling(t, "")
	ids := actionsOf(m)
	foreign := strings.Replace(ids[0], "builder|", "other|", 1)
	moved := m
	moved.TS = "1.000009"
	for i, raw := range []string{
		h.slack.Fill("E1", "U1", m, ids[0], "9.1", map[string]any{ids[0]: one("delete pods --all")}),
		h.slack.Fill("E2", "U1", m, foreign, "9.2", map[string]any{foreign: one("get")}),
		h.slack.Fill("E3", "U1", moved, ids[0], "9.3", map[string]any{ids[0]: one("get")}),
		h.slack.Fill("E4", "U1", m, ids[3], "9.4", map[string]any{ids[3]: one("nowhere")}),
		h.slack.Fill("E5", "U1", m, ids[2], "9.5", map[string]any{ids[2]: typed("two\nlines")}),
		h.slack.Fill("E6", "U1", m, ids[2], "9.6", map[string]any{ids[2]: typed("  ")}), // emptied
	} {
		h.send(raw)
		h.decided(i + 1)
	}
	if got := h.handler.commands(); len(got) != 0 {
		t.Errorf("handled %+v", got)
	}
	h.said("no longer valid")
	h.said("no cluster")
	h.said("one line")
}

// TestAGuestFillsInNothing, nor does anybody in a channel that is shared.
func TestAGuestFillsInNothing(t *testing.T) {
	t.Parallel()
	h, m := filling(t, "")
	h.slack.Users["U7"] = map[string]any{"is_restricted": true}
	ids := actionsOf(m)
	h.send(h.slack.Fill("E1", "U7", m, ids[0], "9.1", map[string]any{ids[0]: one("get")}))
	h.said("no commands from guests")
	h, m = filling(t, "")
	h.slack.Shared = map[string]bool{"C1": true}
	h.send(h.slack.Fill("E2", "U1", m, ids[0], "9.2", map[string]any{ids[0]: one("get")}))
	h.said("shared with other organisations")
	if got := h.handler.commands(); len(got) != 0 {
		t.Errorf("handled %+v", got)
	}
}

// TestAButtonEndsWhatWasFilledIn: who pressed stands in its place.
func TestAButtonEndsWhatWasFilledIn(t *testing.T) {
	t.Parallel()
	h, m := filling(t, "")
	var operation string
	if found := regexp.MustCompile(`"action_id":"ferry/0"[^}]*}?,"value":("[^"]*")`).FindStringSubmatch(m.Blocks); found == nil || json.Unmarshal([]byte(found[1]), &operation) != nil {
		t.Fatalf("no button in %s", m.Blocks)
	}
	h.send(bottest.Press("E1", "U1", m.TS, operation, "1.1"))
	h.until("asked for", func() bool {
		for _, s := range h.slack.Messages() {
			if s.TS == m.TS && strings.Contains(s.Blocks, "asked by") && !strings.Contains(s.Blocks, "ferry/fill") {
				return true
			}
		}
		return false
	})
	ids := actionsOf(m)
	h.send(h.slack.Fill("E2", "U2", m, ids[0], "9.1", map[string]any{ids[0]: one("get")}))
	h.said("no longer valid")
}

// TestWhatOnePersonSees is shown to them alone, edited where they clicked, shown anew
// where that is too late, and never to everybody.
func TestWhatOnePersonSees(t *testing.T) {
	t.Parallel()
	h, m := filling(t, "U1")
	if m.For != "U1" || m.Thread != "50.1" || m.Metadata != "" {
		t.Fatalf("shown %+v", m)
	}
	ids := actionsOf(m)
	h.send(h.slack.Fill("E1", "U2", m, ids[0], "9.1", map[string]any{ids[0]: one("get")})) // who cannot have seen it
	h.decided(1)
	h.send(h.slack.Fill("E2", "U1", m, ids[0], "9.2", map[string]any{ids[0]: one("get")}))
	h.decided(2)
	if got := h.handler.commands(); len(got) != 1 || got[0].User != "U1" || got[0].Origin.For != "U1" {
		t.Fatalf("handled %+v", got)
	}
	next := builder("")
	next.Title = "Build more"
	if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, "builder", next); err != nil {
		t.Fatal(err)
	}
	if m := h.said("Build more"); m.For != "U1" || m.Edits != 1 {
		t.Errorf("it became %+v", m)
	}
	h.slack.Gone = true
	next.Title = "Build the last"
	if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, "builder", next); err != nil {
		t.Fatal(err)
	}
	if m := h.said("Build the last"); m.For != "U1" || m.Edits != 0 {
		t.Errorf("it became %+v", m)
	}
	for _, m := range h.slack.Messages() {
		if m.For == "" && strings.Contains(m.Text, "Build") {
			t.Errorf("everybody sees %+v", m)
		}
	}
}
