// Package webhook posts notifications to an address, as JSON or as a template says, and
// signs them if it has a secret. It is at least once: a delivery whose answer was
// lost comes again, with the same ID in the header Ferry-Delivery and in the
// payload, by which the other side can tell.
package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strconv"
	"sync"
	"time"

	"ferry/plugins/api"
	"ferry/plugins/notifiers/post"
	"ferry/plugins/notifiers/settings"
)

// Headers of a request. Ferry-Signature is "sha256=" and the hexadecimal HMAC-SHA256
// of Ferry-Timestamp, a full stop, and the body.
const (
	HeaderDelivery  = "Ferry-Delivery"
	HeaderSignature = "Ferry-Signature"
	HeaderTimestamp = "Ferry-Timestamp"
)

//go:embed schema.json
var schema []byte

// Notifier posts.
type Notifier struct {
	Version string

	hook settings.Once[hook]
	http func() *http.Client
}

// New returns a notifier of a version.
func New(version string) *Notifier {
	return &Notifier{Version: version, http: sync.OnceValue(post.Client)}
}

// Info implements api.Notifier.
func (n *Notifier) Info() api.Info {
	return api.Info{
		Name: "webhook", Version: n.Version, Schema: schema, Docs: "docs/notifiers.md#webhook",
		Description: "Posts notifications to an address: JSON or a template, signed",
	}
}

// Check implements api.Checker.
func (n *Notifier) Check(_ context.Context, r api.CheckRequest) error {
	h, err := n.hook.Of(r.Config, read)
	if err != nil {
		return err
	}
	_, err = h.address()
	_, serr := h.secret()
	return settings.Judge(err, serr, settings.Nowhere(r.To...))
}

// Deliver implements api.Notifier.
func (n *Notifier) Deliver(ctx context.Context, of api.Notification) (api.Receipt, error) {
	h, err := n.hook.Of(of.Config, read)
	if err != nil {
		return api.Receipt{}, err
	}
	if err := settings.Nowhere(of.To); err != nil {
		return api.Receipt{}, err
	}
	body, err := h.body(&of)
	if err != nil {
		return api.Receipt{}, err
	}
	return api.Receipt{}, post.Explain(of.ID, raise, n.post(ctx, h, of.ID, body))
}

// raise is what is too small where a single delivery is too large.
const raise = "what the server, or a proxy before it, takes"

// Batch implements api.Sizer.
func (n *Notifier) Batch(config []byte) int {
	h, err := n.hook.Of(config, read)
	if err != nil {
		return 1 // Deliver says what is wrong with it
	}
	return h.Batch
}

// DeliverAll implements api.Batcher. A request arrives as a whole or not at all; one
// that is refused for good is taken apart, so that one delivery does not sink the others.
func (n *Notifier) DeliverAll(ctx context.Context, all []api.Notification) []api.Outcome {
	together := func(part []api.Notification) ([]api.Outcome, error) {
		return make([]api.Outcome, len(part)), n.together(ctx, part)
	}
	return post.Parts{Deliver: together, Singly: true, Raise: raise}.DeliverAll(ctx, all)
}

// together posts several in one request.
func (n *Notifier) together(ctx context.Context, all []api.Notification) error {
	h, err := n.hook.Of(all[0].Config, read)
	if err != nil {
		return err
	}
	for i := range all {
		if err := settings.Nowhere(all[i].To); err != nil {
			return err
		}
	}
	body, err := array(all)
	if err != nil {
		return err
	}
	return n.post(ctx, h, all[0].ID, body)
}

func (n *Notifier) post(ctx context.Context, h *hook, id string, body []byte) error {
	address, err := h.address()
	if err != nil {
		return api.Again(err, 0) // somebody can mend the file
	}
	secret, err := h.secret()
	if err != nil {
		return api.Again(err, 0)
	}
	header := h.header.Clone()
	header[HeaderDelivery] = []string{id}
	if secret != "" {
		at := strconv.FormatInt(time.Now().Unix(), 10)
		header[HeaderTimestamp], header[HeaderSignature] = []string{at}, []string{Sign(secret, at, body)}
	}
	_, err = post.Do(ctx, n.http(), http.MethodPost, address, header, body)
	return err
}

// Sign is the signature of a request.
func Sign(secret, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write([]byte(timestamp))
	m.Write([]byte{'.'})
	m.Write(body)
	return "sha256=" + hex.EncodeToString(m.Sum(nil))
}
