package slack

import (
	"context"
	"encoding/json"
	"slices"
)

// view is a modal that a person sees, or a home tab.
type view struct {
	ID       string
	app      *app
	user     string
	previous string
	root     string
	hash     string
	body     map[string]any // type, title, blocks, … as the app sent them
	state    map[string]any
}

const (
	maxView  = 250 << 10
	maxStack = 3
)

func (s *Server) wireView(v *view) map[string]any {
	out := map[string]any{
		"id": v.ID, "team_id": s.opts.TeamID, "app_id": v.app.ID, "bot_id": v.app.BotID, "app_installed_team_id": s.opts.TeamID,
		"hash": v.hash, "root_view_id": v.root, "previous_view_id": nil, "private_metadata": "", "callback_id": "",
		"external_id": "", "clear_on_close": false, "notify_on_close": false, "close": nil, "submit": nil,
		"state": map[string]any{"values": v.state},
	}
	if v.previous != "" {
		out["previous_view_id"] = v.previous
	}
	for name, value := range v.body {
		out[name] = value
	}
	return out
}

// readView validates the view of a call or of an acknowledgement.
func (s *Server) readView(raw json.RawMessage, on surface) (map[string]any, error) {
	var fields map[string]json.RawMessage
	if len(raw) > maxView || json.Unmarshal(raw, &fields) != nil || fields == nil {
		return nil, slackError("invalid_arguments", "view must be an object of at most 250 KB")
	}
	blocks, code, details := s.checkBlocks(fields["blocks"], on)
	if code != "" {
		return nil, slackError("invalid_arguments", details...)
	}
	fields["blocks"] = orEmpty(blocks)
	var body map[string]any
	if err := json.Unmarshal(mustJSON(fields), &body); err != nil {
		return nil, slackError("invalid_arguments", err.Error())
	}
	c := &checker{}
	c.properties("/view", body, "type title blocks close submit private_metadata callback_id clear_on_close notify_on_close external_id submit_disabled")
	if str(body, "type") != string(on) {
		c.fail("/view/type", "must be %s", on)
	}
	c.max("/view/private_metadata", str(body, "private_metadata"), 3000)
	c.max("/view/callback_id", str(body, "callback_id"), 255)
	for _, name := range []string{"title", "submit", "close"} {
		if body[name] != nil || name == "title" && on == inModal {
			c.text("/view/"+name, body[name], 24, "plain_text")
		}
	}
	hasInput := slices.ContainsFunc(list(body, "blocks"), func(b any) bool {
		m, _ := b.(map[string]any)
		return str(m, "type") == "input"
	})
	if hasInput && body["submit"] == nil && on == inModal {
		c.fail("/view/submit", "missing required field: submit")
	}
	if len(c.errors) > 0 {
		return nil, slackError("invalid_arguments", c.errors...)
	}
	return body, nil
}

func (s *Server) takeTrigger(c *call) (*trigger, error) {
	t := s.triggers[c.str("trigger_id")]
	switch {
	case t == nil || t.app != c.app:
		return nil, slackError("invalid_trigger_id")
	case t.used:
		return nil, slackError("exchanged_trigger_id")
	case s.clock.Now().After(t.till):
		return nil, slackError("expired_trigger_id")
	}
	return t, nil
}

func (s *Server) viewsOpen(c *call) (map[string]any, error) { return s.openView(c, "") }

func (s *Server) viewsPush(c *call) (map[string]any, error) {
	t, err := s.takeTrigger(c)
	if err != nil {
		return nil, err
	}
	top, depth := s.topView(t.user)
	if top == nil {
		return nil, slackError("not_found")
	}
	if depth >= maxStack {
		return nil, slackError("push_limit_reached")
	}
	return s.openView(c, top.ID)
}

