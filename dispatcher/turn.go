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
	why := d.blocked(j)
	if why == "" {
		return
	}
	err := d.Replier.Put(ctx, cmd.Thread, "job/"+string(j.ID)+"/status", chat.Message{
		Tone: chat.Progress, Title: j.Title, Footer: "job " + string(j.ID), By: cmd.User,
		Lines: []string{"It waits for its turn: " + why + ". `status` shows what is under way."},
	})
	if err != nil { // the job is stored, and what it says itself is tried again
		d.Log.Warn("a job was not told that it waits", "job", j.ID, "error", err)
	}
}

// blocked tells why a new job would have to wait: for another one on its targets, or
// for any other to end; "" if it would not.
func (d *Dispatcher) blocked(j *job.Job) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case slices.ContainsFunc(j.Queues, func(q string) bool { return d.busy[q] }),
		slices.ContainsFunc(d.waiting, func(w *job.Job) bool { return overlap(w.Queues, j.Queues) }):
		return "another job there is first"
	case d.running >= d.Workers:
		return "ferry works on as many jobs as it does at once"
	}
	return ""
}
