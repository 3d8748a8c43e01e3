package slack

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"ferry/internal/chat"
)

// mostKnown bounds the channels of which is kept what Slack said.
const mostKnown = 1000

// channels remembers which channels are shared with other organisations.
type channels struct {
	mu    sync.Mutex
	known map[chat.ChannelID]channel
}

type channel struct {
	shared bool
	at     time.Time
}

// Shared tells whether a channel is shared with another organisation, or about to
// be, as Slack says now, or said within the last minute if it does not answer. Events
// tell it by themselves, slash commands and buttons, which are few, do not. A direct
// conversation with ferry is shared with nobody else. An error is worth another try if
// MayPass says so.
func (c *Client) Shared(ctx context.Context, id chat.ChannelID) (bool, error) {
	if id != "" && id[0] == 'D' {
		return false, nil
	}
	now := time.Now()
	var a struct {
		Channel struct {
			Shared  bool `json:"is_ext_shared"`
			Pending bool `json:"is_pending_ext_shared"`
		} `json:"channel"`
	}
	if err := c.call(ctx, "conversations.info", url.Values{"channel": {string(id)}}, &a); err != nil {
		c.channels.mu.Lock()
		known, ok := c.channels.known[id]
		c.channels.mu.Unlock()
		if ok && now.Sub(known.at) < lately && MayPass(err) {
			return known.shared, nil
		}
		return false, fmt.Errorf("ask whether %s is shared: %w", id, err)
	}
	known := channel{a.Channel.Shared || a.Channel.Pending, now}
	c.channels.mu.Lock()
	defer c.channels.mu.Unlock()
	if c.channels.known == nil || len(c.channels.known) >= mostKnown {
		c.channels.known = map[chat.ChannelID]channel{}
	}
	c.channels.known[id] = known
	return known.shared, nil
}
