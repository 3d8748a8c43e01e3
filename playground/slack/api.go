package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request of the Web API. Its args come from a form or from JSON;
// readers take both.
type call struct {
	method string
	app    *app
	token  string
	args   map[string]json.RawMessage
	host   string
}

// apiError is Slack's {"ok": false, "error": code} with further fields.
type apiError struct {
	code    string
	extra   map[string]any
	details []string
}

func (e *apiError) Error() string { return e.code }

func slackError(code string, details ...string) error { return &apiError{code: code, details: details} }

// method is one method of the Web API. scopes are alternatives: one of them
// is needed. run is called with mu held and returns the answer without "ok".
type method struct {
	run      func(*Server, *call) (map[string]any, error)
	scopes   []string
	appLevel bool
	perMin   int
}

// Calls per minute of Slack's tiers.
const (
	tier1   = 1
	tier2   = 20
	tier3   = 50
	tier4   = 100
	special = 0 // no limit per minute
)

func methods() map[string]method {
	return map[string]method{
		"auth.test":                    {run: (*Server).authTest, perMin: special},
		"apps.connections.open":        {run: (*Server).connectionsOpen, appLevel: true, perMin: tier1 * 60},
		"chat.postMessage":             {run: (*Server).postMessage, scopes: []string{"chat:write"}, perMin: special},
		"chat.update":                  {run: (*Server).chatUpdate, scopes: []string{"chat:write"}, perMin: tier3},
		"chat.postEphemeral":           {run: (*Server).postEphemeral, scopes: []string{"chat:write"}, perMin: tier4},
		"chat.delete":                  {run: (*Server).chatDelete, scopes: []string{"chat:write"}, perMin: tier3},
		"chat.getPermalink":            {run: (*Server).permalink, perMin: special},
		"conversations.list":           {run: (*Server).conversationsList, scopes: readScopes(), perMin: tier2},
		"conversations.info":           {run: (*Server).conversationsInfo, scopes: readScopes(), perMin: tier3},
		"conversations.history":        {run: (*Server).conversationsHistory, scopes: historyScopes(), perMin: tier3},
		"conversations.replies":        {run: (*Server).conversationsReplies, scopes: historyScopes(), perMin: tier3},
		"conversations.members":        {run: (*Server).conversationsMembers, scopes: readScopes(), perMin: tier4},
		"conversations.open":           {run: (*Server).conversationsOpen, scopes: []string{"im:write", "mpim:write", "channels:manage", "groups:write"}, perMin: tier3},
		"users.list":                   {run: (*Server).usersList, scopes: []string{"users:read"}, perMin: tier2},
		"users.info":                   {run: (*Server).usersInfo, scopes: []string{"users:read"}, perMin: tier4},
		"usergroups.list":              {run: (*Server).usergroupsList, scopes: []string{"usergroups:read"}, perMin: tier2},
		"usergroups.users.list":        {run: (*Server).usergroupsUsers, scopes: []string{"usergroups:read"}, perMin: tier2},
		"reactions.add":                {run: (*Server).reactionsAdd, scopes: []string{"reactions:write"}, perMin: tier3},
		"views.open":                   {run: (*Server).viewsOpen, perMin: tier4},
		"views.push":                   {run: (*Server).viewsPush, perMin: tier4},
		"views.update":                 {run: (*Server).viewsUpdate, perMin: tier4},
		"views.publish":                {run: (*Server).viewsPublish, perMin: tier4},
		"files.getUploadURLExternal":   {run: (*Server).uploadURL, scopes: []string{"files:write"}, perMin: tier4},
		"files.completeUploadExternal": {run: (*Server).completeUpload, scopes: []string{"files:write"}, perMin: tier4},
		"bots.info":                    {run: (*Server).botsInfo, scopes: []string{"users:read"}, perMin: tier3},
		"team.info":                    {run: (*Server).teamInfo, scopes: []string{"team:read"}, perMin: tier3},
	}
}

func readScopes() []string {
	return []string{"channels:read", "groups:read", "mpim:read", "im:read"}
}

func historyScopes() []string {
	return []string{"channels:history", "groups:history", "mpim:history", "im:history"}
}

