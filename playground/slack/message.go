package slack

import (
	"encoding/json"
	"slices"
	"sort"
)

// Message is one message as the control interface shows it: what is said now,
// and in Edits what was said before, oldest first.
type Message struct {
	Channel     string          `json:"channel"`
	TS          string          `json:"ts"`
	ThreadTS    string          `json:"thread_ts,omitempty"`
	User        string          `json:"user"`
	UserName    string          `json:"user_name"`
	BotID       string          `json:"bot_id,omitempty"`
	AppID       string          `json:"app_id,omitempty"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	Files       []FileInfo      `json:"files,omitempty"`
	Reactions   []Reaction      `json:"reactions,omitempty"`
	// EditedTS is when the message was edited last.
	EditedTS string `json:"edited_ts,omitempty"`
	Edits    []Edit `json:"edits"`
	// Ephemeral messages are seen by one person, To, and forgotten by Slack.
	Ephemeral bool   `json:"ephemeral"`
	To        string `json:"to,omitempty"`
	Deleted   bool   `json:"deleted,omitempty"`
	// Broadcast marks a message of a thread that is shown in the channel too.
	Broadcast   bool     `json:"broadcast,omitempty"`
	ReplyCount  int      `json:"reply_count,omitempty"`
	ReplyUsers  []string `json:"reply_users,omitempty"`
	LatestReply string   `json:"latest_reply,omitempty"`
}

// Edit is a version of a message that was replaced at TS.
type Edit struct {
	TS          string          `json:"ts"`
	Text        string          `json:"text"`
	Blocks      json.RawMessage `json:"blocks"`
	Attachments json.RawMessage `json:"attachments,omitempty"`
	Metadata    json.RawMessage `json:"metadata,omitempty"`
}

// FileInfo is a file shared in a message; URL is a path of this server.
type FileInfo struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Title string `json:"title"`
	Size  int    `json:"size"`
	URL   string `json:"url"`
	// Preview is the beginning of a text.
	Preview string `json:"preview,omitempty"`
}

// Reaction is an emoji below a message and who put it there.
type Reaction struct {
	Name  string   `json:"name"`
	Users []string `json:"users"`
}

// clone returns a copy that stays as it is when the message is edited. Raw
// JSON is never changed in place, only replaced.
func (m *Message) clone() Message {
	c := *m
	c.Files = slices.Clone(m.Files)
	c.Reactions = slices.Clone(m.Reactions)
	c.Edits = slices.Clone(m.Edits)
	c.ReplyUsers = slices.Clone(m.ReplyUsers)
	if c.Blocks == nil {
		c.Blocks = json.RawMessage("[]")
	}
	if c.Edits == nil {
		c.Edits = []Edit{}
	}
	return c
}

// find returns the message at ts; deleted and ephemeral ones too.
func (c *channel) find(ts string) *Message {
	i := sort.Search(len(c.messages), func(i int) bool { return c.messages[i].TS >= ts })
	if i < len(c.messages) && c.messages[i].TS == ts {
		return c.messages[i]
	}
	return nil
}

// add appends a message with a fresh timestamp, counts it in its thread, and
// tells the page. mu is held.
func (s *Server) add(c *channel, m *Message) {
	m.Channel, m.TS = c.ID, s.nextTS()
	if u := s.user(m.User); u != nil {
		m.UserName = u.Name
	}
	c.messages = append(c.messages, m)
	if m.ThreadTS != "" && !m.Ephemeral {
		if root := c.find(m.ThreadTS); root != nil {
			root.ReplyCount++
			root.LatestReply = m.TS
			if !slices.Contains(root.ReplyUsers, m.User) {
				root.ReplyUsers = append(root.ReplyUsers, m.User)
			}
			s.hub.message(root)
		}
	}
	s.hub.message(m)
}

// content is what an edit replaces. A nil field stays as it was.
type content struct {
	text                          *string
	blocks, attachments, metadata json.RawMessage
}

// replace edits a message and keeps what it said. mu is held.
func (s *Server) replace(m *Message, next content) {
	m.Edits = append(m.Edits, Edit{
		TS: s.nextTS(), Text: m.Text, Blocks: orEmpty(m.Blocks), Attachments: m.Attachments, Metadata: m.Metadata,
	})
	if next.text != nil {
		m.Text = *next.text
	}
	if next.blocks != nil {
		m.Blocks = next.blocks
	}
	if next.attachments != nil {
		m.Attachments = next.attachments
	}
	if next.metadata != nil {
		m.Metadata = next.metadata
	}
	m.EditedTS = m.Edits[len(m.Edits)-1].TS
	s.hub.message(m)
}

// remove deletes a message and takes it out of its thread's count. mu is held.
func (s *Server) remove(c *channel, m *Message) {
	m.Deleted = true
	if root := c.find(m.ThreadTS); root != nil && !m.Ephemeral {
		root.ReplyCount--
		s.hub.message(root)
	}
	s.hub.message(m)
}

// wire is the message as Slack's API and events show it.
func (s *Server) wire(m *Message, withMetadata bool) map[string]any {
	out := map[string]any{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": s.opts.TeamID}
	if m.BotID != "" {
		out["bot_id"], out["app_id"] = m.BotID, m.AppID
		out["bot_profile"] = map[string]any{"id": m.BotID, "app_id": m.AppID, "name": m.UserName, "team_id": s.opts.TeamID}
	}
	if m.ThreadTS != "" {
		out["thread_ts"] = m.ThreadTS
		if m.ThreadTS != m.TS {
			out["parent_user_id"] = s.parentUser(m)
		}
	}
	if len(m.Blocks) > 0 && string(m.Blocks) != "[]" {
		out["blocks"] = m.Blocks
	}
	if len(m.Attachments) > 0 && string(m.Attachments) != "[]" {
		out["attachments"] = m.Attachments
	}
	if len(m.Metadata) > 0 && withMetadata {
		out["metadata"] = m.Metadata
	}
	if m.EditedTS != "" {
		out["edited"] = map[string]any{"user": m.User, "ts": m.EditedTS}
	}
	if m.ReplyCount > 0 {
		out["thread_ts"] = m.TS
		out["reply_count"], out["reply_users"], out["latest_reply"] = m.ReplyCount, m.ReplyUsers, m.LatestReply
		out["reply_users_count"], out["is_locked"], out["subscribed"] = len(m.ReplyUsers), false, false
	}
	if m.Broadcast {
		out["subtype"] = "thread_broadcast"
	}
	if len(m.Files) > 0 {
		out["files"] = s.wireFiles(m.Files)
	}
	if len(m.Reactions) > 0 {
		reactions := []map[string]any{}
		for _, r := range m.Reactions {
			reactions = append(reactions, map[string]any{"name": r.Name, "users": r.Users, "count": len(r.Users)})
		}
		out["reactions"] = reactions
	}
	return out
}

func (s *Server) parentUser(m *Message) string {
	if c := s.channel(m.Channel); c != nil {
		if root := c.find(m.ThreadTS); root != nil {
			return root.User
		}
	}
	return ""
}

// Messages returns what was said in a channel (name or ID), oldest first:
// everything, or one thread with its root. Deleted messages carry a mark.
func (s *Server) Messages(channel, threadTS string) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.messagesFor(channel, "", threadTS)
}

func (s *Server) messagesFor(ref, user, threadTS string) ([]Message, error) {
	c, err := s.findChannel(ref, user)
	if err != nil {
		return nil, err
	}
	out := []Message{}
	for _, m := range c.messages {
		if threadTS == "" || m.ThreadTS == threadTS || m.TS == threadTS {
			out = append(out, m.clone())
		}
	}
	return out, nil
}

func orEmpty(raw json.RawMessage) json.RawMessage {
	if len(raw) == 0 {
		return json.RawMessage("[]")
	}
	return raw
}
