package outbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"ferry/internal/chat"
)

// task is an open row as far as the order of sending goes.
type task struct {
	key    string
	seq    int64
	thread chat.Thread
	file   bool
	posted bool
	final  bool
	last   time.Time // when the chat's state is from
	edits  int       // how many there were
	due    time.Time // not before, after a failure
	tries  int       // in a row that failed
	busy   bool
	met    bool // nothing is left to send
}

// schedule takes note of a row that was just saved.
func (o *Outbox) schedule(r *row) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if r.TS != "" || r.Dead != "" {
		for _, w := range o.waiters[r.Key] {
			close(w)
		}
		delete(o.waiters, r.Key)
	}
	t := o.tasks[r.Key]
	if !r.open() {
		if t != nil {
			t.met = true // a busy sender still holds it
		}
		if t != nil && !t.busy {
			delete(o.tasks, r.Key)
		}
		return
	}
	if t == nil {
		t = &task{key: r.Key, seq: r.Seq, thread: r.Thread, file: r.File != nil}
		o.tasks[r.Key] = t
	}
	t.posted, t.final, t.last, t.edits, t.met = r.TS != "", r.Wish.Final, r.SentAt, r.Edits, false
	o.lastSeq = max(o.lastSeq, r.Seq)
	o.signal()
}

func (o *Outbox) signal() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends; it returns when the last call has returned.
func (o *Outbox) Run(ctx context.Context) error {
	if err := o.resume(ctx); err != nil {
		return err
	}
	var senders sync.WaitGroup
	defer senders.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		now := time.Now()
		ready, next := o.ready(now)
		for _, t := range ready {
			senders.Go(func() { o.send(ctx, t) })
		}
		flush, nextFlush := o.flushable(now)
		for _, s := range flush {
			senders.Go(func() { s.flush(ctx) })
		}
		timer.Reset(earlier(next, nextFlush).Sub(now))
		select {
		case <-o.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

func (o *Outbox) resume(ctx context.Context) error {
	var promised []string
	err := o.store.Open(ctx, func(key string, raw []byte) bool {
		r, err := decode(raw)
		if err != nil {
			o.log.Error("a stored message cannot be read", "key", key, "error", err)
			return true
		}
		if r.File != nil {
			promised = append(promised, r.File.Spool)
		}
		o.schedule(&r)
		return true
	})
	if err != nil {
		return fmt.Errorf("read unsent messages: %w", err)
	}
	o.sweep(promised)
	return nil
}

// idle is how long Run sleeps if nothing calls for it.
const idle = time.Hour

// ready picks the tasks whose turn it is, marks them busy, and tells when to
// look again.
func (o *Outbox) ready(now time.Time) (out []*task, next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	next = now.Add(idle)
	busy := 0
	var waiting []*task
	first := map[chat.Thread]*task{} // of each thread, the first message that is not posted
	for _, t := range o.tasks {
		if t.busy {
			busy++
		} else {
			waiting = append(waiting, t)
		}
		if f := first[t.thread]; !t.posted && !t.file && t.thread.Root != "" && (f == nil || t.seq < f.seq) {
			first[t.thread] = t
		}
	}
	slices.SortFunc(waiting, func(a, b *task) int {
		if a.final != b.final {
			if a.final {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.seq, b.seq)
	})
	for _, t := range waiting {
		if busy >= o.pace.Senders {
			return out, next // a sender that ends wakes Run
		}
		if f := first[t.thread]; !t.posted && f != nil && f != t && f.seq < t.seq {
			continue
		}
		if at := o.turn(t, now); at.After(now) {
			next = earlier(next, at)
			continue
		}
		t.busy = true
		busy++
		out = append(out, t)
	}
	return out, next
}

// firstEdits is how many edits of a message come quicker than the others.
const firstEdits = 2

// turn is when a task may be sent; if that is now, an edit has used its share
// of the budget.
func (o *Outbox) turn(t *task, now time.Time) time.Time {
	at := t.due
	if t.posted && !t.final {
		gap := o.pace.EditGap
		if t.edits < firstEdits && o.budget.ample(now) {
			gap = o.pace.FirstGap
		}
		if next := t.last.Add(gap); next.After(at) {
			at = next
		}
	}
	if at.After(now) || !t.posted {
		return at
	}
	return o.budget.use(now, t.final)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// budget is a token bucket that holds a quarter of a minute's edits. Final
// states may overdraw it.
type budget struct {
	perMinute int
	tokens    float64
	at        time.Time
}

// use takes a token and returns now, or returns when there will be one.
func (b *budget) use(now time.Time, overdraw bool) time.Time {
	b.fill(now)
	if b.tokens < 1 && !overdraw {
		return now.Add(time.Duration((1-b.tokens)/b.rate()) + time.Millisecond)
	}
	b.tokens--
	return now
}

// ample reports whether at least half of the bucket is left.
func (b *budget) ample(now time.Time) bool {
	b.fill(now)
	return b.tokens >= b.burst()/2
}

func (b *budget) burst() float64 { return max(1, float64(b.perMinute)/4) }

// rate is in tokens per nanosecond.
func (b *budget) rate() float64 { return float64(b.perMinute) / float64(time.Minute) }

func (b *budget) fill(now time.Time) {
	if b.at.IsZero() {
		b.tokens = b.burst()
	} else {
		b.tokens = min(b.burst(), b.tokens+b.rate()*float64(now.Sub(b.at)))
	}
	b.at = now
}
