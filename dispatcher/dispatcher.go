// Package dispatcher stands between what people ask and what is done: it admits
// a command, decides whether this person may, and sees that the work happens
// once, in order, and to its end.
//
// A command is either a Query, answered at once and without a trace, or Work,
// which becomes a job: a row in the store, written before Handle returns. From
// then on the row is the truth. Jobs that share a target run one after the
// other in the order in which they were asked for; others run side by side, at
// most Options.Workers of them. One that waits for people is parked: it is a row, no
// goroutine, until its time comes or another job wants its target. A job that a
// dying process leaves behind is taken up by the next one, and its handler goes on
// where the row says. What only writes to ferry's own store is a Deed: done at once,
// without a job. What ferry asks itself for follows from a job (Follow) and goes
// before everything else that waits for its targets.
//
// Anybody's wish that a job end is stored beside its row, and Nudge tells of it:
// the next save before an effect fails with job.ErrCancelled, and the handler ends
// the job in its own way.
//
// Who may do what, where and when is decided by the pure function in gate; Policy
// gathers the facts for it, at admission and again at the moment of a commit.
package dispatcher

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Query answers a command at once. It changes nothing, so that it may be asked
// again after a crash. A message without Title is not shown: the answer is elsewhere.
type Query interface {
	Answer(ctx context.Context, cmd chat.Command) (chat.Message, error)
}

// Work is a command that has effects.
type Work interface {
	// Admit looks, without any effect, at what the command is about: a line for
	// people and the targets, which the job will have for itself. A fault from
	// here is an answer: no job is made.
	Admit(ctx context.Context, cmd chat.Command) (title string, targets []deploy.Target, err error)
	// Run does the work, or goes on with it: j.Step and j.Data are as they were
	// last saved, empty at the first start. Run saves the row before and after
	// each effect. It returns the closing message and, if the work did not end
	// well, the fault that says how; with a fault and an empty message the
	// fault is what people are told. When ctx ends, Run returns its error and
	// the job stays unfinished.
	Run(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error)
}

// Route leads a verb to what handles it: exactly one of Query, Work, Again and Deed.
type Route struct {
	Verb  chat.Verb
	Query Query
	Work  Work
	Deed  Deed
	// Again turns the command into an earlier one, with a key of its own.
	Again func(ctx context.Context, cmd chat.Command) (chat.Command, error)
	// Apart is work that ferry alone gives itself, and that only watches: its jobs
	// take no queue and no worker's place.
	Apart bool
}

// Store keeps the rows of jobs. Create stores a row under the ID that follows
// from its key, or, if the key has one, loads that; ByKey finds a row by it;
// Save is a compare-and-swap on the row's revision.
type Store interface {
	Create(ctx context.Context, j *job.Job) (created bool, err error)
	Save(ctx context.Context, j *job.Job) error
	ByKey(ctx context.Context, key string) (j *job.Job, ok bool, err error)
	Unfinished(ctx context.Context) ([]*job.Job, error)
	Get(ctx context.Context, id job.ID) (*job.Job, error)
}

// Options are what a dispatcher is made of. Log, Now, Workers, Waiting, Drain
// and Pause have defaults.
type Options struct {
	Routes  []Route
	Store   Store
	Replier chat.Replier
	Policy  *Policy
	// Deeds may be nil: then deeds find out themselves what they did before.
	Deeds Deeds
	// Explain turns an error into what people are told.
	Explain func(error) chat.Message
	Log     *slog.Logger
	Now     func() time.Time
	// Workers bounds the jobs that run at once (default 16), Waiting those that
	// wait for their turn (default 1,000).
	Workers, Waiting int
	// Drain is how long running jobs may go on when ferry stops (default 5 s).
	Drain time.Duration
	// Pause is the first pause before a job whose service did not answer is
	// tried again; it doubles up to a minute (default 1 s).
	Pause time.Duration
	// Ended is called with each job that got its outcome; it may be nil.
	Ended func(*job.Job)
}

// Dispatcher implements the bot's handler.
type Dispatcher struct {
	Options
	routes map[chat.Verb]Route

	intake  sync.RWMutex // held from the making of a row until it waits
	mu      sync.Mutex
	waiting []*job.Job
	busy    map[string]bool // queues of running jobs
	running int
	parked  map[job.ID]parked
	ready   []*job.Job               // were parked, and have their queues
	loose   map[job.ID]bool          // jobs that have begun; true for those that took no queues
	asked   map[job.ID]running       // those at work
	told    map[job.ID]bool          // running jobs that are to look again before they are parked
	ending  map[job.ID]chan struct{} // of jobs that tell their last word, closed when they have ended
	wake    chan struct{}
}

