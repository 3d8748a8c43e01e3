package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// TestKept: who tells of an event hears that it was taken when it is on the disk, and
// in a bounded time that it is not.
func TestKept(t *testing.T) {
	strange, full := errors.New("nothing takes it"), errors.New("the disk is full")
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	for _, c := range []struct {
		name   string
		taken  error
		stored func(context.Context) error
		after  time.Duration // when the caller goes away
		want   func(error) bool
		took   time.Duration
	}{
		{"on the disk", nil, func(context.Context) error { time.Sleep(time.Second); return nil }, time.Minute, func(err error) bool { return err == nil }, time.Second},
		{"not taken", strange, func(context.Context) error { return nil }, time.Minute, func(err error) bool { return errors.Is(err, strange) }, 0},
		{"not written", nil, func(context.Context) error { return full }, time.Minute, func(err error) bool { return errors.Is(err, full) }, 0},
		{"never written", nil, hang, time.Minute, func(err error) bool { return fault.Is(err, fault.Unavailable) }, patience},
		{"nobody waits", nil, hang, time.Second, func(err error) bool {
			return errors.Is(err, context.DeadlineExceeded) && !fault.Is(err, fault.Unavailable)
		}, time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), c.after)
			defer cancel()
			began := time.Now()
			taking := events{take: func(context.Context, string, api.Event) error { return c.taken }, stored: c.stored}
			if err := taking.keep(ctx, "b", api.Event{}); !c.want(err) || time.Since(began) != c.took {
				t.Errorf("%s: %v after %s", c.name, err, time.Since(began))
			}
		})
	}
}
