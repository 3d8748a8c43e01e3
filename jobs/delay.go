package jobs

import (
	"context"
	"errors"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/fault"
)

// delayed shows why the present step takes so long while something that it needs does
// not answer: whoever waits shall not have to guess. The next attempt shows how far it
// comes instead.
func (r *change) delayed(ctx context.Context, err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || e.Kind != fault.Unavailable {
		return nil
	}
	return r.show(ctx, func(p *progress) {
		if r.row.Plan.Hash != "" {
			p.planned(r.row.Plan)
		}
		switch {
		case r.row.Commit.SHA != "":
			p.delivered(r.row)
		case r.row.Proposal.Number != 0:
			p.proposed(r.row)
		}
		p.set(p.at, chat.StepRunning, fmt.Sprintf("%s: %s; ferry goes on trying", p.name(p.at), e.Says))
	})
}
