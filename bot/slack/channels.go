package slack

import (
	"context"
	"fmt"
	"net/url"
	"sync"
	"time"

	"ferry/internal/chat"
)

// channelTTL is how long it counts what Slack said of a channel. An event tells it
// by itself; a slash command and a button do not.
const (
	channelTTL = time.Minute
	mostKnown  = 1000
)

// channels caches which channels are shared with other organisations.
type channels struct {
	mu    sync.Mutex
	known map[chat.ChannelID]channel
}

type channel struct {
	shared bool
	at     time.Time
}

// Shared tells whether a channel is shared with another organisation, or about to
// be, as Slack said within the last minute. In a direct conversation with ferry there
// is nobody else to be shared with. An error is worth another try if MayPass says so.
func (c *Client) Shared(ctx context.Context, id chat.ChannelID) (bool, error) {
	if id != "" && id[0] == 'D' {
		return false, nil
	}
	now := time.Now()
	c.channels.mu.Lock()
	known, ok := c.channels.known[id]
	c.channels.mu.Unlock()
	if ok && now.Sub(known.at) < channelTTL {
		return known.shared, nil
	}
	var a struct {
		Channel struct {
			Shared  bool `json:"is_ext_shared"`
			Pending bool `json:"is_pending_ext_shared"`
		} `json:"channel"`
	}
	if err := c.call(ctx, "conversations.info", url.Values{"channel": {string(id)}}, &a); err != nil {
		return false, fmt.Errorf("ask whether %s is shared: %w", id, err)
	}
	known = channel{a.Channel.Shared || a.Channel.Pending, now}
	c.channels.mu.Lock()
	defer c.channels.mu.Unlock()
	if c.channels.known == nil || len(c.channels.known) >= mostKnown {
		c.channels.known = map[chat.ChannelID]channel{}
	}
	c.channels.known[id] = known
	return known.shared, nil
}
