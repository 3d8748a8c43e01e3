package dispatcher

import (
	"slices"
	"time"

	"ferry/internal/job"
)

// enqueue adds a new job behind all others.
func (d *Dispatcher) enqueue(j *job.Job) {
	d.mu.Lock()
	d.waiting = append(d.waiting, j)
	for id, p := range d.parked { // who waits for people gives way, if it likes
		if overlap(j.Queues, p.queues) {
			d.parked[id] = parked{queues: p.queues}
		}
	}
	d.mu.Unlock()
	d.nudge()
}

// adopt puts the jobs of an earlier process before those that arrived while
// they were read. A job that is in both was created just now and stays.
func (d *Dispatcher) adopt(left []*job.Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	arrived := d.waiting
	d.waiting = nil
	for _, j := range left {
		if !slices.ContainsFunc(arrived, func(n *job.Job) bool { return n.ID == j.ID }) {
			j.Wake = time.Time{} // who was parked looks once, whatever the hour
			d.waiting = append(d.waiting, j)
		}
	}
	d.waiting = append(d.waiting, arrived...)
}

// next takes the jobs that may start now, as many as there are workers for: those
// that were parked, then the others in order, none whose target is busy or asked
// for by an earlier one. A job that never began and is cancelled waits for no
// target, because it will not touch any.
func (d *Dispatcher) next() []*job.Job {
	d.mu.Lock()
	defer d.mu.Unlock()
	var start, wait []*job.Job
	for len(d.ready) > 0 && d.running < d.Workers {
		start, d.ready = append(start, d.ready[0]), d.ready[1:]
		d.running++
	}
	claimed := map[string]bool{}
	for _, j := range d.waiting {
		loose := j.Cancel != nil && j.Attempts == 0
		free := d.running < d.Workers
		for _, q := range j.Queues {
			free = free && (loose || !d.busy[q] && !claimed[q])
		}
		for _, q := range j.Queues {
			claimed[q] = claimed[q] || !loose
		}
		if !free {
			wait = append(wait, j)
			continue
		}
		d.loose[j.ID] = loose
		for _, q := range j.Queues {
			d.busy[q] = d.busy[q] || !loose
		}
		d.running++
		start = append(start, j)
	}
	d.waiting = wait
	return start
}

// release gives a stopped job's targets to whoever waits for them.
func (d *Dispatcher) release(j *job.Job) {
	d.mu.Lock()
	if !d.loose[j.ID] {
		for _, q := range j.Queues {
			delete(d.busy, q)
		}
	}
	delete(d.loose, j.ID)
	delete(d.asked, j.ID)
	delete(d.told, j.ID)
	d.running--
	d.mu.Unlock()
	d.nudge()
}

func (d *Dispatcher) load() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.waiting)
}

func (d *Dispatcher) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(q string) bool { return slices.Contains(b, q) })
}
