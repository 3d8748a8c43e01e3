package app

import (
	"context"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/config"
)

// directory is what Slack says of everybody.
type directory struct{ name, email string }

func (t directory) Author(context.Context, chat.UserID) (name, email string) { return t.name, t.email }

func TestAuthors(t *testing.T) {
	t.Parallel()
	people := map[string]string{"U1": "Ada Lovelace <ada@git.example>"}
	for _, c := range []struct {
		slack       directory
		on          bool
		user        chat.UserID
		name, email string
	}{
		{directory{"ada", "ada@acme.example"}, true, "U2", "ada", "ada@acme.example"},
		{directory{"ada", "ada@acme.example"}, true, "U1", "Ada Lovelace", "ada@git.example"},
		{directory{}, true, "U1", "Ada Lovelace", "ada@git.example"},
		{directory{"ada", ""}, true, "U2", "ada", ""},
		{directory{"ada", "ada@acme.example"}, false, "U2", "ada", ""},
		{directory{"ada", "ada@acme.example"}, false, "U1", "ada", ""},
	} {
		name, email := authors{c.slack, config.Repo{CoAuthor: c.on, People: people}}.Author(t.Context(), c.user)
		if name != c.name || email != c.email {
			t.Errorf("%+v: %q, %q", c, name, email)
		}
	}
}
