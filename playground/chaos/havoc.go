package main

import (
	"context"
	"strings"
	"syscall"
	"time"

	"ferry/playground/chaos/point"
)

const (
	// unmet is how long a kill waits for one of the drawn spots before any other will
	// do, and again before it happens anyway.
	unmet = 1500 * time.Millisecond
	// random is the share of kills at no point in particular: between two effects
	// nothing happens that anybody could see, and that is to be proven too.
	random = 0.1
)

// havoc kills n times and returns where. Each next start comes at once, or a little
// later.
func (w *world) havoc(ctx context.Context, n int) error {
	for range n {
		if w.rand.Float64() < random {
			if !pause(ctx, time.Duration(w.rand.IntN(1200))*time.Millisecond) {
				return nil
			}
			if err := w.anyway(); err != nil {
				return err
			}
		} else if over, err := w.strike(ctx); over || err != nil {
			return err
		}
		if !pause(ctx, time.Duration(w.rand.IntN(150))*time.Millisecond) {
			return nil
		}
		if err := w.ferry.start(); err != nil {
			return err
		}
	}
	return nil
}

// strike kills at a drawn spot, or where it can.
func (w *world) strike(ctx context.Context) (over bool, err error) {
	for _, s := range w.killer.Arm() {
		w.draws = append(w.draws, s.String())
	}
	timer := time.NewTimer(unmet)
	defer timer.Stop()
	for range 2 {
		select {
		case s := <-w.killer.Done:
			w.killed(&s)
			return false, nil
		case <-ctx.Done():
			return true, nil
		case <-timer.C:
			w.killer.Widen()
			timer.Reset(unmet)
		}
	}
	if !w.killer.Disarm() {
		s := <-w.killer.Done
		w.killed(&s)
		return false, nil
	}
	return false, w.anyway()
}

func (w *world) anyway() error {
	w.killed(nil)
	w.account.kills.AtRandom()
	return w.ferry.end(syscall.SIGKILL)
}

// killed notes a kill for whoever has to find out what it did.
func (w *world) killed(s *point.Spot) {
	where := "at a random moment"
	if s != nil {
		where = s.String()
	}
	w.struck = append(w.struck, time.Now().Format("15:04:05.000")+" "+where)
}

// drawn tells what was drawn in this episode.
func (w *world) drawn() string {
	if len(w.draws) == 0 {
		return ""
	}
	return "; drawn: " + strings.Join(w.draws, ", ")
}
