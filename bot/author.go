package bot

import (
	"context"

	"ferry/internal/chat"
)

// Author tells by what name and address somebody goes, for records; either is ""
// if Slack does not say, as it does not say addresses without the scope for it.
func (b *Bot) Author(ctx context.Context, u chat.UserID) (name, email string) {
	p, err := b.slack.Person(ctx, u)
	if err != nil {
		b.o.Log.Debug("the name of a user is not known", "user", u, "error", err)
		return "", ""
	}
	return p.Name, p.Email
}
