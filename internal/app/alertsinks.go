package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/plugins/api"
	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

func chatChannel(s *config.Sink) chat.ChannelID { return chat.ChannelID(s.Slack.Channel) }

// channelRow is the key of a channel that is not told: + its ID.
const channelRow = "event/notify/"

// channels know which channels of Slack are told of incidents. It implements
// jobs.Notifications.
type channels struct {
	store rows.Store

	mu    sync.Mutex
	known map[chat.ChannelID]bool // those that receivers lead to
	off   map[chat.ChannelID]bool
}

func loadChannels(ctx context.Context, store rows.Store) (*channels, error) {
	c := &channels{store: store, known: map[chat.ChannelID]bool{}, off: map[chat.ChannelID]bool{}}
	return c, rows.Each(ctx, store, channelRow, func(r rows.Row) error {
		c.off[chat.ChannelID(strings.TrimPrefix(r.Key, channelRow))] = true
		return nil
	})
}

// Switch implements jobs.Notifications.
func (c *channels) Switch(ctx context.Context, id chat.ChannelID, on bool, told ...func(was bool) job.Entry) (was bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.known[id] {
		return false, fault.New(fault.NotFound, "no receiver leads to this channel", "the receivers are `alerts.receivers` in ferry's configuration")
	}
	t := rows.Txn{Delete: []string{channelRow + string(id)}}
	if !on {
		t = rows.Txn{Put: []rows.Row{{Key: channelRow + string(id), Value: []byte("off")}}}
	}
	was = !c.off[id]
	for _, of := range told {
		t.Told = append(t.Told, of(was))
	}
	if err := c.store.Commit(ctx, t); err != nil {
		return false, fmt.Errorf("store that %s is switched: %w", id, err)
	}
	c.off[id] = !on
	return was, nil
}

// Off implements jobs.Notifications.
func (c *channels) Off() (out []chat.ChannelID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, off := range c.off {
		if off && c.known[id] {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

func (c *channels) muted(id chat.ChannelID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.off[id]
}

// guard keeps from a channel that is off what it has not heard of before.
func (c *channels) guard(id chat.ChannelID, to sink.Sink) sink.Sink {
	c.known[id] = true
	return guarded{c, id, to}
}

type guarded struct {
	channels *channels
	id       chat.ChannelID
	to       sink.Sink
}

// heard is the reference of a message that the channel was shown.
const heard = "shown"

// Deliver implements sink.Sink. A message that was shown is kept up to date.
func (g guarded) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	if d.Ref == "" && g.channels.muted(g.id) {
		return sink.Receipt{}, nil
	}
	if _, err := g.to.Deliver(ctx, d); err != nil {
		return sink.Receipt{}, err
	}
	return sink.Receipt{Ref: heard}, nil
}

// notifying is the host of the plugins.
type notifying interface {
	Deliver(ctx context.Context, name string, n api.Notification) (api.Receipt, error)
	Find(ctx context.Context, name string, n api.Notification) (r api.Receipt, found, known bool, err error)
}

// notifier is a plugin as a sink.
type notifier struct {
	name string
	ask  func() notifying
}

// Deliver implements sink.Sink. Whether it was delivered before, by a ferry that died
// before it could note that, is asked of plugins that can tell.
func (s notifier) Deliver(ctx context.Context, d sink.Delivery) (sink.Receipt, error) {
	n := notification(&d)
	r, found, _, err := s.ask().Find(ctx, s.name, n)
	if err == nil && !found {
		r, err = s.ask().Deliver(ctx, s.name, n)
	}
	if err == nil {
		return sink.Receipt{Ref: r.Ref}, nil
	}
	if after, again := api.Retry(err); again {
		if after > 0 {
			return sink.Receipt{}, sink.Limited(after, err)
		}
		return sink.Receipt{}, err
	}
	if failure, own := errors.AsType[api.Failure](err); own {
		return sink.Receipt{}, sink.Refused(failure)
	}
	return sink.Receipt{}, err
}

func notification(d *sink.Delivery) api.Notification {
	n := api.Notification{
		ID: d.ID, Incident: d.Key, State: api.Updated, Title: d.Title, Text: strings.Join(append([]string{d.Text}, d.Details...), "\n"),
		Severity: d.Severity, Labels: d.Labels, Count: d.Count, At: d.At, Previous: api.Receipt{Ref: d.Ref},
	}
	n.Text = strings.TrimSpace(n.Text)
	switch {
	case d.State == string(event.Resolved), d.State == string(event.Expired):
		n.State = api.Resolved
	case d.Revision <= 1:
		n.State = api.Opened
	}
	var e api.Event
	if len(d.Event) > 0 && json.Unmarshal(d.Event, &e) == nil {
		n.Events = []api.Event{e}
	}
	return n
}
