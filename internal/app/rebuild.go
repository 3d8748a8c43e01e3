package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// rebuild reads what ferry did on the branch into the history.
func (p Process) rebuild(ctx context.Context, c *config.Config, since time.Time) int {
	d, err := newDelivery(c, p.logger(config.Log{Level: "error"}), nil)
	if err != nil {
		return p.refuse(err)
	}
	db, err := bolt.Open(c.State.File)
	if err != nil {
		return p.refuse(err)
	}
	added, known, err := readBack(ctx, db, func(fn func(deploy.Record) error) error { return d.Promotions(ctx, since, fn) })
	if err = errors.Join(err, db.Close()); err != nil {
		fmt.Fprintf(p.Err, "%d changes were added before this; what is missing is added by the next run\n", added)
		return p.refuse(err)
	}
	fmt.Fprintf(p.Out, "%d changes were added to the history, %d were in it\n", added, known)
	if added > 0 {
		fmt.Fprintln(p.Out, "what became of the added ones is not known: `history` shows them, `rollback` does not go back to them")
	}
	return exitOK
}

func readBack(ctx context.Context, db storage.KV, promotions func(func(deploy.Record) error) error) (added, known int, err error) {
	b, err := storage.NewHistory(db).Rebuild(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = promotions(func(r deploy.Record) error { return b.Add(ctx, r) })
	if b.Added > 0 {
		says := fmt.Sprintf("%d changes were read from Git into the history", b.Added)
		err = errors.Join(err, storage.NewTrail(db, time.Now).Add(ctx, job.Entry{Deed: job.Rebuilt, Says: says}))
	}
	return b.Added, b.Known, err
}

// hint says what helps a ferry that remembers nothing. That it reads Git by
// itself would surprise whoever starts it for the first time.
func hint(ctx context.Context, h *storage.History, log *slog.Logger) error {
	empty := true
	if err := h.Targets(ctx, func(deploy.Target) bool { empty = false; return false }); err != nil {
		return err
	}
	if empty {
		log.Info("the history is empty; if it was lost, `ferry state rebuild` reads it from Git")
	}
	return nil
}
