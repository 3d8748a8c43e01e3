// Command server runs the local Slack alone, with a small workspace, for the
// checks beside it. It prints {"url": …} once it listens, and ends when its
// standard input does.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"ferry/playground/slack"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := slack.New(workspace())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	web := &http.Server{Handler: s, ReadHeaderTimeout: 10 * time.Second}
	var g errgroup.Group
	g.Go(func() error { return s.Run(ctx) })
	g.Go(func() error {
		if err := web.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve: %w", err)
		}
		return nil
	})
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"url": "http://" + listener.Addr().String()}); err != nil {
		return fmt.Errorf("print the address: %w", err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started it goes
	cancel()
	return errors.Join(web.Close(), g.Wait())
}

// workspace has two apps: one with the scopes that ferry asks for, and one
// that may do almost nothing.
func workspace() slack.Options {
	return slack.Options{
		TeamName: "Harbour",
		Users: []slack.User{
			{ID: "U01ALICE", Name: "alice", Real: "Alice Moreau", Title: "Platform", Email: "alice@harbour.example", Admin: true},
			{ID: "U02BOB", Name: "bob", Real: "Bob Lindqvist", Title: "Podinfo team", Email: "bob@harbour.example"},
			{ID: "U03GUS", Name: "gus", Real: "Gus Okafor", Title: "Auditor", Guest: true},
		},
		Channels: []slack.Channel{
			{ID: "C01DEPLOYS", Name: "deploys", Topic: "Promotions from dev to stage to prod"},
			{ID: "C02GENERAL", Name: "general", Topic: "Everything else"},
		},
		Apps: []slack.App{
			{
				ID: "A01FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: "xoxb-" + "check", AppToken: "xapp-" + "check",
				Scopes: []string{
					"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history",
					"im:write", "channels:read", "groups:read", "users:read", "users:read.email", "usergroups:read", "files:write",
				},
				Commands: []slack.Command{{Name: "/ferry", Description: "Carry a version", Usage: "list | promote app@version to cluster", Escape: true}},
			},
			{
				ID: "A02MUTE", Name: "mute", BotUserID: "U0MUTE", BotToken: "xoxb-" + "mute", AppToken: "xapp-" + "mute",
				Scopes: []string{"users:read"},
			},
		},
		Hints: []slack.Hint{
			{Title: "See what runs where", Text: "@ferry list"},
			{Title: "Carry a version to prod", Text: "@ferry promote podinfo@6.5.4 to prod"},
			{Title: "Watch one fail and go back", Text: "@ferry promote podinfo@6.6.0 to stage"},
		},
	}
}
