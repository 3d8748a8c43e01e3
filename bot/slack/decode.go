package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// Kind is how somebody spoke to ferry.
type Kind string

// The kinds.
const (
	Mention Kind = "mention" // in a channel
	Direct  Kind = "direct"  // in a direct message
	Slash   Kind = "slash"
	Press   Kind = "press" // of a button
	Fill    Kind = "fill"  // of a menu or a field
)

// Request is what an envelope asks for, before anybody has judged it.
type Request struct {
	Kind Kind
	// Key is the journal's: the same for the same deed, however often and in
	// whichever envelope it is delivered.
	Key     string
	Team    chat.TeamID
	App     string
	User    chat.UserID
	Channel chat.ChannelID
	// Root is what to answer below; empty for a slash command.
	Root string
	Text string
	// Shared is true in a channel that is shared with another organisation.
	Shared bool
	// ResponseURL is a slash command's own address for answers.
	ResponseURL string
	Click       outbox.Click
	Entry       outbox.Entry // what a Fill filled in
}

type envelope struct {
	ID      string          `json:"envelope_id"`
	Type    string          `json:"type"`
	Payload json.RawMessage `json:"payload"`
}

// maxOperation bounds what a button may carry back; ours are shorter.
const maxOperation = 500

// Decode reads an envelope. If it asks for nothing, why says so: most envelopes
// are not for ferry, and its own messages come back to it in direct messages.
func Decode(raw []byte) (r Request, why string, err error) {
	var e envelope
	if err := json.Unmarshal(raw, &e); err != nil {
		return Request{}, "", fmt.Errorf("decode envelope: %w", err)
	}
	switch e.Type {
	case "events_api":
		return decodeEvent(e)
	case "slash_commands":
		return decodeSlash(e)
	case "interactive":
		return decodePress(e)
	}
	return Request{}, "an envelope of the type " + e.Type, nil
}

func decodeEvent(e envelope) (Request, string, error) {
	var p struct {
		TeamID chat.TeamID `json:"team_id"`
		AppID  string      `json:"api_app_id"`
		Shared bool        `json:"is_ext_shared_channel"`
		Event  struct {
			Type        string          `json:"type"`
			Subtype     string          `json:"subtype"`
			User        chat.UserID     `json:"user"`
			BotID       string          `json:"bot_id"`
			AppID       string          `json:"app_id"`
			Text        string          `json:"text"`
			TS          string          `json:"ts"`
			ThreadTS    string          `json:"thread_ts"`
			Channel     chat.ChannelID  `json:"channel"`
			ChannelType string          `json:"channel_type"`
			Edited      json.RawMessage `json:"edited"`
		} `json:"event"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return Request{}, "", fmt.Errorf("decode event: %w", err)
	}
	ev := p.Event
	r := Request{
		Kind: Mention, Key: fmt.Sprintf("message/%s/%s/%s", p.TeamID, ev.Channel, ev.TS), Team: p.TeamID, App: p.AppID,
		User: ev.User, Channel: ev.Channel, Root: ev.ThreadTS, Text: ev.Text, Shared: p.Shared,
	}
	if r.Root == "" {
		r.Root = ev.TS
	}
	switch {
	case ev.Type == "message" && ev.ChannelType == "im":
		r.Kind = Direct
	case ev.Type != "app_mention":
		return Request{}, "an event of the type " + ev.Type, nil
	}
	switch {
	case ev.BotID != "" || ev.AppID != "" || ev.User == "" || ev.User == "USLACKBOT":
		return Request{}, "a message of a bot", nil
	case ev.Subtype != "":
		return Request{}, "a message of the subtype " + ev.Subtype, nil
	case len(ev.Edited) > 0 && string(ev.Edited) != "null":
		return Request{}, "an edited message", nil
	case ev.TS == "" || ev.Channel == "":
		return Request{}, "", fmt.Errorf("an event of the type %s without channel or ts", ev.Type)
	}
	return r, "", nil
}

func decodeSlash(e envelope) (Request, string, error) {
	var p struct {
		TeamID      chat.TeamID    `json:"team_id"`
		AppID       string         `json:"api_app_id"`
		UserID      chat.UserID    `json:"user_id"`
		ChannelID   chat.ChannelID `json:"channel_id"`
		Text        string         `json:"text"`
		ResponseURL string         `json:"response_url"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return Request{}, "", fmt.Errorf("decode slash command: %w", err)
	}
	if e.ID == "" || p.UserID == "" || p.ChannelID == "" {
		return Request{}, "", fmt.Errorf("a slash command without envelope, user or channel")
	}
	return Request{
		Kind: Slash, Key: "slash/" + e.ID, Team: p.TeamID, App: p.AppID, User: p.UserID, Channel: p.ChannelID,
		Text: p.Text, ResponseURL: p.ResponseURL,
	}, "", nil
}

func decodePress(e envelope) (Request, string, error) {
	var p struct {
		Type  string `json:"type"`
		AppID string `json:"api_app_id"`
		Team  struct {
			ID chat.TeamID `json:"id"`
		} `json:"team"`
		User struct {
			ID chat.UserID `json:"id"`
		} `json:"user"`
		Channel struct {
			ID chat.ChannelID `json:"id"`
		} `json:"channel"`
		Container struct {
			TS      string         `json:"message_ts"`
			Channel chat.ChannelID `json:"channel_id"`
			Root    string         `json:"thread_ts"`
		} `json:"container"`
		Message struct {
			Root string `json:"thread_ts"`
		} `json:"message"`
		Actions []struct {
			element
			ID string `json:"action_id"`
			TS string `json:"action_ts"`
		} `json:"actions"`
		State       state  `json:"state"`
		ResponseURL string `json:"response_url"`
	}
	if err := json.Unmarshal(e.Payload, &p); err != nil {
		return Request{}, "", fmt.Errorf("decode interaction: %w", err)
	}
	if p.Type != "block_actions" || len(p.Actions) != 1 || !strings.HasPrefix(p.Actions[0].ID, "ferry/") {
		return Request{}, "an interaction that is no button of ferry", nil
	}
	a := p.Actions[0]
	r := Request{
		Kind: Press, Team: p.Team.ID, App: p.AppID, User: p.User.ID, Channel: cmp.Or(p.Channel.ID, p.Container.Channel),
		Root: cmp.Or(p.Container.Root, p.Message.Root, p.Container.TS),
	}
	operation := a.Value
	if filled, ok := entry(a.ID, &a.element); ok {
		r.Kind, r.Entry, operation = Fill, filled, filled.Operation
	}
	if operation == "" || len(operation) > maxOperation || p.User.ID == "" {
		return Request{}, "", fmt.Errorf("a button without operation or user")
	}
	press := string(p.User.ID) + "/" + cmp.Or(a.TS, e.ID)
	r.Key = "click/" + operation + "/" + press
	r.Click = outbox.Click{
		Operation: operation, Channel: r.Channel, TS: p.Container.TS, Press: press, By: p.User.ID,
		State: p.State.entries(), Via: p.ResponseURL,
	}
	return r, "", nil
}
