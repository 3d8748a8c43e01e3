package chat

import (
	"context"
	"time"
)

type askedKey struct{}

// AskedSince has what is learned of people and groups with the context count only if
// the chat system was asked for it at that moment or later: a click may be older than
// what has become of whoever clicked.
func AskedSince(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, askedKey{}, t)
}

// Asked returns the moment of AskedSince, if there is one.
func Asked(ctx context.Context) (since time.Time, strict bool) {
	since, strict = ctx.Value(askedKey{}).(time.Time)
	return since, strict
}
