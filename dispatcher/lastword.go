package dispatcher

import (
	"context"
	"time"

	"ferry/internal/job"
)

// settling is how long a command about a job that is just ending waits for its
// outcome to be stored.
const settling = 5 * time.Second

// ends notes that a job tells its last word; over is called when its outcome is stored,
// or could not be.
func (d *Dispatcher) ends(id job.ID) (over func()) {
	stored := make(chan struct{})
	d.mu.Lock()
	d.ending[id] = stored
	d.mu.Unlock()
	return func() {
		d.mu.Lock()
		delete(d.ending, id)
		d.mu.Unlock()
		close(stored)
	}
}

// settled waits for the outcome of a job that is just ending: whoever read its last
// word may ask for what needs that, and the word is told first.
func (d *Dispatcher) settled(ctx context.Context, id job.ID) {
	d.mu.Lock()
	stored, ends := d.ending[id]
	d.mu.Unlock()
	if !ends {
		return
	}
	timed, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	select {
	case <-stored:
	case <-timed.Done():
	}
}
