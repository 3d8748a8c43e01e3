package host

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/fault"
)

// TestPauses runs a keeper whose plugin lives as long as it is told, by a clock of
// the test's.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		k := newKeeper(h, Binding{Name: "x"})
		lives := []time.Duration{0, 0, time.Second, 0, 2 * time.Minute, 0}
		// Between one start and the next: 1 s, doubled, as at first after it has been
		// well; a refusal waits longest.
		want := []time.Duration{time.Second, 2 * time.Second, 4*time.Second + time.Second, 8 * time.Second, time.Second + 2*time.Minute, 2 * time.Second}
		refused := errors.New("wrong")
		var starts []time.Time
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		k.once = func(ctx context.Context, up func()) error {
			n := len(starts)
			starts = append(starts, time.Now())
			switch {
			case n < len(lives):
				if lives[n] > 0 {
					up()
					sleep(ctx, lives[n])
				}
				return errors.New("ended")
			case n == len(lives):
				return refusal{refused}
			}
			cancel()
			return ctx.Err()
		}
		k.run(ctx)
		want = append(want, 5*time.Minute)
		for i, d := range want {
			got := starts[i+1].Sub(starts[i])
			if got < d || got > d+d/10+time.Millisecond {
				t.Errorf("pause %d = %s, want %s", i, got, d)
			}
		}
		if s := k.state(); s.Status != Ended || s.Restarts != len(want) || !errors.Is(refusal{refused}, refused) {
			t.Errorf("state = %+v", s)
		}
	})
}

// TestPausesWhileItIsNotReady: they begin with what the plugin says and grow to half a
// minute, and begin anew when something else was wrong meanwhile.
func TestPausesWhileItIsNotReady(t *testing.T) {
	t.Parallel()
	n := nexts{again: pauses{first: time.Second, most: 5 * time.Minute, healthy: time.Minute}}
	yet := unready{errors.New("no file"), 2 * time.Second}
	for i, c := range []struct {
		err    error
		status Status
		want   time.Duration
	}{
		{yet, Waiting, 2 * time.Second},
		{yet, Waiting, 4 * time.Second},
		{yet, Waiting, 8 * time.Second},
		{yet, Waiting, 16 * time.Second},
		{yet, Waiting, 30 * time.Second},
		{yet, Waiting, 30 * time.Second},
		{refusal{errors.New("wrong")}, Refused, 5 * time.Minute},
		{yet, Waiting, 2 * time.Second},
		{errors.New("ended"), Waiting, 2 * time.Second},
		{unready{errors.New("no"), 0}, Waiting, time.Second},
		{unready{errors.New("no"), time.Minute}, Waiting, time.Minute},
	} {
		if status, got := n.after(c.err, time.Time{}); status != c.status || got < c.want || got > c.want+c.want/10 {
			t.Errorf("%d: %s for %s, want %s for %s", i, status, got, c.status, c.want)
		}
	}
}

// TestNothingToRun: without plugins a host rests, and touches nothing.
func TestNothingToRun(t *testing.T) {
	dir := t.TempDir() + "/plugins"
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		began := time.Now()
		if err := h.Run(ctx); err != nil || time.Since(began) != time.Hour {
			t.Errorf("it ends after %s: %v", time.Since(began), err)
		}
	})
	if _, err := os.Stat(dir); err == nil {
		t.Error("it made its folder")
	}
}

// TestCallsWait has somebody ask a plugin that is only starting.
func TestCallsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, err := New(Options{})
		if err != nil {
			t.Fatal(err)
		}
		k := newKeeper(h, Binding{Name: "x", Kind: "executor"})
		if _, err := k.running(t.Context(), fault.Failed); !errors.Is(err, ErrNotBegun) || err.Error() != "the executor `x` is still starting: nothing was begun" {
			t.Errorf("err = %v", err)
		}
		for status, want := range map[Status]string{
			Waiting: "the executor `x` is not running: why", Refused: "the executor `x` was refused: why", Ended: "the executor `x` has ended",
		} {
			k.become(status, "why", time.Now().Add(time.Minute))
			began := time.Now()
			if _, err := k.running(t.Context(), fault.Failed); !errors.Is(err, ErrNotBegun) || err.Error() != want+": nothing was begun" || time.Since(began) > 0 {
				t.Errorf("err = %v after %s, want %s", err, time.Since(began), want)
			}
		}
		k.become(Waiting, "why", time.Now().Add(time.Second)) // worth another try by itself
		if _, err := k.running(t.Context(), fault.Failed); !fault.Is(err, fault.Unavailable) {
			t.Errorf("err = %v", err)
		}
	})
}
