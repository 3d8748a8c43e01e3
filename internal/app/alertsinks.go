package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"ferry/internal/chat"
	"ferry/internal/config"
	"ferry/internal/fault"
	"ferry/internal/job"
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
