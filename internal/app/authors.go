package app

import (
	"context"

	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/jobs"
)

// authors are people as commits name them: as configured, else as Slack does.
// Without an address nobody is a co-author.
type authors struct {
	people jobs.People
	repo   config.Repo
}

// Author implements jobs.People.
func (a authors) Author(ctx context.Context, u chat.UserID) (name, email string) {
	if name, email, ok := a.repo.Author(u); ok && a.repo.CoAuthor {
		return name, email
	}
	name, email = a.people.Author(ctx, u)
	if !a.repo.CoAuthor {
		email = ""
	}
	return name, email
}
