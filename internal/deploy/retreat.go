package deploy

import "time"

// RetreatMode says what becomes of a version that did not last on a target.
type RetreatMode string

// The modes.
const (
	// RetreatOffer offers the way back, with a button.
	RetreatOffer RetreatMode = "offer"
	// RetreatAuto goes it.
	RetreatAuto RetreatMode = "auto"
	// RetreatOff says what happened, and nothing else.
	RetreatOff RetreatMode = "off"
)

// Retreat is the rule for a target. The zero value offers the way back and watches
// nothing.
type Retreat struct {
	Mode RetreatMode
	// Soak is for how long a version is watched after it was seen healthy.
	Soak time.Duration
	// Suspend takes image automations out of service that would undo a rollback.
	// Without it there is a warning.
	Suspend bool
}
