package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Notifier tells something to the world outside.
type Notifier interface {
	Info() Info
	// Deliver makes the world outside know n: it opens what is shown of an
	// incident, brings it up to date, or resolves it (n.State; n.Previous is what
	// the delivery before returned). An error made by Again is tried again, with the
	// same n.ID, and so is one that comes once ctx has ended; every other one is not. It can be called again for something that
	// was delivered, if ferry died before it could note that: n.ID is the same
	// then. It is called for several incidents at the same time (Lanes of a call; each
	// sink that names it calls by itself), never twice for one n.Order of a sink. Sinks
	// share an Order, and the IDs of its deliveries, where a receiver names the notifier
	// twice, which differ in n.To then, and where several receivers are told of a single
	// event; an incident is one receiver's alone.
	// ctx ends when the delivery takes too long.
	Deliver(ctx context.Context, n Notification) (Receipt, error)
}

// Lanes is how many deliveries a notifier is asked for at the same time.
const Lanes = 4

// Finder is a Notifier that can look whether something was delivered, by its ID; it is
// asked before each delivery. With it ferry delivers exactly once, without it at least
// once.
type Finder interface {
	Find(ctx context.Context, n Notification) (r Receipt, found bool, err error)
}

// Batcher is a Notifier whose other side takes several notifications at once. Its
// Deliver is not called then.
type Batcher interface {
	// DeliverAll is Deliver for several, in their order; it returns an outcome for each.
	// Several of them may be of one incident.
	DeliverAll(ctx context.Context, ns []Notification) []Outcome
}

// Sizer is a Batcher whose other side does not take any number at once.
type Sizer interface {
	// Batch is the most that DeliverAll is given by a configuration, all of which is
	// tried before it is called again. Where it is one or less, Deliver is called
	// instead, as if the notifier were no Batcher.
	Batch(config []byte) int
}

// Outcome is what became of one of several deliveries. Err may be ErrHeld.
type Outcome struct {
	Receipt Receipt
	Err     error
}

// ErrHeld is the outcome of a delivery that was not tried, because one before it
// failed or the other side wants to be left alone.
var ErrHeld = errors.New("not tried: what stands before it failed")

// Checker is a plugin that knows more of its configuration than a schema can say. It
// is asked once, before anything else; ferry does not use one that returns an error,
// and shows it. It is asked again minutes later; after an error made by Again as soon as
// that says, and then with pauses that grow to half a minute: that is for what comes by
// itself, such as a file that is not mounted yet.
type Checker interface {
	Check(ctx context.Context, r CheckRequest) error
}

// CheckRequest is what is to be checked.
type CheckRequest struct {
	Binding string
	Config  []byte // YAML, valid by Info.Schema
	// To are the receivers that routes name for it (Notification.To).
	To []string
}

// State is what has become of an incident.
type State string

// The states.
const (
	Opened   State = "opened"
	Updated  State = "updated"
	Resolved State = "resolved"
	// Expired is an incident of which nothing was heard for long.
	Expired State = "expired"
	// Happened is a single event: no incident, nothing follows it.
	Happened State = "happened"
)

// Notification is what there is to tell about one incident now. Its JSON leaves out
// what only the notifier needs.
type Notification struct {
	// ID is of this delivery, the same at each try, and no other's.
	ID string `json:"id"`
	// Incident is what it is about: the same in every notification of one.
	Incident string `json:"incident"`
	State    State  `json:"state"`
	// Revision counts the states of an incident. Those in between may be left out.
	Revision int       `json:"revision"`
	At       time.Time `json:"at"`
	Severity string    `json:"severity,omitempty"`
	// Title is one line that tells it all; Text what else there is to say, as
	// rendered by the route's templates. Both plain, but for `code` and *bold*.
	Title string `json:"title"`
	Text  string `json:"text,omitempty"`
	// Count is how often it happened, Firing how many things are in trouble now, of how
	// many Things; Repeat counts how often it was told again while nothing changed.
	Count  int               `json:"count,omitempty"`
	Firing int               `json:"firing,omitempty"`
	Things int               `json:"things,omitempty"`
	Repeat int               `json:"repeat,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Details say more, one thing a line; they are few.
	Details []string `json:"details,omitempty"`
	// Event is the JSON of the Event, if it tells of a single one.
	Event json.RawMessage `json:"event,omitempty"`

	// Binding is the name under which the notifier is configured.
	Binding string `json:"-"`
	Config  []byte `json:"-"` // YAML, valid by Info.Schema
	// To is the receiver that the route names, such as a channel; empty for the
	// one of the configuration.
	To string `json:"-"`
	// Previous is what the latest delivery for this incident returned.
	Previous Receipt `json:"-"`
	// Opened is when the incident was: nothing of it was delivered before. Zero for a
	// single event, and where ferry is too old to tell.
	Opened time.Time `json:"-"`
	// Order is what is delivered one after the other: an incident, or what a single
	// event is about.
	Order string `json:"-"`
}

// Receipt says what became of a delivery.
type Receipt struct {
	// Ref is handed back as Previous: whatever the notifier needs to find what it
	// wrote, such as a message's time stamp.
	Ref string
	// URL leads people there, if there is such a place.
	URL string
}
