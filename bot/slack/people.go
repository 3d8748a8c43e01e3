package slack

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"ferry/internal/chat"
)

// Person is what matters about a user of the workspace.
type Person struct {
	ID      chat.UserID
	Team    chat.TeamID
	Handle  string // unique within the workspace
	Name    string // as it is shown; anybody may choose any
	Email   string // only where Slack tells it: with the scope EmailScope, of people
	Guest   bool
	Deleted bool
	Bot     bool
}

// member is a user as users.info and users.list describe one.
type member struct {
	ID         chat.UserID `json:"id"`
	TeamID     chat.TeamID `json:"team_id"`
	Name       string      `json:"name"`
	Deleted    bool        `json:"deleted"`
	Bot        bool        `json:"is_bot"`
	Restricted bool        `json:"is_restricted"`
	Ultra      bool        `json:"is_ultra_restricted"`
	Stranger   bool        `json:"is_stranger"`
	Profile    struct {
		Display string `json:"display_name"`
		Real    string `json:"real_name"`
		Email   string `json:"email"`
	} `json:"profile"`
}

func (m *member) person() Person {
	p := Person{
		ID: m.ID, Team: m.TeamID, Handle: m.Name, Name: m.Profile.Display,
		Guest: m.Restricted || m.Ultra || m.Stranger, Deleted: m.Deleted, Bot: m.Bot,
	}
	if p.Name == "" {
		p.Name = m.Profile.Real
	}
	if !p.Bot && !p.Deleted {
		p.Email = m.Profile.Email
	}
	return p
}

const (
	peopleTTL = 5 * time.Minute
	// lately is how old an answer may be that stands for one that does not come.
	lately    = time.Minute
	maxPeople = 1000
)

// people caches who people are.
type people struct {
	mu    sync.Mutex
	known map[chat.UserID]cached
}

type cached struct {
	person Person
	at     time.Time // of the question
}

// Person tells who somebody is, as Slack said within the last five minutes, or as
// chat.AskedAnew wants it; if it does not answer, within the last minute. It fails
// closed: an older answer is no answer.
func (c *Client) Person(ctx context.Context, id chat.UserID) (Person, error) {
	now := time.Now()
	c.people.mu.Lock()
	known, ok := c.people.known[id]
	c.people.mu.Unlock()
	asking, anew := chat.Asked(ctx)
	if ok && (!anew && now.Sub(known.at) < peopleTTL || anew && !known.at.Before(asking.Since)) {
		return known.person, nil
	}
	var a struct {
		User member `json:"user"`
	}
	if err := c.call(ctx, "users.info", url.Values{"user": {string(id)}}, &a); err != nil {
		if ok && now.Sub(known.at) < lately && !asking.Certain && MayPass(err) {
			return known.person, nil
		}
		return Person{}, fmt.Errorf("ask who %s is: %w", id, err)
	}
	if a.User.ID != id {
		return Person{}, fmt.Errorf("ask who %s is: Slack told of %q", id, a.User.ID)
	}
	p := a.User.person()
	c.people.mu.Lock()
	defer c.people.mu.Unlock()
	if len(c.people.known) >= maxPeople {
		for other, k := range c.people.known {
			if now.Sub(k.at) >= peopleTTL || len(c.people.known) >= maxPeople {
				delete(c.people.known, other)
			}
		}
	}
	c.people.known[id] = cached{p, now}
	return p, nil
}

// Resolve finds the users that are called by names, as older configurations
// name them. A handle is unique; a shown name counts only if exactly one full
// member has it. Names that nobody or several have are missing.
func (c *Client) Resolve(ctx context.Context, names []string) (found map[string]chat.UserID, missing []string, err error) {
	byHandle, byName := map[string]chat.UserID{}, map[string][]chat.UserID{}
	form := url.Values{"limit": {"200"}}
	for {
		var a struct {
			answer
			Members []member `json:"members"`
		}
		if err := c.patient(ctx, "users.list", form, &a); err != nil {
			return nil, nil, fmt.Errorf("list users: %w", err)
		}
		for _, m := range a.Members {
			p := m.person()
			if p.Deleted || p.Bot || p.Guest {
				continue
			}
			byHandle[strings.ToLower(p.Handle)] = p.ID
			for _, name := range uniq(m.Profile.Display, m.Profile.Real) {
				byName[name] = append(byName[name], p.ID)
			}
		}
		if a.Metadata.Cursor == "" {
			break
		}
		form.Set("cursor", a.Metadata.Cursor)
	}
	found = map[string]chat.UserID{}
	for _, name := range names {
		key := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
		if id, ok := byHandle[key]; ok && key != "" {
			found[name] = id
		} else if ids := byName[key]; len(ids) == 1 {
			found[name] = ids[0]
		} else {
			missing = append(missing, name)
		}
	}
	return found, missing, nil
}

func uniq(names ...string) (out []string) {
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
