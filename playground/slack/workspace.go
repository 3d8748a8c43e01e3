package slack

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// workspace is who and what there is: people, channels, apps, messages.
type workspace struct {
	users    []User
	channels []*channel
	apps     []*app
	groups   []Usergroup
	views    map[string]*view
	files    map[string]*file
	homes    map[string]*view // by app ID and user ID
}

// channel is a Channel or a direct conversation (dm set) with its messages in
// order of their timestamps.
type channel struct {
	Channel
	dm       string // the person of a direct conversation
	app      *app   // the app of a direct conversation
	messages []*Message
}

type app struct {
	App
	scopes map[string]bool
	conns  int // of conns, for round robin
}

func newWorkspace(opts Options) (workspace, error) {
	w := workspace{
		users: slices.Clone(opts.Users), groups: slices.Clone(opts.Usergroups),
		views: map[string]*view{}, files: map[string]*file{}, homes: map[string]*view{},
	}
	for _, a := range opts.Apps {
		w.addApp(a)
	}
	for i := range w.users {
		if w.users[i].Real == "" {
			w.users[i].Real = w.users[i].Name
		}
	}
	for _, c := range opts.Channels {
		if len(c.Members) == 0 {
			for _, u := range w.users {
				c.Members = append(c.Members, u.ID)
			}
		}
		w.channels = append(w.channels, &channel{Channel: c})
	}
	w.addDirect()
	return w, w.check()
}

// addApp installs an app: its bot user joins the people, if it has none yet.
func (w *workspace) addApp(a App) {
	if a.BotID == "" {
		a.BotID = "B" + strings.TrimPrefix(a.BotUserID, "U")
	}
	if len(a.Events) == 0 {
		a.Events = []string{"app_mention", "message.im", "app_home_opened"}
	}
	installed := &app{App: a, scopes: map[string]bool{}}
	for _, scope := range a.Scopes {
		installed.scopes[scope] = true
	}
	w.apps = append(w.apps, installed)
	if w.user(a.BotUserID) == nil {
		w.users = append(w.users, User{ID: a.BotUserID, Name: a.Name, Bot: true})
	}
}

// addDirect opens the conversation of every person with every app.
func (w *workspace) addDirect() {
	for _, a := range w.apps {
		for _, u := range w.users {
			if u.Bot || u.Deleted {
				continue
			}
			id := "D" + strings.TrimPrefix(u.ID, "U") + strings.TrimPrefix(a.ID, "A")
			w.channels = append(w.channels, &channel{
				Channel: Channel{ID: id, Members: []string{u.ID, a.BotUserID}}, dm: u.ID, app: a,
			})
		}
	}
}

func (w *workspace) check() error {
	seen := map[string]string{}
	once := func(what, value string) error {
		if value == "" {
			return fmt.Errorf("empty %s", what)
		}
		if old, ok := seen[value]; ok {
			return fmt.Errorf("%s %q is used already (%s)", what, value, old)
		}
		seen[value] = what
		return nil
	}
	var errs []error
	for _, u := range w.users {
		errs = append(errs, once("user ID", u.ID), once("user name", "@"+u.Name))
	}
	for _, c := range w.channels {
		errs = append(errs, once("channel ID", c.ID))
		if c.dm == "" {
			errs = append(errs, once("channel name", "#"+c.Name))
		}
		for _, m := range c.Members {
			if w.user(m) == nil {
				errs = append(errs, fmt.Errorf("channel %s: no user %q", c.Name, m))
			}
		}
	}
	for _, a := range w.apps {
		errs = append(errs, once("app ID", a.ID), once("bot token", a.BotToken), once("app token", a.AppToken))
	}
	return errors.Join(errs...)
}

func (w *workspace) user(id string) *User {
	for i := range w.users {
		if w.users[i].ID == id {
			return &w.users[i]
		}
	}
	return nil
}

// findUser takes an ID or a name, with or without "@".
func (w *workspace) findUser(ref string) (*User, error) {
	if u := w.user(ref); u != nil {
		return u, nil
	}
	name := strings.TrimPrefix(ref, "@")
	for i := range w.users {
		if name != "" && strings.EqualFold(w.users[i].Name, name) {
			return &w.users[i], nil
		}
	}
	return nil, refusal("unknown_user", "no user %q; there are %s", ref, strings.Join(w.userNames(), ", "))
}

