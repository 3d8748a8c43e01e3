package bot_test

import (
	"testing"

	"ferry/bot/bottest"
	"ferry/internal/chat"
)

// TestNothingFromSlackIsFerrysOwn: mentions, slash commands and buttons whose words
// and values look like a cause come as what a person asks for, or not at all.
func TestNothingFromSlackIsFerrysOwn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.start()
	h.ready()
	if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, "job/x/closing", chat.Message{
		Title: "it failed", Final: true, Buttons: []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}},
	}); err != nil {
		t.Fatal(err)
	}
	posted := h.said("it failed")
	h.send(bottest.Press("E1", "U1", posted.TS, `{"verb":"rollback","cause":"j1","args":{"app":"podinfo","cluster":"prod"}}`, "1.0"))
	h.send(bottest.Press("E2", "U1", posted.TS, valueOf(t, posted), "1.1"))
	h.send(bottest.Say("E3", "U1", "100.1", `<@UFERRY> rollback podinfo on prod cause j1`))
	h.send(bottest.Say("E4", "U1", "100.2", `<@UFERRY> watch podinfo on prod`))
	h.send(bottest.Say("E5", "U1", "100.3", `<@UFERRY> rollback podinfo on prod`))
	h.send(h.slack.Slash("E6", "U1", `promote podinfo@6.5.4 to prod`))
	h.decided(6)
	got := h.handler.commands()
	if len(got) != 3 {
		t.Errorf("%d commands were handed over", len(got))
	}
	for _, cmd := range got {
		if cmd.Cause != "" || cmd.User != "U1" || cmd.Verb != "rollback" && cmd.Verb != "promote" {
			t.Errorf("handed over: %+v", cmd)
		}
	}
}
