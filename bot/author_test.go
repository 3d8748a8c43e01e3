package bot_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"ferry/bot"
	bots "ferry/bot/slack"
	"ferry/internal/chat"
	"ferry/playground/slack"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), what)
}

// addressed is a house on a local Slack whose people have addresses, with some
// scopes besides those that are needed.
func addressed(t *testing.T, scopes ...string) (*house, *lines) {
	t.Helper()
	for scope := range bots.Scopes() {
		scopes = append(scopes, scope)
	}
	s, err := slack.New(slack.Options{
		Users: []slack.User{{ID: "U01ADA", Name: "ada", Email: "ada@acme.example"}, {ID: "U02BARE", Name: "bare"}, {ID: "U03BOT", Name: "other", Bot: true, Email: "bot@acme.example"}},
		Apps:  []slack.App{{ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: "bot", AppToken: "app", Scopes: scopes}},
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
	h, log := newHouse(t), &lines{}
	h.options.BaseURL, h.options.Emails, h.options.Log = web.URL+"/api/", true, slog.New(slog.NewTextHandler(log, nil))
	return h, log
}

func TestAuthorsHaveAddressesWithTheScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		scopes []string
		email  string
	}{
		"with":    {[]string{bots.EmailScope}, "ada@acme.example"},
		"without": {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, log := addressed(t, c.scopes...)
			h.start()
			h.until("known", func() bool { return h.bot.Ready() == nil })
			if name, email := h.bot.Author(t.Context(), "U01ADA"); name != "ada" || email != c.email {
				t.Errorf("%q, %q", name, email)
			}
			for _, other := range []string{"bare", "other", ""} {
				id := map[string]string{"bare": "U02BARE", "other": "U03BOT", "": "U09NOBODY"}[other]
				if name, email := h.bot.Author(t.Context(), chat.UserID(id)); name != other || email != "" {
					t.Errorf("%s: %q, %q", id, name, email)
				}
			}
			h.stop()
			warned := log.count("Slack does not tell people's addresses: commits name no co-authors")
			if want := len(c.scopes) == 0; (warned == 1) != want || warned > 1 {
				t.Errorf("warned %d times", warned)
			}
		})
	}
}

// TestCheckAddresses is the row that is missing where nobody wants addresses, and
// stops nothing where they are not told.
func TestCheckAddresses(t *testing.T) {
	t.Parallel()
	row := func(h *house) (found *bot.Finding) {
		for _, f := range bot.Check(t.Context(), h.options) {
			if f.What == "Slack addresses" {
				found = &f
			} else if !f.OK || f.Spare {
				t.Errorf("%+v", f)
			}
		}
		return found
	}
	with, _ := addressed(t, bots.EmailScope)
	if f := row(with); f == nil || !f.OK || !f.Spare {
		t.Errorf("with the scope: %+v", f)
	}
	without, log := addressed(t)
	if f := row(without); f == nil || f.OK || !f.Spare || f.Detail != "missing: users:read.email (to name who asked as co-author of a commit)" || f.Help == "" {
		t.Errorf("without: %+v", f)
	}
	without.options.Emails = false
	if f := row(without); f != nil {
		t.Errorf("where nobody wants it: %+v", f)
	}
	without.start()
	without.until("known", func() bool { return without.bot.Ready() == nil })
	without.stop()
	if n := log.count("addresses"); n != 0 {
		t.Errorf("%d lines about it", n)
	}
}

// TestOnlyPeopleHaveAddresses is for a Slack that tells addresses of everybody.
func TestOnlyPeopleHaveAddresses(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	profile := map[string]any{"display_name": "ada", "email": "ada@acme.example"}
	h.slack.Users = map[string]map[string]any{
		"U1": {"profile": profile}, "U2": {"profile": profile, "is_bot": true}, "U3": {"profile": profile, "deleted": true},
	}
	h.start()
	for id, want := range map[chat.UserID]string{"U1": "ada@acme.example", "U2": "", "U3": ""} {
		if _, email := h.bot.Author(t.Context(), id); email != want {
			t.Errorf("%s: %q", id, email)
		}
	}
}
