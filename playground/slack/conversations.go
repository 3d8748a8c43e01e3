package slack

import (
	"slices"
	"strconv"
	"strings"
)

// reader finds a channel the bot may read and checks the scope for its kind.
func (s *Server) reader(c *call, what string) (*channel, error) {
	ch := s.channel(c.str("channel"))
	if ch == nil || ch.dm != "" && ch.app != c.app || ch.Private && !ch.has(c.app.BotUserID) {
		return nil, slackError("channel_not_found")
	}
	if need := ch.scope(what); !c.app.scopes[need] {
		return nil, s.missingScope(c, need)
	}
	if what == "history" && !ch.has(c.app.BotUserID) {
		return nil, slackError("not_in_channel")
	}
	return ch, nil
}

func (s *Server) wireChannel(ch *channel, a *app) map[string]any {
	out := map[string]any{
		"id": ch.ID, "created": 1700000000, "is_archived": false, "is_im": ch.dm != "", "is_mpim": false,
		"is_org_shared": false, "context_team_id": s.opts.TeamID,
	}
	if ch.dm != "" {
		out["user"], out["is_open"] = ch.dm, true
		return out
	}
	out["name"], out["name_normalized"] = ch.Name, ch.Name
	out["is_channel"], out["is_group"], out["is_private"] = !ch.Private, ch.Private, ch.Private
	out["is_general"] = ch.Name == "general"
	out["is_shared"], out["is_ext_shared"] = ch.Shared, ch.Shared
	out["is_member"], out["num_members"] = ch.has(a.BotUserID), len(ch.Members)
	out["topic"] = map[string]any{"value": ch.Topic, "creator": "", "last_set": 0}
	out["purpose"] = map[string]any{"value": "", "creator": "", "last_set": 0}
	return out
}

func (s *Server) conversationsList(c *call) (map[string]any, error) {
	types := c.str("types")
	if types == "" {
		types = "public_channel"
	}
	scopes := map[string]string{"public_channel": "channels:read", "private_channel": "groups:read", "im": "im:read", "mpim": "mpim:read"}
	var needed []string
	for _, t := range strings.Split(types, ",") {
		scope, ok := scopes[strings.TrimSpace(t)]
		if !ok {
			return nil, slackError("invalid_types")
		}
		if !c.app.scopes[scope] {
			needed = append(needed, scope)
		}
	}
	if len(needed) > 0 {
		return nil, s.missingScope(c, strings.Join(needed, ","))
	}
	all := []map[string]any{}
	for _, ch := range s.channels {
		kind := map[string]string{"channel": "public_channel", "group": "private_channel", "im": "im"}[ch.kind()]
		if !strings.Contains(","+types+",", ","+kind+",") || ch.dm != "" && ch.app != c.app || ch.Private && !ch.has(c.app.BotUserID) {
			continue
		}
		all = append(all, s.wireChannel(ch, c.app))
	}
	return page(c, "channels", all)
}

// page cuts a list by limit and cursor.
func page[T any](c *call, name string, all []T) (map[string]any, error) {
	start := 0
	if cursor := c.str("cursor"); cursor != "" {
		n, err := strconv.Atoi(strings.TrimPrefix(cursor, "pg:"))
		if err != nil || n < 0 || n > len(all) {
			return nil, slackError("invalid_cursor")
		}
		start = n
	}
	limit := c.int("limit", 100)
	if limit <= 0 || limit > 1000 {
		limit = 1000
	}
	end, next := min(start+limit, len(all)), ""
	if end < len(all) {
		next = "pg:" + strconv.Itoa(end)
	}
	return map[string]any{
		name: all[start:end], "has_more": next != "", "response_metadata": map[string]any{"next_cursor": next},
	}, nil
}

func (s *Server) conversationsInfo(c *call) (map[string]any, error) {
	ch, err := s.reader(c, "read")
	if err != nil {
		return nil, err
	}
	return map[string]any{"channel": s.wireChannel(ch, c.app)}, nil
}

func (s *Server) conversationsMembers(c *call) (map[string]any, error) {
	ch, err := s.reader(c, "read")
	if err != nil {
		return nil, err
	}
	return page(c, "members", ch.Members)
}

func (s *Server) conversationsHistory(c *call) (map[string]any, error) {
	ch, err := s.reader(c, "history")
	if err != nil {
		return nil, err
	}
	all := s.spoken(c, ch, func(m *Message) bool { return m.ThreadTS == "" || m.ThreadTS == m.TS || m.Broadcast })
	slices.Reverse(all)
	return page(c, "messages", all)
}

func (s *Server) conversationsReplies(c *call) (map[string]any, error) {
	ch, err := s.reader(c, "history")
	if err != nil {
		return nil, err
	}
	root := ch.find(c.str("ts"))
	if root == nil || root.Deleted || root.Ephemeral {
		return nil, slackError("thread_not_found")
	}
	if root.ThreadTS != "" {
		root = ch.find(root.ThreadTS)
	}
	return page(c, "messages", s.spoken(c, ch, func(m *Message) bool { return m == root || m.ThreadTS == root.TS }))
}

// spoken are the messages an app may read, oldest first, between oldest and
// latest. Ephemeral ones are nobody's to read.
func (s *Server) spoken(c *call, ch *channel, want func(*Message) bool) []map[string]any {
	oldest, latest, inclusive := c.str("oldest"), c.str("latest"), c.bool("inclusive")
	out := []map[string]any{}
	for _, m := range ch.messages {
		if m.Ephemeral || m.Deleted || !want(m) {
			continue
		}
		if oldest != "" && oldest != "0" && (m.TS < oldest || m.TS == oldest && !inclusive) {
			continue
		}
		if latest != "" && (m.TS > latest || m.TS == latest && !inclusive) {
			continue
		}
		out = append(out, s.wire(m, c.bool("include_all_metadata")))
	}
	return out
}

func (s *Server) conversationsOpen(c *call) (map[string]any, error) {
	ch := s.channel(c.str("channel"))
	if ch == nil {
		users := strings.Split(c.str("users"), ",")
		if len(users) != 1 || s.user(users[0]) == nil {
			return nil, slackError("user_not_found")
		}
		if ch = s.direct(users[0], c.app); ch == nil {
			return nil, slackError("cannot_dm_bot")
		}
	}
	if !c.app.scopes["im:write"] {
		return nil, s.missingScope(c, "im:write")
	}
	return map[string]any{"channel": map[string]any{"id": ch.ID}, "no_op": true, "already_open": true}, nil
}
