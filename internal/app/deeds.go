package app

import (
	"context"

	"ferry/internal/chat"
	"ferry/jobs"
	"ferry/storage"
)

// deeds are what the audit trail knows of deeds: it was written with their effect.
type deeds struct{ trail *storage.Trail }

// Answered implements dispatcher.Deeds.
func (d deeds) Answered(ctx context.Context, cmd chat.Command) ([]string, bool, error) {
	e, known, err := d.trail.Told(ctx, jobs.DeedKey(cmd))
	return e.Answer, known && len(e.Answer) > 0, err
}
