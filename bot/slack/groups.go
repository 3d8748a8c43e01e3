package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// What Slack said of a group is asked again after groupFresh, and counts for no
// longer than groupGood if it does not answer then.
const (
	groupFresh = time.Minute
	groupGood  = 5 * time.Minute
)

// groups caches who is in which user group.
type groups struct {
	mu    sync.Mutex
	known map[chat.GroupID]*group
}

type group struct {
	asking  sync.Mutex // held while Slack is asked: of several who want to know one asks
	mu      sync.Mutex
	members []chat.UserID
	at      time.Time // of the question
}

func (g *groups) of(id chat.GroupID) *group {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.known == nil {
		g.known = map[chat.GroupID]*group{}
	}
	if g.known[id] == nil {
		g.known[id] = &group{}
	}
	return g.known[id]
}

func (g *group) within(age time.Duration) ([]chat.UserID, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.members, !g.at.IsZero() && time.Since(g.at) < age
}

// fresh returns what need not be asked again.
func (g *group) fresh(ctx context.Context) ([]chat.UserID, bool) {
	asking, anew := chat.Asked(ctx)
	if !anew {
		return g.within(groupFresh)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.members, !g.at.IsZero() && !g.at.Before(asking.Since)
}

// Members tells who is in a user group, as Slack said within the last minute, or
// within five if it does not answer. With chat.AskedAnew it is as Slack said since
// then, or, unless that has to be certain, within the last minute if it does not
// answer. It fails closed: an older answer is none. The groups that are asked for are those of the configuration, so
// that they are few.
func (c *Client) Members(ctx context.Context, id chat.GroupID) ([]chat.UserID, error) {
	g := c.groups.of(id)
	if members, ok := g.fresh(ctx); ok {
		return members, nil
	}
	g.asking.Lock()
	defer g.asking.Unlock()
	if members, ok := g.fresh(ctx); ok {
		return members, nil
	}
	good, now := groupGood, time.Now()
	asking, anew := chat.Asked(ctx)
	if anew {
		good = lately
	}
	var a struct {
		Users []chat.UserID `json:"users"`
	}
	if err := c.call(ctx, "usergroups.users.list", url.Values{"usergroup": {string(id)}}, &a); err != nil {
		if members, ok := g.within(good); ok && !asking.Certain && MayPass(err) {
			return members, nil
		}
		return nil, fmt.Errorf("ask who is in the group %s: %w", id, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members, g.at = a.Users, now
	return a.Users, nil
}

// CheckGroups tries to read each of some groups; it needs the scope usergroups:read.
func (c *Client) CheckGroups(ctx context.Context, ids []chat.GroupID) []Finding {
	out := make([]Finding, 0, len(ids))
	for _, id := range ids {
		f := Finding{What: "Slack user group " + string(id)}
		switch members, err := c.Members(ctx, id); {
		case err != nil:
			f.Detail, f.Help = err.Error(), "give the app the scope usergroups:read, and take the ID (S…) from the group's address in Slack"
		case len(members) == 0:
			f.Detail, f.Help = "nobody is in it", "it gives nobody a right: add people, or name another"
		default:
			f.OK, f.Detail = true, fmt.Sprintf("%d people", len(members))
		}
		out = append(out, f)
	}
	return out
}

// MayPass reports whether an error of a call is worth another try: not if Slack
// answered that it will not.
func MayPass(err error) bool {
	if _, waits := errors.AsType[*outbox.Wait](err); waits {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err != nil
	}
	switch e.Code {
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout":
		return true
	}
	return e.Status >= http.StatusInternalServerError
}
