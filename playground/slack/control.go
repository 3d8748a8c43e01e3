package slack

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"
)

// request is the body of every control call; each reads what it needs.
type request struct {
	User     string         `json:"user"`
	Channel  string         `json:"channel"`
	Text     string         `json:"text"`
	ThreadTS string         `json:"thread_ts"`
	TS       string         `json:"ts"`
	ActionID string         `json:"action_id"`
	Value    string         `json:"value"`
	Command  string         `json:"command"`
	Stale    bool           `json:"stale"`
	ViewID   string         `json:"view_id"`
	Values   map[string]any `json:"values"`
	App      string         `json:"app"`
	Kind     string         `json:"kind"`
	Envelope string         `json:"envelope_id"`
	Times    int            `json:"times"`
	On       bool           `json:"on"`
}

// faultRequest is a Fault with its times in milliseconds.
type faultRequest struct {
	Fault
	RetryAfterMS int  `json:"retry_after_ms"`
	DelayMS      int  `json:"delay_ms"`
	Clear        bool `json:"clear"`
}

func (s *Server) controlRoutes(mux *http.ServeMux) {
	post := func(path string, run func(*http.Request, *request) (any, error)) {
		mux.HandleFunc("POST /playground/"+path, func(w http.ResponseWriter, r *http.Request) {
			var in request
			control(w, r, &in, func() (any, error) { return run(r, &in) })
		})
	}
	post("say", func(_ *http.Request, in *request) (any, error) {
		ts, err := s.Say(in.User, in.Channel, in.Text, in.ThreadTS)
		return map[string]any{"ok": true, "ts": ts}, err
	})
	post("edit", func(_ *http.Request, in *request) (any, error) {
		return done(), s.Edit(in.User, in.Channel, in.TS, in.Text)
	})
	post("slash", func(r *http.Request, in *request) (any, error) {
		return acked(s.Slash(r.Context(), in.User, in.Channel, in.Command, in.Text))
	})
	post("click", func(r *http.Request, in *request) (any, error) {
		if in.ViewID != "" {
			return acked(s.ClickView(r.Context(), in.User, in.ViewID, in.ActionID, in.Value, in.Values))
		}
		return acked(s.click(r.Context(), in.User, in.Channel, in.TS, press{action: in.ActionID, value: in.Value, values: in.Values, stale: in.Stale}))
	})
	post("slack/submit", func(r *http.Request, in *request) (any, error) {
		return acked(s.SubmitView(r.Context(), in.User, in.ViewID, in.Values))
	})
	post("slack/close", func(_ *http.Request, in *request) (any, error) { return done(), s.CloseView(in.User, in.ViewID) })
	post("slack/home", func(_ *http.Request, in *request) (any, error) { return done(), s.OpenHome(in.User, in.App) })
	post("slack/redeliver", func(_ *http.Request, in *request) (any, error) {
		return done(), s.Redeliver(in.Envelope, max(in.Times, 1))
	})
	post("slack/disconnect", func(_ *http.Request, in *request) (any, error) { return done(), s.Disconnect(in.Kind) })
	post("slack/limits", func(_ *http.Request, in *request) (any, error) {
		s.SetRateLimits(in.On)
		return done(), nil
	})
	mux.HandleFunc("POST /playground/slack/fault", func(w http.ResponseWriter, r *http.Request) {
		var in faultRequest
		control(w, r, &in, func() (any, error) { return done(), s.faultFrom(in) })
	})
	mux.HandleFunc("GET /playground/messages", s.serveMessages)
	mux.HandleFunc("GET /playground/live", s.serveLive)
	mux.HandleFunc("GET /playground/slack/view", func(w http.ResponseWriter, r *http.Request) {
		v, err := s.View(r.URL.Query().Get("user"))
		if err != nil {
			refuse(w, err)
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"ok": true, "view": v})
	})
	get := func(path string, read func() any) {
		mux.HandleFunc("GET /playground/"+path, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, read())
		})
	}
	get("slack/calls", func() any { return s.Calls() })
	get("slack/envelopes", func() any { return map[string]any{"envelopes": s.Envelopes()} })
}

func (s *Server) faultFrom(in faultRequest) error {
	if in.Clear {
		s.ClearFaults()
		return nil
	}
	if _, ok := methods()[in.Method]; !ok && in.Method != "*" {
		return refusal("unknown_method", "no method %q", in.Method)
	}
	f := in.Fault
	f.RetryAfter = time.Duration(in.RetryAfterMS) * time.Millisecond
	f.Delay = time.Duration(in.DelayMS) * time.Millisecond
	s.Inject(f)
	return nil
}

func done() map[string]any { return map[string]any{"ok": true} }

func acked(a Ack, err error) (any, error) {
	return struct {
		OKField bool `json:"ok"`
		Ack
	}{true, a}, err
}

func (s *Server) serveMessages(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	s.mu.Lock()
	user := q.Get("user")
	if u, err := s.findUser(user); err == nil {
		user = u.ID
	}
	messages, err := s.messagesFor(q.Get("channel"), user, q.Get("thread_ts"))
	s.mu.Unlock()
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"ok": true, "messages": messages})
}

// control reads a request, refuses pages of other origins, and answers.
func control(w http.ResponseWriter, r *http.Request, in any, run func() (any, error)) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || u.Host != r.Host {
			refuse(w, refusal("foreign_origin", "a page of %s has no business here", origin))
			return
		}
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err == nil {
		err = json.Unmarshal(raw, in)
	}
	if err != nil {
		refuse(w, refusal("invalid_json", "the body is not the JSON object it should be: %v", err))
		return
	}
	out, err := run()
	if err != nil {
		refuse(w, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

func refuse(w http.ResponseWriter, err error) {
	status, code := http.StatusBadRequest, "refused"
	var e *Error
	if errors.As(err, &e) {
		code = e.Code
		switch code {
		case "unknown_user", "unknown_channel", "unknown_thread", "message_not_found", "unknown_view", "no_such_action", "unknown_envelope":
			status = http.StatusNotFound
		case "foreign_origin", "not_in_channel", "not_a_person", "cant_update_message":
			status = http.StatusForbidden
		}
	}
	writeJSON(w, status, map[string]any{"ok": false, "error": code, "message": err.Error()})
}
