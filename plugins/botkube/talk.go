package botkube

import (
	"context"

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
	// Filled is what the controls of the message hold that asked for it.
	Filled []chat.Filled

	// Shown are the messages to show, in their order. It is for whoever began the talk,
	// once the line has ended.
	Shown []Shown
}

// Shown is a message to show, and where. Message.For says who sees it alone.
type Shown struct {
	chat.Message
	// Replace puts it where the message stands that asked for it, if it was one.
	Replace bool
	// Thread is the timestamp of a message of the channel, below which it stands; empty
	// for where the line was written.
	Thread string
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
