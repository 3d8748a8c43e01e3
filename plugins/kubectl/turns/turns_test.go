package turns_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/plugins/kubectl/turns"
)

// TestEachLineHasItsOwnBound: whoever comes first decides for nobody else.
func TestEachLineHasItsOwnBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns.Turns
		take := func(most int) (back func(), took bool) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			back, err := all.Take(ctx, most)
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			return back, err == nil
		}
		first, ok := take(1)
		if !ok {
			t.Fatal("there is no turn at all")
		}
		if _, ok := take(1); ok {
			t.Error("two are taken where one may be")
		}
		second, ok := take(2)
		if !ok {
			t.Error("who may be one of two waits for one")
		}
		if _, ok := take(2); ok {
			t.Error("three are taken where two may be")
		}
		first()
		if _, ok := take(1); ok {
			t.Error("who has to be alone is not")
		}
		second()
		if back, ok := take(1); !ok {
			t.Error("what was given back is not to be had")
		} else {
			back()
		}
	})
}

// TestAllComeToTheirTurn: everybody who waits is woken, and never more are at it.
func TestAllComeToTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all turns.Turns
		var mu sync.Mutex
		var at, most, done int
		var lines sync.WaitGroup
		for range 20 {
			lines.Go(func() {
				back, err := all.Take(t.Context(), 3)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				at++
				most = max(most, at)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				at, done = at-1, done+1
				mu.Unlock()
				back()
			})
		}
		began := time.Now()
		lines.Wait()
		if most != 3 || done != 20 || time.Since(began) != 7*time.Second {
			t.Errorf("%d came to their turn in %s, %d at once", done, time.Since(began), most)
		}
	})
}
