package dispatcher

import (
	"context"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Deed is a command whose whole effect is one write to ferry's own store, such as a
// hold. It needs a role as Work does, but it is no job: it waits for no target,
// because what runs there is what it may be about.
type Deed interface {
	// Admit is as that of Work.
	Admit(ctx context.Context, cmd chat.Command) (title string, targets []deploy.Target, err error)
	// Do does it and says so, unless it is shown elsewhere: then the message has no
	// Title. It may be called again for the same command and must then end as it did
	// before.
	Do(ctx context.Context, cmd chat.Command) (chat.Message, error)
}

// Deeds remember what was answered to deeds that were done. A deed that ends what it is
// about cannot be admitted again: what it would look for is gone because of it.
type Deeds interface {
	// Answered returns what was stored with the effect of a command, the first line
	// first; ok is false if it had none, or keeps no answer.
	Answered(ctx context.Context, cmd chat.Command) (lines []string, ok bool, err error)
}

// Preview tells what work would do, as a Query does: without any effect.
type Preview interface {
	Preview(ctx context.Context, cmd chat.Command) (chat.Message, error)
}

// do admits a deed and does it.
func (d *Dispatcher) do(ctx context.Context, cmd chat.Command, deed Deed) error {
	if known, err := d.done(ctx, cmd); known || err != nil {
		return err
	}
	title, targets, err := deed.Admit(ctx, cmd)
	if err != nil {
		return err
	}
	if err := d.Policy.Allow(ctx, cmd, targets); err != nil {
		return err
	}
	if err := d.reply(ctx, cmd, func() (chat.Message, error) { return deed.Do(ctx, cmd) }); err != nil {
		return err
	}
	d.Log.Info("done", "title", title, "user", cmd.User)
	return nil
}

// done answers a command whose deed was done before ferry ended, as it would have been
// then: nobody decides again whether that may be.
func (d *Dispatcher) done(ctx context.Context, cmd chat.Command) (known bool, err error) {
	if d.Deeds == nil {
		return false, nil
	}
	lines, known, err := d.Deeds.Answered(ctx, cmd)
	if err != nil || !known {
		return known, err
	}
	return true, d.reply(ctx, cmd, func() (chat.Message, error) {
		return chat.Message{Tone: chat.Done, Title: lines[0], Lines: lines[1:]}, nil
	})
}

// preview answers what a command would do. Everybody may look.
func (d *Dispatcher) preview(ctx context.Context, cmd chat.Command, w Work) error {
	p, ok := w.(Preview)
	if !ok {
		return fault.Newf(fault.Invalid, "`%s` cannot be tried without effect", cmd.Verb).WithHelp("nothing was done")
	}
	return d.reply(ctx, cmd, func() (chat.Message, error) { return p.Preview(ctx, cmd) })
}

// reply makes a message and puts it below the command.
func (d *Dispatcher) reply(ctx context.Context, cmd chat.Command, fn func() (chat.Message, error)) error {
	m, err := guarded(fn)
	if err != nil || m.Title == "" {
		return err
	}
	m.Final = true
	if m.By == "" {
		m.By = cmd.User
	}
	return d.Replier.Put(ctx, cmd.Thread, cmd.Key+"/answer", m)
}
