package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"ferry/playground/slack"
)

// follower is what is asked for after a kind of command, and about it.
func follower(k kind) (kind, bool) {
	switch k {
	case cancelledKind:
		return cancelKind, true
	case retriedKind:
		return retryKind, true
	case sharedKind:
		return allKind, true
	case regretKind:
		return backKind, true
	}
	return "", false
}

// click reports whether it is a button of the command before it; what comes of
// it stands in the same thread.
func (c *command) click() bool { return c.kind == allKind || c.kind == backKind }

// label is how the button begins.
func (c *command) label() string {
	if c.kind == allKind {
		return "Promote all 2"
	}
	return "Roll back to " + c.want
}

// changes reports whether it may change what its targets run.
func (c *command) changes() bool { return c.work() && c.kind != sharedKind && c.kind != unpinKind }

// jobs is how many there are in its thread in the end.
func (c *command) jobs() int {
	if !c.work() {
		return 0
	}
	if c.next != nil && c.next.click() {
		return 2
	}
	return 1
}

// again is how often its button was pressed, or that of the command after it,
// beyond the first: each may be answered with who had it.
func (c *command) again() int {
	if c.next != nil && c.next.click() {
		c = c.next
	}
	return max(0, int(c.presses.Load())-1)
}

// targets are all that it is about.
func (c *command) targets() []target { return append([]target{c.target}, c.with...) }

// proposed reports whether it goes through a pull request.
func (c *command) proposed() bool {
	for _, t := range c.targets() {
		if t.cluster == proposed {
			return true
		}
	}
	return false
}

// follow makes the command after one, if its kind has one.
func (w *world) follow(c *command) *command {
	k, ok := follower(c.kind)
	if !ok {
		return nil
	}
	next := &command{kind: k, after: c, target: c.target, want: c.want}
	switch k {
	case cancelKind:
		next.target = target{}
	case allKind:
		next.with = []target{{proposed, c.target.app}}
	case backKind:
		next.want = w.targets[c.target].now
	}
	c.next = next
	return next
}

// converse asks for something, and for what follows it once that can be.
func (w *world) converse(ctx context.Context, c *command) error {
	if err := w.ask(ctx, c); err != nil || c.next == nil {
		return err
	}
	next, wants := c.next, "closing"
	if next.kind == cancelKind {
		wants = "status"
	}
	for pause(ctx, glance) {
		said, err := w.said(c)
		if err != nil {
			return err
		}
		for _, m := range said {
			key := keyOf(string(m.Metadata))
			if kindOf(string(m.Metadata)) != wants {
				continue
			}
			if next.click() {
				next.channel, next.root = c.channel, c.root
				return w.press(ctx, next)
			}
			job := strings.TrimSuffix(strings.TrimPrefix(key, "job/"), "/"+wants)
			next.text = map[kind]string{cancelKind: "cancel ", retryKind: "retry "}[next.kind] + job
			return w.ask(ctx, next)
		}
	}
	return nil
}

// press presses the button of a closing reply, until it was taken: a press that
// is not acknowledged is shown to fail, and people press again. Slack delivers the
// last one again now and then.
func (w *world) press(ctx context.Context, c *command) error {
	c.text, c.asked = "["+c.label()+"]", time.Now()
	for pause(ctx, glance) {
		m, action, err := w.button(c)
		if err != nil {
			return err
		}
		if action == "" {
			if c.presses.Load() > 0 {
				break // it was taken by a press of which Slack heard nothing
			}
			continue
		}
		ack, err := w.slack.Click(ctx, asker, c.channel, m, action, "")
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

// button finds the message that has it, and its action; no action if none has.
func (w *world) button(c *command) (ts, action string, err error) {
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
		if kindOf(string(m.Metadata)) != "closing" || json.Unmarshal(m.Blocks, &blocks) != nil {
			continue
		}
		for _, b := range blocks {
			for _, e := range b.Elements {
				var text struct{ Text string }
				if e.Type == "button" && json.Unmarshal(e.Text, &text) == nil && strings.HasPrefix(text.Text, c.label()) {
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

// count counts what stands in a thread, by what it is. What is told while
// something does not answer is no last word, unless it became one.
func count(said []slack.Message) map[string]int {
	counts := map[string]int{}
	for _, m := range said {
		what := kindOf(string(m.Metadata))
		if what == "waiting" {
			text := m.Text + string(m.Blocks)
			if strings.Contains(text, "goes on trying") || strings.Contains(text, "It went on") {
				continue
			}
			what = "answer"
		}
		counts[what]++
	}
	return counts
}

// check compares what stands in a command's thread with what should.
func (c *command) check(counts map[string]int) error {
	want, answers := c.jobs(), 0
	if !c.work() {
		answers = 1
	}
	if n := counts["answer"]; n < answers || n > answers+c.again() {
		return fmt.Errorf("said %v, want %d answers", counts, answers)
	}
	delete(counts, "answer")
	if counts["status"] != want || counts["closing"] != want || len(counts) > 2 {
		return fmt.Errorf("said %v, want %d status and %d closing", counts, want, want)
	}
	return nil
}
