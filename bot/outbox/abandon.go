package outbox

import (
	"context"
	"time"

	"ferry/internal/chat"
)

// Abandon ends the message of a stream whose writer is gone with its process. One
// that has ended, or was never opened, stays as it is.
func (o *Outbox) Abandon(ctx context.Context, key string) error {
	return o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		if !exists || r.Wish.Final {
			return false, nil
		}
		r.Wish.Tone, r.Wish.Final, r.Wished = chat.Failure, true, time.Now()
		r.Wish.Lines = []string{"What came after this is lost: ferry ended meanwhile."}
		return true, nil
	})
}
