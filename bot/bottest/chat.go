package bottest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// Posted is a message as a Chat has it.
type Posted struct {
	Thread chat.Thread
	Key    string
	TS     string
	At     time.Time
	// States are all that the message has shown, and At when.
	States []outbox.Shown
	Times  []time.Time
}

// Chat is an outbox.Chat, and outbox.Files, in memory.
type Chat struct {
	mu    sync.Mutex
	posts []*Posted
	files []*File
	calls []string
	// Hidden keeps files that were shared out of searches.
	Hidden bool
	// Before and After, if set, are asked at the begin and the end of each call
	// ("post", "edit", "find", "upload", "share", "look"); an error of After is that of an answer that was
	// lost: what was asked for has happened.
	Before, After func(what, key string) error
}

func (c *Chat) call(what, key string, fn func() error) error {
	if c.Before != nil {
		if err := c.Before(what, key); err != nil {
			return err
		}
	}
	c.mu.Lock()
	c.calls = append(c.calls, what+" "+key)
	err := fn()
	c.mu.Unlock()
	if err == nil && c.After != nil {
		return c.After(what, key)
	}
	return err
}

// Post implements outbox.Chat.
func (c *Chat) Post(_ context.Context, thread chat.Thread, key string, s outbox.Shown) (ts string, err error) {
	err = c.call("post", key, func() error {
		ts = fmt.Sprintf("%d.%06d", time.Now().Unix(), len(c.posts)+1)
		c.posts = append(c.posts, &Posted{thread, key, ts, time.Now(), []outbox.Shown{s}, []time.Time{time.Now()}})
		return nil
	})
	return ts, err
}

// Edit implements outbox.Chat.
func (c *Chat) Edit(_ context.Context, _ chat.Thread, ts, key string, s outbox.Shown) error {
	return c.call("edit", key, func() error {
		for _, p := range c.posts {
			if p.TS == ts {
				p.States, p.Times = append(p.States, s), append(p.Times, time.Now())
				return nil
			}
		}
		return fmt.Errorf("no message %s: %w", ts, outbox.ErrGone)
	})
}

// Find implements outbox.Chat.
func (c *Chat) Find(_ context.Context, thread chat.Thread, key string, since time.Time) (ts string, found bool, err error) {
	err = c.call("find", key, func() error {
		for _, p := range c.posts {
			if p.Thread == thread && p.Key == key && !p.At.Before(since.Truncate(time.Second)) {
				ts, found = p.TS, true
			}
		}
		return nil
	})
	return ts, found, err
}

// Posts returns all messages in the order of their posting.
func (c *Chat) Posts() []Posted {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Posted, len(c.posts))
	for i, p := range c.posts {
		out[i] = *p
	}
	return out
}

// Calls returns what was called, such as "post key".
func (c *Chat) Calls() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.calls...)
}