// serveAPI runs one method: parse, authenticate, scope, fault, rate limit, run.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	c, err := readCall(r)
	m, known := methods()[c.method]
	s.mu.Lock()
	s.baseFrom(r)
	s.serial++
	w.Header().Set("x-slack-req-id", fmt.Sprintf("req%024x", s.serial))
	fault := s.faults.take(c.method)
	var answer map[string]any
	var wait time.Duration
	switch {
	case fault != nil && !fault.AfterEffect && fault.fails():
		wait = fault.Delay
	case err != nil:
		err = slackError("invalid_form_data", err.Error())
	case !known:
		err = slackError("unknown_method")
	default:
		if err = s.admit(c, m, w.Header()); err == nil {
			answer, err = m.run(s, c)
		}
		if fault != nil {
			wait = fault.Delay
		}
	}
	fails := fault != nil && fault.fails()
	if fails {
		s.count(c.method, fault.label())
	} else {
		s.count(c.method, errorCode(err))
	}
	s.mu.Unlock()
	if wait > 0 && !s.pause(r, wait) {
		return
	}
	if fails {
		fault.answer(w)
		return
	}
	writeAnswer(w, answer, err)
}

// pause waits on the server's clock; false if the caller went away.
func (s *Server) pause(r *http.Request, d time.Duration) bool {
	done := make(chan struct{})
	timer := s.clock.AfterFunc(d, func() { close(done) })
	select {
	case <-done:
		return true
	case <-r.Context().Done():
		timer.Stop()
		return false
	}
}

// admit checks token, kind of token, scope and rate. mu is held.
func (s *Server) admit(c *call, m method, header http.Header) error {
	if c.token == "" {
		return slackError("not_authed")
	}
	app, appLevel := s.appByToken(c.token)
	if app == nil {
		return slackError("invalid_auth")
	}
	c.app = app
	scopes := strings.Join(app.Scopes, ",")
	if appLevel {
		scopes = "connections:write"
	}
	header.Set("X-OAuth-Scopes", scopes)
	header.Set("X-Accepted-OAuth-Scopes", strings.Join(m.scopes, ","))
	if appLevel != m.appLevel {
		return slackError("not_allowed_token_type")
	}
	if len(m.scopes) > 0 && !slices.ContainsFunc(m.scopes, func(scope string) bool { return app.scopes[scope] }) {
		return s.missingScope(c, strings.Join(m.scopes, ","))
	}
	if wait := s.limits.take(s.clock.Now(), c); wait > 0 {
		return &apiError{code: "ratelimited", extra: map[string]any{"retry_after": wait}}
	}
	return nil
}

func (s *Server) missingScope(c *call, needed string) error {
	return &apiError{code: "missing_scope", extra: map[string]any{
		"needed": needed, "provided": strings.Join(c.app.Scopes, ","),
	}}
}

func errorCode(err error) string {
	var e *apiError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.code
	default:
		return "fatal_error"
	}
}

func writeAnswer(w http.ResponseWriter, answer map[string]any, err error) {
	if answer == nil {
		answer = map[string]any{}
	}
	status := http.StatusOK
	answer["ok"] = err == nil
	if err != nil {
		answer["error"] = errorCode(err)
		var e *apiError
		if errors.As(err, &e) {
			for name, v := range e.extra {
				answer[name] = v
			}
			if len(e.details) > 0 {
				messages := make([]string, 0, len(e.details))
				for _, d := range e.details {
					messages = append(messages, "[ERROR] "+d)
				}
				answer["errors"] = e.details
				answer["response_metadata"] = map[string]any{"messages": messages}
			}
		}
		if wait, ok := answer["retry_after"].(int); ok {
			delete(answer, "retry_after")
			w.Header().Set("Retry-After", strconv.Itoa(wait))
			status = http.StatusTooManyRequests
		}
	}
	writeJSON(w, status, answer)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller went away
}

// maxBody bounds what one request may send.
const maxBody = 4 << 20

func readCall(r *http.Request) (*call, error) {
	c := &call{method: r.PathValue("method"), host: r.Host, args: map[string]json.RawMessage{}}
	c.token, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	put := func(values url.Values) {
		for name, v := range values {
			c.args[name] = mustJSON(v[0])
		}
	}
	put(r.URL.Query())
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		if err != nil {
			return c, fmt.Errorf("read body: %w", err)
		}
		if err := json.Unmarshal(raw, &c.args); err != nil && len(raw) > 0 {
			return c, fmt.Errorf("parse body: %w", err)
		}
	} else {
		r.Body = http.MaxBytesReader(nil, r.Body, maxBody)
		if err := r.ParseMultipartForm(maxBody); err != nil && !errors.Is(err, http.ErrNotMultipart) {
			return c, fmt.Errorf("parse form: %w", err)
		}
		put(r.PostForm)
		if r.MultipartForm != nil {
			put(r.MultipartForm.Value)
		}
	}
	if token := c.str("token"); token != "" && c.token == "" {
		c.token = token
	}
	return c, nil
}

// baseFrom remembers where this server is reached. mu is held.
func (s *Server) baseFrom(r *http.Request) {
	if s.opts.BaseURL == "" && r.Host != "" {
		s.baseURL = "http://" + r.Host
	}
}
