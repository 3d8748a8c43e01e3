package slack

import (
	"crypto/rand"
	"encoding/hex"
	"strings"
)

func (s *Server) authTest(c *call) (map[string]any, error) {
	return map[string]any{
		"url": "https://" + s.opts.TeamDomain + ".slack.com/", "team": s.opts.TeamName, "user": s.user(c.app.BotUserID).Name,
		"team_id": s.opts.TeamID, "user_id": c.app.BotUserID, "bot_id": c.app.BotID, "is_enterprise_install": false,
	}, nil
}

func (s *Server) connectionsOpen(c *call) (map[string]any, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return nil, slackError("internal_error")
	}
	ticket := hex.EncodeToString(raw)
	s.tickets[ticket] = c.app
	url := "ws" + strings.TrimPrefix(s.baseURL, "http") + "/link/?ticket=" + ticket + "&app_id=" + c.app.ID
	return map[string]any{"url": url}, nil
}

// wireUser is a user as an app sees one: without the address, unless it has the
// scope for it (api.slack.com/scopes/users:read.email).
func (s *Server) wireUser(u *User, to *app) map[string]any {
	out := map[string]any{
		"id": u.ID, "team_id": s.opts.TeamID, "name": u.Name, "real_name": u.Real, "deleted": u.Deleted,
		"is_bot": u.Bot, "is_app_user": false, "is_admin": u.Admin, "is_owner": false, "is_primary_owner": false,
		"is_restricted": u.Guest, "is_ultra_restricted": u.Guest, "tz": "Etc/UTC", "tz_offset": 0, "updated": 1700000000,
	}
	profile := map[string]any{
		"real_name": u.Real, "display_name": u.Name, "real_name_normalized": u.Real, "display_name_normalized": u.Name,
		"title": u.Title, "team": s.opts.TeamID,
	}
	if u.Email != "" && !u.Bot && to.scopes["users:read.email"] {
		profile["email"] = u.Email
	}
	if a := s.appByBot(u.ID); a != nil {
		profile["api_app_id"], profile["bot_id"] = a.ID, a.BotID
	}
	out["profile"] = profile
	return out
}

func (s *Server) usersList(c *call) (map[string]any, error) {
	all := []map[string]any{}
	for i := range s.users {
		all = append(all, s.wireUser(&s.users[i], c.app))
	}
	return page(c, "members", all)
}

func (s *Server) usersInfo(c *call) (map[string]any, error) {
	u := s.user(c.str("user"))
	if u == nil {
		return nil, slackError("user_not_found")
	}
	return map[string]any{"user": s.wireUser(u, c.app)}, nil
}

func (s *Server) usergroupsList(c *call) (map[string]any, error) {
	all := []map[string]any{}
	for _, g := range s.groups {
		out := map[string]any{
			"id": g.ID, "team_id": s.opts.TeamID, "is_usergroup": true, "name": g.Name, "handle": g.Handle,
			"user_count": len(g.Users), "date_delete": 0,
		}
		if c.bool("include_users") {
			out["users"] = g.Users
		}
		all = append(all, out)
	}
	return map[string]any{"usergroups": all}, nil
}

func (s *Server) usergroupsUsers(c *call) (map[string]any, error) {
	for _, g := range s.groups {
		if g.ID == c.str("usergroup") {
			return map[string]any{"users": g.Users}, nil
		}
	}
	return nil, slackError("no_such_subteam")
}

// SetUsergroup replaces the members of a usergroup (ID or handle).
func (s *Server) SetUsergroup(ref string, users []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.groups {
		if s.groups[i].ID == ref || s.groups[i].Handle == ref {
			s.groups[i].Users = users
			return nil
		}
	}
	return refusal("unknown_usergroup", "no usergroup %q", ref)
}

func (s *Server) botsInfo(c *call) (map[string]any, error) {
	for _, a := range s.apps {
		if a.BotID == c.str("bot") {
			return map[string]any{"bot": map[string]any{
				"id": a.BotID, "deleted": false, "name": a.Name, "app_id": a.ID, "user_id": a.BotUserID, "updated": 1700000000,
			}}, nil
		}
	}
	return nil, slackError("bot_not_found")
}

func (s *Server) teamInfo(*call) (map[string]any, error) {
	return map[string]any{"team": map[string]any{
		"id": s.opts.TeamID, "name": s.opts.TeamName, "domain": s.opts.TeamDomain, "email_domain": "",
	}}, nil
}
