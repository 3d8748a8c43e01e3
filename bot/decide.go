package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"ferry/bot/grammar"
	"ferry/bot/inbox"
	"ferry/bot/outbox"
	"ferry/bot/say"
	"ferry/bot/slack"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

// noteAfter is the try after which somebody is told that ferry is still at it.
const noteAfter = 3

// rootWithin bounds how long a slash command waits for its root message.
const rootWithin = 10 * time.Second

// decide turns an envelope into a command and has it handled. An error means
// that it is to be tried again.
func (b *Bot) decide(ctx context.Context, e inbox.Envelope) error {
	r, why, err := slack.Decode(e.Raw)
	if err != nil || why != "" {
		b.o.Log.Error("a journalled envelope cannot be read", "key", e.Key, "why", why, "error", err)
		return nil
	}
	me, err := b.slack.Identify(ctx)
	if err != nil {
		return fmt.Errorf("learn who ferry is: %w", err)
	}
	if why := b.notOurs(&r, me); why != "" {
		b.o.Observe("refused", 0, nil)
		b.o.Log.Warn("an envelope was dropped", "key", e.Key, "user", r.User, "why", why)
		return nil
	}
	thread, err := b.thread(ctx, &r)
	if err != nil {
		return err
	}
	if thread.Root == "" {
		return nil // a channel in which ferry may not speak; the person was told
	}
	err = b.attempt(ctx, &e, &r, me, &thread)
	return b.conclude(ctx, &e, &r, thread, err)
}

// attempt is everything that can fail with something to tell. For a button and a menu,
// thread becomes that of the message which has it, as ferry knows it.
func (b *Bot) attempt(ctx context.Context, e *inbox.Envelope, r *slack.Request, me slack.Identity, thread *chat.Thread) error {
	if err := b.admit(ctx, e, r); err != nil {
		return err
	}
	switch r.Kind {
	case slack.Press:
		return b.pressed(ctx, e, r, thread)
	case slack.Fill:
		return b.filled(ctx, e, r, thread)
	}
	typed := r.Text
	if r.Kind != slack.Slash {
		var spoken bool
		if typed, spoken = afterMention(r.Text, me.User); !spoken && r.Kind == slack.Mention {
			return fault.New(fault.Invalid, "a command begins with the mention of ferry", "nothing was done\nwrite the command after `@ferry`, at the start of a message")
		}
	}
	return b.handle(ctx, chat.Command{Key: e.Key, User: r.User, Thread: *thread, At: e.At}, typed)
}

// handle parses what was typed and gives it to the handler.
func (b *Bot) handle(ctx context.Context, cmd chat.Command, typed string) (err error) {
	if cmd.Text, cmd.Verb, cmd.Args, err = b.grammar.Parse(typed); err != nil {
		return err
	}
	began := time.Now()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handling %q panicked: %v\n%s", cmd.Text, p, debug.Stack())
		}
		b.o.Observe("command", time.Since(began), err)
	}()
	return b.o.Handler.Handle(ctx, cmd)
}

// pressed handles the command behind a button. The button is reserved first, so
// that of two people who press it one is heard.
func (b *Bot) pressed(ctx context.Context, e *inbox.Envelope, r *slack.Request, thread *chat.Thread) error {
	p, err := b.outbox.Take(ctx, r.Click)
	if err != nil {
		return err
	}
	*thread = p.Thread
	cmd := chat.Command{Key: commandKey(e, r), Press: r.Click.Press, User: r.User, Thread: p.Thread, At: e.At, Origin: &p.Origin}
	err = b.handle(ctx, cmd, p.Command)
	switch {
	case err == nil:
		return b.outbox.Settle(ctx, r.Click.Operation)
	case mayPass(ctx, err):
		return err // the press stays reserved for the next try
	}
	return errors.Join(err, b.outbox.Release(ctx, r.Click.Operation))
}

