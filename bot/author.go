package bot

import (
	"context"

	"ferry/internal/chat"
)

// Author tells by what name somebody goes, for records; "" if Slack does not
// say. It has no e-mail address to give: ferry does not ask for the scope.
func (b *Bot) Author(ctx context.Context, u chat.UserID) (name, email string) {
	p, err := b.slack.Person(ctx, u)
	if err != nil {
		b.o.Log.Debug("the name of a user is not known", "user", u, "error", err)
		return "", ""
	}
	return p.Name, ""
}
