// Package event holds the words for what happens in clusters: an Event, which a
// source saw once, and an Incident, which is all that was seen of one trouble from
// its beginning to its end. They carry no behaviour but for what follows from their
// fields alone: what an event is about, whatever its words say (About.Of), and the
// labels by which it is matched and grouped.
package event

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"
)

// ID names an event for good: a source that tells of the same event again, after a
// restart or a resync, uses the same one.
type ID string

// Ferry is the source of what ferry tells of itself; no plugin is called so.
const Ferry = "ferry"

// About says what an event is about. Events of one About are one problem, which
// repeats, gets better or worse, and is resolved.
type About string

// Severity is how bad something is.
type Severity string

// The severities, from the least. Any other word, and none, ranks as Info.
const (
	Info     Severity = "info"
	Warning  Severity = "warning"
	Error    Severity = "error"
	Critical Severity = "critical"
)

// Rank orders severities.
func (s Severity) Rank() int {
	return max(0, slices.Index([]Severity{Info, Warning, Error, Critical}, s))
}

// Event is something that a source saw.
type Event struct {
	ID ID `json:"id"`
	// Cursor is where the source goes on after this event; "" if it has no cursor.
	Cursor string `json:"-"`
	// Source is the binding that the event came from.
	Source    string            `json:"source,omitempty"`
	At        time.Time         `json:"at"`
	Cluster   string            `json:"cluster,omitempty"`
	Kind      string            `json:"kind,omitempty"`
	Namespace string            `json:"namespace,omitempty"`
	Name      string            `json:"name,omitempty"`
	Reason    string            `json:"reason,omitempty"`
	Severity  Severity          `json:"severity,omitempty"`
	Title     string            `json:"title,omitempty"`
	Text      string            `json:"text,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	// Object is what the event is about, as JSON; it may be empty.
	Object json.RawMessage `json:"object,omitempty"`
	// About may be left empty by a source: then it is made from the other fields.
	About    About `json:"about,omitempty"`
	Resolved bool  `json:"resolved,omitempty"`
	// Moment is true of what happened and was over with that: nobody will say that it
	// is resolved. Without it something may go on until somebody does.
	Moment bool `json:"moment,omitempty"`
	// Still is true of what says no more than that something goes on.
	Still bool `json:"still,omitempty"`
	// Count is how often it happened by now, as the source counts; 0 and 1 are once.
	Count int `json:"count,omitempty"`
}

// Label returns a field by its name in lower case, or a label; "" if there is
// neither. Fields go before labels of the same name, so that no source can pretend to be
// another cluster by a label.
func (e *Event) Label(name string) string {
	switch name {
	case "source":
		name, _, _ := strings.Cut(e.Source, "/") // of those that run once for each cluster
		return name
	case "cluster":
		return e.Cluster
	case "kind":
		return e.Kind
	case "namespace":
		return e.Namespace
	case "name":
		return e.Name
	case "reason":
		return e.Reason
	case "severity":
		return string(e.Severity)
	case "about":
		return string(e.About)
	}
	return e.Labels[name]
}

// State is how an incident stands.
type State string

// The states of an incident.
const (
	Firing   State = "firing"
	Resolved State = "resolved"
	// Expired is an incident of which nothing was heard for so long that it counts
	// as over; whether it is, nobody said.
	Expired State = "expired"
)

// Problem is one thing of an incident that is or was in trouble: the last event of
// it, without its object.
type Problem struct {
	Event
	// First is when it was seen first, Seen how many events there were of it.
	First time.Time `json:"first"`
	Seen  int       `json:"seen"`
	// Known is true if people were told of it, Past if it was a moment that they were
	// spared: they are not told of it unless it happens again.
	Known bool `json:"known,omitempty"`
	Past  bool `json:"past,omitempty"`
}

// Fires reports whether a problem is not over.
func (p *Problem) Fires() bool { return !p.Resolved && !p.Past }

// Incident is one trouble: the problems that a route groups together, from the
// first one until all are over.
type Incident struct {
	// ID is the same after a restart, and that of its message.
	ID       string            `json:"id"`
	Receiver string            `json:"receiver"`
	Group    map[string]string `json:"group,omitempty"`
	State    State             `json:"state"`
	Opened   time.Time         `json:"opened"`
	Changed  time.Time         `json:"changed"`
	Ended    time.Time         `json:"ended,omitzero"`
	// Count is how often something happened in it, over all problems.
	Count    int       `json:"count"`
	Problems []Problem `json:"problems"` // in the order in which they came
	// Further is how many problems there were beyond those that are kept.
	Further int `json:"further,omitempty"`
	// Digest names the message that tells of it together with others, if it came in
	// a storm.
	Digest string `json:"digest,omitempty"`
}

// Firing returns how many of the kept problems are not over.
func (i *Incident) Firing() (n int) {
	for k := range i.Problems {
		if i.Problems[k].Fires() {
			n++
		}
	}
	return n
}

// Severity is that of the worst problem that is not over, or of the worst of all if
// all are.
func (i *Incident) Severity() Severity {
	all, firing := Info, Severity("")
	for k := range i.Problems {
		s := i.Problems[k].Severity
		if s.Rank() > all.Rank() {
			all = s
		}
		if i.Problems[k].Fires() && (firing == "" || s.Rank() > firing.Rank()) {
			firing = s
		}
	}
	if firing != "" {
		return firing
	}
	return all
}

// Latest returns the problem that was heard of last; nil if there is none.
func (i *Incident) Latest() *Problem {
	var last *Problem
	for k := range i.Problems {
		if p := &i.Problems[k]; last == nil || !p.At.Before(last.At) {
			last = p
		}
	}
	return last
}

// Called writes a group's labels for people: "cluster prod, node n1".
func (i *Incident) Called() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(i.Group)) {
		if v := i.Group[k]; v != "" && k != "about" {
			parts = append(parts, k+" "+v)
		}
	}
	return strings.Join(parts, ", ")
}
