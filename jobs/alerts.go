package jobs

import (
	"context"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	alert "ferry/internal/event"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Alerts are what is made of events. Matchers are labels as people write them:
// cluster=prod app!="a b".
type Alerts interface {
	// Incidents are those that are open and those that ended lately, the last changed
	// first, of which something has all the labels; "" for all.
	Incidents(matchers string) ([]alert.Incident, error)
	// Scope is what matchers can be about at most: a cluster, an app, a namespace. What
	// they leave open is deploy.Everywhere, or empty.
	Scope(matchers string) (deploy.Target, error)
}

// Silences are what people do not want to hear of for a while.
type Silences interface {
	// Place stores one and gives it an ID. Placed again by the same key it stays as it
	// is. What the audit trail is to know of a write comes with it, here and below; of
	// what is placed told is given all.
	Place(ctx context.Context, s Silence, told func(Silence) job.Entry) (Silence, error)
	// End ends one and returns it; NotFound if there is none of that ID.
	End(ctx context.Context, id string, told ...job.Entry) (Silence, error)
	// All are those in force, in the order in which they were placed.
	All() []Silence
}

// Silence is one of them.
type Silence struct {
	ID, Matchers, Reason string
	By, Name             string // the chat's identifier, and what they are called
	Key                  string // of the command
	At, Until            time.Time
}

// Notifications say whether channels are told of incidents.
type Notifications interface {
	// Switch says so of a channel and returns how it was, which told is given, too; it is
	// NotFound if no receiver leads there.
	Switch(ctx context.Context, c chat.ChannelID, on bool, told ...func(was bool) job.Entry) (was bool, err error)
	// Off are the channels that are not told.
	Off() []chat.ChannelID
}

// Letters are deliveries that were given up.
type Letters interface {
	Undelivered(ctx context.Context) ([]Letter, error)
	// Resend delivers one again; NotFound if there is none of that ID.
	Resend(ctx context.Context, id string, told func(Letter) job.Entry) (Letter, error)
}

// Letter is a delivery that was given up: of what, where to, why and when.
type Letter struct {
	ID, Sink, Title, Why string
	Tries                int
	At                   time.Time
}

// errNoAlerts is for commands about something that is not configured.
func errNoAlerts() error {
	return fault.New(fault.NotFound, "no alerts are configured", "whoever runs ferry can add some: `alerts` in its configuration")
}
