package botkube

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"ferry/internal/chat"
	"ferry/plugins/api"
)

// event is what a source tells, as it travels.
type event struct {
	Message   Message
	RawObject json.RawMessage
}

// object is what ferry reads of an event's object: that of the kubernetes source.
type object struct {
	Kind, Title, Name, Namespace, Type, Reason, Level, Cluster, Action string
	Messages, Recommendations, Warnings                                []string
	TimeStamp                                                          time.Time
	Count                                                              int
}

// sequence numbers the events of one start of a plugin, which have no names of their
// own.
type sequence struct {
	start string
	n     atomic.Int64
}

func newSequence() *sequence { return &sequence{start: rand.Text()[:12]} }

func (s *sequence) next() string { return s.start + "-" + strconv.FormatInt(s.n.Add(1), 10) }

// maxText is the most bytes of an event's text and of its object, which are cut so
// that the whole can travel on.
const (
	maxText   = 64 << 10
	maxObject = api.MaxEvent - 2*maxText
)

// toEvent makes ferry's event of a source's; ok is false if it says nothing. What
// cannot be read is an event that says so: a stream does not end for it.
func (p *Peer) toEvent(text []byte, cluster string, now time.Time) (e api.Event, ok bool) {
	var from event
	if err := decode(text, &from); err != nil {
		return api.Event{
			ID: p.sequence.next(), At: now, Cluster: cluster, Severity: api.SeverityWarning, Reason: "Unreadable", About: "unreadable", Moment: true,
			Title: "An event of " + orElse(p.Plugin, "a source") + " cannot be read", Text: cut(err.Error(), maxText),
		}, true
	}
	if string(from.RawObject) == "null" {
		from.RawObject = nil
	}
	if from.Message.Type == skipped || from.Message.empty() && len(from.RawObject) == 0 {
		return api.Event{}, false
	}
	o := readObject(from.RawObject)
	e = api.Event{
		ID: p.sequence.next(), At: now, Cluster: orElse(o.Cluster, cluster), Kind: o.Kind, Namespace: o.Namespace, Name: o.Name,
		Reason: orElse(o.Reason, orElse(o.Action, o.Type)), Severity: o.severity(), Count: o.Count, Object: from.RawObject,
		Moment: true, // nothing in it says that something is over
	}
	if !o.TimeStamp.IsZero() {
		e.At = o.TimeStamp
	}
	e.Title, e.Text = p.words(&from.Message, &o, cluster)
	if len(e.Object) > maxObject {
		e.Object, e.Text = nil, strings.TrimSpace("Its object is too large to be kept.\n"+e.Text)
	}
	e.Title, e.Text = cut(e.Title, 500), cut(e.Text, maxText)
	switch {
	case from.Message.ParentActivityID != "":
		e.About = "thread " + from.Message.ParentActivityID
	case o.Kind == "" || o.Name == "":
		// What it is about is not said. Its words are all there is, without numbers:
		// a count or a time does not make it something else.
		sum := sha256.Sum256([]byte(wordsOnly(e.Title)))
		e.About = "words " + hex.EncodeToString(sum[:8])
	}
	return e, true
}

// words are an event's title and text.
func (p *Peer) words(m *Message, o *object, cluster string) (title, text string) {
	s := shower{plugin: p.Plugin, title: o.Title}
	is := s.show(m)
	lines := is.Lines
	for _, f := range is.Fields {
		if slices.Contains([]string{o.Kind, o.Name, o.Namespace, o.Cluster, o.Reason}, f.Value) {
			continue // the event has it
		}
		lines = append(lines, f.Name+": "+f.Value)
	}
	if is.Code != nil {
		lines = append(lines, is.Code.Text)
	}
	if m.empty() {
		for _, more := range [][]string{o.Messages, o.Recommendations, o.Warnings} {
			lines = append(lines, more...)
		}
	}
	lines = append(lines, p.ways(&is, orElse(o.Cluster, cluster))...)
	if title = is.Title; title == "" && len(lines) > 0 {
		first, rest, _ := strings.Cut(lines[0], "\n")
		title, lines = first, append([]string{rest}, lines[1:]...)
	}
	what := strings.Trim(strings.Join([]string{o.Namespace, o.Name}, "/"), "/")
	switch {
	case what != "" && !strings.Contains(title, o.Name):
		title = strings.TrimSpace(orElse(title, o.Kind) + " " + what)
	case title == "":
		title = "Something happened"
	}
	return strings.TrimSpace(title), strings.TrimSpace(strings.Join(lines, "\n"))
}

// ways are what people can do about an event: what a button leads to, and what to type
// for those that ask for a command and for each option of a menu, the first of many.
func (p *Peer) ways(m *chat.Message, cluster string) (out []string) {
	typed := func(command string) string {
		command = untyped(command)
		if first, rest, _ := strings.Cut(command, " "); cluster != "" && slices.Contains(p.Clustered, first) {
			command = first + " " + clusterFlag + cluster + " " + rest
		}
		return quoted(Bot + " " + command)
	}

	for _, b := range m.Buttons {
		if b.URL != "" {
			out = append(out, b.Label+": "+b.URL)
			continue
		}
		out = append(out, b.Label+": "+typed(b.Command))
	}
	const most = 10
	for _, c := range m.Controls {
		for _, o := range c.Options[:min(most, len(c.Options))] {
			out = append(out, o.Label+": "+typed(c.Command+o.Value))
		}
		if c.Kind == chat.Typed {
			out = append(out, c.Label+": "+typed(c.Command+`"…"`))
		}
	}
	return out
}

// readObject reads what it can: objects of other sources look otherwise.
func readObject(raw json.RawMessage) object {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return object{}
	}
	var o object
	for key, to := range map[string]any{
		"Kind": &o.Kind, "Title": &o.Title, "Name": &o.Name, "Namespace": &o.Namespace, "Type": &o.Type, "Reason": &o.Reason, "Level": &o.Level,
		"Cluster": &o.Cluster, "Action": &o.Action, "Messages": &o.Messages, "Recommendations": &o.Recommendations, "Warnings": &o.Warnings,
		"TimeStamp": &o.TimeStamp, "Count": &o.Count,
	} {
		if text, ok := fields[key]; ok {
			_ = json.Unmarshal(text, to) // of another type: not that source's
		}
	}
	return o
}

func (o *object) severity() string {
	switch strings.ToLower(orElse(o.Level, o.Type)) {
	case "critical", "fatal":
		return api.SeverityCritical
	case "error", "warn", "warning":
		return api.SeverityWarning
	}
	return api.SeverityInfo
}

// wordsOnly is a text without its digits.
func wordsOnly(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, s)
}

func cut(s string, most int) string {
	if len(s) > most {
		s = s[:most-3] + "…"
	}
	return strings.ToValidUTF8(s, "")
}