func (w *workspace) userNames() []string {
	names := make([]string, 0, len(w.users))
	for _, u := range w.users {
		names = append(names, u.Name)
	}
	return names
}

func (w *workspace) channel(id string) *channel {
	for _, c := range w.channels {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// findChannel takes an ID, a name with or without "#", or the name or ID of
// an app or its bot user: then it is user's conversation with that app.
func (w *workspace) findChannel(ref, user string) (*channel, error) {
	if c := w.channel(ref); c != nil {
		return c, nil
	}
	name := strings.TrimPrefix(ref, "#")
	var names []string
	for _, c := range w.channels {
		if c.dm == "" && name != "" && strings.EqualFold(c.Name, name) {
			return c, nil
		}
		if c.dm == "" {
			names = append(names, "#"+c.Name)
		}
	}
	direct := strings.TrimPrefix(ref, "@")
	for _, c := range w.channels {
		if c.dm != "" && c.dm == user && (strings.EqualFold(c.app.Name, direct) || c.app.BotUserID == ref) {
			return c, nil
		}
	}
	return nil, refusal("unknown_channel", "no channel %q; there are %s", ref, strings.Join(names, ", "))
}

func (w *workspace) direct(user string, a *app) *channel {
	for _, c := range w.channels {
		if c.dm == user && c.app == a {
			return c
		}
	}
	return nil
}

func (w *workspace) appByToken(token string) (found *app, appLevel bool) {
	for _, a := range w.apps {
		switch token {
		case a.BotToken:
			return a, false
		case a.AppToken:
			return a, true
		}
	}
	return nil, false
}

func (w *workspace) appByBot(userID string) *app {
	for _, a := range w.apps {
		if a.BotUserID == userID {
			return a
		}
	}
	return nil
}

func (c *channel) has(user string) bool { return slices.Contains(c.Members, user) }

// kind is the channel_type of events.
func (c *channel) kind() string {
	switch {
	case c.dm != "":
		return "im"
	case c.Private:
		return "group"
	default:
		return "channel"
	}
}

// scope names the scope for reading the channel: "read" for what it is,
// "history" for what was said.
func (c *channel) scope(what string) string {
	switch c.kind() {
	case "im":
		return "im:" + what
	case "group":
		return "groups:" + what
	default:
		return "channels:" + what
	}
}

// displayName is the name in payloads.
func (c *channel) displayName() string {
	if c.dm != "" {
		return "directmessage"
	}
	return c.Name
}

// UserInfo and ChannelInfo are the shapes of the control interface.
type (
	UserInfo struct {
		ID    string `json:"id"`
		Name  string `json:"name"`
		Real  string `json:"real_name"`
		Title string `json:"title,omitempty"`
		Admin bool   `json:"admin"`
		Guest bool   `json:"guest,omitempty"`
		Bot   bool   `json:"bot,omitempty"`
	}
	ChannelInfo struct {
		ID      string   `json:"id"`
		Name    string   `json:"name"`
		Topic   string   `json:"topic,omitempty"`
		Private bool     `json:"private,omitempty"`
		Members []string `json:"members,omitempty"`
		// User and App are set for a direct conversation.
		User string `json:"user,omitempty"`
		App  string `json:"app,omitempty"`
	}
)

// Users returns the people and bots of the workspace, deleted ones left out.
func (s *Server) Users() []UserInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.userInfos()
}

func (w *workspace) userInfos() []UserInfo {
	out := []UserInfo{}
	for _, u := range w.users {
		if !u.Deleted {
			out = append(out, UserInfo{u.ID, u.Name, u.Real, u.Title, u.Admin, u.Guest, u.Bot})
		}
	}
	return out
}

// Channels returns the channels, without direct conversations.
func (s *Server) Channels() []ChannelInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channelInfos(false)
}

func (w *workspace) channelInfos(direct bool) []ChannelInfo {
	out := []ChannelInfo{}
	for _, c := range w.channels {
		info := ChannelInfo{ID: c.ID, Name: c.Name, Topic: c.Topic, Private: c.Private, Members: c.Members}
		if c.dm != "" {
			if !direct {
				continue
			}
			info.Name, info.User, info.App = c.app.Name, c.dm, c.app.ID
		}
		out = append(out, info)
	}
	return out
}
