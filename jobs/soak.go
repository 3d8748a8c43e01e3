package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// soakVerb is the command that ferry gives itself to watch what it has brought.
// Nobody can write it.
const soakVerb chat.Verb = "watch"

// stepSoak is where a watch is from its beginning.
const stepSoak job.Step = "watching"

// soaking is what a watch adds to the row of the change that it follows.
type soaking struct {
	// Healthy is when the change was seen healthy, Until when the watch is over.
	Healthy time.Time `json:"healthy"`
	Until   time.Time `json:"until"`
	// Part: the job that is followed brought more than this.
	Part bool `json:"part,omitempty"`
	// Missed is how long after Until ferry looked again, which did not watch then; 0 if it
	// did.
	Missed time.Duration `json:"missed,omitempty"`
	// look is until when this process looks at least.
	look time.Time
}

// soak watches what a promotion brought, for a time after it was seen healthy. It
// is a job without a queue: what else is asked for its target goes on.
type soak struct{ changer }

// arrived ends a change that is proven everywhere. That is stored before it is recorded
// or shown: whoever takes the job up then neither judges it again nor shows it as going
// on.
func (r *change) arrived(ctx context.Context, m chat.Message, records []deploy.Record, edit func(*progress)) (chat.Message, error) {
	c := r.row.Change
	var watch time.Duration
	if r.cmd.Verb == promoteSyntax.Verb && r.Follower != nil {
		watch = r.rule(loss{Target: c.Target, With: c.With}).Soak
	}
	return r.conclude(ctx, &end{Message: m, Records: records, Soak: watch}, edit)
}

// watched makes the job that watches what has arrived; a key makes one. It reports
// whether there is one: what may not be watched ends as well without.
func (r *change) watched(ctx context.Context, key string, w soaking) (made bool, err error) {
	row := r.row
	row.End, row.Undo, row.Soak = nil, nil, &w
	data, err := json.Marshal(row)
	if err != nil {
		return false, fmt.Errorf("encode the watch after job %s: %w", r.job.ID, err)
	}
	t := r.row.Change.Target
	_, err = r.Follower.Follow(ctx, chat.Command{
		Key: key, User: self, Thread: r.cmd.Thread, Text: r.cmd.Text, At: w.Healthy,
		Verb: soakVerb, Cause: string(r.job.ID),
		Args: chat.Args{App: chat.Word(t.App.String()), Cluster: chat.Word(t.Cluster), Version: chat.Word(r.row.Change.Version), Targets: chat.Word(places(r.row.Change))},
	}, r.job.ID, data)
	if e, refused := errors.AsType[*fault.Error](err); refused && e.Kind != fault.Unavailable {
		r.Log.Warn("what has arrived is not watched", "job", r.job.ID, "error", err)
		return false, nil
	}
	return err == nil, err
}

// Admit implements Work. A watch has no queue.
func (s soak) Admit(_ context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	_, name, _ := strings.Cut(string(cmd.Args.App), "/")
	return fmt.Sprintf("Watch %s `%s` on %s", name, cmd.Args.Version, cmd.Args.Targets), nil, nil
}

// Run implements Work.
func (s soak) Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	row, err := rowOf(j)
	if err != nil || row.Soak == nil {
		return chat.Message{}, errors.Join(err, errIf(row.Soak == nil, "the row of watch %s has no end", j.ID))
	}
	r := &change{changer: s.changer, cmd: cmd, job: j, save: save, row: row}
	switch {
	case j.Step == stepEnd:
		return r.carry(ctx)
	case j.Cancel != nil:
		c := row.Change
		says := fmt.Sprintf("ferry no longer watches %s `%s` on %s", c.Target.App.Name, c.Version, places(c))
		return chat.Message{Tone: chat.Info, Title: says, By: chat.UserID(j.Cancel.By)}, fault.New(fault.Cancelled, says, "")
	case j.Step == stepSoak:
		r.overslept()
	default:
		j.Note = fmt.Sprintf("healthy; watched until %s UTC", row.Soak.Until.UTC().Format("15:04"))
		if err := r.step(ctx, stepSoak); err != nil {
			return chat.Message{}, err
		}
	}
	listens, asked, stop := listening(ctx)
	defer stop()
	m, err := r.soaks(listens)
	if j.Stuck.IsZero() && fault.Is(err, fault.Unavailable) {
		j.Stuck = s.Now()
	}
	if err != nil && ctx.Err() == nil && asked() {
		return chat.Message{}, job.ErrCancelled
	}
	return m, err
}

