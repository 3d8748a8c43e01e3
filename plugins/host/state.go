package host

import "time"

// Status is what a plugin is doing.
type Status string

// The statuses.
const (
	Starting Status = "starting"
	Running  Status = "running"
	Waiting  Status = "waiting" // for its next start
	Refused  Status = "refused" // waiting as well, but what is wrong will hardly pass
	Ended    Status = "ended"
)

// State is what is known of a plugin.
type State struct {
	Name, Kind, Plugin string
	// Version is what it calls itself, once it has.
	Version string
	Status  Status
	// Since is when the status began, Until when Waiting and Refused end.
	Since, Until time.Time
	// Why says why it waits or was refused, in half a sentence.
	Why string
	// Err is what went wrong last, also while it runs again.
	Err      string
	Restarts int
	// Memory is what the process and its children took when last looked at, in bytes.
	Memory int64
	PID    int
	// Events are how many a source has brought, Calls how many an executor or
	// notifier has answered since ferry started.
	Events, Calls int64
}
