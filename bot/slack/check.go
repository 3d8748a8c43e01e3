package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"ferry/bot/outbox"
)

// Finding is one thing that was tried.
type Finding struct {
	What   string
	OK     bool
	Detail string
	Help   string // what would help, if it is not OK
	Spare  bool   // ferry can do without
}

// EmailScope is the scope with which Slack tells people's addresses. ferry runs
// without it: then commits name no co-authors.
const EmailScope = "users:read.email"

// Scopes are those of the bot token that ferry uses, with what for.
func Scopes() map[string]string {
	return map[string]string{
		"app_mentions:read": "to be spoken to in channels",
		"channels:history":  "to find its own messages after a lost answer, in public channels",
		"channels:read":     "to tell whether a button or slash command comes from a channel that is shared with others",
		"chat:write":        "to answer",
		"commands":          "for the slash command",
		"groups:history":    "to find its own messages after a lost answer, in private channels",
		"groups:read":       "to tell the same of private channels",
		"im:history":        "to be spoken to in direct messages",
		"users:read":        "to tell members from guests",
	}
}

// Check tries the tokens, and whether the bot's has the scopes that it needs.
func (c *Client) Check(ctx context.Context) []Finding {
	var me struct {
		Team string `json:"team"`
		User string `json:"user"`
		URL  string `json:"url"`
	}
	header, err := c.callAs(ctx, c.o.BotToken, "auth.test", url.Values{}, &me)
	if err != nil {
		return append([]Finding{{What: "Slack bot token", Detail: err.Error(), Help: "install the app to the workspace and take its bot token (xoxb-…)"}}, c.checkApp(ctx))
	}
	out := []Finding{{What: "Slack bot token", OK: true, Detail: fmt.Sprintf("%s in %s (%s)", me.User, me.Team, me.URL)}}
	scopes := Finding{What: "Slack scopes", OK: true, Detail: "all that are needed"}
	has := scopesIn(header)
	var missing []string
	for scope, why := range Scopes() {
		if !slices.Contains(has, scope) {
			missing = append(missing, scope+" ("+why+")")
		}
	}
	slices.Sort(missing)
	switch {
	case len(has) == 0:
		scopes.Detail = "Slack did not tell which there are"
	case len(missing) > 0:
		scopes.OK, scopes.Detail = false, "missing: "+strings.Join(missing, ", ")
		scopes.Help = "add them to the app's manifest and install it to the workspace again"
	}
	out = append(out, scopes)
	if c.o.Emails && len(has) > 0 {
		out = append(out, checkEmails(has))
	}
	if c.o.Files && len(has) > 0 {
		out = append(out, checkFiles(has))
	}
	return append(out, c.checkApp(ctx))
}

// scopesIn returns the scopes of a token, of which every answer tells.
func scopesIn(h http.Header) []string {
	return strings.FieldsFunc(h.Get("X-OAuth-Scopes"), func(r rune) bool { return r == ',' || r == ' ' })
}

func checkEmails(has []string) Finding {
	f := Finding{What: "Slack addresses", OK: slices.Contains(has, EmailScope), Spare: true, Detail: "known, for co-authors of commits"}
	if !f.OK {
		f.Detail = "missing: " + EmailScope + " (to name who asked as co-author of a commit)"
		f.Help = "add it to the app's manifest and install it to the workspace again, or set repo.co_author: false"
	}
	return f
}

func (c *Client) checkApp(ctx context.Context) Finding {
	f := Finding{What: "Slack app token"}
	if _, err := c.callAs(ctx, c.o.AppToken, "apps.connections.open", url.Values{}, nil); err != nil {
		f.Detail, f.Help = err.Error(), "make an app-level token with the scope connections:write (xapp-…), and switch Socket Mode on"
		return f
	}
	f.OK, f.Detail = true, "opens Socket Mode"
	return f
}

// patient calls a method and waits where a limit says so.
func (c *Client) patient(ctx context.Context, method string, form url.Values, out any) error {
	for {
		err := c.call(ctx, method, form, out)
		wait, waits := errors.AsType[*outbox.Wait](err)
		if !waits {
			return err
		}
		select {
		case <-time.After(wait.For):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
