package api

import (
	"errors"
	"time"
)

// ErrTooLarge is returned by emit for an event of more than MaxEvent bytes. The
// stream goes on; without its Object the event is mostly small enough.
var ErrTooLarge = errors.New("the event is larger than 1 MiB")

// again marks an error that may pass.
type again struct {
	error
	after time.Duration
}

func (e again) Unwrap() error { return e.error }

// Again returns err as one that is worth another try, not before after has passed
// (0: whenever ferry finds it sensible). It returns nil for nil.
func Again(err error, after time.Duration) error {
	if err == nil {
		return nil
	}
	return again{error: err, after: max(after, 0)}
}

// refused marks an error for what may not be.
type refused struct{ error }

func (e refused) Unwrap() error { return e.error }

// Refuse returns err as one for something that was not even tried, because it may
// not be or cannot be understood: whoever asked sees that nothing was done. It
// returns nil for nil.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return refused{err}
}

// IsRefusal says whether an error was made by Refuse.
func IsRefusal(err error) bool {
	_, is := errors.AsType[refused](err)
	return is
}

// Retry says whether an error is worth another try, and after what time.
func Retry(err error) (after time.Duration, ok bool) {
	if e, is := errors.AsType[again](err); is {
		return e.after, true
	}
	return 0, false
}
