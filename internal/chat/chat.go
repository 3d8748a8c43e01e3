// Package chat holds the words in which rooms speak with people: what somebody
// asked (Command), how a command is written (Syntax), what ferry answers
// (Message) and where (Thread). It decides nothing but who is listened to at all
// (Person.Barred) and knows no Slack: the bot
// turns these words into a chat system's own, and another chat would do the
// same beside it.
//
// Text in a Message is plain, except that `code` and *bold* are honoured. It is
// the bot's duty to escape everything else, so that nothing from a cluster, a
// repository or a person can become a mention, a link or a broadcast.
package chat

import (
	"context"
	"io"
	"strings"
	"time"
)

// UserID is a chat system's identifier of a person (Slack: "U…" or "W…").
// Authorization is by UserID alone, never by a name.
type UserID string

// TeamID identifies a workspace (Slack: "T…").
type TeamID string

// ChannelID identifies a channel or a direct conversation (Slack: "C…", "D…").
type ChannelID string

// Thread is where an answer goes: below the message Root of a channel.
// An empty Root means that there is no message to answer below (a slash
// command); the first answer then becomes the root.
type Thread struct {
	Team    TeamID    `json:"team"`
	Channel ChannelID `json:"channel"`
	Root    string    `json:"root,omitempty"`
}

// Verb names a command: its first word.
type Verb string

// Word is something a person typed that has the right shape, nothing more: it
// is not known whether anything of that name exists.
type Word string

// Command is one request by one person, already parsed.
type Command struct {
	// Key identifies what the person did (one message, one click). Commands of
	// the same key are the same command, however often they arrive.
	Key    string `json:"key"`
	User   UserID `json:"user"`
	Thread Thread `json:"thread"`
	// Text is what was typed after the bot's name, for answers and records.
	Text string    `json:"text"`
	At   time.Time `json:"at"`
	Verb Verb      `json:"verb"`
	Args Args      `json:"args"`
	// Press tells this press of a button from others of the same button, which have
	// the same Key; empty for what was typed.
	Press string `json:"press,omitempty"`
	// Cause is the job for whose sake ferry gives itself this command; empty for
	// what people ask for. Nothing that comes from a chat sets it.
	Cause string `json:"cause,omitempty"`
	// Origin is the message whose button or control asked; nil for what was typed.
	Origin *Origin `json:"origin,omitempty"`
}

// Args are the words of a command by their place in its Syntax. A field that
// the Syntax does not name, or an optional one that was not written, is empty.
type Args struct {
	App       Word `json:"app,omitempty"`       // name or ns/name
	Glob      Word `json:"glob,omitempty"`      // pattern over app names: *, ?, [a-z]
	Version   Word `json:"version,omitempty"`   // as typed, case kept
	Field     Word `json:"field,omitempty"`     // "chart", "image" or none
	Cluster   Word `json:"cluster,omitempty"`   // the cluster acted on, or the first of two
	Other     Word `json:"other,omitempty"`     // the second cluster of a comparison
	From      Word `json:"from,omitempty"`      // the cluster that something is taken from
	Clusters  Word `json:"clusters,omitempty"`  // clusters and patterns over them, joined by ","
	Targets   Word `json:"targets,omitempty"`   // further ones, joined by ",": cluster, cluster/app or cluster/ns/app
	Namespace Word `json:"namespace,omitempty"` // restricts to one namespace
	Option    Word `json:"option,omitempty"`    // "pin", "tag-only" or none; several are joined by a space
	Mode      Word `json:"mode,omitempty"`      // "--dry-run", "dry-run" or none
	Gate      Word `json:"gate,omitempty"`      // what is to be passed: freeze, hold, approval, joined by commas
	Duration  Word `json:"duration,omitempty"`  // a time as Span reads it
	Job       Word `json:"job,omitempty"`       // a job's identifier
	Topic     Word `json:"topic,omitempty"`     // a command to be explained
	Matchers  Word `json:"matchers,omitempty"`  // matchers of labels, joined by spaces: cluster=prod app!="a b"
	ID        Word `json:"id,omitempty"`        // what ferry calls a silence or a delivery
	Switch    Word `json:"switch,omitempty"`    // "on" or "off"
	Line      Word `json:"line,omitempty"`      // all that follows, untouched
	Reason    Word `json:"reason,omitempty"`    // as Line, for people: why something is done
}

// Syntax says how a command is written and what it is for. Parser, help text
// and documentation are made from it, so that they cannot disagree.
//
// A form is a sequence of words in one line:
//
//	on          a literal
//	<app>       a placeholder: app, glob, version, field, cluster, other, from, clusters, targets, namespace, option, mode, gate, duration, job, topic, matchers, id, switch, line, reason
//	[ … ]       optional as a whole
//	<app>@<version>  placeholders joined by a literal sign
//
// <clusters>, <targets>, <matchers> and <option> take one word or several. <line> and <reason> take
// everything that is left and can only stand last.
type Syntax struct {
	Verb     Verb
	Form     string   // what follows the verb
	Also     []string // further forms, of which the first that fits is meant
	Summary  string   // one sentence without a full stop
	Details  []string // further sentences for `help <verb>`
	Examples []string // complete commands, verb included
	// Changes is true if the command changes something outside ferry, so that
	// it needs a role.
	Changes bool
	// Gated is true if freezes, holds and approvals stand before it, too.
	Gated bool
	// Unlisted is true if nothing here can do it: it is understood, so that
	// whoever asks hears why, but offered nowhere.
	Unlisted bool
}

