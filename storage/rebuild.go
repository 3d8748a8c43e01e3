package storage

import (
	"context"

	"ferry/internal/deploy"
)

// Rebuilder adds to a history what Git tells.
type Rebuilder struct {
	history *History
	known   map[change]bool
	// Added and Known count what was added, and what was there before.
	Added, Known int
}

// change is a job's change of a target.
type change struct {
	target deploy.Target
	job    string
}

// Rebuild reads what a history knows, so that what Git tells is added once: a
// change that ferry saw itself stays as it saw it, and the same commit read again
// is the same record.
func (h *History) Rebuild(ctx context.Context) (*Rebuilder, error) {
	b := &Rebuilder{history: h, known: map[change]bool{}}
	err := h.All(ctx, func(r deploy.Record) bool {
		if r.Commit != "" && r.Command != "seen" {
			b.known[change{r.Target, r.Job}] = true
		}
		return true
	})
	return b, err
}

// Add adds a record unless the history has it. Its health is not known, whatever
// it says.
func (b *Rebuilder) Add(ctx context.Context, r deploy.Record) error {
	c := change{r.Target, r.Job}
	if b.known[c] {
		b.Known++
		return nil
	}
	r.FromGit, r.Healthy, r.Evidence = true, false, nil
	if err := b.history.Append(ctx, &r); err != nil {
		return err
	}
	b.known[c] = true
	b.Added++
	return nil
}
