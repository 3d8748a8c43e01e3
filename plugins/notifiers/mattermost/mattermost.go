// Package mattermost posts notifications as a bot, through Mattermost's REST API: one
// post for each incident, edited as it develops.
//
// Before a first post it looks among the channel's for one that says that it is of this
// incident, so that what was posted by somebody who died then stands there once. That
// holds as far as the channel's own list is up to date, which with read replicas may take
// a moment (within half a minute Mattermost itself knows a post that comes again, by its
// pending_post_id), and as far as one looks back: to an hour before the incident, and over
// 5,000 posts.
package mattermost

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

//go:embed schema.json
var schema []byte

// Notifier posts.
type Notifier struct {
	Version string

	once settings.Once[server]
	http func() *http.Client
}

// New returns a notifier of a version.
func New(version string) *Notifier {
	return &Notifier{Version: version, http: sync.OnceValue(post.Client)}
}

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "mattermost", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#mattermost",
		Description: "Posts to a channel of Mattermost: a post for each incident, edited as it develops",
	}
}

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
	Channel   string `yaml:"channel"`
}

// server is a configuration that was understood.
type server struct {
	config

	token *settings.Secret

	mu sync.Mutex
	me identity
}

// channelID says what is wrong with the ID of a channel.
func channelID(key, id string) error {
	if len(id) == 26 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == "" {
		return nil
	}
	return fmt.Errorf("%s: %q is no ID of a channel: 26 small letters and digits, at the foot of the channel's details in Mattermost", key, id)
}

func read(text []byte) (*server, error) {
	s := &server{}
	if err := settings.Read(text, &s.config); err != nil {
		return nil, err
	}
	if s.URL == "" {
		return nil, errors.New("url is missing: write that of the server, such as https://chat.example.com")
	}
	if err := post.Address(s.URL); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if err := channelID("channel", s.Channel); err != nil {
		return nil, err
	}
	s.URL = strings.TrimRight(s.URL, "/")
	s.token = &settings.Secret{Key: "token_file", Path: s.TokenFile}
	return s, settings.Path("token_file", s.TokenFile)
}

// Check implements api.Checker.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	s, err := n.once.Of(r.Config, read)
	if err != nil {
		return err
	}
	_, err = s.token.Value()
	errs := []error{err}
	for _, to := range r.To {
		if to != "" {
			errs = append(errs, channelID("to", to))
		}
	}
	return settings.Judge(errs...)
}

// Deliver implements api.Notifier. A post that somebody deleted is posted anew.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	s, err := n.once.Of(of.Config, read)
	if err != nil {
		return api.Receipt{}, err
	}
	channel := s.Channel
	if of.To != "" {
		if err := channelID("to", of.To); err != nil {
			return api.Receipt{}, err
		}
		channel = of.To
	}
	token, err := s.token.Value()
	if err != nil {
		return api.Receipt{}, api.Again(err, 0) // somebody can mend the file
	}
	a := asking{http: n.http(), url: s.URL, token: token}
	return s.deliver(ctx, a, channel, &of)
}

func (s *server) deliver(ctx context.Context, a asking, channel string, n *api.Notification) (api.Receipt, error) {
	p, pending := render(n), "ferry:"+channel+":"+about(n) // which Mattermost knows over all channels
	if ref := n.Previous.Ref; ref != "" {
		err := a.edit(ctx, ref, p)
		if !errors.Is(err, errGone) {
			return api.Receipt{Ref: ref}, err
		}
		pending = "ferry:" + channel + ":" + n.ID // Mattermost may remember the one that is gone
	} else {
		there, err := s.find(ctx, a, channel, n)
		switch {
		case err != nil && !post.Permanent(err):
			return api.Receipt{}, err
		case err == nil && there.ID != "":
			return there.become(ctx, a, n, p)
		}
		// An account that may post and not read delivers at least once.
	}
	p.Channel, p.Pending = channel, pending
	posted, err := a.create(ctx, p)
	if err != nil {
		return api.Receipt{}, err
	}
	return posted.become(ctx, a, n, p)
}

// become brings a post up to date that may be one of an earlier delivery.
func (p *posted) become(ctx context.Context, a asking, n *api.Notification, wanted written) (api.Receipt, error) {
	if p.Props.Delivery == n.ID {
		return api.Receipt{Ref: p.ID}, nil
	}
	wanted.Channel, wanted.Pending = "", ""
	return api.Receipt{Ref: p.ID}, again(a.edit(ctx, p.ID, wanted))
}

// again makes a post that went away meanwhile one that is looked for once more.
func again(err error) error {
	if errors.Is(err, errGone) {
		return api.Again(err, 0)
	}
	return err
}
