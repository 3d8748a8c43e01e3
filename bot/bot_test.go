package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ferry/bot"
	"ferry/bot/bottest"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

func TestAMentionBecomesACommandAndIsAnsweredInItsThread(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(ctx context.Context, cmd chat.Command) error {
		return h.bot.Put(ctx, cmd.Thread, cmd.Key+"/answer", chat.Message{Tone: chat.Done, Title: "promoted", By: cmd.User, Final: true})
	}
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> promote <mailto:podinfo@6.5.4|podinfo@6.5.4> to prod"))
	m := h.said("promoted")
	if m.Channel != "C1" || m.Thread != "100.1" || !strings.Contains(m.Blocks, `\u003c@U1\u003e`) {
		t.Errorf("answered %+v", m)
	}
	want := chat.Command{
		Key: "message/T1/C1/100.1", User: "U1", Thread: chat.Thread{Team: "T1", Channel: "C1", Root: "100.1"},
		Text: "promote podinfo@6.5.4 to prod", Verb: "promote", Args: chat.Args{App: "podinfo", Version: "6.5.4", Cluster: "prod"},
	}
	got := h.handler.commands()[0]
	want.At = got.At
	if got != want {
		t.Errorf("command %+v, want %+v", got, want)
	}
}

func TestRedeliveriesAndEditsRunNothingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	h.until("both sockets", func() bool { return h.slack.Sockets() == 2 })
	for i := range 4 { // in envelopes of their own, over both sockets
		h.send(bottest.Say(fmt.Sprintf("E%d", i), "U1", "100.1", "<@UFERRY> list"))
	}
	h.send(bottest.Say("E0", "U1", "100.1", "<@UFERRY> list"))
	h.send(bottest.Event("E5", map[string]any{
		"type": "app_mention", "user": "U1", "text": "<@UFERRY> list on prod", "ts": "100.2", "channel": "C1", "edited": map[string]any{"user": "U1", "ts": "101.0"},
	}))
	h.send(bottest.Event("E6", map[string]any{"type": "message", "subtype": "message_changed", "channel_type": "im", "ts": "100.3", "channel": "D1"}))
	h.send(bottest.Event("E7", map[string]any{"type": "message", "bot_id": "BFERRY", "user": "UFERRY", "channel_type": "im", "ts": "100.4", "channel": "D1", "text": "list"}))
	h.send(bottest.Say("E8", "U1", "100.9", "<@UFERRY> list"))
	h.decided(2)
	for _, id := range []string{"E0", "E1", "E2", "E3", "E5", "E6", "E7", "E8"} {
		h.until("ack of "+id, func() bool { return h.slack.Acked(id) > 0 })
	}
	if got := h.handler.commands(); len(got) != 2 {
		t.Errorf("%d commands: %+v", len(got), got)
	}
}

func TestNearMissesAreAnsweredWithWhatWouldWork(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> promote podinfo 6.5.4 prod"))
	if m := h.said("Did you mean"); !strings.Contains(m.Text, "`promote podinfo@6.5.4 to prod`") || m.Thread != "100.1" {
		t.Errorf("answered %+v", m)
	}
	h.send(bottest.Say("E2", "U1", "100.2", "i told <@UFERRY> rollback podinfo on prod"))
	h.said("begins with the mention")
	h.send(bottest.Say("E3", "U1", "100.3", "<@UFERRY> rollback &lt;!channel&gt; on prod"))
	if m := h.said("mention or a link"); strings.Contains(m.Text+m.Blocks, "<!channel>") {
		t.Errorf("answered %+v", m)
	}
	if got := h.handler.commands(); len(got) > 0 {
		t.Errorf("handled %+v", got)
	}
}

