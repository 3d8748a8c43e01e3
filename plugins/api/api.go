// Package api is the contract between ferry and its plugins, version 1, and the
// kit to write one with: a plugin is a type with one of the three interfaces
// below and a main of one line (ServeSource, ServeExecutor, ServeNotifier).
//
// A source streams events and goes on where it was after a restart, by a cursor
// of its own making. An executor answers command lines and writes its output
// while it runs. A notifier delivers what ferry has to tell and says whether a
// failure is worth another try. Ferry starts one process for each binding in its
// configuration, watches it, ends it when it takes more memory or time than it
// may, and starts it again with growing pauses. What lies between the processes
// (gRPC with certificates of its own for each start) is in the package wire;
// nobody has to know it.
//
// The contract is a module of its own that imports nothing of ferry's. What is
// added to it later are new fields and new optional interfaces: a plugin that is
// built today goes on working.
package api

import (
	"context"
	"encoding/json"
	"io"
	"time"
)

// Version is the version of the contract. Ferry and a plugin that share none do
// not speak with each other, and say so.
const Version = 1

// MaxEvent is the most bytes that an event may have when it travels; emit
// refuses larger ones.
const MaxEvent = 1 << 20

// Info tells what a plugin is. Name and Version are those of the repository's
// index; ferry does not start what calls itself otherwise.
type Info struct {
	Name, Version string
	// Description is one sentence for people.
	Description string
	// Schema is the JSON schema of the configuration; ferry holds what is
	// configured against it before it asks for anything. Empty: anything goes.
	Schema json.RawMessage
	// Docs is the address of a documentation.
	Docs string
	// Help is what `help` shows of an executor.
	Help string
}

// Source is where events come from.
type Source interface {
	Info() Info
	// Stream emits what happens until ctx ends, then returns; its error is
	// recorded. When it returns without being told to, ferry asks again, after a
	// pause. It goes on after r.Cursor, which is the cursor of the last event that
	// ferry has stored; events may so come twice, with the same ID, but none is
	// lost. With an empty cursor it begins where it finds sensible, which is now
	// for most.
	//
	// emit blocks while ferry is behind, and may be called by several goroutines.
	// Its error means that nobody listens any more, or that the event is too large
	// (ErrTooLarge): that one alone was not taken.
	Stream(ctx context.Context, r StreamRequest, emit func(Event) error) error
}

// StreamRequest asks a source for events.
type StreamRequest struct {
	// Binding is the name under which the source is configured.
	Binding string
	Config  []byte // YAML, valid by Info.Schema
	// Cluster and Kubeconfig are the one that is to be watched, if the binding
	// names one.
	Cluster    string
	Kubeconfig []byte
	Cursor     string
	// Stored returns when all that emit has taken by then is on ferry's disk, was there
	// already, or is not wanted; it is for a source that owes somebody an answer. Its
	// error means that nobody knows: ctx or the stream has ended, or ferry cannot write.
	// It may be called by several goroutines, which then share one question. It is nil
	// where ferry is too old to tell.
	Stored func(ctx context.Context) error
}

// Severities, the worst last.
const (
	SeverityInfo     = "info"
	SeverityWarning  = "warning"
	SeverityCritical = "critical"
)

// Event is something that happened.
type Event struct {
	// ID identifies it: what comes twice with the same ID is one event.
	ID string `json:"id"`
	// Cursor, handed back to Stream, leads to what comes after this event. Empty
	// if the source cannot go back; then what happens while nobody listens is lost.
	// An event that has a cursor and nothing else only says how far the source is.
	Cursor string    `json:"cursor,omitempty"`
	At     time.Time `json:"at"`
	// Cluster, Kind, Namespace and Name say what it happened to, as Kubernetes
	// writes them, for example Pod, team-a, podinfo-6f5-x2k.
	Cluster   string `json:"cluster,omitempty"`
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Reason is one word such as BackOff; Severity one of the constants.
	Reason   string `json:"reason,omitempty"`
	Severity string `json:"severity,omitempty"`
	// Title is one line that tells it all, Text what else there is to say; both
	// plain, but for `code` and *bold*.
	Title  string            `json:"title"`
	Text   string            `json:"text,omitempty"`
	Labels map[string]string `json:"labels,omitempty"`
	// Object is what it happened to, or what was said about it, as JSON, for
	// filters and templates.
	Object json.RawMessage `json:"object,omitempty"`
	// About names what it is about: events of one source with the same About are
	// one incident, whatever their wording. Empty: made of cluster, kind,
	// namespace, name and reason.
	About string `json:"about,omitempty"`
	// Resolved ends the incident.
	Resolved bool `json:"resolved,omitempty"`
	// Moment says that it happened and was over with that: no Resolved will follow. If
	// people are silenced or inhibited from it they are not told afterwards, as they
	// are of what may still go on.
	Moment bool `json:"moment,omitempty"`
	// Still says no more than that something goes on: its incident is not taken for over,
	// which it is after a day in which nothing was heard of it; nothing is counted, and
	// nobody is told. Of what ferry does not know it is the beginning.
	Still bool `json:"still,omitempty"`
	// Count is how often it has happened; 0 means once.
	Count int `json:"count,omitempty"`
}

// Executor answers command lines.
type Executor interface {
	Info() Info
	// Execute runs a line. What it writes to out is shown as it comes; writing
	// blocks while ferry is behind. When ctx ends somebody cancelled it, or it took
	// too long: it ends what it started and returns. An error is shown to whoever
	// asked: it says in one line what went wrong; one made by Refuse says that
	// nothing was done. It is called for several lines at the same time.
	Execute(ctx context.Context, r ExecuteRequest, out io.Writer) (Result, error)
}

// ExecuteRequest is a line that somebody wrote.
type ExecuteRequest struct {
	// Binding is the name under which the executor is configured: the first word of
	// what was written. Line is what follows it, untouched.
	Binding, Line string
	Config        []byte // YAML, valid by Info.Schema
	// Clusters are those that the binding may reach, not those that the line names.
	Clusters []Cluster
	User     User
	// Confirmed is true if the person has pressed the button that Result.Confirm
	// asked for, under this very line.
	Confirmed bool
}

// Cluster is a name and the way in.
type Cluster struct {
	Name string
	// Kubeconfig is empty if ferry cannot read it: the others are to be asked all the
	// same.
	Kubeconfig []byte
}

// User is who asks. ID and Groups are the chat system's identifiers and never
// names; Roles are those that ferry's configuration gives them. Name is for
// people's eyes alone: anybody can choose theirs.
type User struct {
	ID, Name      string
	Groups, Roles []string
}

// Result is how a line ended.
type Result struct {
	// Confirm asks, in one sentence, before it does it; nothing was done yet. Further
	// lines stand below the question. If the person agrees the line comes again, with
	// Confirmed.
	Confirm string
	// Title is the outcome in one line; empty for one of ferry's own. It stands above the
	// output of a line that took less than ten seconds, and otherwise below it.
	Title string
	// Failed marks an outcome that is no success, such as an exit code, while
	// everything that was to be said is in the output.
	Failed bool
	// File is the name that output gets as a file if it is too long for a message;
	// empty for one of ferry's own.
	File string
}
