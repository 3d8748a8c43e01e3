package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"ferry/playground/slack"
)

// click presses the button with that label in the conversation at hand.
func (s *scene) click(label string) error {
	var at slack.Message
	var action string
	find := func() error {
		messages, err := s.room.heard()
		if err != nil {
			return err
		}
		for _, m := range messages {
			var blocks any
			if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
				return fmt.Errorf("read blocks of %s: %w", m.TS, err)
			}
			if id := buttonOf(blocks, label); id != "" {
				at, action = m, id
				return nil
			}
		}
		return fmt.Errorf("there is no button %q", label)
	}
	if err := s.until(patience, find); err != nil {
		return err
	}
	return acknowledged(func(ctx context.Context) (slack.Ack, error) {
		return s.room.server.Click(ctx, s.room.user, s.room.place(), at.TS, action, "")
	})
}

// buttonOf finds the action ID of the button with that label in blocks.
func buttonOf(v any, label string) string {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			if id := buttonOf(item, label); id != "" {
				return id
			}
		}
	case map[string]any:
		text, _ := v["text"].(map[string]any)
		if v["type"] == "button" && text["text"] == label {
			id, _ := v["action_id"].(string)
			return id
		}
		for _, item := range v {
			if id := buttonOf(item, label); id != "" {
				return id
			}
		}
	}
	return ""
}

// slash sends a slash command; what ferry says from then on is its answer.
func (s *scene) slash(text string) error {
	s.room.ts, s.room.after = "", now()
	command, rest, _ := strings.Cut(text, " ")
	return acknowledged(func(ctx context.Context) (slack.Ack, error) {
		return s.room.server.Slash(ctx, s.room.user, s.room.place(), command, rest)
	})
}

func acknowledged(ask func(context.Context) (slack.Ack, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ack, err := ask(ctx)
	if err == nil && !ack.OK {
		err = errors.New("ferry did not acknowledge: " + ack.Problem)
	}
	return err
}

// disconnect breaks every socket and returns when ferry has a new one.
func (s *scene) disconnect() error {
	before := s.room.opened()
	if err := s.room.server.Disconnect("drop"); err != nil {
		return err
	}
	return s.until(patience, func() error {
		if s.room.opened() == before || s.room.server.Sockets("ferry") == 0 {
			return errors.New("ferry has no new socket")
		}
		return nil
	})
}

// opened counts how often a socket was asked for.
func (r *room) opened() int { return r.server.Calls()["apps.connections.open"].OK }
