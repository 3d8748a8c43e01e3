package bot

import (
	"context"
	"strings"

	"ferry/bot/grammar"
	"ferry/bot/inbox"
	"ferry/bot/slack"
	"ferry/internal/chat"
)

// filled handles what somebody chose in a menu of a message or wrote into a field: a
// command like one that they typed, judged as theirs. A text is one word of it, whatever
// is in it; what options stand for is known to ferry alone.
func (b *Bot) filled(ctx context.Context, e *inbox.Envelope, r *slack.Request, thread *chat.Thread) error {
	p, asks, err := b.outbox.Fill(ctx, r.Click, r.Entry)
	if err != nil {
		return err
	}
	*thread = p.Thread
	if asks == nil {
		return nil // it was emptied
	}
	typed, err := wanted(asks)
	if err != nil {
		return err
	}
	return b.handle(ctx, chat.Command{Key: commandKey(e, r), User: r.User, Thread: p.Thread, At: e.At, Origin: &p.Origin}, typed)
}

// wanted is the command that a control asks for.
func wanted(f *chat.Filled) (string, error) {
	if f.Kind == chat.Typed {
		word, err := grammar.Argument(f.Options[0].Value)
		return f.Command + word, err
	}
	values := make([]string, 0, len(f.Options))
	for _, o := range f.Options {
		values = append(values, o.Value)
	}
	return f.Command + strings.Join(values, ","), nil
}
