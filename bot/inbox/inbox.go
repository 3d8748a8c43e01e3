// Package inbox keeps what people asked until it is decided: an envelope is
// journalled, then acknowledged (by the caller, when Accept returns), then
// decided, at most Options.Workers at a time and not in any order. What a dying
// process leaves undecided is decided by the next one before anything new.
//
// The same key is decided once, however often it arrives, for as long as the
// journal remembers keys. Memory holds a bounded number of envelopes; what a
// burst brings beyond that stays in the journal and is read again from there.
package inbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Journal keeps envelopes durably. All methods are safe for concurrent use.
type Journal interface {
	// Append stores an envelope under its key unless the key is known, be it
	// pending or done; fresh tells whether it was stored. It is durable when
	// Append returns. Times of Append order the envelopes.
	Append(ctx context.Context, key string, at time.Time, raw []byte) (fresh bool, err error)
	// Pending calls fn with every envelope that is not done, the oldest first,
	// until fn returns false. fn may call Append and Done.
	Pending(ctx context.Context, fn func(key string, at time.Time, raw []byte) (more bool)) error
	// Done marks a key as decided. The key must be remembered for 24 hours from
	// then on; the envelope need not be. A key that is done or unknown is no
	// error.
	Done(ctx context.Context, key string) error
}

// Envelope is one thing that somebody did, as it came from the chat.
type Envelope struct {
	Key string
	At  time.Time // when it arrived; the same in whatever process decides it
	Raw []byte
	// Attempt counts the tries of this process, from 1.
	Attempt int
}

// Decide does what an envelope asks for. It returns nil when nothing more is to
// be done; an error means that it will be called again after a pause, with the
// same envelope and a higher Attempt.
type Decide func(ctx context.Context, e Envelope) error

// Options of an Inbox; Workers, Held, Pause and MaxPause have defaults.
type Options struct {
	Journal Journal
	Decide  Decide
	Log     *slog.Logger
	// Workers bounds the envelopes decided at once (default 16), Held those in
	// memory (default 1,000).
	Workers, Held int
	// Pause is the first pause before another try (default 1 s); it doubles up
	// to MaxPause (default 1 min).
	Pause, MaxPause time.Duration
}

// Inbox accepts envelopes and decides them.
type Inbox struct {
	Options

	mu sync.Mutex
	// held are the keys in memory: queued, being decided, or waiting for
	// another try.
	held  map[string]bool
	queue []Envelope
	// behind is set when the journal has envelopes that memory had no room for.
	behind bool
	// ended are the keys that were decided while the journal was being read;
	// nil while it is not.
	ended map[string]bool
	wake  chan struct{}
}

// New returns an inbox; nothing is decided before Run.
func New(o Options) *Inbox {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Workers, o.Held = orDefault(o.Workers, 16), orDefault(o.Held, 1000)
	o.Pause, o.MaxPause = orDefault(o.Pause, time.Second), orDefault(o.MaxPause, time.Minute)
	return &Inbox{Options: o, held: map[string]bool{}, wake: make(chan struct{}, 1)}
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Accept journals an envelope and puts it in the queue. When it returns nil the
// envelope is durable and may be acknowledged, whether or not it is fresh.
func (b *Inbox) Accept(ctx context.Context, key string, raw []byte) (fresh bool, err error) {
	at := time.Now()
	fresh, err = b.Journal.Append(ctx, key, at, raw)
	if err != nil {
		return false, fmt.Errorf("journal envelope %s: %w", key, err)
	}
	if fresh {
		b.hold(Envelope{Key: key, At: at, Raw: raw})
	}
	return fresh, nil
}

// hold queues an envelope if there is room; it reports whether to go on.
func (b *Inbox) hold(e Envelope) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.held[e.Key], b.ended[e.Key]:
		return true
	case len(b.held) >= b.Held:
		b.behind = true
		return false
	}
	b.held[e.Key] = true
	b.queue = append(b.queue, e)
	b.signal()
	return true
}

func (b *Inbox) signal() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// Run decides what the journal has pending, then what is accepted, until ctx
// ends; it returns when the last decision has returned.
func (b *Inbox) Run(ctx context.Context) error {
	if err := b.load(ctx); err != nil {
		return fmt.Errorf("read pending envelopes: %w", err)
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	free := make(chan struct{}, b.Workers)
	for {
		e, ok := b.next()
		if !ok {
			if b.catchUp(ctx) {
				continue
			}
			select {
			case <-b.wake:
				continue
			case <-ctx.Done():
				return nil
			}
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		workers.Go(func() {
			defer func() { <-free }()
			b.decide(ctx, &workers, e)
		})
	}
}

func (b *Inbox) next() (Envelope, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 {
		return Envelope{}, false
	}
	e := b.queue[0]
	b.queue = b.queue[1:]
	return e, true
}

// catchUp reads what memory had no room for, once it has; it reports whether
// there is something new to do.
func (b *Inbox) catchUp(ctx context.Context) bool {
	b.mu.Lock()
	due := b.behind && len(b.held) < b.Held
	if due {
		b.behind = false
	}
	b.mu.Unlock()
	if !due {
		return false
	}
	if err := b.load(ctx); err != nil {
		b.Log.Error("pending envelopes cannot be read", "error", err)
		b.mu.Lock()
		b.behind = true
		b.mu.Unlock()
		time.AfterFunc(b.Pause, b.signal)
		return false
	}
	return true
}

func (b *Inbox) load(ctx context.Context) error {
	b.mu.Lock()
	b.ended = map[string]bool{}
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.ended = nil
		b.mu.Unlock()
	}()
	return b.Journal.Pending(ctx, func(key string, at time.Time, raw []byte) bool {
		return b.hold(Envelope{Key: key, At: at, Raw: raw})
	})
}

// decide tries an envelope once. Waiting for another try holds no worker.
func (b *Inbox) decide(ctx context.Context, workers *sync.WaitGroup, e Envelope) {
	e.Attempt++
	err := b.Decide(ctx, e)
	if err == nil {
		err = b.done(ctx, e.Key)
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return // pending, for the next process
	case err == nil:
		b.mu.Lock()
		delete(b.held, e.Key)
		if b.ended != nil {
			b.ended[e.Key] = true
		}
		b.signal()
		b.mu.Unlock()
		return
	}
	pause := pauseAfter(e.Attempt, b.Pause, b.MaxPause)
	if e.Attempt == 1 {
		b.Log.Warn("envelope will be tried again", "key", e.Key, "error", err)
	}
	workers.Go(func() {
		select {
		case <-time.After(pause):
			b.mu.Lock()
			b.queue = append(b.queue, e)
			b.signal()
			b.mu.Unlock()
		case <-ctx.Done():
		}
	})
}

func (b *Inbox) done(ctx context.Context, key string) error {
	if err := b.Journal.Done(context.WithoutCancel(ctx), key); err != nil {
		return fmt.Errorf("mark envelope %s as done: %w", key, err)
	}
	return nil
}

// pauseAfter doubles with each attempt and is spread by a quarter both ways.
func pauseAfter(attempt int, first, most time.Duration) time.Duration {
	pause := first
	for range attempt - 1 {
		if pause = 2 * pause; pause >= most {
			pause = most
			break
		}
	}
	return pause*3/4 + rand.N(pause/2+1)
}
