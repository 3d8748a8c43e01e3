package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
)

// thread is what has to stand in that of a command in the end, with what ferry did
// by itself.
func (c *command) thread(a aftermath) verdict.Thread {
	c = c.of()
	t := verdict.Thread{Asked: c.questions, Root: c.slash(), Jobs: a.back, Fallen: a.fell}
	for _, one := range append([]*command{c}, c.chain...) {
		if one != c && !one.click() || one.spared.Load() {
			continue
		}
		switch {
		case one.work():
			t.Jobs++
		case !one.click() || one.tells != "" || one.waits == "answer": // else the message that has the button shows it
			t.Answers++
		}
		if one.kind == lineKind || one.kind == againKind {
			t.Outputs += 1 + int(one.presses.Load())
		}
		t.Spare += max(0, int(one.presses.Load())-1) // each may be answered with who had it
	}
	return t
}

// of is whose thread it stands in.
func (c *command) of() *command {
	if c.click() {
		return c.head
	}
	return c
}

// about is whose job a command is about: the latest one before it in its chain that
// has a thread of its own.
func (c *command) about() *command {
	out := c.head
	for _, one := range c.head.chain {
		if one == c {
			break
		}
		if one.work() && !one.click() {
			out = one
		}
	}
	return out
}

// converse asks for something, and for what follows it, each once it can be.
func (w *world) converse(ctx context.Context, c *command) error {
	if err := w.ask(ctx, c); err != nil {
		return err
	}
	before := c
	for _, next := range c.chain {
		job, err := w.wait(ctx, next, before)
		if err != nil || ctx.Err() != nil {
			return err
		}
		if next.click() {
			next.channel = c.channel
			next.root.set(c.root.get())
			err = w.press(ctx, next)
		} else {
			if !pause(ctx, typing) {
				return nil
			}
			said, serr := w.said(c)
			if serr != nil {
				return serr
			}
			next.identify(said)
			next.text, next.tells = next.fill(next.says, job), next.fill(next.tells, job)
			err = w.ask(ctx, next)
		}
		if err != nil {
			return err
		}
		before = next
	}
	return nil
}

// typing is how long a person needs at least from what they read to what they ask for:
// a job's last word is told a moment before the job has ended.
const typing = time.Second

// wait returns once a command can be asked for, with the job that it is about.
func (w *world) wait(ctx context.Context, c, before *command) (job string, err error) {
	for pause(ctx, glance) {
		if c.waits == "answer" {
			if ended, err := w.ended(before); ended || err != nil {
				return "", err
			}
			continue
		}
		said, err := w.said(c.about())
		if err != nil {
			return "", err
		}
		for _, m := range said {
			if point.KindOf(string(m.Metadata)) == c.waits && strings.Contains(m.Text, c.sees) {
				id, _, _ := strings.Cut(strings.TrimPrefix(point.KeyOf(string(m.Metadata)), "job/"), "/")
				return id, nil
			}
		}
	}
	return "", nil
}

// press presses a button, until it was taken: a press that is not acknowledged is
// shown to fail, and people press again. Slack delivers the last one again now and
// then.
func (w *world) press(ctx context.Context, c *command) error {
	c.asked = time.Now()
	for pause(ctx, glance) {
		m, action, err := w.find(c)
		if err != nil {
			return err
		}
		if action == "" && c.perhaps && c.presses.Load() == 0 {
			c.spared.Store(true)
			c.sent.Store(true)
			return nil
		}
		if action == "" {
			if c.presses.Load() > 0 {
				break // it was taken by a press of which Slack heard nothing
			}
			continue
		}
		ack, err := w.slack.Click(ctx, c.who(), c.channel, m, action, "")
		if err != nil || ack.Problem == "dispatch_failed" {
			continue // gone in that moment, or ferry is
		}
		c.presses.Add(1)
		c.envelope = ack.Envelope
		if ack.OK {
			break
		}
	}
	c.sent.Store(true)
	return w.redeliver(ctx, c)
}

// find finds the message that has a button, and its action; no action if none has.
func (w *world) find(c *command) (ts, action string, err error) {
	said, err := w.said(c)
	if err != nil {
		return "", "", err
	}
	for _, m := range said {
		var blocks []struct {
			Elements []struct {
				Type   string          `json:"type"`
				Action string          `json:"action_id"`
				Text   json.RawMessage `json:"text"`
			} `json:"elements"`
		}
		if what := point.KindOf(string(m.Metadata)); what != c.waits && !(c.waits == "answer" && what == "waiting") || json.Unmarshal(m.Blocks, &blocks) != nil {
			continue
		}
		for _, b := range blocks {
			for _, e := range b.Elements {
				var text struct{ Text string }
				if e.Type == "button" && json.Unmarshal(e.Text, &text) == nil && strings.HasPrefix(text.Text, c.button) {
					return m.TS, e.Action, nil
				}
			}
		}
	}
	return "", "", nil
}

// redeliver has Slack deliver it again.
func (w *world) redeliver(ctx context.Context, c *command) error {
	for left := c.copies; left > 0 && !c.lost && pause(ctx, 400*time.Millisecond); {
		if w.slack.Redeliver(c.envelope, 1) == nil { // there may be no socket
			left--
		}
	}
	return nil
}

// who says or presses it.
func (c *command) who() string {
	if c.by != "" {
		return c.by
	}
	return asker
}
