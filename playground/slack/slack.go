// Package slack is a local Slack: as much of the Web API and of Socket Mode as
// a bot like ferry uses, a page in the browser where people sit, and a small
// control interface for scripts and tests. It knows no ferry; whatever speaks
// Slack's protocols can be its app.
//
// All state lives in memory in one Server behind one mutex (mu). What people
// do (Say, Edit, Slash, Click, SubmitView) changes the workspace and becomes
// envelopes; envelope.go carries those over sockets, with acknowledgements
// and redelivery as Slack does it. What the app does arrives at api.go, which
// checks token, scope, rate limit and injected faults before any method runs.
// Whatever changes is told to the page at once (live.go); nothing polls.
//
// Where Slack's behaviour is not documented, the emulator is the stricter one:
// a bot which is content here should not be surprised there. What it leaves
// out: Enterprise Grid, user tokens, searching, and formatting of messages by
// the composer.
package slack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// User is a person of the workspace. ID starts with U or W.
type User struct {
	ID    string
	Name  string
	Real  string
	Title string
	// Email is told to apps with the scope users:read.email alone.
	Email string
	// Admin marks a workspace admin; what an app makes of it is its own affair.
	Admin bool
	// Guest marks a single-channel guest (is_restricted and is_ultra_restricted).
	Guest   bool
	Bot     bool
	Deleted bool
}

// Channel is a place where everybody talks. Direct messages with apps exist by
// themselves and are not listed.
type Channel struct {
	ID, Name, Topic string
	Private         bool
	// Shared marks a channel shared with another workspace.
	Shared bool
	// Members are user IDs, bots included; empty means everybody.
	Members []string
}

// Command is a slash command of an app, with its leading slash.
type Command struct {
	Name, Description, Usage string
	// Escape turns typed names of users and channels into their IDs, as
	// should_escape in an app's manifest does.
	Escape bool
}

// App is an installed app and its bot user.
type App struct {
	ID, Name  string
	BotUserID string
	BotID     string
	BotToken  string
	AppToken  string
	// Scopes of the bot token. The app token always has connections:write.
	Scopes   []string
	Commands []Command
	// Events the app subscribed to; empty means app_mention, message.im and
	// app_home_opened. An event whose scope is lacking is not sent.
	Events []string
}

// Usergroup is a named set of users ("@platform").
type Usergroup struct {
	ID, Handle, Name string
	Users            []string
}

// Hint is one thing to try that the page shows until it was tried.
type Hint struct {
	Title string `json:"title"`
	Text  string `json:"text"`
	// Channel is a name or ID; empty means the first channel.
	Channel string `json:"channel,omitempty"`
}

// Options configure a Server. The zero value of every field works; without
// Users, Channels and Apps it is an empty workspace.
type Options struct {
	TeamID, TeamName, TeamDomain string

	Users      []User
	Channels   []Channel
	Apps       []App
	Usergroups []Usergroup
	Hints      []Hint
	// HintsTitle stands above the hints.
	HintsTitle string

	// Clock is the time for everything but the sockets' own pings and write
	// deadlines. Nil is the machine's.
	Clock Clock
	// AckTimeout is how long an envelope may stay unacknowledged (3 s).
	AckTimeout time.Duration
	// Retries are the waits before an unacknowledged event is sent again.
	// Nil is Slack's: at once, after 1 minute, after 5 minutes.
	Retries []time.Duration
	// PingInterval of the sockets (10 s), besides the ping at the start.
	PingInterval time.Duration
	// DisconnectGrace is how long a socket stays open after a disconnect
	// frame (10 s).
	DisconnectGrace time.Duration
	// OnAck is called with each acknowledgement that arrives, and lets it count
	// by calling take; a crash of the app in that moment can so be played. Nil
	// takes it.
	OnAck func(take func())
	// RateLimits turns on Slack's per-method limits from the start.
	RateLimits bool
	// Limits replaces the limit of single methods (calls per minute).
	Limits map[string]int
	// RefuseBlocks lists block types that this workspace answers with
	// invalid_blocks, as Slack does where a block is not rolled out.
	RefuseBlocks []string
	// BaseURL is this server's address as apps and people see it
	// ("http://127.0.0.1:8080"). Empty takes it from the Host of the last
	// apps.connections.open.
	BaseURL string
}

// Server is the local Slack. It is an http.Handler for "/", "/api/",
// "/playground/" and a few paths more; Run ends what it has open.
type Server struct {
	opts  Options
	clock Clock
	mux   *http.ServeMux

	mu sync.Mutex
	workspace
	desk
	faults  faultBox
	limits  limiter
	hub     hub
	baseURL string
	closed  bool
	lastTS  int64
	serial  int
}

// New returns a server for a workspace. It fails where the workspace
// contradicts itself: a name or token used twice, a member nobody knows.
func New(opts Options) (*Server, error) {
	opts = opts.withDefaults()
	s := &Server{opts: opts, clock: opts.Clock, baseURL: strings.TrimSuffix(opts.BaseURL, "/")}
	ws, err := newWorkspace(opts)
	if err != nil {
		return nil, fmt.Errorf("workspace %s: %w", opts.TeamName, err)
	}
	s.workspace = ws
	s.desk = newDesk()
	s.limits = newLimiter(opts)
	s.hub = newHub()
	s.faults = newFaultBox()
	s.mux = s.routes()
	return s, nil
}

func (o Options) withDefaults() Options {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&o.TeamID, "T0PLAYGRND")
	set(&o.TeamName, "Playground")
	set(&o.TeamDomain, "playground")
	set(&o.HintsTitle, "Three things to try")
	wait := func(field *time.Duration, value time.Duration) {
		if *field == 0 {
			*field = value
		}
	}
	wait(&o.AckTimeout, 3*time.Second)
	wait(&o.PingInterval, 10*time.Second)
	wait(&o.DisconnectGrace, 10*time.Second)
	if o.Retries == nil {
		o.Retries = []time.Duration{0, time.Minute, 5 * time.Minute}
	}
	if o.OnAck == nil {
		o.OnAck = func(take func()) { take() }
	}
	if o.Clock == nil {
		o.Clock = SystemClock()
	}
	return o
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/{method}", s.serveAPI)
	mux.HandleFunc("GET /link/", s.serveSocket)
	mux.HandleFunc("POST /upload/v1/{id}", s.serveUpload)
	mux.HandleFunc("GET /files/{id}/{name}", s.serveFile)
	mux.HandleFunc("POST /actions/{id}", s.serveResponseURL)
	s.controlRoutes(mux)
	s.pageRoutes(mux)
	return mux
}

// ServeHTTP answers everything of the local Slack.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Run blocks until ctx ends, then closes every socket and live stream and
// stops the timers of unacknowledged envelopes. Requests that are under way
// end with their own connections.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, c := range s.conns {
		c.close()
	}
	for _, e := range s.envelopes {
		e.stopTimer()
	}
	s.hub.closeAll()
	return nil
}

// nextTS returns a timestamp that no message has yet; mu is held.
func (s *Server) nextTS() string {
	micros := s.clock.Now().UnixMicro()
	if micros <= s.lastTS {
		micros = s.lastTS + 1
	}
	s.lastTS = micros
	return fmt.Sprintf("%d.%06d", micros/1e6, micros%1e6)
}

// nextID returns an ID of Slack's look with the prefix; mu is held.
func (s *Server) nextID(prefix string) string {
	s.serial++
	return fmt.Sprintf("%s0PG%06d", prefix, s.serial)
}
