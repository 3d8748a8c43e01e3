package app

import (
	"context"

	"ferry/bot"
	"ferry/internal/chat"
	"ferry/jobs"
	"ferry/storage"
)

// begun tells whether a job was made, or a line begun, for something that somebody
// did before ferry ended.
func begun(rows *storage.Jobs, lines *storage.Lines) func(context.Context, string, string) (bool, error) {
	return func(ctx context.Context, did, command string) (bool, error) {
		if _, made, err := rows.ByKey(ctx, command); err != nil || made {
			return made, err
		}
		return lines.Known(ctx, did)
	}
}

// abandon ends the message of a command's output.
func abandon(b *bot.Bot) func(context.Context, chat.Command) (string, error) {
	return func(ctx context.Context, cmd chat.Command) (string, error) {
		return b.Abandon(ctx, jobs.OutputKey(cmd))
	}
}
