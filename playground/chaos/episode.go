package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
	"ferry/playground/slack"
)

const (
	glance = 50 * time.Millisecond
	// storm is how long GitHub and Slack are at their worst. What it did to a job is
	// made good after it: pauses between tries grow to a minute.
	storm = 20 * time.Second
	// stuck is how long after the last kill everything must have been answered.
	stuck = 2 * time.Minute
)

// episode has n things asked for, breaks what it can meanwhile, and compares. It
// returns how many there were.
func (w *world) episode(ctx context.Context, number, n int) (int, error) {
	commands := w.draw(n)
	alarms := w.sound(len(commands)) // they may be fewer, and so are the kills that alarms wait for
	w.kills = nil
	w.felled.Store(0)
	fmt.Fprintf(w.out, "world %d, episode %d asks for %s\n", w.number, number, kinds(commands))
	old := len(w.repo().Pulls())
	if err := w.ferry.Start(); err != nil {
		return 0, err
	}
	if w.faults != nil {
		w.faults.calm(false)
	}
	asking, stop := context.WithCancel(ctx)
	defer stop()
	group, gctx := errgroup.WithContext(asking)
	for _, c := range commands {
		if c.head == c {
			group.Go(func() error { return w.converse(gctx, c) })
		}
	}
	for _, a := range alarms {
		group.Go(func() error { return w.raise(gctx, a) })
	}
	if w.faults != nil {
		group.Go(func() error {
			within, over := context.WithTimeout(gctx, storm)
			defer over()
			w.faults.sockets(within, w.slack)
			w.faults.calm(true)
			return nil
		})
		group.Go(func() error { return w.witness(gctx, commands) })
	}
	group.Go(func() error {
		who, since := newPeople(w.repo(), commands), map[*command]time.Time{}
		for pause(gctx, glance) {
			if err := errors.Join(who.look(time.Now(), old), w.topple(commands, since)); err != nil {
				return err
			}
		}
		return nil
	})
	group.Go(func() error {
		defer stop() // nobody needs to look any more
		if w.mode == modeKill {
			if err := w.havoc(gctx, len(commands)); err != nil {
				return err
			}
			if w.options.runs >= enough {
				group.Go(func() error { return w.lurk(gctx) })
			}
		}
		return w.settle(gctx, commands, alarms)
	})
	if err := group.Wait(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	rows, err := w.quiet(ctx)
	if err != nil {
		return 0, err
	}
	if err := errors.Join(w.judge(ctx, commands, rows, old), w.kept(commands, rows), w.hearken()); err != nil {
		return 0, err
	}
	w.account.sounded(alarms)
	fmt.Fprintf(w.out, "world %d, episode %d: %d commands and %d alarms, none lost, none twice\n", w.number, number, len(commands), len(alarms))
	if len(w.kills) > 0 {
		fmt.Fprintf(w.out, "world %d, episode %d drew %s\n", w.number, number, drawn(w.kills))
	}
	return len(commands), nil
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask says it, and has Slack deliver it again now and then.
func (w *world) ask(ctx context.Context, c *command) error {
	for w.felled.Load() < c.late {
		if !pause(ctx, glance) {
			return nil
		}
	}
	if !pause(ctx, c.at) {
		return nil
	}
	c.asked = time.Now()
	if c.slash() {
		if err := w.slash(ctx, c); err != nil {
			return err
		}
	} else {
		root, err := w.slack.Say(c.who(), c.channel, "<@U0FERRY> "+c.text, "")
		if err != nil {
			return err
		}
		c.root.set(root)
		for _, e := range w.slack.Envelopes() {
			if strings.Contains(string(e.Payload), `"ts":"`+root+`"`) {
				c.envelope = e.ID
			}
		}
	}
	c.sent.Store(true)
	return w.redeliver(ctx, c)
}

// slash types a command until Slack finds ferry; if it is not acknowledged in time,
// the person is told so, and it may be done or not.
func (w *world) slash(ctx context.Context, c *command) error {
	for pause(ctx, glance) {
		ack, err := w.slack.Slash(ctx, c.who(), c.channel, "/ferry", c.text)
		if err != nil {
			return err
		}
		if ack.Problem == "dispatch_failed" {
			continue
		}
		c.envelope, c.lost = ack.Envelope, !ack.OK
		return nil
	}
	return nil
}

// settle waits until each command has its last word, and people know of each alarm.
func (w *world) settle(ctx context.Context, commands []*command, alarms []*alarm) error {
	end := time.Now().Add(stuck)
	for pause(ctx, glance) {
		var open []*command
		for _, c := range commands {
			if c.answered > 0 || c.sent.Load() && c.lost {
				continue
			}
			done, err := w.ended(c)
			if err != nil {
				return err
			}
			if !done {
				open = append(open, c)
				continue
			}
			c.answered = time.Since(c.asked)
		}
		unheard := slices.DeleteFunc(slices.Clone(alarms), w.settled)
		if len(open)+len(unheard) == 0 {
			return nil
		}
		if time.Now().After(end) {
			return errors.Join(fmt.Errorf("without an answer after %s: %s", stuck, describe(open)), w.unheard(unheard))
		}
	}
	return nil
}

func describe(commands []*command) string {
	var out []string
	for _, c := range commands {
		if !c.sent.Load() {
			out = append(out, fmt.Sprintf("%s, which was not asked for yet", c.kind))
			continue
		}
		out = append(out, fmt.Sprintf("%q in %s (%s)", c.text, c.channel, c.kind))
	}
	return strings.Join(out, ", ")
}

// ended reports whether the last word on a command stands in Slack.
func (w *world) ended(c *command) (bool, error) {
	if !c.sent.Load() {
		return false, nil
	}
	if c.kind == elseKind || c.spared.Load() {
		return true, nil // that person alone sees it, or does not
	}
	said, err := w.said(c)
	if err != nil {
		return false, err
	}
	a := aftermathOf(said)
	counts, t := verdict.Count(said), c.thread(a)
	switch {
	case counts["answer"] > t.Answers+t.Spare:
		return false, fmt.Errorf("%q in %s was refused: %s", c.text, c.channel, said[len(said)-1].Text)
	case !c.work() && c.click() && !c.head.work():
		return counts["answer"] >= t.Answers, nil // one of its head's, and its own
	case !c.work():
		return counts["answer"] >= min(1, t.Answers), nil
	case c.click():
		return counts["closing"] > 1, nil
	}
	return a.over(c, counts["closing"]), nil
}

// said is what ferry wrote for a command; it finds the root of a slash command.
func (w *world) said(c *command) ([]slack.Message, error) {
	root := c.root.get()
	if root == "" {
		all, err := w.slack.Messages(c.channel, "")
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			if key := point.KeyOf(string(m.Metadata)); strings.Contains(key, c.envelope) && strings.HasSuffix(key, "/root") {
				root = m.TS
				c.root.set(root)
			}
		}
		if root == "" {
			return nil, nil
		}
	}
	thread, err := w.slack.Messages(c.channel, root)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(thread, func(m slack.Message) bool { return m.BotID == "" || m.Ephemeral }), nil
}

// quiet stops ferry once it has nothing left to send, and returns what it stored.
func (w *world) quiet(ctx context.Context) (*verdict.State, error) {
	for range 20 {
		if !pause(ctx, 300*time.Millisecond) {
			return nil, ctx.Err()
		}
		if err := w.ferry.End(syscall.SIGTERM); err != nil {
			return nil, err
		}
		s, err := verdict.Read(w.state())
		if err != nil || s.Calm() {
			return s, err
		}
		if err := w.ferry.Start(); err != nil {
			return nil, err
		}
		if !pause(ctx, 2*time.Second) {
			return nil, ctx.Err()
		}
	}
	return nil, errors.New("ferry does not come to rest: envelopes, jobs or messages are left")
}
