package dispatcher

import (
	"context"
	"slices"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// queued tells whoever asked for a new job that others come first: until its turn
// nothing else would be said. The first that the job itself says takes its place.
func (d *Dispatcher) queued(ctx context.Context, cmd chat.Command, j *job.Job) {
	if !d.blocked(j) {
		return
	}
	err := d.Replier.Put(ctx, cmd.Thread, "job/"+string(j.ID)+"/status", chat.Message{
		Tone: chat.Progress, Title: j.Title, Footer: "job " + string(j.ID), By: cmd.User,
		Lines: []string{"It waits for its turn: another job there is first. `status` shows both."},
	})
	if err != nil { // the job is stored, and what it says itself is tried again
		d.Log.Warn("a job was not told that it waits", "job", j.ID, "error", err)
	}
}

// blocked reports whether a new job would have to wait for another one on its
// targets.
func (d *Dispatcher) blocked(j *job.Job) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.ContainsFunc(j.Queues, func(q string) bool { return d.busy[q] }) ||
		slices.ContainsFunc(d.waiting, func(w *job.Job) bool { return overlap(w.Queues, j.Queues) })
}
