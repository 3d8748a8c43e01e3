package chat

import (
	"context"
	"time"
)

// Asking is how new what is learned of people and groups has to be.
type Asking struct {
	// Since: what the chat system was asked before that moment counts only while it
	// does not answer, and not for long.
	Since time.Time
	// Certain: it does not count then either.
	Certain bool
}

type askedKey struct{}

// AskedAnew has people and groups be looked up with the context as it says: a click may
// be older than what has become of whoever clicked.
func AskedAnew(ctx context.Context, a Asking) context.Context {
	return context.WithValue(ctx, askedKey{}, a)
}

// Asked returns what AskedAnew wants, if anything.
func Asked(ctx context.Context) (a Asking, anew bool) {
	a, anew = ctx.Value(askedKey{}).(Asking)
	return a, anew
}