// Usage writes a syntax as people read it, everywhere:
// "promote app@version [chart|image] to cluster".
func (s Syntax) Usage() string { return s.UsageOf(s.Form) }

// Usages writes all its forms so.
func (s Syntax) Usages() []string {
	out := []string{s.Usage()}
	for _, form := range s.Also {
		out = append(out, s.UsageOf(form))
	}
	return out
}

// UsageOf writes one of its forms so.
func (s Syntax) UsageOf(form string) string {
	shown := strings.NewReplacer("<glob>", "app-pattern", "<field>", "chart|image", "<line>", "…", "<topic>", "command", "<option>", "pin|tag-only", "<targets>", "clusters", "<from>", "cluster", "<clusters>", "clusters", "<mode>", "--dry-run", "<gate>", "freeze|hold|approval", "<switch>", "on|off", "<", "", ">", "")
	return strings.TrimSpace(string(s.Verb) + " " + shown.Replace(form))
}

// Tone is the mood of a message; it decides on the sign before the first line.
type Tone string

// The tones.
const (
	Info     Tone = "info"
	Progress Tone = "progress"
	Done     Tone = "done"
	Refused  Tone = "refused"
	Failure  Tone = "failure"
)

// Message is an answer. Its parts are shown in the order of the fields; the
// empty ones are left out. The Title alone must tell the outcome: it is also
// the notification and what a screen reader says first. A Title has no full
// stop; Lines are sentences, with one.
type Message struct {
	Tone   Tone     `json:"tone"`
	Title  string   `json:"title"`
	Lines  []string `json:"lines,omitempty"`
	Steps  []Step   `json:"steps,omitempty"`
	Fields []Field  `json:"fields,omitempty"`
	Table  *Table   `json:"table,omitempty"`
	Code   *Code    `json:"code,omitempty"`
	Links  []Link   `json:"links,omitempty"`
	Footer string   `json:"footer,omitempty"`
	By     UserID   `json:"by,omitempty"` // who asked; shown as a mention in the footer
	// At is shown in everybody's own time zone.
	At       time.Time `json:"at,omitzero"`
	Controls []Control `json:"controls,omitempty"`
	Buttons  []Button  `json:"buttons,omitempty"`
	// For is the only one who sees the message; empty for everybody. Only messages
	// below another can have it. It is the first Put of a key that decides. Such a
	// message may come twice, because nothing tells whether it has arrived.
	For UserID `json:"for,omitempty"`
	// Final marks the last state of a message: it is sent at once and replaces
	// whatever of the same key is still waiting to be sent.
	Final bool `json:"final,omitempty"`
}

// StepState is how far a step of a job is.
type StepState string

// The states of a step.
const (
	StepWaiting StepState = "waiting"
	StepRunning StepState = "running"
	StepDone    StepState = "done"
	StepFailed  StepState = "failed"
	StepSkipped StepState = "skipped"
)

// Step is one line of a job's progress. With a URL the whole text leads there,
// and marks in it are not honoured.
type Step struct {
	State StepState `json:"state"`
	Text  string    `json:"text"`
	URL   string    `json:"url,omitempty"`
}

// Field is a name and its value.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Table is a small table; every row has as many cells as there are columns.
type Table struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Code is preformatted text. Lang may be "diff" or empty.
type Code struct {
	Lang string `json:"lang,omitempty"`
	Text string `json:"text"`
}

// Link is a text that leads to an address (http or https).
type Link struct {
	Text string `json:"text"`
	URL  string `json:"url"`
}

// Button asks ferry for a command when it is pressed, in the name of whoever
// presses it. What travels to the chat system and back is an opaque key; the
// command itself stays with ferry.
type Button struct {
	Label   string `json:"label"`   // at most 30 characters to be seen whole
	Command string `json:"command"` // as a person would type it, without the bot's name
	Danger  bool   `json:"danger,omitempty"`
	Confirm string `json:"confirm,omitempty"` // asked before it is pressed for good
	// Beside is a text that the button stands beside, in a row of its own.
	Beside string `json:"beside,omitempty"`
	// URL is where the button leads (http or https), instead of asking for a command.
	URL string `json:"url,omitempty"`
}

// Replier answers in threads.
type Replier interface {
	// Put makes the message of that key in that thread read as given: the
	// first Put of a key posts it, later ones edit it, an equal one does
	// nothing. It returns once the wish is durable; delivery follows by itself,
	// survives restarts, and happens once. Keys are unique over all threads.
	Put(ctx context.Context, thread Thread, key string, m Message) error
}

// Streamer answers with output that grows while it is made.
type Streamer interface {
	// Stream opens the message of that key for text: what is written appears in
	// it, coalesced, preformatted, its head cut where it grows too long; all of it is
	// then a file below the message, if the chat takes files. Close sends the rest.
	// The writer may be a Namer, a Failer and a Titler. It is not safe for concurrent use.
	Stream(ctx context.Context, thread Thread, key, title string) (io.WriteCloser, error)
}

// Namer is a writer that can be told, before Close, what its text is called if it
// becomes a file; without a name it has one of ferry's own.
type Namer interface{ Name(file string) }

// Failer is a writer that can be told, before Close, that what it was written by failed:
// its message says so then, and does not look as if all were well.
type Failer interface{ Fail() }

// Titler is a writer that can be told, before Close, how what it was written by ended:
// that stands above the text then, in place of what was asked for.
type Titler interface{ Title(outcome string) }
