// Package discord posts notifications through a Discord webhook: one message for each
// incident, edited as it develops. It is at least once: a first post whose answer was
// lost stands there twice, with the same ID in its footer.
package discord

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

//go:embed schema.json
var schema []byte

// Notifier posts messages.
type Notifier struct {
	Version string

	once settings.Once[channel]
	http func() *http.Client
}

// New returns a notifier of a version.
func New(version string) *Notifier {
	return &Notifier{Version: version, http: sync.OnceValue(post.Client)}
}

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "discord", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#discord",
		Description: "Posts to a channel of Discord: a message for each incident, edited as it develops",
	}
}

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	URLFile  string `yaml:"url_file"`
	Username string `yaml:"username"`
}

// channel is a configuration that was understood.
type channel struct {
	config

	address *settings.Secret
}

func read(text []byte) (*channel, error) {
	c := &channel{}
	if err := settings.Read(text, &c.config); err != nil {
		return nil, err
	}
	// As Discord documents names of webhooks.
	if utf8.RuneCountInString(c.Username) > 80 || strings.Contains(strings.ToLower(c.Username), "discord") {
		return nil, errors.New("username: at most 80 characters, without the word Discord")
	}
	c.address = &settings.Secret{Key: "url_file", Path: c.URLFile, Judge: post.Address}
	return c, settings.Path("url_file", c.URLFile)
}

// Check implements api.Checker.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	c, err := n.once.Of(r.Config, read)
	if err != nil {
		return err
	}
	_, err = c.address.Value()
	return settings.Judge(err, settings.Nowhere(r.To...))
}

// Deliver implements api.Notifier. A message that somebody deleted is posted anew.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	c, err := n.once.Of(of.Config, read)
	if err == nil {
		err = settings.Nowhere(of.To)
	}
	if err != nil {
		return api.Receipt{}, err
	}
	at, err := c.url()
	if err != nil {
		return api.Receipt{}, api.Again(err, 0) // somebody can mend the file
	}
	body, err := json.Marshal(render(&of, c.Username))
	if err != nil {
		return api.Receipt{}, fmt.Errorf("encode delivery %s: %w", of.ID, err)
	}
	if ref := of.Previous.Ref; ref != "" {
		to := *at
		to.Path += "/messages/" + url.PathEscape(ref)
		answer, err := n.ask(ctx, http.MethodPatch, &to, body)
		if !gone(answer, err) {
			return api.Receipt{Ref: ref}, err
		}
	}
	return n.first(ctx, *at, body)
}

func (n *Notifier) first(ctx context.Context, to url.URL, body []byte) (api.Receipt, error) {
	q := to.Query()
	q.Set("wait", "true") // so that it says which message it is
	to.RawQuery = q.Encode()
	answer, err := n.ask(ctx, http.MethodPost, &to, body)
	if err != nil {
		return api.Receipt{}, err
	}
	var posted struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &posted); err != nil || posted.ID == "" {
		return api.Receipt{}, api.Again(errors.New("discord: an answer that is no message"), 0)
	}
	return api.Receipt{Ref: posted.ID}, nil
}

func (c *channel) url() (*url.URL, error) {
	address, err := c.address.Value()
	if err != nil {
		return nil, err
	}
	return url.Parse(address)
}

func (n *Notifier) ask(ctx context.Context, method string, to *url.URL, body []byte) ([]byte, error) {
	return post.Do(ctx, n.http(), method, to.String(), http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}, body)
}

// gone reports whether Discord knows no such message (its code 10008).
func gone(answer []byte, err error) bool {
	var a struct {
		Code int `json:"code"`
	}
	return post.Permanent(err) && json.Unmarshal(answer, &a) == nil && a.Code == 10008
}
