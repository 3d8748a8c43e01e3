package pipeline

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"ferry/plugins/sink"
)

// attempt asks the sink once for each delivery; those of one order one after the
// other, and none behind one that failed. A stop does not cut off what is under way:
// its outcome would not be known. If the sink wants to be left alone, the rest is not
// tried.
func (c *courier) attempt(ctx context.Context, ds []sink.Delivery, orders []string) []sink.Result {
	for i := range ds {
		ds[i].Order = orders[i]
	}
	if b, ok := c.Sink.(sink.Batcher); ok {
		out := c.all(ctx, b, ds)
		for i := range out {
			c.heed(out[i].Err)
		}
		return out
	}
	out := make([]sink.Result, len(ds))
	lanes := make([][]int, min(c.Concurrency, len(ds)))
	for i := range ds {
		n := maphash.String(c.seed, orders[i]) % uint64(len(lanes))
		lanes[n] = append(lanes[n], i)
	}
	drive := func(lane []int) {
		failed := map[string]bool{}
		for _, i := range lane {
			switch {
			case failed[orders[i]]:
				out[i].Err = sink.ErrHeld
			case ctx.Err() != nil:
				out[i].Err = ctx.Err()
			case c.pausedFor() > 0:
				out[i].Err = sink.ErrHeld
			default:
				out[i].Receipt, out[i].Err = c.one(ctx, ds[i])
				c.heed(out[i].Err)
			}
			if out[i].Err != nil {
				failed[orders[i]] = true
			}
		}
	}
	if len(lanes) == 1 {
		drive(lanes[0])
		return out
	}
	var wg sync.WaitGroup
	for _, lane := range lanes {
		if len(lane) > 0 {
			wg.Go(func() { drive(lane) })
		}
	}
	wg.Wait()
	return out
}

func (c *courier) one(ctx context.Context, d sink.Delivery) (r sink.Receipt, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Timeout)
	defer cancel()
	return c.Sink.Deliver(ctx, d)
}

func (c *courier) all(ctx context.Context, b sink.Batcher, ds []sink.Delivery) (out []sink.Result) {
	defer func() {
		if p := recover(); p != nil {
			out = alike(len(ds), fmt.Errorf("panic: %v", p))
		}
	}()
	if c.pausedFor() > 0 {
		return alike(len(ds), sink.ErrHeld)
	}
	if out = b.DeliverAll(ctx, ds); len(out) != len(ds) {
		return alike(len(ds), fmt.Errorf("the sink answered %d of %d deliveries", len(out), len(ds)))
	}
	return out
}

func alike(n int, err error) []sink.Result {
	out := make([]sink.Result, n)
	for i := range out {
		out[i].Err = err
	}
	return out
}

// maxWait bounds what a sink may ask for.
const maxWait = 15 * time.Minute

// heed leaves the sink alone as long as it wants.
func (c *courier) heed(err error) {
	wait := min(sink.Wait(err), maxWait)
	if wait <= 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = later(c.paused, c.now().Add(wait))
}

func (c *courier) pausedFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused.Sub(c.now())
}
