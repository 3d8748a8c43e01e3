// Package discord posts deliveries through a Discord webhook: one message for each
// incident, edited as it develops. It is at least once: a first post whose answer was
// lost stands there twice, with the same ID in its footer.
package discord

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"ferry/plugins/sink"
	"ferry/plugins/sink/httpsink"
)

// Limits of an embed, as Discord documents them, and of all its texts together.
const (
	maxTitle       = 256
	maxDescription = 4096
	maxName        = 256
	maxValue       = 1024
	maxFields      = 25
	maxTotal       = 6000
)

// Config of a webhook.
type Config struct {
	URL      string // https://discord.com/api/webhooks/ID/TOKEN
	Username string // "" for the webhook's own name
}

// Sink is a channel's webhook.
type Sink struct {
	c    Config
	http *http.Client
	at   *url.URL
}

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if err := httpsink.URL(c.URL); err != nil {
		return nil, err
	}
	at, err := url.Parse(c.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %s makes no sense", httpsink.Redact(c.URL))
	}
	if len(c.Username) > 80 || strings.Contains(strings.ToLower(c.Username), "discord") {
		return nil, errors.New("username: at most 80 characters, without the word Discord")
	}
	return &Sink{c: c, http: httpsink.Client(), at: at}, nil
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

type embed struct {
	Title       string            `json:"title"`
	Description string            `json:"description,omitempty"`
	Color       int               `json:"color"`
	Timestamp   string            `json:"timestamp"`
	Fields      []field           `json:"fields,omitempty"`
	Footer      map[string]string `json:"footer"`
}

// message mentions nobody, whatever a cluster writes.
type message struct {
	Username string              `json:"username,omitempty"`
	Embeds   []embed             `json:"embeds"`
	Mentions map[string][]string `json:"allowed_mentions"`
}

// Deliver implements sink.Sink. A message that somebody deleted is posted anew.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	body, err := json.Marshal(s.message(&d))
	if err != nil {
		return sink.Receipt{}, sink.Refused(err)
	}
	if d.Ref != "" {
		to := *s.at
		to.Path += "/messages/" + url.PathEscape(d.Ref)
		answer, err := s.ask(ctx, http.MethodPatch, &to, body)
		if !gone(answer, err) {
			return sink.Receipt{Ref: d.Ref}, err
		}
	}
	to := *s.at
	q := to.Query()
	q.Set("wait", "true") // so that it says which message it is
	to.RawQuery = q.Encode()
	answer, err := s.ask(ctx, http.MethodPost, &to, body)
	if err != nil {
		return sink.Receipt{}, err
	}
	var posted struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &posted); err != nil {
		return sink.Receipt{}, fmt.Errorf("discord: an answer that is no message: %w", err)
	}
	return sink.Receipt{Ref: posted.ID}, nil
}

func (s *Sink) ask(ctx context.Context, method string, to *url.URL, body []byte) ([]byte, error) {
	return httpsink.Do(ctx, s.http, method, to.String(), http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}, body)
}

// gone reports whether Discord knows no such message (its code 10008).
func gone(answer []byte, err error) bool {
	var a struct {
		Code int `json:"code"`
	}
	return sink.IsRefused(err) && json.Unmarshal(answer, &a) == nil && a.Code == 10008
}

func (s *Sink) message(d *sink.Delivery) message {
	e := embed{
		Title: httpsink.Clip(d.Title, maxTitle), Color: color(d), Timestamp: d.At.UTC().Format(time.RFC3339),
		Footer: map[string]string{"text": httpsink.Clip(d.ID, 200)},
	}
	if e.Title == "" {
		e.Title = "(no title)"
	}
	left := maxTotal - len(e.Title) - len(e.Footer["text"])
	e.Description = httpsink.Clip(strings.TrimSpace(d.Text+"\n"+strings.Join(d.Details, "\n")), min(maxDescription, left-500))
	left -= len(e.Description)
	for _, fact := range d.Facts() {
		if len(e.Fields) == maxFields || left < maxName {
			break
		}
		f := field{Name: fact.Name, Value: httpsink.Clip(fact.Value, min(maxValue, left-len(fact.Name))), Inline: true}
		left -= len(f.Name) + len(f.Value)
		e.Fields = append(e.Fields, f)
	}
	return message{Username: s.c.Username, Embeds: []embed{e}, Mentions: map[string][]string{"parse": {}}}
}

func color(d *sink.Delivery) int {
	switch {
	case d.State == "resolved":
		return 0x2EB67D
	case d.State == "expired":
		return 0x808080
	case d.Severity == "critical", d.Severity == "error":
		return 0xE01E5A
	case d.Severity == "warning":
		return 0xECB22E
	}
	return 0x36C5F0
}
