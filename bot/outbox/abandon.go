package outbox

import (
	"context"
	"time"

	"ferry/internal/chat"
)

// Abandon ends the message of a stream whose writer is gone with its process. One
// that had ended stays as it is, and its title is returned; one that was never opened
// has none.
func (o *Outbox) Abandon(ctx context.Context, key string) (title string, err error) {
	err = o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		switch {
		case !exists:
			return false, nil
		case r.Wish.Final:
			title = r.Wish.Title
			return false, nil
		}
		r.Wish.Tone, r.Wish.Final, r.Wished = chat.Failure, true, time.Now()
		r.Wish.Lines = []string{"What came after this is lost: ferry ended meanwhile."}
		return true, nil
	})
	return title, err
}
