package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ferry/internal/deploy"
)

const windowHelp = `write "Fri 16:00 to Mon 08:00", "22:00 to 06:00", "12-24 to 01-02" or "2026-12-24 16:00 to 2027-01-02"`

// wholeDay is the minute at which a day is over.
const wholeDay = 24 * 60

// parseWindow reads a window of a freeze; wrong says, after the text, why it is
// none.
func parseWindow(text string) (w deploy.Window, wrong string) {
	left, right, two := strings.Cut(text, " to ")
	from, timed, wrong := parseEdge(left)
	if wrong != "" {
		return w, wrong
	}
	w = deploy.Window{Every: from.every, From: from.Edge, To: from.Edge, Text: text}
	switch {
	case two:
		to, ends, wrong := parseEdge(right)
		if wrong != "" {
			return w, wrong
		}
		if to.every != from.every {
			return w, "begins as one kind of day and ends as another"
		}
		if w.To = to.Edge; !ends {
			w.To.Minute = wholeDay
		}
	case timed:
		return w, "does not say when it ends"
	default:
		w.To.Minute = wholeDay
	}
	if w.From.Minute == wholeDay {
		return w, "begins at the end of a day: write 00:00 of the next"
	}
	return w, order(w)
}

// order says whether a window ends after it began. Of one that comes each day, week
// or year the end may be in the next.
func order(w deploy.Window) (wrong string) {
	from, to := w.From, w.To
	var sameDay bool
	switch w.Every {
	case deploy.Daily:
		if from.Minute == to.Minute {
			return "ends when it begins"
		}
		return ""
	case deploy.Weekly:
		sameDay = from.Weekday == to.Weekday
	case deploy.Yearly:
		sameDay = from.Month == to.Month && from.Day == to.Day
	default:
		first := time.Date(from.Year, from.Month, from.Day, 0, from.Minute, 0, 0, time.UTC)
		if last := time.Date(to.Year, to.Month, to.Day, 0, to.Minute, 0, 0, time.UTC); !last.After(first) {
			return "ends before it begins"
		}
		return ""
	}
	if sameDay && to.Minute <= from.Minute {
		return "ends before it begins"
	}
	return ""
}

// edge is an edge and how often it comes.
type edge struct {
	deploy.Edge
	every deploy.Period
}

// parseEdge reads a day, a time, or both; timed tells whether there is a time.
func parseEdge(text string) (e edge, timed bool, wrong string) {
	words := strings.Fields(text)
	e.every = deploy.Daily
	if len(words) > 0 && !strings.Contains(words[0], ":") {
		if wrong := e.day(words[0]); wrong != "" {
			return e, false, wrong
		}
		words = words[1:]
	}
	switch {
	case len(words) == 0 && e.every == deploy.Daily:
		return e, false, "is no window"
	case len(words) == 0:
		return e, false, ""
	case len(words) > 1:
		return e, false, fmt.Sprintf("has more than a day and a time: %q", text)
	}
	hours, minutes, ok := strings.Cut(words[0], ":")
	h, herr := strconv.ParseUint(hours, 10, 8)
	m, merr := strconv.ParseUint(minutes, 10, 8)
	e.Minute = int(h*60 + m)
	if !ok || herr != nil || merr != nil || len(hours) != 2 || len(minutes) != 2 || m > 59 || e.Minute > wholeDay {
		return e, false, fmt.Sprintf("has %q, which is no time: write 08:00", words[0])
	}
	return e, true, ""
}

// day reads a weekday, a date, or a day of the year.
func (e *edge) day(word string) (wrong string) {
	for d := time.Sunday; d <= time.Saturday; d++ {
		if name := d.String(); strings.EqualFold(word, name) || strings.EqualFold(word, name[:3]) {
			e.Weekday, e.every = d, deploy.Weekly
			return ""
		}
	}
	if t, err := time.Parse(time.DateOnly, word); err == nil {
		e.Year, e.Month, e.Day = t.Date()
		e.every = deploy.Once
		return ""
	}
	const leap = "2024-"
	if t, err := time.Parse(time.DateOnly, leap+word); err == nil && len(word) == len("12-24") {
		_, e.Month, e.Day = t.Date()
		e.every = deploy.Yearly
		return ""
	}
	return fmt.Sprintf("has %q, which is no day: write Fri, 12-24 or 2026-12-24", word)
}
