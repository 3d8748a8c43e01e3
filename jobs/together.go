package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// followAll watches the commit onto several targets at once. It is done when it is
// proven on all of them, and has failed as soon as it has on one.
func (r *change) followAll(ctx context.Context, goals []deploy.Plan, deadline time.Time) (chat.Message, error) {
	if err := r.show(ctx, func(p *progress) { p.split(r.row.Change) }); err != nil {
		return chat.Message{}, err
	}
	within, stop := context.WithCancel(ctx)
	defer stop()
	all, errs := make([]*watcher, len(goals)), make([]error, len(goals))
	var watching sync.WaitGroup
	for i, goal := range goals {
		w := &watcher{change: r, goal: goal, deadline: deadline}
		w.tell = func(ctx context.Context, o deploy.Observation) error {
			return r.show(ctx, func(p *progress) { p.seenOne(i, w.last, o) })
		}
		all[i] = w
		watching.Go(func() {
			errs[i] = w.watch(within)
			switch {
			case errs[i] != nil || w.ended() != nil:
				stop()
			case w.last.verdict == arrived:
				errs[i] = r.show(within, func(p *progress) { p.arrivedOne(i, w.seen) })
			}
		})
	}
	watching.Wait()
	if ctx.Err() != nil {
		return chat.Message{}, ctx.Err()
	}
	if worst := worstOf(all); worst != nil {
		return r.finishWorst(ctx, all, worst)
	}
	if err := errors.Join(errs...); err != nil {
		return chat.Message{}, err
	}
	return r.finishAll(ctx, all)
}

// ended is w if it ended, and not well. One that is late ends by itself, as all
// others do then.
func (w *watcher) ended() *watcher {
	if w.last.verdict == failed || w.last.verdict == replaced {
		return w
	}
	return nil
}

// worstOf is the one that decides how the job ends: one that failed, else one whose
// value was replaced, else one that is late; nil if all is well.
func worstOf(all []*watcher) *watcher {
	tests := []func(*watcher) bool{
		func(w *watcher) bool { return w.last.verdict == failed },
		func(w *watcher) bool { return w.last.verdict == replaced },
		func(w *watcher) bool { return w.late },
	}
	for _, test := range tests {
		for _, w := range all {
			if test(w) {
				return w
			}
		}
	}
	return nil
}

// part is a watcher's target with what is to be recorded of it.
func (w *watcher) part() deploy.Part {
	return deploy.Part{Target: w.goal.Change.Target, From: w.goal.From, Site: w.goal.Site}
}

// finishAll is the end in which all are healthy.
func (r *change) finishAll(ctx context.Context, all []*watcher) (chat.Message, error) {
	records := make([]deploy.Record, len(all))
	for i, w := range all {
		records[i] = r.recorded(w.part(), job.Done, "", &w.seen)
	}
	m := r.success()
	if r.row.Undo == nil {
		m.Title = fmt.Sprintf("%s `%s` is healthy on %s", r.row.Change.Target.App.Name, r.row.Change.Version, places(r.row.Change))
	}
	return r.arrived(ctx, m, records, func(p *progress) { p.done, p.tone = true, chat.Done })
}

// finishWorst is the end that one of several targets brought: it records what
// became of each, and tells which are healthy.
func (r *change) finishWorst(ctx context.Context, all []*watcher, worst *watcher) (chat.Message, error) {
	c := r.row.Change
	err, outcome := r.worded(worst)
	var healthy, open []string
	var records []deploy.Record
	for i, w := range all {
		name := place(c.Target, w.goal.Change.Target)
		what, why, text := outcome, w.last.why(), ""
		switch {
		case w.last.verdict == arrived:
			what, why = job.Done, ""
			healthy = append(healthy, name)
		case w == worst || w.ended() != nil || w.late:
			text = firstOf(w.last.reason, "not healthy in time")
		default:
			why, text = fmt.Sprintf("not followed to its end: %s", err.Says), "not followed to its end"
			open = append(open, name)
		}
		records = append(records, r.recorded(w.part(), what, why, &w.seen))
		if serr := r.show(ctx, func(p *progress) {
			if text == "" {
				p.arrivedOne(i, w.seen) // the end may have come before that was shown
			} else {
				p.failOne(i, text)
			}
		}); serr != nil {
			return chat.Message{}, serr
		}
	}
	m := chat.Message{Tone: toneOf(err), Title: err.Says, Links: r.links()}
	if why := worst.last.why(); why != "" && outcome != job.Superseded {
		m.Lines = append(m.Lines, why)
	}
	if worst.last.raw != "" && outcome != job.Superseded {
		m.Code = &chat.Code{Text: worst.last.raw}
	}
	if len(healthy) > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("It is healthy on %s.", spoken(healthy)))
	}
	if len(open) > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("It was still on its way on %s: `list %s` shows how it goes on.", spoken(open), c.Target.App.Name))
	}
	final := func(p *progress) { p.done, p.tone = true, toneOf(err) }
	if outcome != job.Superseded {
		return r.lost(ctx, err, m, worst, records, final)
	}
	for i := range records {
		if rec := r.History.Append(ctx, &records[i]); rec != nil {
			return chat.Message{}, rec
		}
	}
	m.Lines = append(m.Lines, "ferry follows this change no further.")
	return m, errors.Join(err, r.show(ctx, final))
}

// worded is the end that one target brought, in words.
func (r *change) worded(w *watcher) (*fault.Error, job.Outcome) {
	c := r.row.Change
	app, where := c.Target.App.Name, place(c.Target, w.goal.Change.Target)
	switch {
	case w.last.verdict == failed:
		return fault.Newf(fault.Failed, "%s `%s` did not become healthy on %s", app, c.Version, where), job.Failed
	case w.last.verdict == replaced:
		return fault.Newf(fault.Superseded, "%s on %s was changed again in Git before `%s` was seen healthy", app, where, c.Version), job.Superseded
	}
	return fault.Newf(fault.Expired, "%s `%s` was not healthy on %s within %s", app, c.Version, where, span(r.Rollout)), job.Expired
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// split gives each target a step of its own.
func (p *progress) split(c deploy.Change) {
	p.names = []string{place(c.Target, c.Target)}
	for _, t := range c.With {
		p.names = append(p.names, place(c.Target, t))
	}
	p.parts = make([]chat.Step, len(p.names))
	for i := range p.parts {
		p.setOne(i, chat.StepRunning, "Flux applies it")
	}
}

func (p *progress) setOne(i int, state chat.StepState, text string) {
	p.parts[i] = chat.Step{State: state, Text: p.names[i] + ": " + text}
}

func (p *progress) seenOne(i int, j judgement, _ deploy.Observation) {
	text := j.reason
	if j.cause != "" {
		text += "; " + j.cause
	}
	p.setOne(i, chat.StepRunning, text)
}

func (p *progress) arrivedOne(i int, o deploy.Observation) {
	p.setOne(i, chat.StepDone, ready(o))
}

func (p *progress) failOne(i int, text string) {
	p.setOne(i, chat.StepFailed, strings.TrimSuffix(text, "."))
}

// ready counts the pods of an observation.
func ready(o deploy.Observation) string {
	var ready, desired int32
	for _, w := range o.Workloads {
		ready, desired = ready+w.Ready, desired+w.Desired
	}
	return readiness(ready, desired, "pod")
}
