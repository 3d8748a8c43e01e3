package config

import (
	"regexp"
	"strings"

	"ferry/internal/chat"
)

// Person is somebody as the configuration names them: a user ID or a name; or all
// who are in a user group, by its ID.
type Person string

var (
	userID  = regexp.MustCompile(`^[UW][A-Z0-9]{2,}$`)
	groupID = regexp.MustCompile(`^S[A-Z0-9]{2,}$`)
)

// ID returns the user ID if that is what was written. Slack's names have no
// capital letters, so that the two cannot be confused.
func (p Person) ID() (id chat.UserID, ok bool) {
	return chat.UserID(p), userID.MatchString(string(p))
}

// Group returns the ID of a user group if that is what was written.
func (p Person) Group() (id chat.GroupID, ok bool) {
	return chat.GroupID(p), groupID.MatchString(string(p))
}

// Name returns the name that was written, without a leading @; "" for an ID.
func (p Person) Name() string {
	if _, ok := p.ID(); ok {
		return ""
	}
	if _, ok := p.Group(); ok {
		return ""
	}
	return strings.TrimPrefix(string(p), "@")
}
