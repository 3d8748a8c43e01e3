package slack

import (
	"context"
	"net/url"
	"slices"

	"ferry/internal/chat"
)

// PublicScope is the scope with which an app posts to public channels that it is not in.
const PublicScope = "chat:write.public"

// CheckChannels looks whether ferry can post to channels.
func (c *Client) CheckChannels(ctx context.Context, ids []chat.ChannelID) []Finding {
	out := make([]Finding, 0, len(ids))
	for _, id := range ids {
		out = append(out, c.checkChannel(ctx, id))
	}
	return out
}

func (c *Client) checkChannel(ctx context.Context, id chat.ChannelID) Finding {
	f := Finding{What: "Slack channel " + string(id), Help: "take the ID from the end of the channel's details in Slack, and invite ferry to the channel"}
	var a struct {
		Channel struct {
			Name     string `json:"name"`
			Member   bool   `json:"is_member"`
			Private  bool   `json:"is_private"`
			Archived bool   `json:"is_archived"`
		} `json:"channel"`
	}
	header, err := c.callAs(ctx, c.o.BotToken, "conversations.info", url.Values{"channel": {string(id)}}, &a)
	switch to := &a.Channel; {
	case err != nil:
		f.Detail = err.Error()
	case to.Archived:
		f.Detail, f.Help = "#"+to.Name+" is archived", "name another one, or take it out of the archive"
	case !to.Member && (to.Private || !slices.Contains(scopesIn(header), PublicScope)):
		f.Detail, f.Help = "ferry is not in #"+to.Name, "invite it: /invite @ferry there"
	default:
		f.OK, f.Detail = true, "#"+to.Name
	}
	return f
}
