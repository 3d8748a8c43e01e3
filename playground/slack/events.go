package slack

import (
	"slices"
	"strings"
)

// announce sends the events of a new message to every app that asked for
// them. mu is held.
func (s *Server) announce(c *channel, m *Message) {
	event := s.wire(m, false)
	event["channel"], event["channel_type"], event["event_ts"] = c.ID, c.kind(), m.TS
	if m.BotID == "" {
		event["client_msg_id"] = newUUID()
	}
	s.announceMessage(c, event)
	s.announceMention(c, m, event)
}

// announceChange sends the events of an edit: message_changed, and a mention
// anew if a person's edited message mentions the app. before is the wire form
// of the message as it was. mu is held.
func (s *Server) announceChange(c *channel, m *Message, before map[string]any) {
	s.announceMessage(c, map[string]any{
		"type": "message", "subtype": "message_changed", "hidden": true, "channel": c.ID, "channel_type": c.kind(),
		"message": s.wire(m, false), "previous_message": before, "ts": m.EditedTS, "event_ts": m.EditedTS,
	})
	event := s.wire(m, false)
	event["channel"], event["event_ts"] = c.ID, m.EditedTS
	s.announceMention(c, m, event)
}

func (s *Server) announceMessage(c *channel, event map[string]any) {
	scope := c.scope("history")
	name := "message." + map[string]string{"im": "im", "group": "groups", "channel": "channels"}[c.kind()]
	for _, a := range s.apps {
		if slices.Contains(a.Events, name) && a.scopes[scope] && c.has(a.BotUserID) && (c.app == nil || c.app == a) {
			s.event(a, c, event)
		}
	}
}

// announceMention sends app_mention, never in direct conversations and never
// to the app that wrote the message.
func (s *Server) announceMention(c *channel, m *Message, event map[string]any) {
	if c.dm != "" {
		return
	}
	for _, a := range s.apps {
		mentioned := strings.Contains(m.Text, "<@"+a.BotUserID+">") || strings.Contains(m.Text, "<@"+a.BotUserID+"|")
		if !mentioned || m.BotID == a.BotID || !c.has(a.BotUserID) ||
			!slices.Contains(a.Events, "app_mention") || !a.scopes["app_mentions:read"] {
			continue
		}
		mention := map[string]any{}
		for name, v := range event {
			mention[name] = v
		}
		mention["type"] = "app_mention"
		delete(mention, "channel_type")
		s.event(a, c, mention)
	}
}

// event wraps an inner event and sends it. c may be nil.
func (s *Server) event(a *app, c *channel, inner map[string]any) {
	about, _ := inner["type"].(string)
	if sub, ok := inner["subtype"].(string); ok {
		about += "/" + sub
	}
	s.send(a, kindEvent, about, false, map[string]any{
		"token": "playground", "team_id": s.opts.TeamID, "context_team_id": s.opts.TeamID, "context_enterprise_id": nil,
		"api_app_id": a.ID, "event": inner, "type": "event_callback", "event_id": s.nextID("Ev"),
		"event_time": s.clock.Now().Unix(), "is_ext_shared_channel": c != nil && c.Shared,
		"event_context": s.nextID("4-"),
		"authorizations": []any{map[string]any{
			"enterprise_id": nil, "team_id": s.opts.TeamID, "user_id": a.BotUserID, "is_bot": true, "is_enterprise_install": false,
		}},
	})
}

// Say posts what a person typed and returns its timestamp. user and channel
// are names or IDs; the name of an app as channel is the conversation with it.
func (s *Server) Say(user, channel, text, threadTS string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, c, err := s.present(user, channel)
	if err != nil {
		return "", err
	}
	if strings.TrimSpace(text) == "" {
		return "", refusal("no_text", "the text is empty")
	}
	if threadTS != "" {
		root := c.find(threadTS)
		if root == nil || root.Deleted || root.Ephemeral {
			return "", refusal("unknown_thread", "no message %q in this channel", threadTS)
		}
		if root.ThreadTS != "" {
			threadTS = root.ThreadTS
		}
	}
	stored := cut(s.typed(text), postTextCut)
	m := &Message{User: u.ID, Text: stored, ThreadTS: threadTS, Blocks: richText(stored, s.nextID("b"))}
	s.add(c, m)
	s.announce(c, m)
	return m.TS, nil
}

// present resolves who is where, and refuses who cannot be there.
func (s *Server) present(user, channel string) (*User, *channel, error) {
	return s.workspace.present(user, channel)
}

func (w *workspace) present(user, ref string) (*User, *channel, error) {
	u, err := w.findUser(user)
	if err != nil {
		return nil, nil, err
	}
	if u.Deleted || u.Bot && w.appByBot(u.ID) != nil {
		return nil, nil, refusal("not_a_person", "%s does not sit at a keyboard", u.Name)
	}
	c, err := w.findChannel(ref, u.ID)
	if err != nil {
		return nil, nil, err
	}
	if !c.has(u.ID) {
		return nil, nil, refusal("not_in_channel", "%s is not in %s", u.Name, c.displayName())
	}
	return u, c, nil
}

// Edit changes what a person wrote before.
func (s *Server) Edit(user, channel, ts, text string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, c, err := s.present(user, channel)
	if err != nil {
		return err
	}
	m := c.find(ts)
	if m == nil || m.Deleted {
		return refusal("message_not_found", "no message %q in this channel", ts)
	}
	if m.User != u.ID {
		return refusal("cant_update_message", "the message was not written by %s", u.Name)
	}
	stored := cut(s.typed(text), postTextCut)
	before := s.wire(m, false)
	s.replace(m, content{text: &stored, blocks: richText(stored, s.nextID("b"))})
	s.announceChange(c, m, before)
	return nil
}
