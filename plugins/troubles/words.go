package troubles

import (
	"strings"
	"time"

	"ferry/internal/event"
)

// event is what is said of a finding, but for the time.
func (f *finding) event() event.Event {
	e := event.Event{
		Reason: f.Reason, Name: f.Name, Severity: event.Error, Text: f.text, Count: f.count,
		About: event.About(strings.Join([]string{event.Ferry, f.Reason, f.Kind, f.Name}, "/")),
	}
	switch f.Reason {
	case DeliveriesGivenUp:
		e.Kind, e.Title = "Sink", "A message to "+f.Name+" was given up"
	case SinkFailing:
		e.Kind, e.Title, e.Severity = "Sink", "Nothing reaches "+f.Name, event.Warning
	case PluginNotRunning:
		e.Kind, e.Title = "Plugin", "The "+f.Kind+" "+f.Name+" does not run"
	case ClusterUnreachable:
		e.Kind, e.Cluster, e.Title = "Cluster", f.Name, "Ferry cannot see what happens" // " on prod" follows
	}
	return e
}

// What others say is cut to so many letters, so that the advice behind it is not: an
// incident keeps 300 bytes of a text.
const (
	mostWhy   = 110
	mostTitle = 60
)

// sentence is a text that ends like one.
func sentence(s string, most int) string {
	s = strings.TrimRight(strings.Join(strings.Fields(s), " "), ".")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s + "."
}

func clock(at time.Time) string { return at.UTC().Format("15:04 MST") }
