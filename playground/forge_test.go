package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"ferry/playground/slack"
)

// say has somebody speak to ferry in a conversation of their own: ferry posts no more
// than one message a second in each.
func (b *besieged) say(user, text string) string { return b.sayIn("ferry", user, text) }

func (b *besieged) sayIn(channel, user, text string) string {
	b.t.Helper()
	ts, err := b.slack.Say(user, channel, "<@U0FERRY> "+text, "")
	if err != nil {
		b.t.Fatal(err)
	}
	return ts
}

func (b *besieged) slash(channel, user, text string) {
	b.t.Helper()
	if _, err := b.slack.Slash(b.t.Context(), user, channel, "/ferry", text); err != nil {
		b.t.Fatal(err)
	}
}

func (b *besieged) edited(user, first, then string) {
	b.t.Helper()
	if err := b.slack.Edit(user, "C0GENERAL", b.sayIn("C0GENERAL", user, first), "<@U0FERRY> "+then); err != nil {
		b.t.Fatal(err)
	}
}

func (b *besieged) group(users ...string) {
	b.t.Helper()
	if err := b.slack.SetUsergroup(managersID, users); err != nil {
		b.t.Fatal(err)
	}
}

func (b *besieged) rename(u slack.User) {
	b.t.Helper()
	if err := b.slack.SetUser(u); err != nil {
		b.t.Fatal(err)
	}
}

func (b *besieged) shared(with bool) {
	b.t.Helper()
	if err := b.slack.SetShared("C0GENERAL", with); err != nil {
		b.t.Fatal(err)
	}
}

// button is what the question's button carries.
func (b *besieged) button(m slack.Message) (action, value string) {
	b.t.Helper()
	var blocks []struct {
		Elements []struct {
			Action string `json:"action_id"`
			Value  string `json:"value"`
		} `json:"elements"`
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		b.t.Fatal(err)
	}
	for _, block := range blocks {
		for _, e := range block.Elements {
			if e.Value != "" {
				return e.Action, e.Value
			}
		}
	}
	b.t.Fatalf("no button in %s", m.Blocks)
	return "", ""
}

// click presses the question's button as the page does.
func (b *besieged) click(user string) {
	b.t.Helper()
	id, _ := b.button(b.question)
	if _, err := b.slack.Click(b.t.Context(), user, "C0DEPLOY", b.question.TS, id, ""); err != nil {
		b.t.Fatal(err)
	}
}

// forge sends a press of the question's button that nobody made, changed before it is
// sent.
func (b *besieged) forge(user string, change func(map[string]any)) {
	b.t.Helper()
	b.press(user, b.question, change)
}

func (b *besieged) press(user string, m slack.Message, change func(map[string]any)) {
	b.t.Helper()
	id, value := b.button(m)
	b.clicks++
	p := map[string]any{
		"type": "block_actions", "api_app_id": "A0FERRY", "team": map[string]any{"id": "T0PLAYGRND"}, "user": map[string]any{"id": user},
		"channel":   map[string]any{"id": "C0DEPLOY"},
		"container": map[string]any{"type": "message", "message_ts": m.TS, "channel_id": "C0DEPLOY", "thread_ts": m.ThreadTS},
		"actions":   []any{map[string]any{"type": "button", "action_id": id, "value": value, "action_ts": fmt.Sprintf("1.%d", b.clicks)}},
	}
	if change != nil {
		change(p)
	}
	b.send("interactive", p)
}

func (b *besieged) send(kind string, payload map[string]any) {
	b.t.Helper()
	if ack, err := b.slack.Forge("A0FERRY", kind, payload); err != nil || !ack.OK {
		b.t.Fatalf("%+v, %v", ack, err)
	}
}

// action changes a field of what was pressed.
func action(field string, to any) func(map[string]any) {
	return func(p map[string]any) { p["actions"].([]any)[0].(map[string]any)[field] = to }
}

// place has the button pressed in another channel, or on another message.
func place(channel, ts string) func(map[string]any) {
	return func(p map[string]any) {
		c := p["container"].(map[string]any)
		p["channel"], c["channel_id"] = map[string]any{"id": channel}, channel
		if ts != "" {
			c["message_ts"] = ts
		}
	}
}

// value changes one of the three parts of what the button carries.
func value(b *besieged, part int, to string) func(map[string]any) {
	_, v := b.button(b.question)
	parts := strings.Split(v, "|")
	parts[part] = to
	return action("value", strings.Join(parts, "|"))
}

// event sends a mention that nobody wrote, with one thing about it that is not right.
func (b *besieged) event(user, wrong, value, text string) {
	b.t.Helper()
	b.clicks++
	ts := fmt.Sprintf("2.%d", b.clicks)
	e := map[string]any{"type": "app_mention", "user": user, "text": "<@U0FERRY> " + text, "ts": ts, "channel": "C0DEPLOY"}
	p := map[string]any{"team_id": "T0PLAYGRND", "api_app_id": "A0FERRY", "type": "event_callback", "event": e}
	if wrong == "team" {
		p["team_id"] = value
	} else {
		e[wrong] = value
	}
	b.send("events_api", p)
}
