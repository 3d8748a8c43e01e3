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

// Named is somebody and the names that they go by, in lower case.
type Named struct {
	ID     chat.UserID
	Handle string
	Names  []string
}

// Named returns all people of the workspace but guests.
func (c *Client) Named(ctx context.Context) ([]Named, error) {
	var out []Named
	form := url.Values{"limit": {"200"}}
	for {
		var a struct {
			answer
			Members []member `json:"members"`
		}
		if err := c.patient(ctx, "users.list", form, &a); err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		for _, m := range a.Members {
			if p := m.person(); !p.Deleted && !p.Bot && !p.Guest {
				out = append(out, Named{p.ID, strings.ToLower(p.Handle), uniq(m.Profile.Display, m.Profile.Real)})
			}
		}
		if a.Metadata.Cursor == "" {
			return out, nil
		}
		form.Set("cursor", a.Metadata.Cursor)
	}
}

// Goes reports whether somebody goes by a name.
func (n *Named) Goes(name string) bool {
	return n.Handle == spelled(name) || slices.Contains(n.Names, spelled(name))
}

// ByName finds the one who has a name as a handle, else the only one who goes by it.
func ByName(all []Named, name string) (id chat.UserID, ok bool) {
	key, n := spelled(name), 0
	if key == "" {
		return "", false
	}
	for i := range all {
		if all[i].Handle == key {
			return all[i].ID, true
		}
		if slices.Contains(all[i].Names, key) {
			id = all[i].ID
			n++
		}
	}
	return id, n == 1
}

func spelled(name string) string {
	return strings.ToLower(strings.TrimPrefix(strings.TrimSpace(name), "@"))
}

func uniq(names ...string) (out []string) {
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" && !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}
