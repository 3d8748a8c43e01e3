package bot_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"ferry/bot"
	"ferry/internal/chat"
	"ferry/playground/slack"
)

// emulator is a house whose Slack is the playground's: stricter than the small
// one about blocks, scopes and who may post where.
func emulator(t *testing.T, more ...string) (*house, *slack.Server) {
	t.Helper()
	scopes := append(more, // what ferry needs, and nothing more
		"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "groups:history", "groups:read", "im:history", "users:read",
	)
	s, err := slack.New(slack.Options{
		Users:    []slack.User{{ID: "U01ALICE", Name: "alice"}, {ID: "U03GUEST", Name: "gus", Guest: true}},
		Channels: []slack.Channel{{ID: "C01DEPLOY", Name: "deploys"}, {ID: "C02SHARED", Name: "shared", Shared: true}, {ID: "C03PRIVATE", Name: "private", Private: true, Members: []string{"U01ALICE"}}},
		Apps: []slack.App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: "bot", AppToken: "app", Scopes: scopes,
			Commands: []slack.Command{{Name: "/ferry", Escape: true}},
		}},
		PingInterval: time.Second, RateLimits: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		web.Close()
	})
	h := newHouse(t)
	h.options.BaseURL, h.options.PostsPerSecond = web.URL+"/api/", 0
	return h, s
}

func (h *house) seen(s *slack.Server, channel, what string) slack.Message {
	h.t.Helper()
	var found slack.Message
	h.until("seen "+what, func() bool {
		all, err := s.Messages(channel, "")
		if err != nil {
			h.t.Fatal(err)
		}
		for _, m := range all {
			if (m.BotID != "" || m.Ephemeral) && strings.Contains(strings.ToLower(m.Text+string(m.Blocks)), strings.ToLower(what)) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

func TestAConversationOnTheLocalSlack(t *testing.T) {
	t.Parallel()
	h, s := emulator(t)
	h.handler.handle = func(ctx context.Context, cmd chat.Command) error {
		m := chat.Message{
			Tone: chat.Done, Title: "answer to " + cmd.Text, By: cmd.User, Final: true, Footer: "job ab3de",
			Lines: []string{"<!channel> & all"}, Steps: []chat.Step{{State: chat.StepDone, Text: "planned"}},
			Fields: []chat.Field{{Name: "From", Value: "6.5.3"}}, Table: &chat.Table{Columns: []string{"App", "prod"}, Rows: [][]string{{"podinfo", ""}}},
			Code: &chat.Code{Lang: "diff", Text: "-a\n+b"}, Links: []chat.Link{{Text: "commit", URL: "https://git.example/c?a=1&b=2"}},
		}
		if cmd.Verb == "promote" {
			m.Buttons = []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod", Danger: true, Confirm: "Sure?"}}
		}
		return h.bot.Put(ctx, cmd.Thread, cmd.Key+"/answer", m)
	}
	h.start()
	h.until("ready", func() bool { return h.bot.Ready() == nil && s.Sockets("") == 2 })

	ts, err := s.Say("alice", "deploys", "@ferry promote podinfo@6.5.4 to prod", "")
	if err != nil {
		t.Fatal(err)
	}
	m := h.seen(s, "deploys", "answer to promote podinfo@6.5.4 to prod")
	if m.ThreadTS != ts || !strings.Contains(string(m.Blocks), `"table"`) {
		t.Errorf("answered %+v", m)
	}
	if _, err := s.Click(t.Context(), "alice", "deploys", m.TS, "ferry/0", ""); err != nil {
		t.Fatal(err)
	}
	if roll := h.seen(s, "deploys", "answer to rollback podinfo on prod"); roll.ThreadTS != ts {
		t.Errorf("the click was answered in %q", roll.ThreadTS)
	}
	h.until("the button is gone", func() bool {
		return !strings.Contains(string(h.seen(s, "deploys", "answer to promote").Blocks), `"actions"`)
	})

	if _, err := s.Say("alice", "ferry", "list", ""); err != nil {
		t.Fatal(err)
	}
	h.seen(s, "deploys", "answer to")
	if _, err := s.Slash(t.Context(), "alice", "deploys", "/ferry", "list on prod"); err != nil {
		t.Fatal(err)
	}
	root := h.seen(s, "deploys", "`/ferry list on prod`")
	if got := h.seen(s, "deploys", "answer to list on prod"); got.ThreadTS != root.TS {
		t.Errorf("the slash command was answered in %q, want %q", got.ThreadTS, root.TS)
	}
	if _, err := s.Slash(t.Context(), "alice", "private", "/ferry", "list"); err != nil {
		t.Fatal(err)
	}
	h.seen(s, "private", "/invite")
	h.conversationRefusals(s)
}

func (h *house) conversationRefusals(s *slack.Server) {
	h.t.Helper()
	for _, c := range []struct{ user, channel, text, want string }{
		{"gus", "deploys", "@ferry list", "from guests"},
		{"alice", "shared", "@ferry list", "shared with other organisations"},
		{"alice", "deploys", "@ferry promote podinfo 6.5.4 prod", "did you mean `promote podinfo@6.5.4 to prod`"},
	} {
		if _, err := s.Say(c.user, c.channel, c.text, ""); err != nil {
			h.t.Fatal(err)
		}
		h.seen(s, c.channel, c.want)
	}
	for method, calls := range s.Calls() {
		for code, n := range calls.Errors {
			if code != "not_in_channel" && code != "channel_not_found" {
				h.t.Errorf("%s answered %s %d times", method, code, n)
			}
		}
	}
}

func TestTheLocalSlackDeliversAgainAndFails(t *testing.T) {
	t.Parallel()
	h, s := emulator(t)
	h.start()
	h.until("ready", func() bool { return h.bot.Ready() == nil })
	ts, err := s.Say("alice", "deploys", "@ferry list", "")
	if err != nil {
		t.Fatal(err)
	}
	h.decided(1)
	if err := s.Edit("alice", "deploys", ts, "@ferry list on prod"); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.Envelopes() {
		if err := s.Redeliver(e.ID, 4); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Disconnect("refresh_requested"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, err := s.Say("alice", "deploys", fmt.Sprintf("@ferry list app-%d", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	h.decided(4)
	if got := h.handler.commands(); len(got) != 4 {
		t.Errorf("commands %+v", got)
	}
}

func TestCheckOnTheLocalSlack(t *testing.T) {
	t.Parallel()
	h, _ := emulator(t)
	for _, row := range bot.Check(t.Context(), h.options) {
		if !row.OK {
			t.Errorf("%+v", row)
		}
	}
	names, err := bot.NewNames(h.options, []string{"alice", "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	found, missing, _, err := names.Find(t.Context())
	if err != nil || found["alice"] != "U01ALICE" || len(missing) != 1 {
		t.Errorf("found %v, missing %v, %v", found, missing, err)
	}
}
