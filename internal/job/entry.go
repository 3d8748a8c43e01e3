package job

import "time"

// Deed is what an entry of the audit trail tells of.
type Deed string

// The deeds. Those of gates, approvals and holds are written by whoever decides
// on them.
const (
	Accepted   Deed = "accepted" // a command became a job
	Denied     Deed = "refused"  // a command was refused before it became one
	Planned    Deed = "planned"
	Judged     Deed = "judged" // by the gates
	Approved   Deed = "approved"
	Rejected   Deed = "rejected"
	Confirmed  Deed = "confirmed"
	Proposed   Deed = "proposed"
	Committed  Deed = "committed"
	Lost       Deed = "lost"      // a version did not last: the failure was believed
	Suspended  Deed = "suspended" // an image automation
	Ended      Deed = "ended"
	Held       Deed = "held"
	Released   Deed = "released"
	Silenced   Deed = "silenced"
	Unsilenced Deed = "unsilenced"
	Notified   Deed = "notified" // or no longer: a channel
	Resent     Deed = "resent"
	Rebuilt    Deed = "rebuilt" // the history, from Git
)

// Entry is a line of the audit trail: one thing that was decided or done. What
// does not apply is empty.
type Entry struct {
	// Seq counts entries without a gap; At is when it was written.
	Seq  uint64    `json:"seq"`
	At   time.Time `json:"at"`
	Deed Deed      `json:"deed"`
	// Key, if set, makes the entry be written once: told again, it is there.
	Key string `json:"key,omitempty"`
	// By is the chat's user ID, Team and Channel where it was asked for.
	By      string `json:"by,omitempty"`
	Team    string `json:"team,omitempty"`
	Channel string `json:"channel,omitempty"`
	// Command is what was written.
	Command string `json:"command,omitempty"`
	Job     ID     `json:"job,omitempty"`
	// Targets are written cluster/namespace/name.
	Targets []string `json:"targets,omitempty"`
	// Plan is the hash of the plan, Commit the SHA of the commit.
	Plan    string  `json:"plan,omitempty"`
	Commit  string  `json:"commit,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Says is the reason or the result, in a line for people.
	Says string `json:"says,omitempty"`
	// Answer is what whoever asked for it was told, line by line, where that cannot be
	// found out any more once it is done: who asks again is told the same.
	Answer []string `json:"answer,omitempty"`
	// Prev is the Hash of the entry before this one, and Hash that of this one,
	// which covers Prev: what was changed or taken out later breaks the chain.
	Prev string `json:"prev"`
	Hash string `json:"hash"`
}
