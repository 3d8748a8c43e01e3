package dispatcher

import (
	"context"
	"time"

	"ferry/internal/job"
)

// parked is what is kept of a job that waits: it has its queues, and nothing else.
type parked struct {
	queues []string
	until  time.Time // zero for at once
}

// longestSleep is how long Run sleeps if no parked job wakes it.
const longestSleep = time.Hour

// running is a job at work: how it is told to end, and what it has.
type running struct {
	asked  chan struct{} // closed when somebody cancels it
	queues []string
}

// park lets a stopped job be a row alone. If it was cancelled while it ran, or somebody
// said something or came to wait for its targets, it wakes at once: it may not have
// seen that.
func (d *Dispatcher) park(j *job.Job, until time.Time) {
	d.mu.Lock()
	if closed(d.asked[j.ID].asked) && j.Cancel == nil || d.told[j.ID] {
		until = time.Time{}
	}
	delete(d.asked, j.ID)
	delete(d.told, j.ID)
	d.parked[j.ID] = parked{j.Queues, until}
	d.running -= d.place(j)
	d.mu.Unlock()
	d.nudge()
}

// unpark makes ready whom it is time for, and returns how long there is none.
func (d *Dispatcher) unpark(ctx context.Context) time.Duration {
	now, next := d.Now(), longestSleep
	var due []job.ID
	d.mu.Lock()
	for id, p := range d.parked {
		if wait := p.until.Sub(now); wait > 0 {
			next = min(next, wait)
		} else {
			due = append(due, id)
		}
	}
	d.mu.Unlock()
	for _, id := range due {
		j, err := d.Store.Get(ctx, id)
		if err != nil {
			d.Log.Error("a parked job cannot be read", "job", id, "error", err)
			next = min(next, d.Pause)
			continue
		}
		d.mu.Lock()
		delete(d.parked, id)
		d.ready = append(d.ready, j)
		d.mu.Unlock()
	}
	return next
}

// Nudge tells that somebody wishes a job to end, or said something that it may be
// parked for, after that was stored. A job that waits, runs or is parked hears of
// the wish at once; of anything else one that runs hears when it is about to park.
func (d *Dispatcher) Nudge(ctx context.Context, id job.ID) error {
	j, err := d.Store.Get(ctx, id)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if p, ok := d.parked[id]; ok {
		d.parked[id] = parked{queues: p.queues}
	}
	for _, w := range d.waiting {
		if w.ID == id {
			w.Cancel = j.Cancel
		}
	}
	if r, runs := d.asked[id]; runs && j.Cancel == nil {
		d.told[id] = true
	} else if runs && !closed(r.asked) {
		close(r.asked)
	}
	d.mu.Unlock()
	d.nudge()
	return nil
}

// listen opens the channel that tells a running job to end; park and release
// forget it.
func (d *Dispatcher) listen(j *job.Job) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	asked := make(chan struct{})
	d.asked[j.ID] = running{asked, j.Queues}
	return asked
}

// heed notes a wish that was stored before the job listened, or since.
func (d *Dispatcher) heed(ctx context.Context, j *job.Job) error {
	if j.Cancel != nil {
		return nil
	}
	stored, err := d.Store.Get(ctx, j.ID)
	if err == nil {
		j.Cancel = stored.Cancel
	}
	return err
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
