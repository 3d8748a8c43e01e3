// Package outbox makes a chat show what ferry wishes it to show. Put stores a
// wish under its key and returns; Run makes the chat agree with all wishes, for
// as long as it takes, over restarts, and once.
//
// A message is posted once and edited from then on. Edits can be repeated and
// need no care. The first post cannot: the row says "posting since T" before the
// call, and if its answer is lost, the message is looked for by its key in what
// the chat has since T before it is posted again. That search is the reason why
// every message carries its key as metadata.
//
// Edits of one message are coalesced (Pace.EditGap) and all of them share one
// budget (Pace.EditsPerMinute). The first two come quicker (Pace.FirstGap),
// because somebody who has just asked is looking; where many ask at once and
// the budget is half spent, they wait like all others. A Final state waits for
// neither: it goes first and at once, and what it overtakes is never sent. First posts within one
// thread go in the order of their first Put. A wish that could not be met for
// Pace.GiveUp is dropped with a line in the log.
//
// The package knows no Slack: what it needs of a chat is the interface Chat.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"time"

	"ferry/internal/chat"
)

// Store keeps rows durably. Rows are JSON and the outbox's own. All methods are
// safe for concurrent use; a write is durable when Save returns. The outbox
// never writes the same key from two goroutines at once.
type Store interface {
	// Load returns the row of a key; ok is false if there is none.
	Load(ctx context.Context, key string) (row []byte, ok bool, err error)
	// Save writes the row of a key. An open row waits to be sent and must be
	// kept. A row that is not open must be kept for 7 days after its last Save,
	// because its message may be edited or its buttons pressed.
	Save(ctx context.Context, key string, row []byte, open bool) error
	// Open calls fn with all open rows, in any order, until fn returns false.
	Open(ctx context.Context, fn func(key string, row []byte) (more bool)) error
}

// Chat is a chat system's way to send messages. Errors say what is known about
// the outcome: a *Wait or one that wraps ErrNotSent means that nothing happened,
// one that wraps ErrGone that it never will; after any other it is not known.
type Chat interface {
	// Post sends a new message that carries its key and returns its timestamp.
	Post(ctx context.Context, thread chat.Thread, key string, s Shown) (ts string, err error)
	// Edit replaces a message.
	Edit(ctx context.Context, thread chat.Thread, ts, key string, s Shown) error
	// Find looks for a message that carries the key and is not older than
	// since (by ferry's clock: allow for another clock on the other side).
	Find(ctx context.Context, thread chat.Thread, key string, since time.Time) (ts string, found bool, err error)
}

// Outcomes of a call to a chat.
var (
	ErrNotSent = errors.New("not sent")
	ErrGone    = errors.New("can never be sent")
)

// Wait says that nothing happened and when to ask again.
type Wait struct{ For time.Duration }

// Error implements error.
func (w *Wait) Error() string { return fmt.Sprintf("not sent: wait for %v", w.For) }

// Shown is a message as the chat is to show it.
type Shown struct {
	chat.Message
	// Operations are the opaque names of Message.Buttons, in their order.
	Operations []string
	// ControlOperations are those of Message.Controls.
	ControlOperations []string `json:",omitempty"`
	// Via is an address at which a message that one person sees can be edited; empty if
	// it can only be shown anew.
	Via string `json:"-"`
	// Asked are the buttons that were pressed; of Message.Buttons only those are left
	// then that lead somewhere, and no Controls.
	Asked []Asked
}

// Asked is a command that somebody asked for with a button.
type Asked struct {
	Command string      `json:"command"`
	By      chat.UserID `json:"by"`
}

// Pace is how fast wishes are sent. The zero value is right for Slack; tests
// and benchmarks set their own.
type Pace struct {
	EditGap        time.Duration // between edits of one message; 3 s
	FirstGap       time.Duration // before the first two edits of a message; 0.5 s
	EditsPerMinute int           // over all messages; 40
	StreamGap      time.Duration // between states of a stream; 1 s
	Senders        int           // calls at once; 8
	Pause          time.Duration // before the first retry, doubled each time; 1 s
	MaxPause       time.Duration // 1 min
	GiveUp         time.Duration // 24 h
}

// Options of an Outbox; Pace and Log have defaults. Sent, if set, is called
// after each call to the chat with what was tried ("post", "edit", "find", "upload",
// "share"), how long it took and its error. With Files and Spool, a folder that it
// makes and has for itself, what a stream's message does not hold becomes a file.
type Options struct {
	Store Store
	Chat  Chat
	Files Files
	Spool string
	Pace  Pace
	Log   *slog.Logger
	Sent  func(what string, took time.Duration, err error)
}

