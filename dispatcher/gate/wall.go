package gate

import (
	"time"
	_ "time/tzdata" // freezes are meant in places, and a container may know none

	"ferry/internal/deploy"
)

// date is a day of the calendar; days beyond a month's end count into the next.
type date struct {
	year  int
	month time.Month
	day   int
}

func (d date) plus(days int) date { return date{d.year, d.month, d.day + days} }

// utc is the time that a clock shows on that day, as if it hung in Greenwich.
func (d date) utc(minute int) time.Time {
	return time.Date(d.year, d.month, d.day, 0, minute, 0, 0, time.UTC)
}

// within reports whether a moment lies in a window, and when that one ends. The
// beginning is part of the window, the end is not.
func within(w *deploy.Window, at time.Time, zone *time.Location) (to time.Time, in bool) {
	var today date
	today.year, today.month, today.day = at.In(zone).Date()
	// What lies over the moment began in the present period or the one before.
	for back := 0; back >= -1; back-- {
		first, last := days(w, today, back)
		if far(first, last, at) {
			continue
		}
		from, end := onTheWall(first.utc(w.From.Minute), zone, false), onTheWall(last.utc(w.To.Minute), zone, true)
		if !at.Before(from) && at.Before(end) {
			return end, true
		}
	}
	return time.Time{}, false
}

// days are the first and the last day of the window that began in the period of a
// day, or so many periods away from it.
func days(w *deploy.Window, today date, periods int) (first, last date) {
	switch w.Every {
	case deploy.Weekly:
		behind := (int(today.utc(0).Weekday()-w.From.Weekday) + 7) % 7
		first = today.plus(7*periods - behind)
		return first, first.plus((int(w.To.Weekday-w.From.Weekday) + 7) % 7)
	case deploy.Yearly:
		first = date{today.year + periods, w.From.Month, w.From.Day}
		last = date{first.year, w.To.Month, w.To.Day}
		if last.utc(0).Before(first.utc(0)) {
			last.year++
		}
		return first, last
	case deploy.Once:
		return date{w.From.Year, w.From.Month, w.From.Day}, date{w.To.Year, w.To.Month, w.To.Day}
	default: // daily
		first = today.plus(periods)
		if w.To.Minute <= w.From.Minute {
			return first, first.plus(1)
		}
		return first, first
	}
}

// margin is more than any place is away from Greenwich.
const margin = 30 * time.Hour

// far reports, cheaply, that a moment is nowhere near some days.
func far(first, last date, at time.Time) bool {
	return at.Before(first.utc(0).Add(-margin)) || at.After(last.utc(24*60).Add(margin))
}

// onTheWall is the moment at which a clock in a place shows a time, given as if the
// clock hung in Greenwich. Where clocks were set forward over it, that is the moment
// at which they were. Where they were set back over it, it comes twice: the first
// time, or with last the second. A window is thereby never shorter than somebody
// who looks at the wall would have it.
func onTheWall(shown time.Time, zone *time.Location, last bool) time.Time {
	_, before := shown.Add(-margin).In(zone).Zone()
	_, after := shown.Add(margin).In(zone).Zone()
	early, late := shown.Add(-seconds(max(before, after))), shown.Add(-seconds(min(before, after)))
	shows := func(t time.Time) bool {
		_, offset := t.In(zone).Zone()
		return t.Add(seconds(offset)).Equal(shown)
	}
	switch atFirst, atLast := shows(early), shows(late); {
	case atLast && (last || !atFirst):
		return late
	case atFirst:
		return early
	}
	if _, set := early.In(zone).ZoneBounds(); !set.IsZero() {
		return set
	}
	return late
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