// soaks watches all targets of a change until one has fallen over, somebody changed
// it, or the time is over.
func (r *change) soaks(ctx context.Context) (chat.Message, error) {
	goals, until := r.goals(), later(r.row.Soak.Until, r.row.Soak.look)
	within, stop := context.WithCancel(ctx)
	defer stop()
	all, errs := make([]*watcher, len(goals)), make([]error, len(goals))
	var watching sync.WaitGroup
	for i, goal := range goals {
		w := &watcher{change: r, goal: goal, deadline: until, soaks: true}
		w.tell = func(context.Context, deploy.Observation) error { return nil }
		all[i] = w
		watching.Go(func() {
			if errs[i] = w.watch(within); errs[i] != nil || w.ended() != nil {
				stop()
			}
		})
	}
	watching.Wait()
	if ctx.Err() != nil {
		return chat.Message{}, ctx.Err()
	}
	worst := worstOf(all)
	switch {
	case worst == nil:
		return chat.Message{}, fault.New(fault.Unavailable, "what was brought cannot be watched", "").Because(errors.Join(errs...))
	case worst.late:
		r.job.Note = r.lasted(all)
		return chat.Message{}, &job.Quiet{Outcome: job.Done}
	case worst.last.verdict == replaced:
		return r.changedSince()
	}
	if busy, err := r.busy(ctx); err != nil || busy {
		if err != nil {
			return chat.Message{}, err
		}
		return r.changedSince()
	}
	return r.fell(ctx, worst)
}

// overslept gives a watch that is taken up at its end, or after it, the time for a look
// in which a failure can be believed. What is seen after the end may have come after it,
// too: that is said, and nothing goes back for it by itself. What cannot be looked at gets
// no such time for ever.
func (r *change) overslept() {
	w, now := r.row.Soak, r.Now()
	if now.Add(r.Grace).Before(w.Until) {
		return
	}
	if stuck := r.job.Stuck; !stuck.IsZero() && now.After(later(stuck, w.Until).Add(r.Answer)) {
		return
	}
	w.look = now.Add(r.Grace + lastLook)
	if missed := now.Sub(w.Until); missed > r.Grace { // else it is what a restart takes
		w.Missed = missed
	}
}

// lasted says what is known at the end of a watch.
func (r *change) lasted(all []*watcher) string {
	took, w := span(r.row.Soak.Until.Sub(r.row.Soak.Healthy)), r.row.Soak
	blind := slices.IndexFunc(all, (*watcher).blind)
	switch {
	case blind >= 0 && w.Missed > 0:
		return fmt.Sprintf("nothing was seen to fall over, but ferry did not watch when the %s were over, and %s does not answer", took, all[blind].goal.Change.Target.Cluster)
	case blind >= 0:
		return fmt.Sprintf("nothing was seen to fall over within %s, but %s does not answer", took, all[blind].goal.Change.Target.Cluster)
	case w.Missed > 0 && slices.ContainsFunc(all, func(x *watcher) bool { return x.last.verdict != arrived }):
		return fmt.Sprintf("it was not ready when ferry looked again, %s after the %s were over, and nothing says that it failed", span(w.Missed), took)
	case w.Missed > 0:
		return fmt.Sprintf("it was healthy when ferry looked again, %s after the %s were over", span(w.Missed), took)
	}
	return "nothing fell over within " + took
}

func (r *change) changedSince() (chat.Message, error) {
	r.job.Note = "it was changed again"
	return chat.Message{}, &job.Quiet{Outcome: job.Superseded}
}

// busy reports whether another job has one of the targets.
func (r *change) busy(ctx context.Context) (bool, error) {
	open, err := r.Rows.Unfinished(ctx)
	if err != nil {
		return false, err
	}
	mine := []string{r.row.Change.Target.String()}
	for _, t := range r.row.Change.With {
		mine = append(mine, t.String())
	}
	return slices.ContainsFunc(open, func(j *job.Job) bool {
		return j.ID != job.ID(r.cmd.Cause) && j.After != r.job.ID && overlap(j.Queues, mine)
	}), nil
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// fell ends a watch by what it was for.
func (r *change) fell(ctx context.Context, w *watcher) (chat.Message, error) {
	c := r.row.Change
	failing, _ := w.times()
	err := fault.Newf(fault.Failed, "%s `%s` fell over on %s, %s after it was healthy", c.Target.App.Name, c.Version,
		place(c.Target, w.goal.Change.Target), span(failing.Sub(r.row.Soak.Healthy)))
	var missed []string
	if s := r.row.Soak; s.Missed > 0 {
		err = fault.Newf(fault.Failed, "%s `%s` fell over on %s: seen %s after it was healthy", c.Target.App.Name, c.Version, place(c.Target, w.goal.Change.Target), span(failing.Sub(s.Healthy)))
		missed = []string{fmt.Sprintf("ferry was to watch it for %s, and did not watch when they were over: it may have fallen over later.", span(s.Until.Sub(s.Healthy)))}
	}
	m := chat.Message{Tone: chat.Failure, Title: err.Says, Links: r.links()}
	if why := w.last.why(); why != "" {
		m.Lines = append(m.Lines, why)
	}
	m.Lines = append(m.Lines, missed...)
	if w.last.raw != "" {
		m.Code = &chat.Code{Text: w.last.raw}
	}
	return r.lost(ctx, err, m, w, nil, nil)
}

func errIf(wrong bool, format string, args ...any) error {
	if !wrong {
		return nil
	}
	return fmt.Errorf(format, args...)
}
