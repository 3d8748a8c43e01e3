package dispatcher

import (
	"slices"
	"time"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// enqueue adds a new job behind all others, or before them if it follows one.
func (d *Dispatcher) enqueue(j *job.Job) {
	d.mu.Lock()
	if d.waiting = append(d.waiting, j); j.After != "" {
		d.waiting = append([]*job.Job{j}, d.waiting[:len(d.waiting)-1]...)
	}
	for id, p := range d.parked { // who waits for people gives way, if it likes
		if overlap(j.Queues, p.queues) {
			d.parked[id] = parked{queues: p.queues}
		}
	}
	for id, r := range d.asked { // and so may one that is about to wait
		if overlap(j.Queues, r.queues) {
			d.told[id] = true
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
	for _, j := range ordered(left) {
		if !slices.ContainsFunc(arrived, func(n *job.Job) bool { return n.ID == j.ID }) {
			j.Wake = time.Time{} // who was parked looks once, whatever the hour
			d.waiting = append(d.waiting, j)
		}
	}
	d.waiting = append(d.waiting, arrived...)
}

// next takes the jobs that may start now, as many as there are workers for: those
// that were parked, then the others in order, none whose target is busy or asked
// for by an earlier one, and none that follows a job which has not ended. A job that
// never began and is cancelled waits for no target, because it will not touch any.
func (d *Dispatcher) next() []*job.Job {
	d.mu.Lock()
	defer d.mu.Unlock()
	var start, wait []*job.Job
	for len(d.ready) > 0 && d.running < d.Workers {
		start, d.ready = append(start, d.ready[0]), d.ready[1:]
		d.running += d.place(start[len(start)-1])
	}
	claimed, held := map[string]bool{}, map[job.ID]bool{}
	for _, j := range d.waiting {
		loose := j.Cancel != nil && j.Attempts == 0
		_, goesOn := d.loose[j.After] // a watch has no queue that would keep what follows it
		free := (d.running < d.Workers || d.place(j) == 0) && (loose || !goesOn && !held[j.After])
		for _, q := range j.Queues {
			free = free && (loose || !d.busy[q] && !claimed[q])
		}
		for _, q := range j.Queues {
			claimed[q] = claimed[q] || !loose
		}
		if !free {
			wait, held[j.ID] = append(wait, j), true
			continue
		}
		d.loose[j.ID] = loose
		for _, q := range j.Queues {
			d.busy[q] = d.busy[q] || !loose
		}
		d.running += d.place(j)
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
	d.running -= d.place(j)
	d.mu.Unlock()
	d.nudge()
}

// place is how many workers' places a job takes.
func (d *Dispatcher) place(j *job.Job) int {
	if d.routes[chat.Verb(j.Verb)].Apart {
		return 0
	}
	return 1
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
