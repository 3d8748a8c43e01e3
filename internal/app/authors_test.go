package app

import (
	"context"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/config"
)

// told is what Slack says of everybody.
type told struct{ name, email string }

func (t told) Author(context.Context, chat.UserID) (name, email string) { return t.name, t.email }

func TestAuthors(t *testing.T) {
	t.Parallel()
	people := map[string]string{"U1": "Ada Lovelace <ada@git.example>"}
	for _, c := range []struct {
		slack       told
		on          bool
		user        chat.UserID
		name, email string
	}{
		{told{"ada", "ada@acme.example"}, true, "U2", "ada", "ada@acme.example"},
		{told{"ada", "ada@acme.example"}, true, "U1", "Ada Lovelace", "ada@git.example"},
		{told{}, true, "U1", "Ada Lovelace", "ada@git.example"},
		{told{"ada", ""}, true, "U2", "ada", ""},
		{told{"ada", "ada@acme.example"}, false, "U2", "ada", ""},
		{told{"ada", "ada@acme.example"}, false, "U1", "ada", ""},
	} {
		name, email := authors{c.slack, config.Repo{CoAuthor: c.on, People: people}}.Author(t.Context(), c.user)
		if name != c.name || email != c.email {
			t.Errorf("%+v: %q, %q", c, name, email)
		}
	}
}
