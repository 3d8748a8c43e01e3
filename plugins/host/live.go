package host

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"ferry/plugins/api"
)

// missed is how many pings in a row may go without an answer.
const missed = 3

// live is one life of a plugin: it starts it, watches it until it ends or has to
// be ended, and returns why.
func (k *keeper) live(ctx context.Context, up func()) error {
	c, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer c.end()
	k.ready(c.peer, c.is.Info, c.pid())
	up()
	watched, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var streaming sync.WaitGroup
	if k.Kind == api.KindSource {
		streaming.Go(func() { k.streams(watched, c) })
	}
	err = k.watch(watched, c)
	k.become(Starting, "", time.Time{}) // nobody asks what is being ended
	stop(err)
	streaming.Wait()
	return err
}

// watch returns when the process has ended, does not answer or takes too much.
func (k *keeper) watch(ctx context.Context, c *child) error {
	tick := time.NewTicker(k.host.o.Look)
	defer tick.Stop()
	silent := 0
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended:
			return c.explain(errors.New("it ended"))
		case <-tick.C:
		}
		taken := k.host.processes.weigh(c.pid(), 3*k.host.o.Look)
		k.set(func(s *State) { s.Memory = taken })
		if taken > k.Memory {
			return fmt.Errorf("it took %d MiB of memory, %d are allowed", taken>>20, k.Memory>>20)
		}
		asked, cancel := context.WithTimeout(ctx, k.host.o.Look)
		err := c.ping(asked)
		cancel()
		if err == nil {
			silent = 0
			continue
		}
		if silent++; silent >= missed && ctx.Err() == nil {
			select {
			case <-c.ended:
				return c.explain(err)
			default:
				return errors.New("it does not answer any more")
			}
		}
	}
}
