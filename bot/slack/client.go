// Package slack is the bot's transport to Slack: the Web API calls that ferry
// needs, the Socket Mode connections, what their envelopes mean, and who people
// are. It decides nothing.
//
// Socket Mode is slack-go's. The Web API is called directly, by one function,
// because what matters there is what an answer says about the outcome, and
// because a message of somebody else with a block that slack-go does not know
// must not hide one of ours. For the same reason envelopes are decoded here
// from their raw JSON, by the few fields that count.
//
// Rate limits are kept in one file, limit.go; Slack's refusals are translated
// into outcomes in one, messages.go.
package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ferry/internal/chat"
)

// DefaultURL is Slack's Web API.
const DefaultURL = "https://slack.com/api/"

// Token is a secret that does not print itself.
type Token string

// String implements fmt.Stringer.
func (Token) String() string { return "[token]" }

// GoString implements fmt.GoStringer.
func (Token) GoString() string { return "[token]" }

// LogValue implements slog.LogValuer.
func (Token) LogValue() slog.Value { return slog.StringValue("[token]") }

// MarshalText implements encoding.TextMarshaler.
func (Token) MarshalText() ([]byte, error) { return []byte("[token]"), nil }

// Options of a Client; only the tokens are needed.
type Options struct {
	BotToken Token // xoxb-…
	AppToken Token // xapp-…, with connections:write
	// BaseURL is the Web API's address, DefaultURL if empty. Its scheme may be
	// http for a local Slack.
	BaseURL string
	// Connections is how many sockets are kept open (default 2: while Slack
	// refreshes one, the other receives).
	Connections int
	// Timeout bounds each call of the Web API (default 10 s).
	Timeout time.Duration
	// PostsPerSecond bounds new messages per channel (default 1, in bursts of 5).
	PostsPerSecond float64
	// Emails says that people's addresses are wanted: then Check looks for the scope.
	Emails bool
	// Files says that files are to be shown: then Check looks for the scope.
	Files bool
	Log   *slog.Logger
}

// Client talks to one workspace.
type Client struct {
	o        Options
	http     *http.Client
	uploads  *http.Client // without a limit on time: how long a file takes depends on its size
	limit    *limiter
	rung     atomic.Int32 // of render.Rung: the one that works here
	people   people
	groups   groups
	channels channels
	sockets  sockets

	mu sync.Mutex
	me Identity
}

// Identity is who ferry is in the workspace.
type Identity struct {
	Team     chat.TeamID
	TeamName string
	User     chat.UserID // the bot's user, as it is mentioned
	Bot      string      // its bot ID, as it signs messages
	// NoEmails: Slack does not tell ferry people's addresses, for want of a scope.
	NoEmails bool
	// NoFiles: Slack takes no files from ferry, for want of a scope.
	NoFiles bool
}

// New returns a client; nothing is called before its methods are.
func New(o Options) (*Client, error) {
	if o.BaseURL == "" {
		o.BaseURL = DefaultURL
	}
	if !strings.HasSuffix(o.BaseURL, "/") {
		o.BaseURL += "/"
	}
	if u, err := url.Parse(o.BaseURL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address %q is no http or https URL", o.BaseURL)
	}
	if o.BotToken == "" || o.AppToken == "" {
		return nil, errors.New("both a bot token and an app-level token are needed")
	}
	if o.Connections <= 0 {
		o.Connections = 2
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.PostsPerSecond <= 0 {
		o.PostsPerSecond = 1
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Client{
		o: o, http: &http.Client{Timeout: o.Timeout}, uploads: &http.Client{}, limit: newLimiter(o.PostsPerSecond),
		people: people{known: map[chat.UserID]cached{}}, sockets: newSockets(o.Connections),
	}, nil
}

// Error is a refusal by Slack: the method, and the code of its answer or the
// HTTP status.
type Error struct {
	Method string
	Code   string
	Status int
	Needed string // the scope that is missing, if it is that
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Code == "":
		return fmt.Sprintf("%s: HTTP status %d", e.Method, e.Status)
	case e.Needed != "":
		return fmt.Sprintf("%s: %s (%s)", e.Method, e.Code, e.Needed)
	}
	return e.Method + ": " + e.Code
}

// codeOf returns the code of a refusal, or "".
func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

// answer is what every method returns around its own fields.
type answer struct {
	OK       bool   `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"`
	Metadata struct {
		Cursor string `json:"next_cursor"`
	} `json:"response_metadata"`
}

// call asks a method of the Web API with the bot's token and decodes the answer
// into out. It does not wait: a method whose limit is reached is not called and
// returns *outbox.Wait.
func (c *Client) call(ctx context.Context, method string, form url.Values, out any) error {
	_, err := c.callAs(ctx, c.o.BotToken, method, form, out)
	return err
}

func (c *Client) callAs(ctx context.Context, token Token, method string, form url.Values, out any) (http.Header, error) {
	if err := c.limit.allow(method, form.Get("channel")); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.BaseURL+method, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+string(token))
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", method, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", method, err)
	}
	var a answer
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(body, &a); err != nil {
			return nil, fmt.Errorf("decode the answer of %s: %w", method, err)
		}
	}
	if resp.StatusCode == http.StatusTooManyRequests || a.Error == "ratelimited" {
		return nil, c.limit.blocked(method, resp.Header.Get("Retry-After"))
	}
	if !a.OK {
		return nil, &Error{Method: method, Code: a.Error, Status: resp.StatusCode, Needed: a.Needed}
	}
	if out != nil {
		if err := json.Unmarshal(body, out); err != nil {
			return nil, fmt.Errorf("decode the answer of %s: %w", method, err)
		}
	}
	return resp.Header, nil
}

// Identify asks Slack who ferry is, once; later calls return what is known.
func (c *Client) Identify(ctx context.Context) (Identity, error) {
	c.mu.Lock()
	me := c.me
	c.mu.Unlock()
	if me.Team != "" {
		return me, nil
	}
	var a struct {
		Team   string      `json:"team"`
		TeamID chat.TeamID `json:"team_id"`
		UserID chat.UserID `json:"user_id"`
		BotID  string      `json:"bot_id"`
	}
	header, err := c.callAs(ctx, c.o.BotToken, "auth.test", url.Values{}, &a)
	if err != nil {
		return Identity{}, err
	}
	me = Identity{Team: a.TeamID, TeamName: a.Team, User: a.UserID, Bot: a.BotID}
	scopes := scopesIn(header)
	me.NoEmails = len(scopes) > 0 && !slices.Contains(scopes, EmailScope)
	me.NoFiles = len(scopes) > 0 && !slices.Contains(scopes, FileScope)
	c.mu.Lock()
	c.me = me
	c.mu.Unlock()
	return me, nil
}

// Respond answers a slash command to the one who typed it, where ferry may not
// post. The address is the command's own; it works for 30 minutes.
func (c *Client) Respond(ctx context.Context, address, text string) error {
	return c.respond(ctx, address, map[string]any{"response_type": "ephemeral", "text": text})
}

// ours reports whether a host is Slack's, or that of a local Slack.
func (c *Client) ours(host string) bool {
	base, err := url.Parse(c.o.BaseURL)
	return err == nil && (host == base.Hostname() || host == "hooks.slack.com" && base.Hostname() == "slack.com")
}
