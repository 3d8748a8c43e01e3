package outbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// action is the next call that a row needs.
type action int

const (
	nothing action = iota
	post           // nothing is known to be in the chat, and nothing can be
	find           // a first post was begun and its outcome is not known
	edit
	settling // like find, but the first post may still be on its way
	upload   // of a file; nobody sees it before it is shared
	share
	lose // a file is given up
)

// travel is how long a call that was cut off may still take effect.
const travel = 2 * time.Second

// send makes one call for a task, and what follows from it for the row. The row
// is not locked during the call, so that Put never waits for the network; the
// task's mark keeps other senders away.
func (o *Outbox) send(ctx context.Context, t *task) {
	var (
		r    row
		next action
	)
	err := o.change(ctx, t.key, func(stored *row, exists bool) (changed bool, _ error) {
		if exists && stored.open() {
			next, changed = o.prepare(stored)
		} else {
			o.mu.Lock()
			t.met = true
			o.mu.Unlock()
		}
		r = *stored
		return changed, nil
	})
	switch {
	case err != nil:
	case r.File != nil:
		err = o.callFile(ctx, next, &r)
	default:
		// A call that is cut off would have to be looked for: stopping waits for
		// its answer, which the chat's own timeout bounds.
		err = o.call(context.WithoutCancel(ctx), next, &r)
	}
	o.release(ctx, t, err)
}

// prepare decides on the next call, and changes the row as must be durable
// before it: a first post is announced.
func (o *Outbox) prepare(r *row) (next action, changed bool) {
	now := time.Now()
	switch {
	case r.File != nil:
		return o.prepareFile(r, now)
	case now.Sub(r.Wished) > o.pace.GiveUp:
		o.giveUp(r, "could not be sent for "+o.pace.GiveUp.String())
		return nothing, true
	case r.TS != "":
		return edit, false
	case r.Posting != nil && now.Sub(*r.Posting) < travel:
		return settling, false
	case r.Posting != nil && r.Wish.For == "":
		return find, false
	default:
		r.Posting = &now
		return post, true
	}
}

func (o *Outbox) giveUp(r *row, why string) {
	r.Dead = why
	o.log.Error("a message was given up", "key", r.Key, "channel", r.Thread.Channel, "reason", why)
}

// call asks the chat and stores the outcome. The error that it returns says
// that the same is to be tried again later.
func (o *Outbox) call(ctx context.Context, next action, r *row) error {
	began := time.Now()
	switch next {
	case post:
		ts, err := o.chat.Post(ctx, r.Thread, r.Key, r.shown())
		o.sent("post", time.Since(began), err)
		return o.settle(ctx, r, ts, r.digest, err)
	case edit:
		err := o.chat.Edit(ctx, r.Thread, r.TS, r.Key, r.reachable(began))
		o.sent("edit", time.Since(began), err)
		return o.settle(ctx, r, r.TS, r.digest, err)
	case find:
		ts, found, err := o.chat.Find(ctx, r.Thread, r.Key, *r.Posting)
		o.sent("find", time.Since(began), err)
		switch {
		case err == nil && !found:
			err = errNotFound
		case err != nil && !errors.Is(err, ErrGone):
			return err // of the post that it looks for it says nothing, not even if it was refused
		}
		return o.settle(ctx, r, ts, "", err) // what it shows is not known
	case settling:
		return &Wait{For: time.Until(r.Posting.Add(travel))}
	default:
		return nil
	}
}

var errNotFound = errors.New("no such message was posted")

// settle stores what a call has shown.
func (o *Outbox) settle(ctx context.Context, called *row, ts, shows string, err error) error {
	wait, waits := errors.AsType[*Wait](err)
	known := waits || errors.Is(err, ErrNotSent) || errors.Is(err, ErrGone) || errors.Is(err, errNotFound)
	saveErr := o.change(ctx, called.Key, func(r *row, _ bool) (bool, error) {
		switch {
		case err == nil:
			r.TS, r.Sent, r.SentAt, r.Posting = ts, shows, time.Now(), nil
			if shows == "" {
				r.SentAt = time.Time{} // found: it may be edited at once
			}
			if called.TS != "" {
				r.Edits++
			}
		case errors.Is(err, ErrGone):
			r.Posting = nil
			o.giveUp(r, err.Error())
		case known && r.Posting != nil:
			r.Posting = nil
		default:
			return false, nil
		}
		return true, nil
	})
	switch {
	case saveErr != nil:
		return saveErr
	case err == nil, errors.Is(err, ErrGone), errors.Is(err, errNotFound):
		return nil
	case waits:
		return wait
	default:
		return err
	}
}

// release lets a task wait for its next turn.
func (o *Outbox) release(ctx context.Context, t *task, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t.busy = false
	wait, waits := errors.AsType[*Wait](err)
	switch {
	case err == nil:
		t.tries, t.due = 0, time.Time{}
	case waits:
		t.due = time.Now().Add(wait.For)
	default:
		t.tries++
		t.due = time.Now().Add(o.pause(t.tries))
		if t.tries == 1 && ctx.Err() == nil {
			o.log.Warn("a message will be sent again", "key", t.key, "error", err)
		}
	}
	if t.met {
		delete(o.tasks, t.key)
	}
	o.signal()
}

// pause doubles with each try and is spread by a quarter both ways.
func (o *Outbox) pause(tries int) time.Duration {
	pause := o.pace.Pause
	for range tries - 1 {
		if pause = 2 * pause; pause >= o.pace.MaxPause {
			pause = o.pace.MaxPause
			break
		}
	}
	return pause*3/4 + rand.N(pause/2+1)
}
