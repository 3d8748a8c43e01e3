package slack

// Forge sends an app an envelope that nobody's deed made, as it is, and waits for the
// acknowledgement as Slack does. kind is events_api, slash_commands or interactive.
func (s *Server) Forge(app, kind string, payload map[string]any) (Ack, error) {
	s.mu.Lock()
	for _, a := range s.apps {
		if a.ID == app || a.Name == app {
			e := s.send(a, kind, "forged", false, payload)
			s.mu.Unlock()
			return e.wait(nil), nil
		}
	}
	s.mu.Unlock()
	return Ack{}, refusal("unknown_app", "no app %q", app)
}

// SetUser changes a person: their names and what they are, not who. Names need not be
// unique any more, as the ones that people show are not.
func (s *Server) SetUser(u User) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.users {
		if s.users[i].ID == u.ID {
			s.users[i] = u
			return nil
		}
	}
	return refusal("unknown_user", "no user %q", u.ID)
}

// SetShared says of a channel whether it is shared with another workspace.
func (s *Server) SetShared(channel string, shared bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		if c.ID == channel || c.dm == "" && "#"+c.Name == channel {
			c.Shared = shared
			return nil
		}
	}
	return refusal("unknown_channel", "no channel %q", channel)
}
