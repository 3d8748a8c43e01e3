package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// service is something that runs until its context ends. Services start in
// order and stop in reverse, so that each may rely on the ones before it.
type service struct {
	name string
	// run blocks until ctx ends and everything it started has ended.
	run func(ctx context.Context) error
	// settled, if set, is waited for before the next service starts.
	settled func(ctx context.Context) error
	// patience bounds the wait for run to return once it was told to stop.
	patience time.Duration
}

// defaultPatience is for services that name none.
const defaultPatience = 10 * time.Second

// running is a started service.
type running struct {
	service
	stop context.CancelFunc
	done chan error
}

// serve starts the services one after the other and keeps them running until
// ctx ends or one of them returns; then it stops what was started, the latest
// first. The error says which service ended and why; it is nil if ctx did it.
func serve(ctx context.Context, log *slog.Logger, services []service) error {
	var up []*running
	ended := make(chan error, len(services))
	err := start(ctx, log, services, &up, ended)
	if err == nil {
		log.Info("ferry is up")
		select {
		case err = <-ended:
		case <-ctx.Done():
		}
	}
	log.Info("ferry stops")
	for i := len(up) - 1; i >= 0; i-- {
		err = errors.Join(err, up[i].end(log))
	}
	return err
}

func start(ctx context.Context, log *slog.Logger, services []service, up *[]*running, ended chan<- error) error {
	for _, s := range services {
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := &running{service: s, stop: stop, done: make(chan error, 1)}
		*up = append(*up, r)
		go func() {
			err := s.run(own)
			if own.Err() == nil {
				ended <- fmt.Errorf("%s ended: %w", s.name, orEnded(err))
				err = nil
			}
			r.done <- err
		}()
		log.Debug("started", "service", s.name)
		if s.settled == nil {
			continue
		}
		if err := s.settled(ctx); err != nil {
			if ctx.Err() != nil {
				return nil //nolint:nilerr // told to stop while it starts: that is no failure
			}
			return fmt.Errorf("start %s: %w", s.name, err)
		}
	}
	return nil
}

// errEnded is for a service that returned without being told to and without
// saying why.
var errEnded = errors.New("it returned by itself")

func orEnded(err error) error {
	if err == nil {
		return errEnded
	}
	return err
}

// end stops a service and waits for it, within its patience.
func (r *running) end(log *slog.Logger) error {
	patience := r.patience
	if patience == 0 {
		patience = defaultPatience
	}
	r.stop()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-r.done:
		log.Debug("stopped", "service", r.name)
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("stop %s: %w", r.name, err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("stop %s: it still runs after %s", r.name, patience)
	}
}
