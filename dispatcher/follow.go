package dispatcher

import (
	"context"
	"encoding/json"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Follow makes a job of a command that ferry gives itself (chat.Command.Cause), for
// the sake of the job after. It goes before everything else that waits for its
// targets, however full the queue is, and begins when after has ended. data is what
// its handler finds in the row. A command of the same key makes nothing: its job is
// returned. A fault is the answer for people, and nothing was made.
func (d *Dispatcher) Follow(ctx context.Context, cmd chat.Command, after job.ID, data json.RawMessage) (*job.Job, error) {
	if cmd.Cause == "" {
		return nil, fmt.Errorf("follow job %s: the command has no cause", after)
	}
	route := d.routes[cmd.Verb]
	if route.Work == nil {
		return nil, fmt.Errorf("nothing works on %q", cmd.Verb)
	}
	if known, ok, err := d.Store.ByKey(ctx, cmd.Key); err != nil || ok {
		return known, err
	}
	title, targets, err := route.Work.Admit(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if err := d.Policy.Allow(ctx, cmd, targets); err != nil {
		return nil, err
	}
	j, err := d.row(cmd, title, targets)
	if err != nil {
		return nil, err
	}
	j.After, j.Data = after, data
	if route.Apart {
		j.Queues = nil
	}
	d.intake.RLock()
	defer d.intake.RUnlock()
	created, err := d.Store.Create(ctx, j)
	if err != nil {
		return nil, fmt.Errorf("create job after %s: %w", after, err)
	}
	if created {
		d.Log.Info("job follows", "job", j.ID, "title", j.Title, "after", after)
		d.enqueue(j)
	}
	return j, nil
}

// row is that of a new job.
func (d *Dispatcher) row(cmd chat.Command, title string, targets []deploy.Target) (*job.Job, error) {
	request, err := json.Marshal(cmd)
	if err != nil {
		return nil, fmt.Errorf("encode command: %w", err)
	}
	j := &job.Job{Key: cmd.Key, Verb: string(cmd.Verb), Request: request, Title: title, Created: d.Now(), Updated: d.Now()}
	for _, t := range targets {
		j.Queues = append(j.Queues, t.String())
	}
	return j, nil
}

// asked refuses what people cannot ask for.
func (r Route) asked(cmd chat.Command, known bool) error {
	if !known || r.Apart {
		return fault.Newf(fault.Invalid, "nothing answers `%s` here", cmd.Verb).WithHelp("`help` lists the commands")
	}
	if cmd.Cause != "" {
		return fault.New(fault.Denied, "only ferry gives itself such a command", "nothing was done")
	}
	return nil
}

// ordered puts each job that follows another one behind that, or, if that has
// ended, before all others.
func ordered(jobs []*job.Job) []*job.Job {
	var out []*job.Job
	there := map[job.ID]bool{}
	for _, j := range jobs {
		there[j.ID] = true
	}
	behind := map[job.ID][]*job.Job{}
	for _, j := range jobs {
		switch {
		case j.After == "":
		case there[j.After]:
			behind[j.After] = append(behind[j.After], j)
		default:
			out = append(out, j)
		}
	}
	var add func(j *job.Job)
	add = func(j *job.Job) {
		out = append(out, j)
		for _, next := range behind[j.ID] {
			add(next)
		}
	}
	first := out
	out = nil
	for _, j := range first {
		add(j)
	}
	for _, j := range jobs {
		if j.After == "" {
			add(j)
		}
	}
	return out
}
