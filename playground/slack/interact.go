package slack

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// trigger lets an app open one view for a person, for triggerLife.
type trigger struct {
	app  *app
	user string
	till time.Time
	used bool
}

func (s *Server) newTrigger(a *app, user string) string {
	id := fmt.Sprintf("%d.%s.%s", s.clock.Now().UnixMilli(), s.opts.TeamID, s.nextID("t"))
	s.triggers[id] = &trigger{app: a, user: user, till: s.clock.Now().Add(triggerLife)}
	return id
}

// Slash runs a slash command ("/ferry") and waits for the acknowledgement. A
// text or message in it is shown to the person alone (or to all, with
// response_type in_channel).
func (s *Server) Slash(ctx context.Context, user, channel, command, text string) (Ack, error) {
	s.mu.Lock()
	e, c, u, err := s.slash(user, channel, command, text)
	s.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	ack := e.wait(ctx.Done())
	s.mu.Lock()
	defer s.mu.Unlock()
	if !ack.OK {
		s.note(c, u, fmt.Sprintf("%s failed with the error \"%s\"", command, ack.Problem))
		return ack, nil
	}
	r := &responder{app: e.app, channel: c, user: u.ID, left: 1, till: s.clock.Now().Add(time.Hour)}
	_ = s.respond(r, ack.Payload) // an acknowledgement without a message shows nothing
	return ack, nil
}

func (s *Server) slash(user, channel, command, text string) (*envelope, *channel, *User, error) {
	u, c, err := s.present(user, channel)
	if err != nil {
		return nil, nil, nil, err
	}
	var known []string
	for _, a := range s.apps {
		for _, cmd := range a.Commands {
			known = append(known, cmd.Name)
			if cmd.Name != command {
				continue
			}
			if !a.scopes["commands"] {
				return nil, nil, nil, refusal("missing_scope", "%s lacks the scope commands", a.Name)
			}
			if cmd.Escape {
				text = s.withNames(s.typed(text))
			}
			e := s.send(a, kindSlash, command, true, map[string]any{
				"token": "playground", "team_id": s.opts.TeamID, "team_domain": s.opts.TeamDomain,
				"channel_id": c.ID, "channel_name": c.displayName(), "user_id": u.ID, "user_name": u.Name,
				"command": command, "text": strings.TrimSpace(text), "api_app_id": a.ID, "is_enterprise_install": "false",
				"response_url": s.newResponder(&responder{app: a, channel: c, user: u.ID}), "trigger_id": s.newTrigger(a, u.ID),
			})
			return e, c, u, nil
		}
	}
	return nil, nil, nil, refusal("unknown_command", "no command %q; there are %s", command, strings.Join(known, ", "))
}

// withNames adds the name to mentions, as commands with should_escape have it.
func (w *workspace) withNames(text string) string {
	for _, u := range w.users {
		text = strings.ReplaceAll(text, "<@"+u.ID+">", "<@"+u.ID+"|"+u.Name+">")
	}
	return text
}

// note shows a line of Slack's own to one person.
func (s *Server) note(c *channel, u *User, text string) {
	s.add(c, &Message{User: "USLACKBOT", UserName: "Slackbot", Text: escapeText(text), Ephemeral: true, To: u.ID})
}

// Click presses a button of a message, or chooses value in a menu, and waits
// for the acknowledgement. An empty value is the button's own.
func (s *Server) Click(ctx context.Context, user, channel, ts, actionID, value string) (Ack, error) {
	return s.click(ctx, user, channel, ts, press{action: actionID, value: value})
}

// ClickStale presses a button that may be gone by now, as somebody does whose
// page is behind.
func (s *Server) ClickStale(ctx context.Context, user, channel, ts, actionID, value string) (Ack, error) {
	return s.click(ctx, user, channel, ts, press{action: actionID, value: value, stale: true})
}

func (s *Server) click(ctx context.Context, user, channel, ts string, p press) (Ack, error) {
	s.mu.Lock()
	e, err := s.clickEnvelope(user, channel, ts, p)
	s.mu.Unlock()
	if err != nil {
		return Ack{}, err
	}
	return e.wait(ctx.Done()), nil
}

