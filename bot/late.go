package bot

import (
	"context"
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

// commandKey is what a command is known by: all presses of a button are one.
func commandKey(e *inbox.Envelope, r *slack.Request) string {
	if r.Kind == slack.Press {
		return "click/" + r.Click.Operation
	}
	return e.Key
}
