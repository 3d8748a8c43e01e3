package bot

import (
	"context"
	"slices"

	"ferry/bot/slack"
	"ferry/internal/chat"
)

// Names finds the users that go by names, as older configurations name their admins.
// Anybody can take a name: once the workspace has been looked through, only those count
// who went by it then, or came since. It is used by one caller at a time.
type Names struct {
	slack  *slack.Client
	wanted []string
	// first are those who were there at the first look, and which of the wanted names
	// they went by.
	first map[chat.UserID][]string
}

// NewNames returns a finder of these names.
func NewNames(o Options, wanted []string) (*Names, error) {
	client, err := newClient(o)
	return &Names{slack: client, wanted: wanted}, err
}

// Find looks. missing are the names that nobody goes by, or more than one; renamed those
// that somebody has taken since the first look, whom it does not count for.
func (n *Names) Find(ctx context.Context) (found map[string]chat.UserID, missing, renamed []string, err error) {
	all, err := n.slack.Named(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	begins := n.first == nil
	if begins {
		n.first = make(map[chat.UserID][]string, len(all))
		for i := range all {
			n.first[all[i].ID] = nil
		}
	}
	found = map[string]chat.UserID{}
	for _, name := range n.wanted {
		for i := range all {
			if begins && all[i].Goes(name) {
				n.first[all[i].ID] = append(n.first[all[i].ID], name)
			}
		}
		id, ok := slack.ByName(all, name)
		switch had, there := n.first[id]; {
		case !ok:
			missing = append(missing, name)
		case there && !slices.Contains(had, name):
			renamed = append(renamed, name)
		default:
			found[name] = id
		}
	}
	return found, missing, renamed, nil
}
