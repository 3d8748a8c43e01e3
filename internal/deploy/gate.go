package deploy

import "time"

// NeedsApproval is the code of a refusal for which nothing but approvals is
// missing: it may be granted yet.
const NeedsApproval = "needs approval"

// Hold keeps a target as it is until somebody releases it or it runs out.
type Hold struct {
	Target Target `json:"target"`
	// Version is the one that may not come to the target; empty if none may.
	Version Version `json:"version,omitempty"`
	By      string  `json:"by"`             // the chat's user ID
	Name    string  `json:"name,omitempty"` // as it was shown then; to be read only
	Reason  string  `json:"reason"`
	// Key is the key of the command, or the ID of the job, that placed it.
	Key string    `json:"key"`
	At  time.Time `json:"at"`
	// Until is when it ends by itself; zero for when it is released.
	Until time.Time `json:"until,omitzero"`
}

// Over reports whether the hold has run out.
func (h Hold) Over(at time.Time) bool { return !h.Until.IsZero() && !at.Before(h.Until) }

// Approval is what somebody said to a plan.
type Approval struct {
	Job string `json:"job"`
	// Plan is the hash of the plan that was shown: it counts for no other.
	Plan     string    `json:"plan"`
	By       string    `json:"by"`             // the chat's user ID
	Key      string    `json:"key,omitempty"`  // of the command: told again, it is the same word
	Name     string    `json:"name,omitempty"` // as it was shown then; to be read only
	At       time.Time `json:"at"`
	Rejected bool      `json:"rejected,omitempty"`
	Reason   string    `json:"reason,omitempty"` // of a rejection
}

// Leave is with what something may be done.
type Leave struct {
	// Passed are the closed gates that a reason opened, a sentence each.
	Passed []string
	// Approvers are the chat's user IDs of those whose approval counted.
	Approvers []string
	// Next is when the answer may become another one by itself, Freeze when a freeze
	// begins, which Frozen tells of; zero if that is not in sight.
	Next, Freeze time.Time
	Frozen       string
}

// Period says how often a window comes.
type Period string

// The periods.
const (
	Daily  Period = "daily"
	Weekly Period = "weekly"
	Yearly Period = "yearly"
	Once   Period = "once"
)

// Edge is where a window begins or ends, as a clock and a calendar on the wall
// show it. Which fields count follows from the window's Period: Weekday of a
// weekly one, Month and Day of a yearly one, Year as well of one that comes once.
type Edge struct {
	Year    int
	Month   time.Month
	Day     int
	Weekday time.Weekday
	Minute  int // of the day, 0 to 1440
}

// Window is a time on the wall, which may come again.
type Window struct {
	Every    Period
	From, To Edge
	// Text is how it was written.
	Text string
}