func (s *Server) openView(c *call, previous string) (map[string]any, error) {
	t, err := s.takeTrigger(c)
	if err != nil {
		return nil, err
	}
	body, err := s.readView(c.json("view"), inModal)
	if err != nil {
		return nil, err
	}
	t.used = true
	return map[string]any{"view": s.wireView(s.showView(c.app, t.user, previous, body))}, nil
}

func (s *Server) showView(a *app, user, previous string, body map[string]any) *view {
	if previous == "" {
		s.closeViews(user)
	}
	v := &view{ID: s.nextID("V"), app: a, user: user, previous: previous, body: body, state: map[string]any{}}
	v.root, v.hash = v.ID, s.nextTS()
	if p := s.views[previous]; p != nil {
		v.root = p.root
	}
	s.views[v.ID] = v
	s.tellViews(user)
	return v
}

// topView is the view a person has in front of them, and how many lie below.
func (s *Server) topView(user string) (top *view, depth int) {
	for _, v := range s.views {
		if v.user != user {
			continue
		}
		depth++
		if top == nil || v.ID > top.ID {
			top = v
		}
	}
	return top, depth
}

func (s *Server) closeViews(user string) {
	for id, v := range s.views {
		if v.user == user {
			delete(s.views, id)
		}
	}
}

// tellViews shows the page what a person has in front of them now.
func (s *Server) tellViews(user string) {
	top, depth := s.topView(user)
	event := map[string]any{"user": user, "view": nil, "depth": depth}
	if top != nil {
		event["view"] = s.wireView(top)
	}
	s.hub.send("view", event)
}

func (s *Server) viewsUpdate(c *call) (map[string]any, error) {
	v := s.views[c.str("view_id")]
	if ext := c.str("external_id"); v == nil && ext != "" {
		for _, known := range s.views {
			if str(known.body, "external_id") == ext {
				v = known
			}
		}
	}
	if v == nil || v.app != c.app {
		return nil, slackError("not_found")
	}
	if h := c.str("hash"); h != "" && h != v.hash {
		return nil, slackError("hash_conflict")
	}
	body, err := s.readView(c.json("view"), inModal)
	if err != nil {
		return nil, err
	}
	v.body, v.hash = body, s.nextTS()
	s.tellViews(v.user)
	return map[string]any{"view": s.wireView(v)}, nil
}

func (s *Server) viewsPublish(c *call) (map[string]any, error) {
	user := c.str("user_id")
	if s.user(user) == nil {
		return nil, slackError("user_not_found")
	}
	body, err := s.readView(c.json("view"), inHome)
	if err != nil {
		return nil, err
	}
	key := c.app.ID + " " + user
	v := s.homes[key]
	if v == nil {
		v = &view{ID: s.nextID("V"), app: c.app, user: user, state: map[string]any{}}
		v.root = v.ID
		s.homes[key] = v
	}
	v.body, v.hash = body, s.nextTS()
	s.hub.send("home", map[string]any{"user": user, "app": c.app.ID, "view": s.wireView(v)})
	return map[string]any{"view": s.wireView(v)}, nil
}

// View returns what the person (name or ID) has in front of them, as payloads
// show it; nil if there is no modal.
func (s *Server) View(user string) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.findUser(user)
	if err != nil {
		return nil, err
	}
	top, _ := s.topView(u.ID)
	if top == nil {
		return nil, nil
	}
	return s.wireView(top), nil
}

// SubmitView submits the modal in front of a person. values are by block ID
// and action ID, each in the shape of view.state.values. Errors that the app
// answers are in the Ack's payload, and the view stays.
func (s *Server) SubmitView(ctx context.Context, user, viewID string, values map[string]any) (Ack, error) {
	s.mu.Lock()
	v, u, err := s.viewOf(user, viewID)
	if err != nil {
		s.mu.Unlock()
		return Ack{}, err
	}
	v.state = values
	payload := s.interaction(v.app, u, "view_submission")
	payload["view"], payload["response_urls"] = s.wireView(v), []any{}
	e := s.send(v.app, kindInteractive, "view_submission", true, payload)
	s.mu.Unlock()
	ack := e.wait(ctx.Done())
	if ack.OK {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = s.submitted(v, ack.Payload)
	}
	return ack, err
}

