// Package mattermost posts deliveries as a bot, through Mattermost's REST API: one
// post for each incident, edited as it develops. It is at least once: Mattermost
// drops a post whose pending_post_id it has seen for some minutes, so that a first post
// that is repeated soon stands there once; later it may stand there twice.
package mattermost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ferry/plugins/sink"
	"ferry/plugins/sink/httpsink"
)

// Limits that Mattermost has by default: of a post's text and of its properties.
const (
	maxText  = 3000
	maxTitle = 300
	maxValue = 300
)

// Config of a channel.
type Config struct {
	URL     string // of the server
	Token   string // a bot account's
	Channel string // the channel's ID, 26 letters and digits
}

// Sink is a channel.
type Sink struct {
	c      Config
	http   *http.Client
	header http.Header
}

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if err := httpsink.URL(c.URL); err != nil {
		return nil, err
	}
	if len(c.Channel) != 26 || strings.Trim(c.Channel, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return nil, fmt.Errorf("channel: %q is no ID: 26 small letters and digits", c.Channel)
	}
	if c.Token == "" {
		return nil, errors.New("token: none")
	}
	c.URL = strings.TrimRight(c.URL, "/")
	return &Sink{c: c, http: httpsink.Client(), header: http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}, "Authorization": {"Bearer " + c.Token}}}, nil
}

type field struct {
	Title string `json:"title"`
	Value string `json:"value"`
	Short bool   `json:"short"`
}

type attachment struct {
	Fallback string  `json:"fallback"`
	Color    string  `json:"color"`
	Title    string  `json:"title"`
	Text     string  `json:"text,omitempty"`
	Fields   []field `json:"fields,omitempty"`
	Footer   string  `json:"footer"`
}

type post struct {
	ID      string         `json:"id,omitempty"`
	Channel string         `json:"channel_id,omitempty"`
	Pending string         `json:"pending_post_id,omitempty"`
	Message string         `json:"message"`
	Props   map[string]any `json:"props"`
}

// Deliver implements sink.Sink. A post that somebody deleted is posted anew.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	p := post{Props: map[string]any{"attachments": []attachment{render(&d)}, "ferry_delivery": d.ID}}
	if d.Ref != "" {
		p.ID = d.Ref
		_, err := s.ask(ctx, http.MethodPut, "/api/v4/posts/"+url.PathEscape(d.Ref)+"/patch", p)
		if !errors.Is(err, errGone) {
			return sink.Receipt{Ref: d.Ref}, err
		}
		p.ID = ""
	}
	p.Channel, p.Pending = s.c.Channel, "ferry:"+d.Key
	raw, err := s.ask(ctx, http.MethodPost, "/api/v4/posts", p)
	if err != nil {
		return sink.Receipt{}, err
	}
	var posted post
	if err := json.Unmarshal(raw, &posted); err != nil {
		return sink.Receipt{}, fmt.Errorf("mattermost: an answer that is no post: %w", err)
	}
	return sink.Receipt{Ref: posted.ID}, nil
}

var errGone = errors.New("there is no such post")

func (s *Sink) ask(ctx context.Context, method, path string, p post) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, sink.Refused(err)
	}
	raw, err := httpsink.Do(ctx, s.http, method, s.c.URL+path, s.header.Clone(), body)
	var a struct {
		Status int `json:"status_code"`
	}
	if sink.IsRefused(err) && json.Unmarshal(raw, &a) == nil && a.Status == http.StatusNotFound && method == http.MethodPut {
		return nil, errGone
	}
	return raw, err
}

// plain keeps what a cluster wrote from being a mention or Markdown.
func plain(s string) string {
	return strings.NewReplacer("@", "@\u200b", "`", "'", "*", "\\*", "_", "\\_", "[", "\\[", "~", "\\~", "#", "\\#").Replace(s)
}

func render(d *sink.Delivery) attachment {
	a := attachment{
		Fallback: httpsink.Clip(d.Title, maxTitle), Title: plain(httpsink.Clip(d.Title, maxTitle)), Color: color(d), Footer: d.ID,
		Text: plain(httpsink.Clip(strings.TrimSpace(d.Text+"\n"+strings.Join(d.Details, "\n")), maxText)),
	}
	for _, f := range d.Facts() {
		a.Fields = append(a.Fields, field{Title: f.Name, Value: plain(httpsink.Clip(f.Value, maxValue)), Short: true})
	}
	return a
}

func color(d *sink.Delivery) string {
	switch {
	case d.State == "resolved":
		return "#2EB67D"
	case d.State == "expired":
		return "#808080"
	case d.Severity == "critical", d.Severity == "error":
		return "#E01E5A"
	case d.Severity == "warning":
		return "#ECB22E"
	}
	return "#36C5F0"
}
