package bot

import (
	"context"
	"slices"

	"ferry/bot/slack"
	"ferry/internal/chat"
)

// Names finds the users that go by names, as older configurations name their admins.
// Anybody can take a name: only those count who went by it when a look showed them
// first. It is used by one caller at a time.
type Names struct {
	slack  *slack.Client
	wanted []string
	// first are all who were seen, and which of the wanted names they went by then.
	first map[chat.UserID][]string
}

// NewNames returns a finder of these names.
func NewNames(o Options, wanted []string) (*Names, error) {
	client, err := newClient(o)
	return &Names{slack: client, wanted: wanted, first: map[chat.UserID][]string{}}, err
}

// Find looks. missing are the names that nobody goes by, or more than one; renamed those
// that somebody has taken since they were seen first, whom it does not count for.
func (n *Names) Find(ctx context.Context) (found map[string]chat.UserID, missing, renamed []string, err error) {
	all, err := n.slack.Named(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	for i := range all {
		if _, seen := n.first[all[i].ID]; !seen {
			n.first[all[i].ID] = n.goesBy(&all[i])
		}
	}
	found = map[string]chat.UserID{}
	for _, name := range n.wanted {
		switch id, ok := slack.ByName(all, name); {
		case !ok:
			missing = append(missing, name)
		case !slices.Contains(n.first[id], name):
			renamed = append(renamed, name)
		default:
			found[name] = id
		}
	}
	return found, missing, renamed, nil
}

// goesBy are those of the wanted names that somebody goes by.
func (n *Names) goesBy(who *slack.Named) (names []string) {
	for _, name := range n.wanted {
		if who.Goes(name) {
			names = append(names, name)
		}
	}
	return names
}
