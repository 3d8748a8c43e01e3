// Package slack shows incidents in a channel of Slack: one message each, edited as it
// develops, with details in its thread. It hands messages to the house's own outbox,
// which posts a key once, whatever happens; so a delivery has arrived once the wish for
// it is durable. It is the one sink that stays in ferry's process.
package slack

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/event"
	"ferry/plugins/sink"
)

// Outbox makes messages read as wished, durably and once.
type Outbox interface {
	chat.Replier
	// Posted waits until the message of a key is in the chat and returns where; it is
	// asked for as long as a try may last.
	Posted(ctx context.Context, key string) (ts string, err error)
}

// Config of a channel.
type Config struct {
	Outbox  Outbox
	Team    chat.TeamID
	Channel chat.ChannelID
	// Prefix tells this sink's messages from those of another one for the same
	// incident; it must not change.
	Prefix string
}

// Sink is a channel.
type Sink struct{ c Config }

// New checks a configuration.
func New(c Config) (*Sink, error) {
	if c.Outbox == nil || c.Channel == "" || c.Prefix == "" {
		return nil, errors.New("slack: outbox, channel and prefix are needed")
	}
	return &Sink{c: c}, nil
}

// few is how many details stand in the message itself.
const few = 5

// moment is how long a thread waits for its message before others have their turn; it
// is tried again.
const moment = 100 * time.Millisecond

// Deliver implements sink.Sink. The message is the incident's present state; what no
// longer fits into it, and that it is still so after a while, is said in its thread.
func (s *Sink) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	key := "event/" + s.c.Prefix + "/" + d.Key
	at := chat.Thread{Team: s.c.Team, Channel: s.c.Channel}
	if err := s.c.Outbox.Put(ctx, at, key, message(&d)); err != nil {
		return sink.Receipt{}, err
	}
	more := len(d.Details) > few
	if !more && d.Repeat == 0 {
		return sink.Receipt{}, nil
	}
	soon, cancel := context.WithTimeout(ctx, moment)
	defer cancel()
	root, err := s.c.Outbox.Posted(soon, key)
	if err != nil {
		return sink.Receipt{}, fmt.Errorf("the message is wished for, its thread waits for it: %w", err)
	}
	at.Root = root
	if more {
		title := "In detail"
		if len(d.Details) == d.Things {
			title = fmt.Sprintf("All %d", d.Things)
		}
		m := chat.Message{Tone: tone(&d), Title: title, Code: &chat.Code{Text: strings.Join(d.Details, "\n")}}
		if err := s.c.Outbox.Put(ctx, at, key+"/details", m); err != nil {
			return sink.Receipt{}, err
		}
	}
	if d.Repeat > 0 {
		m := chat.Message{Tone: chat.Failure, Title: "It is still so: " + d.Title, Final: true}
		return sink.Receipt{}, s.c.Outbox.Put(ctx, at, fmt.Sprintf("%s/repeat/%d", key, d.Revision), m)
	}
	return sink.Receipt{}, nil
}

func message(d *sink.Delivery) chat.Message {
	m := chat.Message{Tone: tone(d), Title: d.Title, Final: d.State != "firing"}
	if d.Text != "" {
		m.Lines = append(m.Lines, strings.Split(d.Text, "\n")...)
	}
	if d.State != "resolved" { // that each of them is over goes without saying
		m.Lines = append(m.Lines, d.Details[:min(few, len(d.Details))]...)
	}
	if url := d.Labels["commit"]; strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://") {
		m.Links = append(m.Links, chat.Link{Text: "The commit", URL: url})
	}
	if by := d.Labels["promotion"]; by != "" {
		m.Lines = append(m.Lines, "Shortly before: "+by+".")
	}
	if d.State == "firing" {
		m.Controls = silences(d.Labels)
	}
	m.Footer = footer(d)
	return m
}

// footer says what it is about, in one small line.
func footer(d *sink.Delivery) string {
	var out []string
	for _, name := range []string{"cluster", "namespace", "app", "node"} {
		if v := d.Labels[name]; v != "" {
			out = append(out, name+" "+v)
		}
	}
	if d.Severity != "" && d.State != "resolved" {
		out = append(out, "severity "+d.Severity)
	}
	return strings.Join(out, " · ")
}

// silences are a menu that asks for a silence of what has these labels, for a while.
// There is none where that would be all of a cluster, or of every cluster.
func silences(labels map[string]string) []chat.Control {
	var matchers []string
	for _, name := range []string{"cluster", "namespace", "app", "node", "reason"} {
		if v := labels[name]; v != "" {
			matchers = append(matchers, name+"="+quoted(v))
		}
	}
	if name := labels["name"]; name != "" && labels["app"] == "" {
		if w := event.Workload(labels["kind"], name); w != name {
			matchers = append(matchers, "name=~"+quoted(regexp.QuoteMeta(w)+"-.*"))
		} else {
			matchers = append(matchers, "name="+quoted(name))
		}
	}
	if labels["cluster"] == "" || len(matchers) < 2 {
		return nil
	}
	menu := chat.Control{Kind: chat.OneOf, ID: "silence", Label: "Silence", Command: "silence " + strings.Join(matchers, " ") + " for "}
	for _, one := range []struct{ label, span string }{{"for 1 hour", "1h"}, {"for 4 hours", "4h"}, {"for 1 day", "1d"}, {"for 1 week", "1w"}} {
		menu.Options = append(menu.Options, chat.Option{Label: one.label, Value: one.span + " because it is being looked into"})
	}
	return []chat.Control{menu}
}

// quoted is a value as it stands in a matcher.
func quoted(v string) string {
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/") == "" {
		return v
	}
	return strconv.Quote(v)
}

func tone(d *sink.Delivery) chat.Tone {
	switch {
	case d.State == "resolved":
		return chat.Done
	case d.State == "expired", d.Severity == "info", d.Severity == "":
		return chat.Info
	}
	return chat.Failure
}
