package main

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"time"

	"ferry/playground/chaos/point"
	"ferry/playground/slack"
)

// What a person sees while GitHub and Slack are at their worst. A request to GitHub
// that is never answered takes 15 s and holds up all other changes, one to Slack 10 s;
// and Slack takes 50 edits a minute, which all jobs share. That is what makes these
// limits so long; how long it takes mostly is counted.
const (
	// wordless is how long after somebody asked something has to stand there.
	wordless = 30 * time.Second
	// puzzled is how long a status message may show a step that needs GitHub, without
	// saying what it waits for.
	puzzled = 90 * time.Second
)

// running is the step of a status message that is under way; unsaid are those that
// take no time if GitHub answers.
var (
	running = regexp.MustCompile(`▸ ([^\\"\n]+)`)
	unsaid  = [...]string{"Find the version in Git and prove the edit", "Commit", "Open a pull request"}
)

// witness looks at what stands in Slack, as people would, until ctx ends.
func (w *world) witness(ctx context.Context, commands []*command) error {
	since := map[*command]time.Time{}
	for pause(ctx, 4*glance) {
		for _, c := range commands {
			if !c.sent.Load() || c.lost || c.click() || c.kind == elseKind || c.heard {
				continue
			}
			said, err := w.said(c)
			if err != nil {
				return err
			}
			if err := w.seen(c, said, since); err != nil {
				return fmt.Errorf("%q in %s (%s): %w", c.text, c.channel, c.kind, err)
			}
		}
	}
	return nil
}

// seen judges one look at a thread.
func (w *world) seen(c *command, said []slack.Message, since map[*command]time.Time) error {
	now := time.Now()
	if len(said) == 0 {
		if now.Sub(c.asked) > wordless {
			return fmt.Errorf("nothing was said to it within %s", wordless)
		}
		return nil
	}
	if c.first == 0 {
		c.first = now.Sub(c.asked)
	}
	status, step := "", ""
	for _, m := range said {
		switch point.KindOf(string(m.Metadata)) {
		case "closing":
			c.heard = true
			return nil
		case "status":
			status = m.Text + "\n" + string(m.Blocks)
		}
	}
	if found := running.FindStringSubmatch(status); found != nil {
		step = found[1]
	}
	if !slices.Contains(unsaid[:], step) {
		delete(since, c)
		return nil
	}
	if since[c].IsZero() {
		since[c] = now
	}
	if c.puzzle = max(c.puzzle, now.Sub(since[c])); c.puzzle > puzzled {
		return fmt.Errorf("for %s its status says %q, and not what it waits for", puzzled, step)
	}
	return nil
}