// Outbox implements chat.Replier and chat.Streamer.
type Outbox struct {
	store Store
	chat  Chat
	files Files
	spool string
	pace  Pace
	log   *slog.Logger
	sent  func(string, time.Duration, error)

	// rows guards the rows of the keys that hash to each lock, from Load to Save.
	rows [64]sync.Mutex
	seed maphash.Seed

	mu      sync.Mutex
	tasks   map[string]*task
	lastSeq int64
	budget  budget
	streams map[*stream]bool
	own     map[string]bool            // spooled files of this process
	waiters map[string][]chan struct{} // by key, closed when its row is sent or dead
	wake    chan struct{}
}

// New returns an outbox; nothing is sent before Run.
func New(o Options) *Outbox {
	p := &o.Pace
	p.EditGap, p.StreamGap = orDefault(p.EditGap, 3*time.Second), orDefault(p.StreamGap, time.Second)
	p.FirstGap = min(orDefault(p.FirstGap, 500*time.Millisecond), p.EditGap)
	p.Pause, p.MaxPause, p.GiveUp = orDefault(p.Pause, time.Second), orDefault(p.MaxPause, time.Minute), orDefault(p.GiveUp, 24*time.Hour)
	p.EditsPerMinute, p.Senders = orDefault(p.EditsPerMinute, 40), orDefault(p.Senders, 8)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Sent == nil {
		o.Sent = func(string, time.Duration, error) {}
	}
	return &Outbox{
		store: o.Store, chat: o.Chat, files: o.Files, spool: o.Spool, own: map[string]bool{}, pace: o.Pace, log: o.Log, sent: o.Sent,
		seed: maphash.MakeSeed(), tasks: map[string]*task{}, streams: map[*stream]bool{},
		waiters: map[string][]chan struct{}{}, wake: make(chan struct{}, 1),
		budget: budget{perMinute: o.Pace.EditsPerMinute},
	}
}

func orDefault[T int | time.Duration](v, def T) T {
	if v <= 0 {
		return def
	}
	return v
}

// Put implements chat.Replier. The thread of the first Put of a key is the
// message's own; later ones only change what it says.
func (o *Outbox) Put(ctx context.Context, thread chat.Thread, key string, m chat.Message) error {
	return o.put(ctx, thread, key, m, true)
}

// put is Put; without over it changes no message that is Final already.
func (o *Outbox) put(ctx context.Context, thread chat.Thread, key string, m chat.Message, over bool) error {
	return o.change(ctx, key, func(r *row, exists bool) (bool, error) {
		if exists && r.Wish.Final && !over {
			return false, nil
		}
		if exists {
			m.For = r.Wish.For // what one person sees is never shown to everybody
		}
		if !exists {
			*r = row{Key: key, Seq: o.nextSeq(), Thread: thread, Put: time.Now()}
		} else if equal, err := same(r.Wish, m); err != nil || equal && r.Wish.Final == m.Final {
			return false, err
		}
		r.Wish, r.Wished = m, time.Now()
		return true, nil
	})
}

// change loads a row, lets fn change it and saves it; fn reports whether it
// did. Whatever is open afterwards is due to be sent.
func (o *Outbox) change(ctx context.Context, key string, fn func(r *row, exists bool) (bool, error)) error {
	lock := &o.rows[maphash.String(o.seed, key)%uint64(len(o.rows))]
	lock.Lock()
	defer lock.Unlock()
	raw, exists, err := o.store.Load(ctx, key)
	if err != nil {
		return fmt.Errorf("load message %s: %w", key, err)
	}
	var r row
	if exists {
		if r, err = decode(raw); err != nil {
			return fmt.Errorf("decode message %s: %w", key, err)
		}
	}
	changed, err := fn(&r, exists)
	if err != nil || !changed {
		return err
	}
	if raw, err = r.encode(); err != nil {
		return fmt.Errorf("encode message %s: %w", key, err)
	}
	if err := o.store.Save(ctx, key, raw, r.open()); err != nil {
		return fmt.Errorf("save message %s: %w", key, err)
	}
	o.schedule(&r)
	return nil
}

func (o *Outbox) nextSeq() int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lastSeq = max(o.lastSeq+1, time.Now().UnixNano())
	return o.lastSeq
}

// Posted waits until the message of a key has been posted and returns its
// timestamp. It returns an error that wraps ErrGone if it never will be.
func (o *Outbox) Posted(ctx context.Context, key string) (ts string, err error) {
	for {
		posted := make(chan struct{})
		o.mu.Lock()
		o.waiters[key] = append(o.waiters[key], posted)
		o.mu.Unlock()
		var r row
		err := o.change(ctx, key, func(stored *row, _ bool) (bool, error) {
			r = *stored
			return false, nil
		})
		switch {
		case err != nil:
			return "", err
		case r.TS != "":
			return r.TS, nil
		case r.Dead != "":
			return "", fmt.Errorf("message %s: %w: %s", key, ErrGone, r.Dead)
		}
		select {
		case <-posted:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for message %s: %w", key, ctx.Err())
		}
	}
}