// TestWhatWasMeantCanBePressed has one that changes something, which asks first,
// and one that only reads.
func TestWhatWasMeantCanBePressed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	h.send(bottest.Say("E1", "U1", "100.1", "<@UFERRY> promote podinfo 6.5.4 prod"))
	meant := h.said("Did you mean `promote")
	if !strings.Contains(meant.Blocks, `"confirm"`) {
		t.Errorf("a promotion is asked for without a second thought: %s", meant.Blocks)
	}
	h.send(bottest.Say("E2", "U1", "100.2", "<@UFERRY> lis"))
	if m := h.said("Did you mean `list`"); strings.Contains(m.Blocks, `"confirm"`) || !strings.Contains(m.Blocks, `"actions"`) {
		t.Errorf("a list is not asked for as it should be: %s", m.Blocks)
	}
	if got := h.handler.commands(); len(got) > 0 {
		t.Fatalf("handled before anything was pressed: %+v", got)
	}
	h.send(bottest.Press("P1", "U2", meant.TS, valueOf(t, meant), "2.1"))
	h.until("the command", func() bool { return len(h.handler.commands()) == 1 })
	if got := h.handler.commands()[0]; got.User != "U2" || got.Verb != "promote" || got.Args.Version != "6.5.4" || got.Thread.Root != "100.1" {
		t.Errorf("command %+v", got)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Users = map[string]map[string]any{
		"UGUEST": {"is_restricted": true}, "UULTRA": {"is_ultra_restricted": true}, "UGONE": {"deleted": true},
		"UBOT": {"is_bot": true}, "UOTHER": {"team_id": "T9"},
	}
	h.start()
	h.ready()
	n := 0
	for user, want := range map[string]string{
		"UGUEST": "from guests", "UULTRA": "from guests", "UGONE": "deactivated", "UBOT": "from bots", "UOTHER": "other workspaces",
	} {
		n++
		ts := fmt.Sprintf("10%d.1", n)
		h.send(bottest.Say("E"+user, user, ts, "<@UFERRY> list"))
		h.until(user, func() bool {
			return slices.ContainsFunc(h.slack.Messages(), func(m bottest.Message) bool { return m.Thread == ts && strings.Contains(m.Text, want) })
		})
	}
	event := func(id, team, app, channel string, shared bool) string {
		raw, _ := json.Marshal(map[string]any{"envelope_id": id, "type": "events_api", "payload": map[string]any{
			"team_id": team, "api_app_id": app, "is_ext_shared_channel": shared,
			"event": map[string]any{"type": "app_mention", "user": "U1", "text": "<@UFERRY> list", "ts": "200." + id, "channel": channel},
		}})
		return string(raw)
	}
	h.send(event("1", "T9", "A1", "C1", false))
	h.send(event("2", "T1", "A9", "C1", false))
	h.send(event("3", "T1", "A1", "C1", true))
	h.said("shared with other organisations")
	h.decided(8)
	if got := h.handler.commands(); len(got) > 0 {
		t.Errorf("handled %+v", got)
	}
}

func TestASlashCommandGetsARootOfItsOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	for range 3 {
		h.send(h.slack.Slash("E1", "U1", "promote podinfo@6.5.4  to prod"))
	}
	h.decided(1)
	root := h.said("/ferry promote podinfo@6.5.4 to prod")
	got := h.handler.commands()
	if len(got) != 1 || got[0].Thread.Root != root.TS || root.Thread != "" || !strings.Contains(root.Blocks, "asked by") {
		t.Errorf("root %+v, commands %+v", root, got)
	}
	if n := len(h.slack.Messages()); n != 1 {
		t.Errorf("%d messages", n)
	}
}

func TestASlashCommandWhereFerryMayNotPostIsAnsweredInPrivate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Fail = func(method string, _ url.Values) (int, string) {
		if method == "chat.postMessage" {
			return http.StatusOK, "not_in_channel"
		}
		return 0, ""
	}
	h.start()
	h.ready()
	h.send(h.slack.Slash("E1", "U1", "list"))
	h.decided(1)
	if got := h.slack.Responses(); len(got) != 1 || !strings.Contains(got[0], "/invite") || len(h.handler.commands()) > 0 {
		t.Errorf("responses %q, commands %+v", got, h.handler.commands())
	}
}

