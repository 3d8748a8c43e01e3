package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"ferry/playground/chaos/point"
)

// havoc kills n times. Each next start comes at once, or a little later. What is
// asked for comes bit by bit, so that there is something to kill all the time.
func (w *world) havoc(ctx context.Context, n int) error {
	for range n {
		kill := w.killer.Strike(ctx)
		if kill.Where == "" || !pause(ctx, time.Duration(w.rand.IntN(150))*time.Millisecond) {
			return nil
		}
		w.kills = append(w.kills, kill)
		w.felled.Add(1)
		if err := w.ferry.Start(); err != nil {
			return err
		}
	}
	w.felled.Add(int64(n))
	return nil
}

// lurk goes on killing where nobody was killed yet, until ctx ends: some effects come
// only at the end of what was asked for. Ferry runs when it returns.
func (w *world) lurk(ctx context.Context) error {
	for ctx.Err() == nil {
		kill := w.killer.Lurk(ctx)
		if kill.Where == "" {
			return nil
		}
		w.kills = append(w.kills, kill)
		if err := w.ferry.Start(); err != nil {
			return err
		}
	}
	return nil
}

// drawn tells what was drawn in an episode, struck where ferry was killed.
func drawn(kills []point.Kill) string {
	var out []string
	for _, k := range kills {
		for _, s := range k.Drawn {
			out = append(out, s.String())
		}
	}
	return strings.Join(out, ", ")
}

func struck(kills []point.Kill) string {
	var out []string
	for _, k := range kills {
		out = append(out, fmt.Sprintf("%s %s", k.At.Format("15:04:05.000"), k.Where))
	}
	return strings.Join(out, ", ")
}