func (s *Server) viewOf(user, viewID string) (*view, *User, error) {
	u, err := s.findUser(user)
	if err != nil {
		return nil, nil, err
	}
	v := s.views[viewID]
	if v == nil || v.user != u.ID {
		return nil, nil, refusal("unknown_view", "%s has no view %q open", u.Name, viewID)
	}
	return v, u, nil
}

// submitted does what the app answered to a submission.
func (s *Server) submitted(v *view, raw json.RawMessage) error {
	var answer struct {
		Action string          `json:"response_action"`
		View   json.RawMessage `json:"view"`
	}
	_ = json.Unmarshal(raw, &answer) // no answer closes the view
	switch answer.Action {
	case "errors":
		return nil
	case "update", "push":
		body, err := s.readView(answer.View, inModal)
		if err != nil {
			return refusal("invalid_view", "the app answered with an invalid view: %v", err)
		}
		if answer.Action == "push" {
			s.showView(v.app, v.user, v.ID, body)
			return nil
		}
		v.body, v.hash, v.state = body, s.nextTS(), map[string]any{}
	case "clear":
		s.closeViews(v.user)
	default:
		delete(s.views, v.ID)
	}
	s.tellViews(v.user)
	return nil
}

// CloseView closes the modal in front of a person; an app that asked for it
// is told.
func (s *Server) CloseView(user, viewID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, u, err := s.viewOf(user, viewID)
	if err != nil {
		return err
	}
	delete(s.views, v.ID)
	if notify, _ := v.body["notify_on_close"].(bool); notify {
		payload := s.interaction(v.app, u, "view_closed")
		payload["view"], payload["is_cleared"] = s.wireView(v), false
		s.send(v.app, kindInteractive, "view_closed", false, payload)
	}
	s.tellViews(u.ID)
	return nil
}

// ClickView presses a button, or chooses in a menu, of a modal or home tab.
func (s *Server) ClickView(ctx context.Context, user, viewID, actionID, value string, values map[string]any) (Ack, error) {
	s.mu.Lock()
	v, u, err := s.viewOf(user, viewID)
	for _, h := range s.homes {
		if v == nil && h.ID == viewID {
			if u, err = s.findUser(user); err == nil && h.user == u.ID {
				v = h
			}
		}
	}
	if err != nil || v == nil {
		s.mu.Unlock()
		return Ack{}, err
	}
	action, err := findAction([]json.RawMessage{mustJSON(v.body["blocks"])}, actionID, value)
	if err != nil {
		s.mu.Unlock()
		return Ack{}, err
	}
	if values != nil {
		v.state = values
	}
	action["action_ts"] = s.nextTS()
	payload := s.interaction(v.app, u, "block_actions")
	payload["container"] = map[string]any{"type": "view", "view_id": v.ID}
	payload["view"], payload["actions"] = s.wireView(v), []any{action}
	e := s.send(v.app, kindInteractive, "block_actions "+actionID, false, payload)
	s.mu.Unlock()
	return e.wait(ctx.Done()), nil
}

// OpenHome tells the app that a person opened its home tab.
func (s *Server) OpenHome(user, appRef string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, err := s.findUser(user)
	if err != nil {
		return err
	}
	for _, a := range s.apps {
		if a.ID != appRef && a.Name != appRef {
			continue
		}
		if c := s.direct(u.ID, a); c != nil && slices.Contains(a.Events, "app_home_opened") {
			s.event(a, nil, map[string]any{
				"type": "app_home_opened", "user": u.ID, "channel": c.ID, "tab": "home", "event_ts": s.nextTS(),
			})
		}
		return nil
	}
	return refusal("unknown_app", "no app %q", appRef)
}
