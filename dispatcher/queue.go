package dispatcher

import (
	"slices"

	"ferry/internal/job"
)

// enqueue adds a new job behind all others.
func (d *Dispatcher) enqueue(j *job.Job) {
	d.mu.Lock()
	d.waiting = append(d.waiting, j)
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
			d.waiting = append(d.waiting, j)
		}
	}
	d.waiting = append(d.waiting, arrived...)
}

// next takes the jobs that may start now: in order, as many as there are
// workers for and all that wait for people, none whose target is busy or asked for by an earlier one.
func (d *Dispatcher) next() []*job.Job {
	d.mu.Lock()
	defer d.mu.Unlock()
	var start, wait []*job.Job
	claimed := map[string]bool{}
	for _, j := range d.waiting {
		free := d.running < d.Workers || j.Waits
		for _, q := range j.Queues {
			free = free && !d.busy[q] && !claimed[q]
		}
		for _, q := range j.Queues {
			claimed[q] = true
		}
		if !free {
			wait = append(wait, j)
			continue
		}
		for _, q := range j.Queues {
			d.busy[q] = true
		}
		if j.Waits {
			d.resting[j] = true
		} else {
			d.running++
		}
		start = append(start, j)
	}
	d.waiting = wait
	return start
}

// release gives a stopped job's targets to whoever waits for them.
func (d *Dispatcher) release(j *job.Job) {
	d.mu.Lock()
	for _, q := range j.Queues {
		delete(d.busy, q)
	}
	if d.resting[j] {
		delete(d.resting, j)
	} else {
		d.running--
	}
	d.mu.Unlock()
	d.nudge()
}

// rest gives a job's place among the workers to others while it waits for people.
// One that goes on takes a place at once, even if there is none.
func (d *Dispatcher) rest(j *job.Job) {
	d.mu.Lock()
	was := d.resting[j]
	switch {
	case j.Waits && !was:
		d.resting[j] = true
		d.running--
	case !j.Waits && was:
		delete(d.resting, j)
		d.running++
	}
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
