package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"ferry/bot/outbox"
	"ferry/bot/render"
	"ferry/internal/chat"
)

// whisper shows a message to one person alone. Slack keeps none of them: nothing tells
// afterwards whether it was seen, and nobody can look for it.
func (c *Client) whisper(ctx context.Context, thread chat.Thread, key string, s outbox.Shown) (string, error) {
	form := url.Values{"channel": {string(thread.Channel)}, "user": {string(s.For)}, "link_names": {"false"}}
	if thread.Root != "" {
		form.Set("thread_ts", thread.Root)
	}
	var a struct {
		TS string `json:"message_ts"`
	}
	err := c.climb(key, s, func(out render.Output, blocks string) error {
		form.Set("text", out.Text)
		form.Set("blocks", blocks)
		return c.call(ctx, "chat.postEphemeral", form, &a)
	})
	if err == nil && a.TS == "" {
		err = fmt.Errorf("chat.postEphemeral: the answer has no message_ts")
	}
	return a.TS, outcome(err)
}

// amend replaces what one person sees: at the address that came with their last click,
// or, where there is none or it takes no more, by showing it anew.
func (c *Client) amend(ctx context.Context, thread chat.Thread, key string, s outbox.Shown) error {
	if s.Via != "" {
		err := c.climb(key, s, func(out render.Output, blocks string) error {
			body := map[string]any{"response_type": "ephemeral", "replace_original": true, "text": out.Text}
			if blocks != "" {
				body["blocks"] = json.RawMessage(blocks)
			}
			return c.respond(ctx, s.Via, body)
		})
		if err == nil {
			return nil
		}
		c.o.Log.Debug("a message that one person sees is shown anew", "key", key, "error", err)
	}
	_, err := c.whisper(ctx, thread, key, s)
	return err
}

// respond posts to an address that Slack gave with a slash command or a click.
func (c *Client) respond(ctx context.Context, address string, message map[string]any) error {
	u, err := url.Parse(address)
	if err != nil || !strings.HasPrefix(address, c.o.BaseURL[:strings.Index(c.o.BaseURL, "://")+3]) || !c.ours(u.Hostname()) {
		return fmt.Errorf("%q is no address to respond to", address)
	}
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("encode response: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("respond: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("respond: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return &Error{Method: "response_url", Status: resp.StatusCode}
	}
	return nil
}
