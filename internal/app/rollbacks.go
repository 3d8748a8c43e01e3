package app

import (
	"context"
	"encoding/json"

	"ferry/dispatcher"
	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
)

// retreats tells the rule for what does not last on a target: the first one that is
// about it.
func retreats(c *config.Config) func(deploy.Target) deploy.Retreat {
	return func(t deploy.Target) deploy.Retreat {
		for _, r := range c.Rollbacks {
			if s := (gate.Scope{Clusters: r.Clusters, Apps: r.Apps, Namespaces: r.Namespaces}); s.Covers(t) {
				return deploy.Retreat{Mode: deploy.RetreatMode(r.OnFailure), Soak: r.Soak, Suspend: r.Automation == config.AutomationSuspend}
			}
		}
		return deploy.Retreat{Mode: deploy.RetreatOffer}
	}
}

// later is the dispatcher, which is made after what it leads to.
type later struct{ work **dispatcher.Dispatcher }

// Follow implements jobs.Follower.
func (l later) Follow(ctx context.Context, cmd chat.Command, after job.ID, data json.RawMessage) (*job.Job, error) {
	return (*l.work).Follow(ctx, cmd, after, data)
}

// amended counts what was rolled back.
type amended struct {
	rows    *storage.Jobs
	numbers *metrics
}

// RolledBack implements jobs.Amender.
func (a amended) RolledBack(ctx context.Context, id job.ID) error {
	j, first, err := a.rows.RolledBack(ctx, id)
	if first {
		a.numbers.rolledBack(j)
	}
	return err
}
