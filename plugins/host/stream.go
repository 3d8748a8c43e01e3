package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"ferry/plugins/api"
)

// streams opens the stream of a source again and again until ctx ends, each time
// where the last stored event was.
func (k *keeper) streams(ctx context.Context, c *child) {
	o := k.host.o
	pauses := pauses{first: o.Pause, most: o.PauseMax, healthy: o.Healthy}
	pace := rate.NewLimiter(rate.Limit(o.Rate), 2*o.Rate)
	for told := ""; ctx.Err() == nil; {
		began := time.Now()
		err := k.stream(ctx, c, pace)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errors.New("it ended its stream")
		}
		pause := pauses.next(began)
		select {
		case <-c.ended: // watch says why
			return
		case <-time.After(100 * time.Millisecond):
		}
		if err.Error() != told {
			told = err.Error()
			k.log.Warn("stream ended", "err", err, "pause", pause)
		}
		k.set(func(s *State) {
			s.Err = err.Error()
			s.Why, s.Until = "stream ended: "+err.Error(), time.Now().Add(pause)
		})
		if !sleep(ctx, pause) {
			return
		}
		k.set(func(s *State) { s.Why, s.Until, s.Restarts = "", time.Time{}, s.Restarts+1 })
	}
}

// stream takes what a source emits, no faster than it may.
func (k *keeper) stream(ctx context.Context, c *child, pace *rate.Limiter) error {
	r := api.StreamRequest{Binding: k.Name, Config: k.Config}
	if stored := k.host.o.Stored; stored != nil {
		r.Stored = func(ctx context.Context) error {
			if err := stored(ctx); err != nil {
				return fmt.Errorf("store its events: %w", err)
			}
			return nil
		}
	}
	if k.host.o.Cursor != nil {
		cursor, err := k.host.o.Cursor(ctx, k.Name)
		if err != nil {
			return fmt.Errorf("read its cursor: %w", err)
		}
		r.Cursor = cursor
	}
	clusters, err := k.clusters(ctx)
	if err != nil {
		return err
	}
	if len(clusters) > 0 {
		r.Cluster, r.Kubeconfig = clusters[0].Name, clusters[0].Kubeconfig
	}
	err = c.peer.Stream(ctx, r, func(e api.Event) error {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		if err := k.host.o.Events(ctx, k.Name, e); err != nil {
			return fmt.Errorf("store its event: %w", err)
		}
		k.mu.Lock()
		k.now.Events++
		k.mu.Unlock()
		return nil
	})
	if err != nil {
		return plain(err)
	}
	return nil
}

func (k *keeper) clusters(ctx context.Context) ([]api.Cluster, error) {
	if k.Clusters == nil {
		return nil, nil
	}
	clusters, err := k.Clusters(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the way into its clusters: %w", err)
	}
	return clusters, nil
}
