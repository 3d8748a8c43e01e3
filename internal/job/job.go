// Package job holds the words for a piece of work that outlives a process: a
// Job is a row in the store, and everything needed to go on with it stands in
// that row. The dispatcher owns the row's life, the handlers in jobs own its
// Step and Data.
//
// The rule that makes restarts harmless: a row is saved before each effect with
// a Step that says what is about to happen, and after it with one that says
// that it did. Whoever resumes a row at an "about to" step looks for the effect
// first, by the job's ID.
package job

import (
	"encoding/json"
	"time"
)

// ID names a job for people and in every effect it has: short, lower case,
// letters and digits.
type ID string

// Step is a handler's own name for the point a job has reached; "" is the
// start.
type Step string

// Outcome is how a job ended; "" while it has not.
type Outcome string

// The outcomes.
const (
	Running    Outcome = ""
	Done       Outcome = "done"
	Failed     Outcome = "failed"
	Refused    Outcome = "refused"
	Superseded Outcome = "superseded"
	Expired    Outcome = "expired"
	Cancelled  Outcome = "cancelled"
	// RolledBack: it failed, and what was there before is back and healthy.
	RolledBack Outcome = "rolled back"
)

// Job is one row.
type Job struct {
	ID ID `json:"id"`
	// Key is the key of the command that made the job: the same key never
	// makes a second job.
	Key string `json:"key"`
	// Request is the command, encoded; Verb its first word.
	Verb    string          `json:"verb"`
	Request json.RawMessage `json:"request"`
	// Queues name what the job must have for itself while it runs, such as
	// "prod/podinfo"; jobs that share a queue run in order of Created.
	Queues []string `json:"queues,omitempty"`
	// After is the job that this one follows, which goes before all others that wait
	// for its queues; empty for what people ask for.
	After ID `json:"after,omitempty"`
	// Title is what the job does, in a line for people.
	Title string `json:"title"`
	// Wake is set while the job is parked: it takes no worker's place and no
	// memory, and goes on at that time or when another job wants its queues.
	Wake time.Time `json:"wake,omitzero"`
	// Stuck is since when what the present step needs does not answer. It is the
	// handler's, as Step and Data are.
	Stuck time.Time `json:"stuck,omitzero"`
	// Cancel is set once somebody wished that the job end. The store keeps it
	// beside the row.
	Cancel *Cancel `json:"-"`
	// Step and Data are the handler's.
	Step Step            `json:"step,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
	// Note is the last thing worth telling about it, for `status`.
	Note    string  `json:"note,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	// Attempts counts the starts of the job by a process.
	Attempts int       `json:"attempts,omitempty"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
	// Told is what the audit trail is to know of what the next Save says; it is
	// written with the row, and then taken from here.
	Told []Entry `json:"-"`
	// Revision is the store's, for compare-and-swap; 0 for a row not stored.
	Revision uint64 `json:"-"`
}

// Ended reports whether the job has an outcome.
func (j *Job) Ended() bool { return j.Outcome != Running }
