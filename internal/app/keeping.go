package app

import (
	"context"
	"log/slog"
	"time"

	"ferry/internal/config"
	"ferry/storage"
	"ferry/storage/bolt"
)

// keeping are the services around the state file: what is old is forgotten, and
// whoever may read the file gets copies of it.
func keeping(ctx context.Context, c *config.Config, db *bolt.DB, log *slog.Logger) []service {
	limit := func(l config.Limit) storage.Limit { return storage.Limit{Age: l.Age, Count: int(l.Count)} }
	k := c.State.Keep
	keep := storage.Keep{History: limit(k.History), Jobs: limit(k.Jobs), Audit: limit(k.Audit)}
	out := []service{{name: "retention", run: storage.NewRetention(db, keep, time.Now, log).Run}}
	share, err := bolt.NewShare(ctx, db, log)
	if err != nil { // the place may not allow sockets, or its name be too long
		log.Warn("no copies of the state file can be had while ferry runs", "error", err)
		return out
	}
	return append(out, service{name: "state", run: share.Run})
}
