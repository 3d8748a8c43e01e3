package dispatcher

import (
	"context"
	"errors"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Handler takes commands, as a Dispatcher does.
type Handler interface {
	Handle(ctx context.Context, cmd chat.Command) error
}

// Trail is where decisions are written down.
type Trail interface {
	Add(ctx context.Context, entries ...job.Entry) error
}

// Recorder is a Handler that writes down what another one refused of the
// commands that change something, unless they only try it. What was accepted is told with the job's row.
type Recorder struct {
	Next    Handler
	Trail   Trail
	Changes []chat.Verb
}

// Handle implements Handler. A refusal that cannot be written down is not given:
// the command is to be handed over again.
func (r Recorder) Handle(ctx context.Context, cmd chat.Command) error {
	err := r.Next.Handle(ctx, cmd)
	if err == nil || fault.Is(err, fault.Unavailable) || ctx.Err() != nil || cmd.Args.Mode != "" || !slices.Contains(r.Changes, cmd.Verb) {
		return err
	}
	e := job.Entry{
		Deed: job.Denied, Key: "command/" + cmd.Key + "/" + string(cmd.User), By: string(cmd.User), Team: string(cmd.Thread.Team), Channel: string(cmd.Thread.Channel),
		Command: cmd.Text, Outcome: job.Refused, Says: err.Error(),
	}
	if f, ok := errors.AsType[*fault.Error](err); ok {
		e.Says = f.Says
	}
	if werr := r.Trail.Add(ctx, e); werr != nil {
		return fault.New(fault.Unavailable, "the refusal could not be written down", "").Because(errors.Join(werr, err))
	}
	return err
}
