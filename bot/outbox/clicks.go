package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// An operation names a button of a stored message: its key, its place, and a
// digest of its command, so that a button of an earlier state of the message
// does not run what stands in its place now.
func operation(key string, i int, command string) string {
	h := sha256.Sum256([]byte(command))
	return key + "|" + strconv.Itoa(i) + "|" + hex.EncodeToString(h[:6])
}

func parseOperation(op string) (key string, i int, ok bool) {
	rest, _, ok := cutLast(op)
	if !ok {
		return "", 0, false
	}
	key, place, ok := cutLast(rest)
	i, err := strconv.Atoi(place)
	return key, i, ok && err == nil && i >= 0
}

func cutLast(s string) (before, after string, ok bool) {
	i := strings.LastIndexByte(s, '|')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// Click is a button that somebody pressed.
type Click struct {
	Operation string // as the button carried it
	Channel   chat.ChannelID
	TS        string // of the message that has the button
	Press     string // tells this press from others; the same when it is delivered again
	By        chat.UserID
	// State is what the message's controls hold.
	State []Entry
	// Via is an address by which the message can be edited for some minutes, where there
	// is no other way.
	Via string
}

// Pressed is what a click asks for.
type Pressed struct {
	Command string
	Thread  chat.Thread // where to answer
	Origin  chat.Origin
}

// Take looks up what a click asks for and reserves the button for it. The
// command comes from the store, never from the chat. It returns an Already
// fault if somebody else's press has the button, and a NotFound one if no such
// button is to be seen on that message, and Unavailable while it is not known
// whether the message was posted. Settle or Release ends the reservation;
// the same press may Take again, also if what it asked for took the button off the
// message since.
func (o *Outbox) Take(ctx context.Context, c Click) (Pressed, error) {
	gone := fault.New(fault.NotFound, "that button is no longer valid", "nothing was done\ntype the command instead")
	key, i, ok := parseOperation(c.Operation)
	if !ok {
		return Pressed{}, gone
	}
	var p Pressed
	err := o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		if exists && r.TS == "" && r.Dead == "" {
			// It can be pressed before the answer that tells its timestamp is here,
			// or, after a restart, before it was looked for.
			return false, fault.Newf(fault.Unavailable, "ferry does not know yet that this message was sent")
		}
		if t := r.take(c.Operation); exists && t != nil && r.shows(c) && t.Click == c.Press {
			p = pressed(r, t.Command, c)
			return false, nil
		}
		if !exists || !r.shows(c) || i >= len(r.Wish.Buttons) || r.Wish.Buttons[i].URL != "" ||
			operation(key, i, r.Wish.Buttons[i].Command) != c.Operation {
			return false, gone
		}
		p = pressed(r, r.Wish.Buttons[i].Command, c)
		if r.take(c.Operation) != nil {
			return false, fault.Newf(fault.Already, "`%s` was asked for already with that button", chat.Readable(p.Command))
		}
		r.reach(c)
		r.Taken = append(r.Taken, taken{Operation: c.Operation, Click: c.Press, Asked: Asked{p.Command, c.By}})
		return true, nil
	})
	return p, err
}

// pressed is what a button of a message asks for.
func pressed(r *row, command string, c Click) Pressed {
	p := Pressed{Command: command, Thread: r.Thread, Origin: chat.Origin{Key: r.Key, For: r.Wish.For, Filled: r.filled(c.State)}}
	if p.Thread.Root == "" {
		p.Thread.Root = r.TS
	}
	return p
}

// Settle says that the command of a taken button was accepted: the message's
// buttons give way to a line that tells who asked.
func (o *Outbox) Settle(ctx context.Context, operation string) error {
	return o.taken(ctx, operation, func(_ *row, t *taken) bool {
		changed := !t.Settled
		t.Settled = true
		return changed
	})
}

// Release says that the command was not accepted: the button can be pressed by
// somebody else.
func (o *Outbox) Release(ctx context.Context, operation string) error {
	return o.taken(ctx, operation, func(r *row, t *taken) bool {
		for i := range r.Taken {
			if &r.Taken[i] == t {
				r.Taken = append(r.Taken[:i], r.Taken[i+1:]...)
				break
			}
		}
		return true
	})
}

func (o *Outbox) taken(ctx context.Context, operation string, fn func(*row, *taken) bool) error {
	key, _, ok := parseOperation(operation)
	if !ok {
		return fmt.Errorf("%q is no operation", operation)
	}
	return o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		if t := r.take(operation); exists && t != nil {
			return fn(r, t), nil
		}
		return false, nil
	})
}
