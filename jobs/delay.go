package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// delayed shows why the present step takes so long while something that it needs does
// not answer: whoever waits shall not have to guess. It stands there during the next
// attempts too, until one comes further.
func (r *change) delayed(ctx context.Context, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Unavailable || r.job.Step == stepEnd { // then the end is what is shown
		return nil
	}
	r.row.Delay = e.Says
	data, err := json.Marshal(r.row)
	if err != nil {
		return fmt.Errorf("encode row of job %s: %w", r.job.ID, err)
	}
	r.job.Data = data // for the next attempt; whoever comes after a crash finds out by itself
	return r.show(ctx, func(p *progress) { p.reached(r.row) })
}

// reached shows how far a row came, and what did not answer there.
func (p *progress) reached(row changeRow) {
	if row.Plan.Hash != "" {
		p.planned(row.Plan)
	}
	switch {
	case row.Commit.SHA != "":
		p.delivered(row)
	case row.Proposal.Number != 0:
		p.proposed(row)
	}
	p.delay = row.Delay
}

// late adds to a step that runs what it waits for, if that does not answer.
func (p *progress) late(s chat.Step) chat.Step {
	if s.State == chat.StepRunning && p.delay != "" && !p.done {
		s.Text = fmt.Sprintf("%s: %s; ferry goes on trying", s.Text, p.delay)
	}
	return s
}
