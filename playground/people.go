package main

import "ferry/playground/slack"

// The tokens of the playground, which are good for nothing else.
const (
	botToken    = "xoxb-demo-bot"
	appToken    = "xapp-demo-app"
	githubToken = "demo"
	adminID     = "U0ADA"
	managersID  = "S0MANAGERS"
)

// workspace is who sits in the local Slack, and where.
func workspace(url, fleet string) slack.Options {
	return slack.Options{
		BaseURL: url, TeamName: "Acme", Hints: hints(fleet),
		Users: []slack.User{
			{ID: adminID, Name: "ada", Real: "Ada Lovelace", Title: "Platform", Email: "ada@acme.example", Admin: true},
			{ID: "U0BOB", Name: "bob", Real: "Bob Builder", Title: "Developer", Email: "bob@acme.example"},
			{ID: "U0EVE", Name: "eve", Real: "Eve Adams", Title: "Release manager", Email: "eve@acme.example"},
			{ID: "U0GUEST", Name: "gus", Real: "Gus Guest", Title: "Guest", Guest: true},
		},
		Channels: []slack.Channel{
			{ID: "C0DEPLOY", Name: "deployments", Topic: "Who moves what where", Members: []string{adminID, "U0BOB", "U0EVE", "U0FERRY"}},
			{ID: "C0GENERAL", Name: "general", Topic: "Everything else"},
		},
		Usergroups: []slack.Usergroup{{ID: managersID, Handle: "release-managers", Name: "Release managers", Users: []string{adminID, "U0BOB", "U0EVE"}}},
		Apps: []slack.App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: botToken, AppToken: appToken,
			Scopes: []string{
				"app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:write",
				"groups:history", "groups:read", "im:history", "im:read", "im:write", "mpim:history", "mpim:read",
				"reactions:write", "team:read", "usergroups:read", "users:read", "users:read.email",
			},
			Commands: []slack.Command{{Name: "/ferry", Description: "Promote versions across clusters", Usage: "list | diff | promote | help", Escape: true}},
		}},
	}
}

// hints are the things to try with a fleet.
func hints(fleet string) []slack.Hint {
	if fleet == "refusals" {
		return []slack.Hint{
			{Title: "what runs where", Text: "@ferry list"},
			{Title: "a version that clusters share", Text: "@ferry promote backend@1.5.0 to prod"},
			{Title: "a chart and an image", Text: "@ferry promote shop@6.5.4 to prod"},
		}
	}
	if fleet == "armada" {
		return []slack.Hint{
			{Title: "what stage has and prod has not", Text: "@ferry diff stage prod-ca"},
			{Title: "all of it, wave by wave", Text: "@ferry promote all from stage to prod-*"},
			{Title: "one app everywhere", Text: "@ferry promote app03 from stage to prod-*"},
		}
	}
	return []slack.Hint{
		{Title: "what runs where", Text: "@ferry list"},
		{Title: "carry a version to prod", Text: "@ferry promote podinfo@6.5.4 to prod"},
		{Title: "and one that never becomes ready", Text: "@ferry promote podinfo@6.5.5 to stage"},
	}
}
