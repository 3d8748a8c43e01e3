package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"ferry/bot/outbox"
	"ferry/bot/render"
	"ferry/internal/chat"
)

// Messages are found again by their metadata.
const (
	metadataType = "ferry_message"
	metadataKey  = "key"
	// skew is how far Slack's clock and ours may be apart.
	skew = 5 * time.Minute
	// maxPages bounds a search; a thread of 2,000 later messages is no thread
	// in which a post of some minutes ago is looked for.
	maxPages = 10
)

// Post implements outbox.Chat.
func (c *Client) Post(ctx context.Context, thread chat.Thread, key string, s outbox.Shown) (string, error) {
	if s.For != "" {
		return c.whisper(ctx, thread, key, s)
	}
	form := url.Values{
		"channel": {string(thread.Channel)}, "unfurl_links": {"false"}, "unfurl_media": {"false"}, "link_names": {"false"},
	}
	if thread.Root != "" {
		form.Set("thread_ts", thread.Root)
	}
	ts, err := c.send(ctx, methodOfPosting, form, key, s)
	if err == nil && ts == "" {
		err = errors.New("chat.postMessage: the answer has no ts")
	}
	return ts, outcome(err)
}

// Edit implements outbox.Chat.
func (c *Client) Edit(ctx context.Context, thread chat.Thread, ts, key string, s outbox.Shown) error {
	if s.For != "" {
		return c.amend(ctx, thread, key, s)
	}
	form := url.Values{"channel": {string(thread.Channel)}, "ts": {ts}, "link_names": {"false"}}
	_, err := c.send(ctx, "chat.update", form, key, s)
	return outcome(err)
}

// send calls a method with a message's text and blocks, and its key beside them.
func (c *Client) send(ctx context.Context, method string, form url.Values, key string, s outbox.Shown) (string, error) {
	metadata, err := json.Marshal(map[string]any{"event_type": metadataType, "event_payload": map[string]string{metadataKey: key}})
	if err != nil {
		return "", fmt.Errorf("encode metadata: %w", err)
	}
	form.Set("metadata", string(metadata))
	var a struct {
		TS string `json:"ts"`
	}
	err = c.climb(key, s, func(out render.Output, blocks string) error {
		form.Set("text", out.Text)
		form.Del("blocks")
		if blocks != "" {
			form.Set("blocks", blocks)
		}
		return c.call(ctx, method, form, &a)
	})
	return a.TS, err
}

// climb has a message sent, as text and as the JSON of its blocks. Where Slack does not
// understand the blocks, simpler ones are tried; the rung that works is remembered.
// The last resort is the text alone, with no blocks.
func (c *Client) climb(key string, s outbox.Shown, send func(out render.Output, blocks string) error) error {
	in := render.Input{Message: s.Message, Operations: s.Operations, ControlOperations: s.ControlOperations}
	for _, a := range s.Asked {
		in.Asked = append(in.Asked, render.Asked(a))
	}
	first := render.Rung(c.rung.Load())
	for rung := first; ; {
		out := render.Message(in, rung)
		var blocks []byte
		if rung <= render.Last {
			var err error
			if blocks, err = json.Marshal(out.Blocks); err != nil {
				return fmt.Errorf("encode blocks of %s: %w", key, err)
			}
		}
		err := send(out, string(blocks))
		if err == nil && rung > first && rung <= render.Last {
			c.rung.CompareAndSwap(int32(first), int32(rung))
			c.o.Log.Warn("Slack does not take these blocks here; simpler ones are used", "rung", int(rung))
		}
		if rung > render.Last || !refusesBlocks(err) {
			return err
		}
		c.o.Log.Warn("Slack refused the blocks of a message", "key", key, "rung", int(rung), "error", err)
		rung = nextRung(s.Message, rung)
	}
}

// nextRung is the next one on which the message looks different.
func nextRung(m chat.Message, rung render.Rung) render.Rung {
	for ; rung < render.Last; rung++ {
		if render.Needs(m, rung) {
			return rung + 1
		}
	}
	return render.Last + 1
}

func refusesBlocks(err error) bool {
	switch codeOf(err) {
	case "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "only_one_table_allowed":
		return true
	}
	return false
}

// Find implements outbox.Chat.
func (c *Client) Find(ctx context.Context, thread chat.Thread, key string, since time.Time) (string, bool, error) {
	me, err := c.Identify(ctx)
	if err != nil {
		return "", false, err
	}
	form, method := searching(thread, since)
	for range maxPages {
		var a struct {
			answer
			Messages []struct {
				TS       string `json:"ts"`
				BotID    string `json:"bot_id"`
				Metadata struct {
					Type    string                     `json:"event_type"`
					Payload map[string]json.RawMessage `json:"event_payload"`
				} `json:"metadata"`
			} `json:"messages"`
		}
		if err := c.call(ctx, method, form, &a); err != nil {
			if codeOf(err) == "thread_not_found" {
				return "", false, nil
			}
			return "", false, outcome(err)
		}
		for _, m := range a.Messages {
			var found string
			if m.Metadata.Type != metadataType || json.Unmarshal(m.Metadata.Payload[metadataKey], &found) != nil || found != key {
				continue
			}
			if m.BotID == "" || me.Bot == "" || m.BotID == me.Bot {
				return m.TS, true, nil
			}
		}
		if a.Metadata.Cursor == "" {
			return "", false, nil
		}
		form.Set("cursor", a.Metadata.Cursor)
	}
	return "", false, nil
}

// searching asks for what was said in a thread, or in a channel, since then.
func searching(thread chat.Thread, since time.Time) (form url.Values, method string) {
	form = url.Values{
		"channel": {string(thread.Channel)}, "include_all_metadata": {"true"}, "limit": {"200"}, "inclusive": {"true"},
		"oldest": {strconv.FormatInt(since.Add(-skew).Unix(), 10) + ".000000"},
	}
	if thread.Root == "" {
		return form, "conversations.history"
	}
	form.Set("ts", thread.Root)
	return form, "conversations.replies"
}

// outcome translates Slack's refusals into what they say about a message.
func outcome(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*outbox.Wait](err); ok {
		return err
	}
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Code {
		case "message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "not_in_channel",
			"is_archived", "is_inactive", "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel",
			"restricted_action_non_threadable_channel", "restricted_action_thread_locked", "messages_tab_disabled", "user_not_in_channel",
			"msg_too_long", "msg_blocks_too_long", "invalid_blocks", "invalid_blocks_format", "no_text", "cannot_reply_to_message",
			"as_user_not_supported", "team_access_not_granted", "slack_connect_file_link_sharing_blocked":
			return fmt.Errorf("%w: %w", err, outbox.ErrGone)
		case "", "fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org":
			if e.Code == "" && e.Status < http.StatusInternalServerError {
				break // refused by something before Slack
			}
			return err // it may have happened
		}
		return fmt.Errorf("%w: %w", err, outbox.ErrNotSent)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return fmt.Errorf("%w: %w", err, outbox.ErrNotSent)
	}
	return err
}
