package bot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"ferry/bot/inbox"
	"ferry/bot/slack"
	"ferry/internal/fault"
)

// late refuses what is looked at so long after it was asked that nobody may want it
// any more. What was begun by then, by a process that ended in the middle of it, is
// not late: of that nobody may say that nothing was done.
func (b *Bot) late(ctx context.Context, e *inbox.Envelope, r *slack.Request) error {
	away := time.Since(e.At)
	if e.Attempt != 1 || away <= b.o.TooLate {
		return nil
	}
	if b.o.Begun != nil {
		begun, err := b.o.Begun(ctx, e.Key, commandKey(e, r))
		if err != nil || begun {
			return err
		}
	}
	return fault.Newf(fault.Expired, "ferry was away when this was asked, %s ago", away.Round(time.Minute)).
		WithHelp("nothing was done\nask again if it is still wanted")
}

// commandKey is what a command is known by: all presses of a button are one, each
// entry in a field or menu is one of its own.
func commandKey(e *inbox.Envelope, r *slack.Request) string {
	switch r.Kind {
	case slack.Press:
		return "click/" + r.Click.Operation
	case slack.Fill:
		sum := sha256.Sum256([]byte(e.Key))
		return "fill/" + hex.EncodeToString(sum[:12])
	}
	return e.Key
}