func TestAButtonRunsItsCommandOnceForWhoeverMay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.handler.handle = func(_ context.Context, cmd chat.Command) error {
		if cmd.User != "UADMIN" {
			return fault.New(fault.Denied, "only admins may roll back", "")
		}
		return nil
	}
	h.start()
	h.ready()
	thread := chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}
	m := chat.Message{Tone: chat.Failure, Title: "it failed", Final: true, Buttons: []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}}}
	if err := h.bot.Put(t.Context(), thread, "job/x/closing", m); err != nil {
		t.Fatal(err)
	}
	posted := h.said("it failed")
	value := valueOf(t, posted)
	h.send(bottest.Press("E1", "U1", posted.TS, value, "1.1"))
	if m := h.said("only admins may roll back"); m.Thread != "50.1" {
		t.Errorf("answered in %q", m.Thread)
	}
	for i := range 3 { // one press, delivered again, and two more presses
		h.send(bottest.Press(fmt.Sprintf("P%d", i), "UADMIN", posted.TS, value, "2.1"))
	}
	h.until("settled", func() bool {
		return strings.Contains(h.said("it failed").Blocks, "`rollback podinfo on prod` asked by")
	})
	h.send(bottest.Press("P8", "UADMIN", posted.TS, value, "2.2"))
	h.said("was asked for already")
	h.send(bottest.Press("P9", "UADMIN", posted.TS, "job/x/closing|0|000000000000", "2.3"))
	h.said("no longer valid")
	if strings.Contains(h.said("it failed").Blocks, `"actions"`) {
		t.Error("the button is still there")
	}
	got := h.handler.commands()
	if len(got) != 2 || got[1].User != "UADMIN" || got[1].Verb != "rollback" || got[1].Key != got[0].Key || got[1].Thread != thread {
		t.Errorf("commands %+v", got)
	}
}

func valueOf(t *testing.T, m bottest.Message) string {
	t.Helper()
	var blocks []struct {
		Elements []struct{ Value string }
	}
	if err := json.Unmarshal([]byte(m.Blocks), &blocks); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		for _, e := range b.Elements {
			if e.Value != "" {
				return e.Value
			}
		}
	}
	t.Fatalf("no button in %s", m.Blocks)
	return ""
}

func TestCheckAndResolve(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.slack.Scopes = "chat:write,commands,app_mentions:read"
	rows := bot.Check(t.Context(), h.options)
	if len(rows) != 3 || !rows[0].OK || rows[1].OK || !strings.Contains(rows[1].Detail, "users:read") || rows[1].Help == "" || !rows[2].OK {
		t.Errorf("check %+v", rows)
	}
	h.slack.Users = map[string]map[string]any{
		"U1": {"name": "some.name"}, "U2": {"name": "x", "profile": map[string]any{"display_name": "Twin"}},
		"U3": {"name": "y", "profile": map[string]any{"real_name": "twin"}}, "U4": {"name": "gone", "deleted": true},
		"U5": {"name": "z", "profile": map[string]any{"display_name": "Ann B", "real_name": "Ann B"}},
	}
	names, err := bot.NewNames(h.options, []string{"@some.name", "Twin", "gone", "ann b", "new", "taken"})
	if err != nil {
		t.Fatal(err)
	}
	found, missing, renamed, err := names.Find(t.Context())
	if err != nil || len(found) != 2 || found["@some.name"] != "U1" || found["ann b"] != "U5" || !slices.Equal(missing, []string{"Twin", "gone", "new", "taken"}) || renamed != nil {
		t.Errorf("found %v, missing %v, renamed %v, %v", found, missing, renamed, err)
	}
	// Who comes later counts, and who is the only one left; who takes a name does not.
	delete(h.slack.Users, "U2")
	h.slack.Users["U6"], h.slack.Users["U7"] = map[string]any{"name": "new"}, map[string]any{"name": "harmless"}
	h.slack.Users["U1"]["name"], h.slack.Users["U5"]["name"] = "other.name", "taken"
	found, missing, renamed, err = names.Find(t.Context())
	if err != nil || len(found) != 3 || found["Twin"] != "U3" || found["ann b"] != "U5" || found["new"] != "U6" || !slices.Equal(missing, []string{"@some.name", "gone"}) || !slices.Equal(renamed, []string{"taken"}) {
		t.Errorf("later: found %v, missing %v, renamed %v, %v", found, missing, renamed, err)
	}
	// Nor does it count for who came later and takes one then.
	h.slack.Users["U7"]["name"] = "some.name"
	if found, _, renamed, err = names.Find(t.Context()); err != nil || len(found) != 3 || !slices.Equal(renamed, []string{"@some.name", "taken"}) {
		t.Errorf("much later: found %v, renamed %v, %v", found, renamed, err)
	}
}

func TestTokensDoNotPrint(t *testing.T) {
	t.Parallel()
	o := bot.Options{BotToken: "secret", AppToken: "secret"}
	raw, err := json.Marshal(o.BotToken)
	if err != nil {
		t.Fatal(err)
	}
	if s := fmt.Sprintf("%v %+v %#v %s %q", o, o, o.BotToken, o.AppToken, o.AppToken) + string(raw); strings.Contains(s, "secret") {
		t.Errorf("printed %s", s)
	}
}
