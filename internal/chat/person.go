package chat

// GroupID identifies a user group (Slack: "S…"). Its handle can be changed, its
// identifier cannot.
type GroupID string

// Person is somebody as the chat system knows them at one moment: all that a
// decision about them may rest on. There is no name in it, because people choose
// their names.
type Person struct {
	ID   UserID
	Team TeamID
	// Groups are the user groups that they are in, of those that were asked for.
	Groups []GroupID
	// Guest is somebody with restricted access, Deleted whose account is switched
	// off.
	Guest, Bot, Deleted bool
	// Foreign is a member of a workspace that ferry does not listen to, Outside
	// somebody who speaks in a channel that is shared with other organisations.
	Foreign, Outside bool
}

// Barred says why ferry takes no command of this person, whatever it is, and what
// would help; says is empty for a full member of a workspace that ferry listens
// to. It is asked before a command is parsed and again before anything is
// committed.
func (p *Person) Barred() (says, help string) {
	switch {
	case p.Outside:
		return "ferry takes no commands in channels that are shared with other organisations", "ask in a channel of your own"
	case p.Bot:
		return "ferry takes no commands from bots", ""
	case p.Deleted:
		return "that account is deactivated", ""
	case p.Guest:
		return "ferry takes no commands from guests", "ask a full member of the workspace"
	case p.Foreign:
		return "ferry takes no commands from members of other workspaces", ""
	case p.ID == "":
		return "ferry does not know who asks", ""
	}
	return "", ""
}
