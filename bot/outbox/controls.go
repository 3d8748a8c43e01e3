package outbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// controlMark begins the last part of a control's operation, where a button's has its
// digest: neither is ever taken for the other.
const controlMark = "c"

// controlOperation names a control of a stored message: the same for as long as the
// message has it, whatever else changes, so that the chat keeps what was filled in.
func controlOperation(key string, c *chat.Control) string {
	return key + "|" + controlMark + short(string(c.Kind)+"\x00"+c.ID+"\x00"+c.Command)
}

func short(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:8])
}

// Entry is what one control holds, as the chat tells it: the tokens of the options, or
// the text that was written.
type Entry struct {
	Operation string
	Values    []string
}

// Fill looks up what a control that was filled in asks for; nothing is reserved, because
// it may be filled in again. What it holds is among the message's options, or a text.
// asks is nil if that was nothing.
func (o *Outbox) Fill(ctx context.Context, c Click, e Entry) (p Pressed, asks *chat.Filled, err error) {
	key, _, ok := cutLast(e.Operation)
	gone := fault.New(fault.NotFound, "that menu or field is no longer valid", "nothing was done\ntype the command instead")
	if !ok {
		return Pressed{}, nil, gone
	}
	err = o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		switch {
		case exists && r.TS == "" && r.Dead == "":
			return false, fault.Newf(fault.Unavailable, "ferry does not know yet that this message was sent")
		case !exists || !r.shows(c) || len(r.shown().Asked) > 0:
			return false, gone
		}
		control := r.control(e.Operation)
		if control == nil || control.Silent {
			return false, gone
		}
		filled, whole := fill(control, e.Values)
		if !whole {
			return false, gone
		}
		if len(filled.Options) > 0 {
			asks = &filled
		}
		p = pressed(r, control.Command, c)
		return r.reach(c), nil
	})
	return p, asks, err
}

// control finds one of the message's by its operation.
func (r *row) control(operation string) *chat.Control {
	for i := range r.Wish.Controls {
		if controlOperation(r.Key, &r.Wish.Controls[i]) == operation {
			return &r.Wish.Controls[i]
		}
	}
	return nil
}

// filled is what all the message's controls hold. The chat may still tell of some that
// the message no longer has, and of options that are gone.
func (r *row) filled(state []Entry) []chat.Filled {
	var out []chat.Filled
	for _, e := range state {
		if c := r.control(e.Operation); c != nil {
			if f, _ := fill(c, e.Values); len(f.Options) > 0 {
				out = append(out, f)
			}
		}
	}
	return out
}

// fill is what a control holds; whole is false if some of it is none of its options.
func fill(c *chat.Control, values []string) (f chat.Filled, whole bool) {
	f, whole = chat.Filled{Kind: c.Kind, ID: c.ID, Command: c.Command}, true
	if c.Kind == chat.Typed {
		if text := strings.TrimSpace(strings.Join(values, " ")); text != "" {
			f.Options = []chat.Option{{Value: text}}
		}
		return f, true
	}
	if c.Kind == chat.OneOf && len(values) > 1 {
		return f, false
	}
	for _, v := range values {
		found := false
		for _, o := range c.Options {
			if found = o.Token() == v; found {
				f.Options = append(f.Options, o)
				break
			}
		}
		whole = whole && found
	}
	return f, whole
}

// shows reports whether the row is the message of a click. One that a single person sees
// may be shown anew under another timestamp; nobody else can press it.
func (r *row) shows(c Click) bool {
	if r.Wish.For != "" {
		return r.Thread.Channel == c.Channel && r.Wish.For == c.By
	}
	return r.TS == c.TS && r.Thread.Channel == c.Channel
}
