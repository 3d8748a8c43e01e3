package bot_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"ferry/bot/bottest"
	"ferry/internal/chat"
)

// TestNothingIsTakenFromASharedChannel, in whichever way it is said: the envelope of a
// mention tells that the channel is shared, those of a button and of a slash command
// do not.
func TestNothingIsTakenFromASharedChannel(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(string, url.Values) (int, string){
		"shared": nil,
		"nobody knows": func(method string, _ url.Values) (int, string) {
			if method == "conversations.info" {
				return http.StatusOK, "missing_scope"
			}
			return 0, ""
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			want := "annot tell whether this channel is shared"
			if h.slack.Fail = fail; fail == nil {
				h.slack.Shared, want = map[string]bool{"C1": true}, "shared with other organisations"
			}
			h.start()
			h.ready()
			h.send(h.slack.Slash("E1", "U1", "promote podinfo@6.5.4 to prod"))
			root := h.said("/ferry promote podinfo@6.5.4 to prod").TS
			h.until("a refusal", func() bool { return h.answered(root, want) })

			m := chat.Message{Title: "it failed", Final: true, Buttons: []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}}}
			if err := h.bot.Put(t.Context(), chat.Thread{Team: "T1", Channel: "C1", Root: "50.1"}, "job/x/closing", m); err != nil {
				t.Fatal(err)
			}
			posted := h.said("it failed")
			h.send(bottest.Press("E2", "U1", posted.TS, valueOf(t, posted), "1.1"))
			h.until("another refusal", func() bool { return h.answered(posted.TS, want) })
			if got := h.handler.commands(); len(got) > 0 {
				t.Errorf("handled %+v", got)
			}
		})
	}
}

// answered reports whether an answer in a thread has some words.
func (h *house) answered(root, words string) bool {
	return slices.ContainsFunc(h.slack.Messages(), func(m bottest.Message) bool {
		return m.Thread == root && strings.Contains(m.Text, words)
	})
}
