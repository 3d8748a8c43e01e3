package loop_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"ferry/playground/cluster/loop"
)

func TestLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l loop.Loop[string]
		var done []string
		began := time.Now()
		l.Add("a")
		l.Add("a") // once is enough
		l.After("late", time.Minute)
		l.After("soon", time.Hour)
		l.After("soon", time.Second)
		l.After("soon", 2*time.Second) // the earlier date stands
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			l.Run(ctx, func(key string) {
				done = append(done, key+" "+time.Since(began).String())
				if key == "soon" {
					l.Add("b") // while it works
				}
			})
		}()
		time.Sleep(2 * time.Minute)
		l.Add("c")
		synctest.Wait()
		cancel()
		<-ended
		if want := []string{"a 0s", "soon 1s", "b 1s", "late 1m0s", "c 2m0s"}; !slices.Equal(done, want) {
			t.Errorf("%v, not %v", done, want)
		}
	})
}
