package host

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/fault"
	"ferry/plugins/api"
)

// TestAPluginThatNoticesFirstThatItsTimeIsUp: whichever side says so first, the call took
// too long. What a plugin says before is its own word.
func TestAPluginThatNoticesFirstThatItsTimeIsUp(t *testing.T) {
	for _, c := range []struct {
		name string
		says func(context.Context) error
		kind fault.Kind // empty: its own word
	}{
		{"its time is up", func(ctx context.Context) error { <-ctx.Done(); return api.Fail(ctx.Err()) }, fault.Expired},
		{"it noticed before the timer of this side", func(context.Context) error { time.Sleep(time.Second); return api.Fail(context.DeadlineExceeded) }, fault.Expired},
		{"it fails a moment before", func(context.Context) error { time.Sleep(time.Second - 1); return api.Fail(errors.New("not today")) }, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			k := newKeeper(h, Binding{Name: "x", Kind: "executor", Timeout: time.Second})
			k.ready(struct{ Peer }{}, api.Info{}, 0)
			err = k.call(t.Context(), time.Hour, fault.Failed, func(ctx context.Context, _ Peer) error { return c.says(ctx) })
			if _, own := errors.AsType[api.Failure](err); own != (c.kind == "") || !own && !fault.Is(err, c.kind) {
				t.Errorf("%s: %v", c.name, err)
			}
		})
	}
}

// TestWhyACallBroke: why a plugin ended is mostly known a moment after the connection broke,
// which is waited for, and not for long.
func TestWhyACallBroke(t *testing.T) {
	for after, want := range map[time.Duration]string{
		time.Second / 2: "the executor `x` failed in the middle: it ended: exit status 2",
		2 * time.Second: "the executor `x` failed in the middle: cut",
	} {
		synctest.Test(t, func(t *testing.T) {
			h, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			k := newKeeper(h, Binding{Name: "x", Kind: "executor"})
			k.ready(struct{ Peer }{}, api.Info{}, 0)
			ended := time.AfterFunc(after, func() { k.become(Waiting, "it ended: exit status 2", time.Now().Add(time.Minute)) })
			defer ended.Stop()
			err = k.call(t.Context(), time.Hour, fault.Failed, func(context.Context, Peer) error { return errors.New("cut") })
			if !fault.Is(err, fault.Failed) || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
		})
	}
}
