package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
	"ferry/plugins/botkube"
)

// Lines remembers durably which lines were begun. Keys tell one word of somebody's
// from another: who presses a button twice has said two.
type Lines interface {
	// Begin notes that the line of a key is begun. If it was begun before, fresh is
	// false, and ended is what End was given, nil if that never came. Otherwise ready
	// is called first; its error is returned, and nothing is noted.
	Begin(ctx context.Context, key string, ready func() error) (fresh bool, ended []byte, err error)
	End(ctx context.Context, key string, how []byte) error
	// Forget takes a Begin back.
	Forget(ctx context.Context, key string) error
}

// ending is how a line ended: with messages, of which the last is the answer, with none
// where its output says how, or with an error.
type ending struct {
	Messages []botkube.Shown `json:"messages,omitempty"`
	Fault    *fault.Error    `json:"fault,omitempty"`
}

// line is one that is to be run once.
type line struct {
	name  string // of the executor
	typed string
	again chat.Button
	run   func() ([]botkube.Shown, error)
}

// once runs a line unless it was begun before. Then it is answered as it was, or, if
// ferry ended in the middle of it, with the question whether to run it again: what a
// line does twice nobody can know. While its executor is only starting it is not begun.
func (e Executors) once(ctx context.Context, cmd chat.Command, l line) ([]botkube.Shown, error) {
	if e.Lines == nil {
		return l.run()
	}
	key := cmd.Key
	if cmd.Press != "" {
		key += "/" + cmd.Press
	}
	var stands error // that the executor does not run is an answer, which is kept
	fresh, ended, err := e.Lines.Begin(ctx, key, func() error {
		err := e.ready(ctx, l.name)
		if ctx.Err() != nil || fault.Is(err, fault.Unavailable) {
			return err
		}
		stands = err
		return nil
	})
	if err != nil {
		return nil, err
	}
	var how ending
	switch {
	case fresh && stands != nil:
		how.Fault = asFault(stands)
	case fresh:
		var err error
		if how.Messages, err = l.run(); err != nil && ctx.Err() != nil {
			return nil, err // it is ferry that ends: nobody knows how far the line came
		}
		if fault.Is(err, fault.Unavailable) {
			return nil, errors.Join(err, e.Lines.Forget(context.WithoutCancel(ctx), key))
		}
		how.Fault = asFault(err)
	case ended != nil:
		if err := json.Unmarshal(ended, &how); err != nil {
			return nil, fmt.Errorf("decode how `%s` ended: %w", l.typed, err)
		}
		return how.told()
	default:
		over, err := e.over(ctx, cmd, l)
		if err != nil {
			return nil, err
		}
		if !over {
			how.Messages = []botkube.Shown{{Message: interrupted(l.typed, l.again)}}
		}
	}
	raw, err := json.Marshal(how)
	if err == nil {
		err = e.Lines.End(context.WithoutCancel(ctx), key, raw)
	}
	if err != nil {
		return nil, err
	}
	return how.told()
}

// over reports whether the output of a line that ferry died in says how the line ended.
// What it says otherwise is that nobody writes it any more. The message of a button's
// line may be that of an earlier press.
func (e Executors) over(ctx context.Context, cmd chat.Command, l line) (bool, error) {
	if e.Abandon == nil {
		return false, nil
	}
	title, err := e.Abandon(ctx, cmd)
	return title != "" && title != l.typed && cmd.Press == "", err
}

// ready waits for an executor that is starting.
func (e Executors) ready(ctx context.Context, name string) error {
	if e.Ready == nil {
		return nil
	}
	return e.Ready(ctx, name)
}

func (h ending) told() ([]botkube.Shown, error) {
	if h.Fault != nil {
		return nil, h.Fault
	}
	return h.Messages, nil
}

// asFault is an error without what is for the log alone.
func asFault(err error) *fault.Error {
	if err == nil {
		return nil
	}
	f, ok := errors.AsType[*fault.Error](err)
	if !ok {
		f = fault.New(fault.Internal, err.Error(), "")
	}
	return f
}

// MarshalJSON leaves out the cause of a failure, which was logged.
func (h ending) MarshalJSON() ([]byte, error) {
	type plain ending
	if h.Fault != nil {
		h.Fault = h.Fault.Because(nil)
	}
	return json.Marshal(plain(h))
}

// interrupted says that ferry ended in the middle of a line.
func interrupted(typed string, again chat.Button) chat.Message {
	return chat.Message{
		Tone: chat.Failure, Title: "ferry ended while " + quoted(typed) + " ran, and nobody knows how far it came",
		Lines:   []string{"It was not run again. Look at what it did before you do that."},
		Buttons: []chat.Button{again},
	}
}

// runAgain is the button that asks for a line as it was asked for.
func runAgain(name, line string) chat.Button {
	return chat.Button{
		Label: "Run it again", Command: name + " " + escaped(line), Danger: true,
		Confirm: "It may have done some of it, or all. This runs it once more.",
	}
}

// escaped is a line for a button: a button's command is read like one that was typed,
// in which < begins a mark.
func escaped(line string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(line)
}

func quoted(typed string) string { return "`" + strings.ReplaceAll(typed, "`", "'") + "`" }