// conclude answers a failure, or leaves the envelope for another try.
func (b *Bot) conclude(ctx context.Context, e *inbox.Envelope, r *slack.Request, thread chat.Thread, err error) error {
	note := e.Key + "/waiting"
	if err == nil {
		if e.Attempt > noteAfter {
			return b.outbox.Put(ctx, thread, note, chat.Message{Tone: chat.Info, Title: "It went on; see below", Final: true})
		}
		return nil
	}
	if mayPass(ctx, err) && time.Since(e.At) < b.o.Patience {
		if e.Attempt == noteAfter {
			m := say.Error(err)
			m.Tone, m.Final = chat.Progress, false
			m.Lines = append(m.Lines, "Nothing was done so far; ferry goes on trying.")
			err = errors.Join(err, b.outbox.Put(ctx, thread, note, m))
		}
		return err
	}
	b.o.Observe("refused", 0, err)
	if fault.KindOf(err) == fault.Internal {
		b.o.Log.Error("a command failed inside", "key", e.Key, "error", err)
	}
	m := say.Error(err)
	m.By = r.User
	for i := range m.Buttons {
		if !b.grammar.Changes(m.Buttons[i].Command) {
			m.Buttons[i].Confirm = "" // what only reads needs no second thought
		}
	}
	key := e.Key + "/answer"
	if e.Attempt > noteAfter {
		key = note
	}
	return b.outbox.Put(ctx, thread, key, m)
}

// mayPass reports whether an error is worth another try.
func mayPass(ctx context.Context, err error) bool {
	return fault.Is(err, fault.Unavailable) || ctx.Err() != nil
}

// notOurs tells why an envelope is none of ferry's business, or "".
func (b *Bot) notOurs(r *slack.Request, me slack.Identity) string {
	switch app := b.slack.AppID(); {
	case r.User == me.User:
		return "ferry's own"
	case r.Team != me.Team && !slices.Contains(b.o.Teams, r.Team):
		return "from the workspace " + string(r.Team)
	case app != "" && r.App != "" && r.App != app:
		return "for the app " + r.App
	case !b.mayAnswer(r.Channel):
		return "in the channel " + string(r.Channel)
	}
	return ""
}

// admit refuses what must not even be parsed.
func (b *Bot) admit(ctx context.Context, e *inbox.Envelope, r *slack.Request) error {
	if err := b.late(ctx, e, r); err != nil {
		return err
	}
	return b.barred(ctx, r)
}

// thread is where to answer. A slash command leaves no message to answer below,
// so ferry posts one that tells who asked what.
func (b *Bot) thread(ctx context.Context, r *slack.Request) (chat.Thread, error) {
	t := chat.Thread{Team: r.Team, Channel: r.Channel, Root: r.Root}
	if r.Kind != slack.Slash {
		return t, nil
	}
	key := r.Key + "/root"
	typed, err := grammar.Clean(r.Text)
	if err != nil {
		typed = strings.Join(strings.Fields(r.Text), " ") // the answer will say what is wrong with it
	}
	typed = strings.ReplaceAll(typed, "`", "'")
	if err := b.outbox.Put(ctx, t, key, chat.Message{Title: "`" + b.o.SlashCommand + " " + typed + "`", By: r.User, Final: true}); err != nil {
		return t, err
	}
	ctx, cancel := context.WithTimeout(ctx, rootWithin)
	defer cancel()
	root, err := b.outbox.Posted(ctx, key)
	if errors.Is(err, outbox.ErrGone) {
		b.o.Log.Warn("a slash command came from a channel in which ferry may not post", "channel", r.Channel, "error", err)
		if err := b.slack.Respond(ctx, r.ResponseURL, "⛔ ferry cannot post in this channel, so nothing was done: invite it with `/invite` and ask again."); err != nil {
			b.o.Log.Warn("the person could not be told", "error", err)
		}
		return t, nil
	}
	t.Root = root
	return t, err
}

// afterMention returns what follows the mention of a user that a text begins
// with.
func afterMention(text string, user chat.UserID) (rest string, ok bool) {
	trimmed := strings.TrimSpace(strings.TrimLeft(text, "\u200b\ufeff \u00a0"))
	after, ok := strings.CutPrefix(trimmed, "<@"+string(user))
	if !ok {
		return text, false
	}
	label, rest, ok := strings.Cut(after, ">")
	if !ok || label != "" && label[0] != '|' {
		return text, false
	}
	return strings.TrimLeft(rest, ":, \u00a0"), true
}
