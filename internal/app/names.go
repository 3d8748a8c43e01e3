package app

import (
	"context"
	"log/slog"
	"time"

	"ferry/bot"
	"ferry/dispatcher"
	"ferry/internal/config"
	"ferry/internal/deploy"
)

// folders are where clusters stand in the repository.
type folders = map[deploy.Cluster]string

// names looks the people up that the configuration calls by name, once.
type names struct {
	config *config.Config
	slack  bot.Options
	policy *dispatcher.Policy
	log    *slog.Logger
	wanted []string
}

func namesOf(c *config.Config, slack bot.Options, policy *dispatcher.Policy, log *slog.Logger) names {
	n := names{config: c, slack: slack, policy: policy, log: log}
	add := func(people []config.Person) {
		for _, p := range people {
			if name := p.Name(); name != "" {
				n.wanted = append(n.wanted, name)
			}
		}
	}
	add(c.Bot.Admins)
	for _, r := range c.Roles {
		add(r.Users)
	}
	if len(n.wanted) > 0 {
		policy.Await()
	}
	return n
}

// run asks Slack until it answers, then gives the people found their rights.
func (n names) run(ctx context.Context) error {
	for pause := time.Second; len(n.wanted) > 0; pause = min(2*pause, time.Minute) {
		found, missing, err := bot.ResolveNames(ctx, n.slack, n.wanted)
		if err == nil {
			n.policy.Set(rules(n.config, found))
			for name, id := range found {
				n.log.Warn("a person is configured by name; names can be changed: write the ID instead", "name", name, "id", id)
			}
			for _, name := range missing {
				n.log.Warn("nobody, or more than one, goes by a configured name: it gives no rights", "name", name)
			}
			break
		}
		if ctx.Err() == nil {
			n.log.Warn("configured names cannot be looked up yet: they give no rights", "error", err, "pause", pause)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil //nolint:nilerr // told to stop: what failed was logged
		}
	}
	<-ctx.Done()
	return nil
}
