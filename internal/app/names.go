package app

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"ferry/bot"
	"ferry/dispatcher"
	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/deploy"
)

// folders are where clusters stand in the repository.
type folders = map[deploy.Cluster]string

// lookFor is for how long names that nobody goes by are looked for, less and less often:
// somebody may join, but a list of all people is nothing to ask for for ever.
const lookFor = 24 * time.Hour

// names looks the people up that the configuration calls by name. Whom a name meant
// once it means from then on, whatever they are called later.
type names struct {
	wanted []string
	// find is as that of bot.Names, and set gives the people found their rights.
	find func(context.Context) (found map[string]chat.UserID, missing, renamed []string, err error)
	set  func(map[string]chat.UserID)
	log  *slog.Logger
}

func namesOf(c *config.Config, slack bot.Options, policy *dispatcher.Policy, log *slog.Logger) (names, error) {
	n := names{log: log, set: func(known map[string]chat.UserID) { policy.Set(rules(c, known)) }}
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
	if len(n.wanted) == 0 {
		return n, nil
	}
	policy.Await()
	finder, err := bot.NewNames(slack, n.wanted)
	if err == nil {
		n.find = finder.Find
	}
	return n, err
}

// run asks Slack until it has told of all names, or for as long as lookFor.
func (n names) run(ctx context.Context) error {
	known, open, said := map[string]chat.UserID{}, len(n.wanted) > 0, map[string]string{}
	var answered time.Time
	for pause := time.Second; open; {
		found, missing, renamed, err := n.find(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop
		case err != nil:
			n.log.Warn("configured names cannot be looked up now: those not known yet give no rights", "error", err, "pause", pause)
		default:
			if n.learn(known, found) || answered.IsZero() {
				n.set(maps.Clone(known))
			}
			if answered.IsZero() {
				answered, pause = time.Now(), time.Minute/2
			}
			open = n.lacks(known, said, missing, "nobody, or more than one, goes by it")
			open = n.lacks(known, said, renamed, "somebody has taken it since ferry looked first; if it is meant, write the ID") || open
		}
		if open && !answered.IsZero() && time.Since(answered) >= lookFor {
			n.log.Warn("configured names are not looked for any longer: write the IDs instead, or restart ferry", "names", slices.DeleteFunc(n.wanted, func(name string) bool { _, is := known[name]; return is }))
			break
		}
		if !open {
			break
		}
		most := time.Minute
		if !answered.IsZero() {
			most = time.Hour
		}
		pause = min(2*pause, most)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil
		}
	}
	<-ctx.Done()
	return nil
}

// learn adds whom was not known; it reports whether there is somebody.
func (n names) learn(known, found map[string]chat.UserID) (more bool) {
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if _, is := known[name]; !is {
			known[name], more = found[name], true
			n.log.Warn("a person is configured by name; names can be changed: write the ID instead", "name", name, "id", found[name])
		}
	}
	return more
}

// lacks reports whether one of some names stands for nobody yet, and says so once.
func (n names) lacks(known map[string]chat.UserID, said map[string]string, these []string, why string) (some bool) {
	for _, name := range these {
		if _, is := known[name]; is {
			continue
		}
		if some = true; said[name] != why {
			said[name] = why
			n.log.Warn("a configured name gives no rights", "name", name, "because", why)
		}
	}
	return some
}
