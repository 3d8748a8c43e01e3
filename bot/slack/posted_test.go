package slack

import (
	"net/http"
	"strings"
	"testing"

	"ferry/internal/chat"
)

// TestChannelsThatAreToldAreLookedFor: a receiver that leads where ferry cannot post is
// found before the first incident.
func TestChannelsThatAreToldAreLookedFor(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"ok":true,"channel":{"name":"ops","is_member":true}}`:                    "",
		`{"ok":true,"channel":{"name":"ops"}}`:                                     "ferry is not in #ops",
		`{"ok":true,"channel":{"name":"ops","is_member":true,"is_archived":true}}`: "#ops is archived",
		`{"ok":false,"error":"channel_not_found"}`:                                 "channel_not_found",
	} {
		c, err := New(Options{BotToken: "bot", AppToken: "app"})
		if err != nil {
			t.Fatal(err)
		}
		c.http.Transport = answers(func() (int, string) { return http.StatusOK, body })
		found := c.CheckChannels(t.Context(), []chat.ChannelID{"C1"})
		if len(found) != 1 || found[0].OK != (want == "") || found[0].What != "Slack channel C1" || !strings.Contains(found[0].Detail, want) || found[0].Spare {
			t.Errorf("%s: %+v, want %q", body, found, want)
		}
	}
}
