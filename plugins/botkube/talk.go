package botkube

import (
	"context"
	"encoding/json"

	"ferry/internal/chat"
)

// Talk is where and how a line was written, and what is to be shown for it. It
// travels beside the contract of ferry's own plugins, which has no such words.
type Talk struct {
	// Text is what was typed; Channel, Thread and User are where and by whom.
	Text    string
	Channel chat.ChannelID
	Thread  string
	User    chat.UserID
	// State is the JSON of what is chosen on the message, if it is known.
	State []byte

	// Shown are the messages to show, in their order. It is for whoever began the talk,
	// once the line has ended.
	Shown []chat.Message
}

type talkKey struct{}

// Begin puts a talk beside a line.
func Begin(ctx context.Context, t *Talk) context.Context {
	return context.WithValue(ctx, talkKey{}, t)
}

// talkOf returns the talk beside a line; it is never nil.
func talkOf(ctx context.Context) *Talk {
	if t, ok := ctx.Value(talkKey{}).(*Talk); ok {
		return t
	}
	return &Talk{}
}

// state is what is chosen, if that is JSON: plugins crash with anything else.
func (t *Talk) state() []byte {
	if len(t.State) == 0 || !json.Valid(t.State) {
		return nil
	}
	return t.State
}