// New returns a dispatcher; nothing runs before Run.
func New(o Options) *Dispatcher {
	d := &Dispatcher{
		Options: o, routes: map[chat.Verb]Route{}, busy: map[string]bool{}, parked: map[job.ID]parked{},
		loose: map[job.ID]bool{}, asked: map[job.ID]running{}, told: map[job.ID]bool{}, ending: map[job.ID]chan struct{}{}, wake: make(chan struct{}, 1),
	}
	for _, r := range o.Routes {
		d.routes[r.Verb] = r
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	d.Workers = orDefault(d.Workers, 16)
	d.Waiting = orDefault(d.Waiting, 1000)
	d.Drain = orDefault(d.Drain, 5*time.Second)
	d.Pause = orDefault(d.Pause, time.Second)
	return d
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Handle answers a query, or stores a job for the command and returns. It may
// be called again for the same command. A returned fault is an answer for the
// person; fault.Unavailable alone asks to be called again later.
func (d *Dispatcher) Handle(ctx context.Context, cmd chat.Command) error {
	route, ok := d.routes[cmd.Verb]
	if err := route.asked(cmd, ok); err != nil {
		return err
	}
	switch {
	case route.Query != nil:
		return d.answer(ctx, cmd, route.Query)
	case cmd.Args.Mode != "":
		return d.preview(ctx, cmd, route.Work)
	case route.Deed != nil:
		return d.do(ctx, cmd, route.Deed)
	}
	if route.Again != nil {
		d.settled(ctx, job.ID(cmd.Args.Job))
		again, err := route.Again(ctx, cmd)
		if err != nil {
			return err
		}
		if cmd, route = again, d.routes[again.Verb]; route.Work == nil {
			return fmt.Errorf("nothing works on %q", again.Verb)
		}
	}
	// A command that came before is its job, whatever the world looks like now.
	if _, known, err := d.Store.ByKey(ctx, cmd.Key); err != nil || known {
		return err
	}
	j, err := d.admit(ctx, cmd, route.Work)
	if err != nil {
		return err
	}
	// A row that is made while Run reads the rows there are is one of them or not.
	d.intake.RLock()
	defer d.intake.RUnlock()
	created, err := d.Store.Create(ctx, j)
	if err != nil {
		return fmt.Errorf("create job for %s: %w", cmd.Verb, err)
	}
	if created {
		d.Log.Info("job accepted", "job", j.ID, "title", j.Title, "user", cmd.User)
		d.queued(ctx, cmd, j)
		d.enqueue(j)
	}
	return nil
}

func (d *Dispatcher) answer(ctx context.Context, cmd chat.Command, q Query) error {
	if err := d.Policy.Allow(ctx, cmd, nil); err != nil {
		return err
	}
	m, err := guarded(func() (chat.Message, error) { return q.Answer(ctx, cmd) })
	if err != nil {
		return err
	}
	if m.Title == "" {
		return nil // it is shown elsewhere
	}
	m.Final = true
	return d.Replier.Put(ctx, cmd.Thread, cmd.Key+"/answer", m)
}

func (d *Dispatcher) admit(ctx context.Context, cmd chat.Command, w Work) (*job.Job, error) {
	title, targets, err := w.Admit(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if err := d.Policy.Allow(ctx, cmd, targets); err != nil {
		return nil, err
	}
	if n := d.load(); n >= d.Waiting {
		return nil, fault.Newf(fault.Refused, "ferry is busy: %d jobs wait for their turn", n).
			WithHelp("nothing was done\nask again when some have ended; `status` shows them")
	}
	return d.row(cmd, title, targets)
}

// Run takes up what an earlier process left and works until ctx ends; then it
// gives running jobs the drain time and returns when the last one has stopped.
func (d *Dispatcher) Run(ctx context.Context) error {
	if err := d.resume(ctx); err != nil {
		return err
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var jobs sync.WaitGroup
	defer jobs.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(d.unpark(ctx))
		for _, j := range d.next() {
			jobs.Go(func() {
				if until, parks := d.run(work, ctx, j); parks {
					d.park(j, until)
				} else {
					d.release(j)
				}
			})
		}
		select {
		case <-d.wake:
		case <-timer.C:
		case <-ctx.Done():
			drain := time.AfterFunc(d.Drain, stop)
			jobs.Wait()
			drain.Stop()
			return nil
		}
	}
}

// resume takes up the rows that have no outcome.
func (d *Dispatcher) resume(ctx context.Context) error {
	d.intake.Lock()
	defer d.intake.Unlock()
	left, err := d.Store.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("read unfinished jobs: %w", err)
	}
	for _, j := range left {
		d.Log.Info("job resumed", "job", j.ID, "title", j.Title, "step", j.Step)
	}
	d.adopt(left)
	return nil
}

// run starts a job's handler until the job has an outcome, is to be parked or ctx
// ends. No new try is begun once accept has ended.
func (d *Dispatcher) run(ctx, accept context.Context, j *job.Job) (until time.Time, parks bool) {
	log := d.Log.With("job", j.ID)
	asked, heeded := d.listen(j), false
	if j.Wake.IsZero() { // else this process has begun it before
		j.Attempts++
	}
	j.Wake = time.Time{}
	for pause := d.Pause; ; pause = min(2*pause, time.Minute) {
		err := d.attempt(ctx, j, asked)
		park, parks := errors.AsType[*job.Park](err)
		switch {
		case err == nil:
			return until, false
		case ctx.Err() != nil:
			log.Info("job left for the next start", "step", j.Step)
			return until, false
		case parks:
			return park.Until, true
		case errors.Is(err, job.ErrCancelled) && !heeded:
			heeded = true
			log.Info("job is to end", "step", j.Step)
			continue
		}
		log.Warn("job will be tried again", "step", j.Step, "pause", pause, "error", err)
		hurry := asked
		if j.Cancel != nil {
			hurry = nil // it knows
		}
		select {
		case <-time.After(pause):
		case <-hurry:
		case <-accept.Done():
			return until, false
		}
	}
}

// attempt runs the handler once and ends the job, unless something failed that
// may pass.
func (d *Dispatcher) attempt(ctx context.Context, j *job.Job, asked <-chan struct{}) error {
	var cmd chat.Command
	if err := json.Unmarshal(j.Request, &cmd); err != nil {
		return d.end(ctx, j, cmd, chat.Message{}, fmt.Errorf("decode command of job %s: %w", j.ID, err))
	}
	route, ok := d.routes[chat.Verb(j.Verb)]
	if !ok || route.Work == nil {
		return d.end(ctx, j, cmd, chat.Message{}, fmt.Errorf("nothing works on %q", j.Verb))
	}
	if err := d.heed(ctx, j); err != nil {
		return err
	}
	save := func(ctx context.Context) error {
		if j.Cancel == nil && closed(asked) {
			return errors.Join(job.ErrCancelled, d.heed(ctx, j))
		}
		j.Updated = d.Now()
		return d.Store.Save(ctx, j)
	}
	closing, err := guarded(func() (chat.Message, error) { return route.Work.Run(job.WithAsked(ctx, asked), cmd, j, save) })
	if ctx.Err() != nil || fault.Is(err, fault.Unavailable) || errors.Is(err, job.ErrCancelled) {
		return errors.Join(err, ctx.Err())
	}
	if park, ok := errors.AsType[*job.Park](err); ok {
		j.Wake = park.Until
		return errors.Join(d.Store.Save(ctx, j), err)
	}
	return d.end(ctx, j, cmd, closing, err)
}

// end tells people and gives the row its outcome, in this order: told twice
// reads once, because the message has a key; ended but untold would be silence.
func (d *Dispatcher) end(ctx context.Context, j *job.Job, cmd chat.Command, closing chat.Message, err error) error {
	defer d.ends(j.ID)()
	if _, quiet := errors.AsType[*job.Quiet](err); !quiet {
		if err := d.tell(ctx, j, cmd, closing, err); err != nil {
			return err
		}
	}
	j.Outcome, j.Updated = outcome(err), d.Now()
	if err := d.Store.Save(ctx, j); err != nil {
		return err
	}
	d.Log.Info("job ended", "job", j.ID, "outcome", j.Outcome, "note", j.Note)
	if d.Ended != nil {
		d.Ended(j)
	}
	return nil
}

// tell puts a job's closing message and notes its first line.
func (d *Dispatcher) tell(ctx context.Context, j *job.Job, cmd chat.Command, closing chat.Message, err error) error {
	if err != nil && fault.KindOf(err) == fault.Internal {
		d.Log.Error("job failed inside", "job", j.ID, "step", j.Step, "error", err)
	}
	if closing.Title == "" {
		closing = d.Explain(err)
	}
	closing.Final = true
	if closing.By == "" {
		closing.By = cmd.User
	}
	j.Note = closing.Title
	return d.Replier.Put(ctx, cmd.Thread, "job/"+string(j.ID)+"/closing", closing)
}

// guarded turns a panic of one handler into that command's own failure.
func guarded(fn func() (chat.Message, error)) (m chat.Message, err error) {
	defer func() {
		if p := recover(); p != nil {
			m, err = chat.Message{}, fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return fn()
}

func outcome(err error) job.Outcome {
	if quiet, ok := errors.AsType[*job.Quiet](err); ok {
		return quiet.Outcome
	}
	switch fault.KindOf(err) {
	case "", fault.Already:
		return job.Done
	case fault.Failed, fault.Internal:
		return job.Failed
	case fault.Superseded:
		return job.Superseded
	case fault.Expired:
		return job.Expired
	case fault.Cancelled:
		return job.Cancelled
	default:
		return job.Refused
	}
}
