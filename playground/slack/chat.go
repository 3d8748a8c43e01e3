package slack

import (
	"encoding/json"
	"unicode/utf8"
)

const (
	postTextCut    = 40000 // longer texts of chat.postMessage are cut
	updateTextMax  = 4000  // longer texts of chat.update are refused
	metadataMaxLen = 16 << 10
)

// target finds the channel a bot may write to; a user's ID is their direct
// conversation.
func (s *Server) target(c *call) (*channel, error) {
	ref := c.str("channel")
	ch := s.channel(ref)
	if ch == nil && s.user(ref) != nil {
		ch = s.direct(ref, c.app)
	}
	if ch == nil {
		for _, known := range s.channels {
			if known.dm == "" && ref != "" && (known.Name == ref || "#"+known.Name == ref) {
				ch = known
			}
		}
	}
	if ch == nil || ch.dm != "" && ch.app != c.app {
		return nil, slackError("channel_not_found")
	}
	if !ch.has(c.app.BotUserID) && (ch.Private || !c.app.scopes["chat:write.public"]) {
		if ch.Private {
			return nil, slackError("channel_not_found")
		}
		return nil, slackError("not_in_channel")
	}
	return ch, nil
}

// said reads text, blocks, attachments and metadata of a call.
func (s *Server) content(c *call) (content, error) {
	var out content
	if c.has("text") {
		text := said(c.str("text"))
		out.text = &text
	}
	blocks, code, details := s.checkBlocks(c.json("blocks"), inMessage)
	if code != "" {
		return out, slackError(code, details...)
	}
	attachments, code, details := s.checkAttachments(c.json("attachments"))
	if code != "" {
		return out, slackError(code, details...)
	}
	out.blocks, out.attachments = blocks, attachments
	if raw := c.json("metadata"); raw != nil {
		var m struct {
			EventType    string         `json:"event_type"`
			EventPayload map[string]any `json:"event_payload"`
		}
		if json.Unmarshal(raw, &m) != nil || m.EventType == "" || m.EventPayload == nil {
			return out, slackError("invalid_metadata_format")
		}
		if len(raw) > metadataMaxLen {
			return out, slackError("metadata_too_large")
		}
		out.metadata = raw
	}
	return out, nil
}

func (n content) empty() bool {
	none := func(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "[]" }
	return (n.text == nil || *n.text == "") && none(n.blocks) && none(n.attachments)
}

func (s *Server) newMessage(c *call, ch *channel, next content) (*Message, error) {
	if next.empty() {
		return nil, slackError("no_text")
	}
	m := &Message{User: c.app.BotUserID, BotID: c.app.BotID, AppID: c.app.ID, ThreadTS: c.str("thread_ts")}
	if next.text != nil {
		m.Text = cut(*next.text, postTextCut)
	}
	m.Blocks, m.Attachments, m.Metadata = next.blocks, next.attachments, next.metadata
	if m.ThreadTS != "" {
		root := ch.find(m.ThreadTS)
		if root == nil || root.Deleted || root.Ephemeral {
			return nil, slackError("thread_not_found")
		}
		if root.ThreadTS != "" {
			m.ThreadTS = root.ThreadTS
		}
	}
	return m, nil
}

func cut(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit])
}

func (s *Server) postMessage(c *call) (map[string]any, error) {
	ch, err := s.target(c)
	if err != nil {
		return nil, err
	}
	next, err := s.content(c)
	if err != nil {
		return nil, err
	}
	m, err := s.newMessage(c, ch, next)
	if err != nil {
		return nil, err
	}
	m.Broadcast = m.ThreadTS != "" && c.bool("reply_broadcast")
	s.add(ch, m)
	s.announce(ch, m)
	return map[string]any{"channel": ch.ID, "ts": m.TS, "message": s.wire(m, true)}, nil
}

func (s *Server) chatUpdate(c *call) (map[string]any, error) {
	ch, err := s.target(c)
	if err != nil {
		return nil, err
	}
	m := ch.find(c.str("ts"))
	switch {
	case m == nil || m.Deleted || m.Ephemeral:
		return nil, slackError("message_not_found")
	case m.BotID != c.app.BotID:
		return nil, slackError("cant_update_message")
	case utf8.RuneCountInString(c.str("text")) > updateTextMax:
		return nil, slackError("msg_too_long")
	}
	next, err := s.content(c)
	if err != nil {
		return nil, err
	}
	if next.text == nil && next.blocks == nil && next.attachments == nil {
		return nil, slackError("no_text")
	}
	if next.text != nil && next.blocks == nil {
		next.blocks = json.RawMessage("[]") // a text without blocks takes the blocks away
	}
	before := s.wire(m, true)
	s.replace(m, next)
	s.announceChange(ch, m, before)
	return map[string]any{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": s.wire(m, true)}, nil
}

func (s *Server) postEphemeral(c *call) (map[string]any, error) {
	ch, err := s.target(c)
	if err != nil {
		return nil, err
	}
	if !ch.has(c.str("user")) {
		return nil, slackError("user_not_in_channel")
	}
	next, err := s.content(c)
	if err != nil {
		return nil, err
	}
	m, err := s.newMessage(c, ch, next)
	if err != nil {
		return nil, err
	}
	m.Ephemeral, m.To = true, c.str("user")
	s.add(ch, m)
	return map[string]any{"message_ts": m.TS}, nil
}

func (s *Server) chatDelete(c *call) (map[string]any, error) {
	ch, err := s.target(c)
	if err != nil {
		return nil, err
	}
	m := ch.find(c.str("ts"))
	if m == nil || m.Deleted || m.Ephemeral {
		return nil, slackError("message_not_found")
	}
	if m.BotID != c.app.BotID {
		return nil, slackError("cant_delete_message")
	}
	s.remove(ch, m)
	return map[string]any{"channel": ch.ID, "ts": m.TS}, nil
}

func (s *Server) permalink(c *call) (map[string]any, error) {
	ch := s.channel(c.str("channel"))
	if ch == nil {
		return nil, slackError("channel_not_found")
	}
	m := ch.find(c.str("message_ts"))
	if m == nil {
		return nil, slackError("message_not_found")
	}
	return map[string]any{"channel": ch.ID, "permalink": s.baseURL + "/#" + ch.ID + "/" + m.TS}, nil
}

func (s *Server) reactionsAdd(c *call) (map[string]any, error) {
	ch, err := s.target(c)
	if err != nil {
		return nil, err
	}
	m := ch.find(c.str("timestamp"))
	if m == nil || m.Deleted || m.Ephemeral {
		return nil, slackError("message_not_found")
	}
	name := c.str("name")
	if name == "" {
		return nil, slackError("no_item_specified")
	}
	for i := range m.Reactions {
		if m.Reactions[i].Name != name {
			continue
		}
		if contains(m.Reactions[i].Users, c.app.BotUserID) {
			return nil, slackError("already_reacted")
		}
		m.Reactions[i].Users = append(m.Reactions[i].Users, c.app.BotUserID)
		s.hub.message(m)
		return nil, nil
	}
	m.Reactions = append(m.Reactions, Reaction{Name: name, Users: []string{c.app.BotUserID}})
	s.hub.message(m)
	return nil, nil
}