func (s *Server) clickEnvelope(user, channel, ts string, p press) (*envelope, error) {
	u, c, err := s.present(user, channel)
	if err != nil {
		return nil, err
	}
	m := c.find(ts)
	if m == nil || m.Deleted || m.Ephemeral && m.To != u.ID {
		return nil, refusal("message_not_found", "no message %q in this channel for %s", ts, u.Name)
	}
	a := s.appByBot(m.User)
	if a == nil {
		return nil, refusal("no_such_action", "the message is not an app's")
	}
	versions := []json.RawMessage{m.Blocks, m.Attachments}
	if p.stale {
		for i := len(m.Edits) - 1; i >= 0; i-- {
			versions = append(versions, m.Edits[i].Blocks, m.Edits[i].Attachments)
		}
	}
	action, err := findAction(versions, p.action, p.value)
	if err != nil {
		return nil, err
	}
	state, err := stateOf(m.Blocks, p.values)
	if err != nil {
		return nil, err
	}
	tell(action, state)
	action["action_ts"] = s.nextTS()
	container := map[string]any{"type": "message", "message_ts": m.TS, "channel_id": c.ID, "is_ephemeral": m.Ephemeral}
	if m.ThreadTS != "" {
		container["thread_ts"] = m.ThreadTS
	}
	payload := s.interaction(a, u, "block_actions")
	payload["container"], payload["actions"] = container, []any{action}
	payload["channel"] = map[string]any{"id": c.ID, "name": c.displayName()}
	payload["message"], payload["state"] = s.wire(m, true), map[string]any{"values": state}
	payload["response_url"] = s.newResponder(&responder{app: a, channel: c, user: u.ID, message: m})
	return s.send(a, kindInteractive, "block_actions "+p.action, false, payload), nil
}

// interaction is what all interactive payloads share.
func (s *Server) interaction(a *app, u *User, kind string) map[string]any {
	return map[string]any{
		"type": kind, "api_app_id": a.ID, "token": "playground", "trigger_id": s.newTrigger(a, u.ID),
		"team": map[string]any{"id": s.opts.TeamID, "domain": s.opts.TeamDomain}, "enterprise": nil, "is_enterprise_install": false,
		"user": map[string]any{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": s.opts.TeamID},
	}
}

// findAction finds the element with an action ID and makes the action of it.
// Where several have the ID, value decides.
func findAction(versions []json.RawMessage, actionID, value string) (map[string]any, error) {
	var found, first map[string]any
	var seen []string
	var walk func(v any, block string)
	walk = func(v any, block string) {
		switch v := v.(type) {
		case []any:
			for _, child := range v {
				walk(child, block)
			}
		case map[string]any:
			if id := str(v, "block_id"); id != "" {
				block = id
			}
			if id := str(v, "action_id"); id != "" {
				seen = append(seen, id)
				if action := pressed(v, block, value); id == actionID && found == nil {
					if first == nil {
						first = action
					}
					if value == "" || action["value"] == value || action["selected_option"] != nil {
						found = action
					}
				}
			}
			for name, child := range v {
				if name != "confirm" {
					walk(child, block)
				}
			}
		}
	}
	for _, raw := range versions {
		var v any
		if json.Unmarshal(raw, &v) == nil {
			walk(v, "")
		}
		if found != nil {
			return found, nil
		}
	}
	if first != nil {
		return nil, refusal("no_such_value", "action %q of this message has the value %q, not %q", actionID, first["value"], value)
	}
	return nil, refusal("no_such_action", "the message has no action %q; it has %s", actionID, orNone(seen))
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// pressed is the action that an element sends. value selects in a menu.
func pressed(e map[string]any, block, value string) map[string]any {
	action := map[string]any{"type": e["type"], "action_id": e["action_id"], "block_id": block}
	switch str(e, "type") {
	case "static_select", "radio_buttons", "overflow":
		for _, o := range allOptions(e) {
			if m, ok := o.(map[string]any); ok && str(m, "value") == value {
				action["selected_option"] = m
			}
		}
	case "button":
		action["text"] = e["text"]
		for _, name := range []string{"value", "style", "url"} {
			if e[name] != nil {
				action[name] = e[name]
			}
		}
	case "multi_static_select", "checkboxes": // what they hold says tell
	default:
		action["value"] = value
	}
	return action
}
