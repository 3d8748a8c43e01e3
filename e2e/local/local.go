// Package local is what tests of several packages start on this machine: ferry and its plugins, built as their users
// get them, and a Slack with people in it.
package local

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"

	"ferry/playground/slack"
)

// Tokens of ferry in the local Slack.
const (
	BotToken = "xoxb-e2e" //nolint:gosec // of no Slack but the local one
	AppToken = "xapp-e2e" //nolint:gosec // as above
)

// Ferry compiles the bot into a folder, as its users do but for further flags, and returns the binary's path.
func Ferry(ctx context.Context, dir string, flags ...string) (string, error) {
	binary := filepath.Join(dir, "ferry")
	return binary, build(ctx, ".", append(flags, "-o", binary, ".")...)
}

// Sources compiles shipped sources into a folder, each under its name; without names all of them.
func Sources(ctx context.Context, dir string, names ...string) error {
	return mains(ctx, "sources", dir, names)
}

// Notifiers compiles shipped notifiers into a folder, as Sources does.
func Notifiers(ctx context.Context, dir string, names ...string) error {
	return mains(ctx, "notifiers", dir, names)
}

func mains(ctx context.Context, module, dir string, names []string) error {
	what := []string{"./cmd/..."}
	if len(names) > 0 {
		what = nil
	}
	for _, name := range names {
		what = append(what, "./cmd/"+name)
	}
	return build(ctx, filepath.Join("plugins", module), append([]string{"-ldflags=-s -w", "-o", dir + "/"}, what...)...)
}

// build runs the go command in a folder of ferry's own module, wherever that is.
func build(ctx context.Context, folder string, args ...string) error {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "ferry").Output()
	if err != nil {
		return fmt.Errorf("find ferry's source: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build"}, args...)...)
	cmd.Dir = filepath.Join(strings.TrimSpace(string(root)), folder)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", args[len(args)-1], err, out)
	}
	return nil
}

// Workspace is who sits in the local Slack. Alice is ferry's admin, Carol has a role for stage, Bob has none. Slack's
// limits hold.
func Workspace() slack.Options {
	return slack.Options{
		RateLimits: true,
		Users: []slack.User{
			{ID: "U0ALICE", Name: "alice", Real: "Alice Liddell"},
			{ID: "U0BOB", Name: "bob", Real: "Bob Roberts"},
			{ID: "U0CAROL", Name: "carol", Real: "Carol Reed"},
			{ID: "U0DAVE", Name: "dave", Real: "Dave Lister"},
			{ID: "U0GUEST", Name: "guest", Guest: true},
		},
		Channels:   []slack.Channel{{ID: "C0DEPLOYS", Name: "deploys"}, {ID: "C0RANDOM", Name: "random"}, {ID: "C0PARTNERS", Name: "partners", Shared: true}},
		Usergroups: []slack.Usergroup{{ID: "S0LEADS", Handle: "leads", Name: "Leads", Users: []string{"U0BOB", "U0CAROL", "U0DAVE"}}},
		Apps: []slack.App{{
			ID: "A0FERRY", Name: "ferry", BotUserID: "U0FERRY", BotToken: BotToken, AppToken: AppToken,
			Scopes: []string{
				"commands", "chat:write", "app_mentions:read", "im:history", "channels:history", "groups:history", "im:write",
				"channels:read", "groups:read", "users:read", "usergroups:read", "files:write",
			},
			Commands: []slack.Command{{Name: "/ferry", Description: "Ask ferry", Escape: true}},
		}},
	}
}

// Slack opens a workspace, with something before its calls, and returns its address. defers gets what closes it.
func Slack(options slack.Options, before func(http.Handler) http.Handler, defers func(func())) (*slack.Server, string, error) {
	server, err := slack.New(options)
	if err != nil {
		return nil, "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Run(ctx) // it ends because it is told to
	}()
	served := httptest.NewServer(before(server))
	defers(func() {
		cancel()
		<-done
		served.CloseClientConnections()
		served.Close()
	})
	return server, served.URL, nil
}
