package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
)

// written is a post as it is sent.
type written struct {
	ID      string `json:"id,omitempty"`
	Channel string `json:"channel_id,omitempty"`
	Pending string `json:"pending_post_id,omitempty"`
	Message string `json:"message"`
	Props   props  `json:"props"`
}

// props are a post's properties: the message, and what it is about.
type props struct {
	Attachments []attachment `json:"attachments,omitempty"`
	Delivery    string       `json:"ferry_delivery"`
	Incident    string       `json:"ferry_incident"`
}

// posted is what is read of a post.
type posted struct {
	ID      string `json:"id"`
	User    string `json:"user_id"`
	Created int64  `json:"create_at"` // milliseconds
	Props   struct {
		Delivery string `json:"ferry_delivery"`
		Incident string `json:"ferry_incident"`
	} `json:"props"`
}

// about is what a post is of: an incident, or a single event.
func about(n *api.Notification) string {
	if n.State == api.Happened || n.Incident == "" {
		return n.ID
	}
	return n.Incident
}

var errGone = errors.New("there is no such post")

// asking is a server and who asks.
type asking struct {
	http       *http.Client
	url, token string
}

func (a asking) do(ctx context.Context, method, path string, body, to any) error {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	header := http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}, "Authorization": {"Bearer " + a.token}}
	answer, err := post.Do(ctx, a.http, method, a.url+path, header, raw)
	var failed struct {
		Status int `json:"status_code"`
	}
	switch {
	case post.Permanent(err) && method == http.MethodPut && json.Unmarshal(answer, &failed) == nil && failed.Status == http.StatusNotFound:
		return errGone
	case err != nil:
		return err
	}
	if err := json.Unmarshal(answer, to); err != nil {
		return api.Again(fmt.Errorf("mattermost: an answer that is none: %w", err), 0)
	}
	return nil
}

func (a asking) create(ctx context.Context, p written) (*posted, error) {
	made := &posted{}
	err := a.do(ctx, http.MethodPost, "/api/v4/posts", p, made)
	if err == nil && made.ID == "" {
		err = api.Again(errors.New("mattermost: an answer that is no post"), 0)
	}
	return made, err
}

func (a asking) edit(ctx context.Context, id string, p written) error {
	p.ID = id
	return a.do(ctx, http.MethodPut, "/api/v4/posts/"+url.PathEscape(id)+"/patch", p, &posted{})
}

// identity is whose a token is.
type identity struct{ token, user string }

func (s *server) user(ctx context.Context, a asking) (string, error) {
	s.mu.Lock()
	me := s.me
	s.mu.Unlock()
	if me.user != "" && me.token == a.token {
		return me.user, nil
	}
	var is struct {
		ID string `json:"id"`
	}
	if err := a.do(ctx, http.MethodGet, "/api/v4/users/me", nil, &is); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.me = identity{token: a.token, user: is.ID}
	return is.ID, nil
}

// How far back one looks. Mattermost's `since` is of no use for that: it is about when
// posts were changed, and ends at a thousand of them, whichever they are.
const (
	few      = 60 // posts of the first page, which is enough where it is quiet
	perPage  = 200
	maxPages = 25        // which take some seconds of a delivery's thirty
	before   = time.Hour // whatever the clocks say
)

// find looks among the channel's posts for one of ours that is about n, back to when there
// was none. What others write there counts for nothing: they choose their properties
// themselves.
func (s *server) find(ctx context.Context, a asking, channel string, n *api.Notification) (posted, error) {
	me, err := s.user(ctx, a)
	if err != nil {
		return posted{}, err
	}
	from := time.Now()
	for _, at := range []time.Time{n.At, n.Opened} {
		if !at.IsZero() && at.Before(from) {
			from = at
		}
	}
	mine := func(p *posted) bool { return p.User == me && p.Props.Incident == about(n) }
	edge := from.Add(-before).UnixMilli()
	p, over, err := a.page(ctx, channel, 0, few, edge, mine)
	for page := 0; err == nil && !over && page < maxPages; page++ { // the first posts once more
		p, over, err = a.page(ctx, channel, page, perPage, edge, mine)
	}
	return p, err
}

// page looks through a page of posts; over says that there is no need to go on.
func (a asking) page(ctx context.Context, channel string, page, per int, edge int64, mine func(*posted) bool) (p posted, over bool, err error) {
	var list struct {
		Order []string          `json:"order"` // newest first
		Posts map[string]posted `json:"posts"`
	}
	path := fmt.Sprintf("/api/v4/channels/%s/posts?page=%d&per_page=%d", channel, page, per)
	if err := a.do(ctx, http.MethodGet, path, nil, &list); err != nil {
		return posted{}, false, err
	}
	for _, id := range list.Order {
		p := list.Posts[id]
		if mine(&p) {
			return p, true, nil
		}
		if p.Created < edge {
			return posted{}, true, nil
		}
	}
	return posted{}, len(list.Order) < per, nil
}
