package bot_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"ferry/internal/chat"
)

// TestFillingInOnTheLocalSlack: it takes the blocks, one person alone sees what is theirs,
// and what is edited stands where it stood.
func TestFillingInOnTheLocalSlack(t *testing.T) {
	t.Parallel()
	h, s := emulator(t)
	h.options.Commands = append(h.options.Commands, chat.Syntax{Verb: "kc", Form: "[<line>]"})
	h.handler.handle = func(ctx context.Context, cmd chat.Command) error {
		if cmd.Origin == nil {
			m := builder(cmd.User)
			m.Buttons = append(m.Buttons, chat.Button{Label: "Docs", URL: "https://example.com/x"}, chat.Button{Label: "All", Command: "kc get all", Beside: "`get all`"})
			m.At = cmd.At
			return h.bot.Put(ctx, cmd.Thread, cmd.Key+"/answer", m)
		}
		var held []string
		for _, f := range cmd.Origin.Filled {
			for _, o := range f.Options {
				held = append(held, o.Value)
			}
		}
		m := builder(cmd.Origin.For)
		m.Title = "after " + cmd.Text + " with " + strings.Join(held, ",")
		return h.bot.Put(ctx, cmd.Thread, cmd.Origin.Key, m)
	}
	h.start()
	h.until("ready", func() bool { return h.bot.Ready() == nil && s.Sockets("") == 2 })
	ts, err := s.Say("alice", "deploys", "@ferry kc", "")
	if err != nil {
		t.Fatal(err)
	}
	m := h.seen(s, "deploys", "Build it")
	if !m.Ephemeral || m.To != "U01ALICE" || m.ThreadTS != ts || !strings.Contains(string(m.Blocks), "dispatch_action") {
		t.Fatalf("shown %+v", m)
	}
	var blocks []struct {
		ID       string `json:"block_id"`
		Type     string
		Elements []struct {
			ID string `json:"action_id"`
		}
		Element struct {
			ID string `json:"action_id"`
		}
	}
	if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
		t.Fatal(err)
	}
	for _, b := range blocks {
		if b.Type != "input" {
			continue
		}
		if _, err := s.Fill(t.Context(), "alice", "deploys", m.TS, b.Element.ID, map[string]any{b.ID: map[string]any{b.Element.ID: map[string]any{"value": "podinfo"}}}); err != nil {
			t.Fatal(err)
		}
	}
	next := h.seen(s, "deploys", `after kc get pods --filter="podinfo"`)
	if next.TS != m.TS || !next.Ephemeral || !strings.Contains(next.Text, "with podinfo") {
		t.Errorf("it became %+v", next)
	}
}
