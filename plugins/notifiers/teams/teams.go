// Package teams posts notifications to a Teams workflow ("post to a channel when a
// webhook request is received") as Adaptive Cards. Workflows cannot edit, so that each
// state is a message of its own, and only those that are news are sent: the first, the
// last, and repeats. It is at least once, with the delivery's ID in the card.
package teams

import (
	"context"
	_ "embed"
	"fmt"
	"net/http"
	"sync"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

//go:embed schema.json
var schema []byte

// Notifier posts cards.
type Notifier struct {
	Version string

	once settings.Once[workflow]
	http func() *http.Client
}

// New returns a notifier of a version.
func New(version string) *Notifier {
	return &Notifier{Version: version, http: sync.OnceValue(post.Client)}
}

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "teams", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#teams",
		Description: "Posts to a workflow of Microsoft Teams: a card for what is new, and when it is over",
	}
}

// config is what can be configured; schema.json says the same to ferry.
type config struct {
	URLFile string `yaml:"url_file"`
	Updates bool   `yaml:"updates"`
}

// workflow is a configuration that was understood.
type workflow struct {
	config

	address *settings.Secret
}

func read(text []byte) (*workflow, error) {
	w := &workflow{}
	if err := settings.Read(text, &w.config); err != nil {
		return nil, err
	}
	w.address = &settings.Secret{Key: "url_file", Path: w.URLFile, Judge: post.Address}
	return w, settings.Path("url_file", w.URLFile)
}

// Check implements api.Checker.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	w, err := n.once.Of(r.Config, read)
	if err != nil {
		return err
	}
	_, err = w.address.Value()
	return settings.Judge(err, settings.Nowhere(r.To...))
}

// sent is the receipt: a workflow does not say where a message is.
const sent = "sent"

// Deliver implements api.Notifier.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	w, err := n.once.Of(of.Config, read)
	if err == nil {
		err = settings.Nowhere(of.To)
	}
	if err != nil {
		return api.Receipt{}, err
	}
	// The first state may have been left out for a later one: the receipt says whether
	// one was sent.
	if (of.State == api.Opened || of.State == api.Updated) && of.Previous.Ref != "" && of.Repeat == 0 && !w.Updates {
		return api.Receipt{Ref: of.Previous.Ref}, nil
	}
	body, err := card(&of)
	if err != nil {
		return api.Receipt{}, fmt.Errorf("encode delivery %s: %w", of.ID, err)
	}
	address, err := w.address.Value()
	if err != nil {
		return api.Receipt{}, api.Again(err, 0) // somebody can mend the file
	}
	_, err = post.Do(ctx, n.http(), http.MethodPost, address, http.Header{"Content-Type": {"application/json"}, "User-Agent": {"ferry"}}, body)
	if err != nil {
		return api.Receipt{}, err
	}
	return api.Receipt{Ref: sent}, nil
}
