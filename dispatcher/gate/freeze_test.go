package gate

import (
	"math/rand/v2"
	"testing"
	"time"

	"ferry/internal/deploy"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func clock(hours, minutes int) int { return hours*60 + minutes }

func daily(from, to int) deploy.Window {
	return deploy.Window{Every: deploy.Daily, From: deploy.Edge{Minute: from}, To: deploy.Edge{Minute: to}, Text: "daily"}
}

func weekly(fd time.Weekday, from int, td time.Weekday, to int) deploy.Window {
	return deploy.Window{Every: deploy.Weekly, From: deploy.Edge{Weekday: fd, Minute: from}, To: deploy.Edge{Weekday: td, Minute: to}, Text: "weekly"}
}

func yearly(fm time.Month, fd, from int, tm time.Month, td, to int) deploy.Window {
	return deploy.Window{Every: deploy.Yearly, From: deploy.Edge{Month: fm, Day: fd, Minute: from}, To: deploy.Edge{Month: tm, Day: td, Minute: to}, Text: "yearly"}
}

func once(from, to time.Time) deploy.Window {
	edge := func(t time.Time) deploy.Edge {
		return deploy.Edge{Year: t.Year(), Month: t.Month(), Day: t.Day(), Minute: clock(t.Hour(), t.Minute())}
	}
	return deploy.Window{Every: deploy.Once, From: edge(from), To: edge(to), Text: "once"}
}

const day = 24 * 60

// TestFreezes holds moments against windows. Clocks are set in Berlin on 2026-10-25
// at 01:00 UTC from 03:00 back to 02:00 and on 2027-03-28 at 01:00 UTC from 02:00
// forward to 03:00.
func TestFreezes(t *testing.T) {
	weekend := weekly(time.Friday, clock(16, 0), time.Monday, clock(8, 0))
	night := daily(clock(22, 0), clock(6, 0))
	for _, c := range []struct {
		name, zone string
		when       []deploy.Window
		at         string // UTC
		until      string // UTC; empty: not frozen
	}{
		{"the minute before", "Europe/Berlin", []deploy.Window{weekend}, "2026-11-20T14:59:59Z", ""},
		{"the minute itself", "Europe/Berlin", []deploy.Window{weekend}, "2026-11-20T15:00:00Z", "2026-11-23T07:00:00Z"},
		{"the last second", "Europe/Berlin", []deploy.Window{weekend}, "2026-11-23T06:59:59Z", "2026-11-23T07:00:00Z"},
		{"the end", "Europe/Berlin", []deploy.Window{weekend}, "2026-11-23T07:00:00Z", ""},
		{"midweek", "Europe/Berlin", []deploy.Window{weekend}, "2026-11-18T12:00:00Z", ""},
		{"a weekend over the switch in autumn: it begins in summer time", "Europe/Berlin", []deploy.Window{weekend}, "2026-10-23T14:00:00Z", "2026-10-26T07:00:00Z"},
		{"and not an hour earlier", "Europe/Berlin", []deploy.Window{weekend}, "2026-10-23T13:59:59Z", ""},
		{"and ends in winter time", "Europe/Berlin", []deploy.Window{weekend}, "2026-10-26T06:30:00Z", "2026-10-26T07:00:00Z"},
		{"a weekend over the switch in spring: it begins in winter time", "Europe/Berlin", []deploy.Window{weekend}, "2027-03-26T15:00:00Z", "2027-03-29T06:00:00Z"},
		{"and ends in summer time", "Europe/Berlin", []deploy.Window{weekend}, "2027-03-29T06:00:00Z", ""},

		{"a night over the switch in autumn is 9 h long", "Europe/Berlin", []deploy.Window{night}, "2026-10-25T04:59:00Z", "2026-10-25T05:00:00Z"},
		{"a night over the switch in spring is 7 h long", "Europe/Berlin", []deploy.Window{night}, "2027-03-28T03:59:00Z", "2027-03-28T04:00:00Z"},
		{"after midnight it is yesterday's", "Europe/Berlin", []deploy.Window{night}, "2026-11-18T00:30:00Z", "2026-11-18T05:00:00Z"},
		{"and before midnight today's", "Europe/Berlin", []deploy.Window{night}, "2026-11-18T22:00:00Z", "2026-11-19T05:00:00Z"},

		{"an end that comes twice is the second one", "Europe/Berlin", []deploy.Window{daily(clock(1, 0), clock(2, 30))}, "2026-10-25T01:15:00Z", "2026-10-25T01:30:00Z"},
		{"there is no hole in it", "Europe/Berlin", []deploy.Window{daily(clock(1, 0), clock(2, 30))}, "2026-10-25T00:45:00Z", "2026-10-25T01:30:00Z"},
		{"a beginning that comes twice is the first one", "Europe/Berlin", []deploy.Window{daily(clock(2, 30), clock(4, 0))}, "2026-10-25T00:30:00Z", "2026-10-25T03:00:00Z"},
		{"a beginning that does not come is the switch", "Europe/Berlin", []deploy.Window{daily(clock(2, 30), clock(4, 0))}, "2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"},
		{"and no sooner", "Europe/Berlin", []deploy.Window{daily(clock(2, 30), clock(4, 0))}, "2027-03-28T00:59:59Z", ""},
		{"an end that does not come is the switch", "Europe/Berlin", []deploy.Window{daily(clock(1, 0), clock(2, 30))}, "2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z"},
		{"and no later", "Europe/Berlin", []deploy.Window{daily(clock(1, 0), clock(2, 30))}, "2027-03-28T01:00:00Z", ""},
		{"a window that no clock shows is none", "Europe/Berlin", []deploy.Window{daily(clock(2, 10), clock(2, 50))}, "2027-03-28T01:00:00Z", ""},
		{"in New York clocks are set on other days", "America/New_York", []deploy.Window{weekend}, "2027-03-15T11:59:59Z", "2027-03-15T12:00:00Z"},
		{"where midnight did not come", "America/Sao_Paulo", []deploy.Window{daily(0, clock(6, 0))}, "2018-11-04T03:00:00Z", "2018-11-04T08:00:00Z"},
		{"where midnight did not come, the day ends", "America/Sao_Paulo", []deploy.Window{weekly(time.Saturday, 0, time.Saturday, day)}, "2018-11-04T02:59:59Z", "2018-11-04T03:00:00Z"},
		{"where clocks are set by half an hour", "Australia/Lord_Howe", []deploy.Window{daily(clock(1, 0), clock(1, 45))}, "2027-04-03T15:10:00Z", "2027-04-03T15:15:00Z"},
		{"where a day was left out", "Pacific/Apia", []deploy.Window{weekly(time.Thursday, clock(20, 0), time.Saturday, clock(8, 0))}, "2011-12-30T09:59:59Z", "2011-12-30T18:00:00Z"},

		{"all of each Sunday", "UTC", []deploy.Window{weekly(time.Sunday, 0, time.Sunday, day)}, "2026-11-22T23:59:59Z", "2026-11-23T00:00:00Z"},
		{"over the new year, before", "Europe/Berlin", []deploy.Window{yearly(12, 20, 0, 1, 4, day)}, "2026-12-31T12:00:00Z", "2027-01-04T23:00:00Z"},
		{"over the new year, after", "Europe/Berlin", []deploy.Window{yearly(12, 20, 0, 1, 4, day)}, "2027-01-04T22:59:59Z", "2027-01-04T23:00:00Z"},
		{"over the new year, over", "Europe/Berlin", []deploy.Window{yearly(12, 20, 0, 1, 4, day)}, "2027-01-04T23:00:00Z", ""},
		{"each year", "UTC", []deploy.Window{yearly(11, 27, 0, 11, 30, clock(12, 0))}, "2031-11-30T11:00:00Z", "2031-11-30T12:00:00Z"},
		{"once", "Asia/Tokyo", []deploy.Window{once(time.Date(2026, 12, 24, 16, 0, 0, 0, time.UTC), time.Date(2027, 1, 2, 8, 0, 0, 0, time.UTC))}, "2026-12-24T07:00:00Z", "2027-01-01T23:00:00Z"},
		{"once and never again", "Asia/Tokyo", []deploy.Window{once(time.Date(2026, 12, 24, 16, 0, 0, 0, time.UTC), time.Date(2027, 1, 2, 8, 0, 0, 0, time.UTC))}, "2027-12-25T07:00:00Z", ""},

		{"windows that follow on each other are one", "UTC", []deploy.Window{weekly(time.Friday, clock(16, 0), time.Friday, day), weekly(time.Saturday, 0, time.Sunday, day)}, "2026-11-20T17:00:00Z", "2026-11-23T00:00:00Z"},
		{"of several that lie over each other the last counts", "UTC", []deploy.Window{night, weekly(time.Friday, clock(21, 0), time.Friday, clock(23, 0))}, "2026-11-20T22:30:00Z", "2026-11-21T06:00:00Z"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		calendar := Calendar{Name: "f", Zone: zone(t, c.zone), When: c.when}
		until, frozen := calendar.frozen(at)
		got := ""
		if frozen {
			got = until.UTC().Format(time.RFC3339)
		}
		if got != c.until {
			t.Errorf("%s: at %s frozen until %q, want %q", c.name, c.at, got, c.until)
		}
	}
}

// TestAFreezeWithoutEnd names none.
func TestAFreezeWithoutEnd(t *testing.T) {
	c := Calendar{Zone: time.UTC, When: []deploy.Window{daily(0, day)}}
	if until, frozen := c.frozen(time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)); !frozen || !until.IsZero() {
		t.Errorf("frozen %v until %s", frozen, until)
	}
}

// shown reports whether somebody who looks at the wall is in a window.
func shown(w deploy.Window, t time.Time) bool {
	now, from, to := clock(t.Hour(), t.Minute()), w.From.Minute, w.To.Minute
	if w.Every == deploy.Weekly {
		now += int(t.Weekday()) * day
		from += int(w.From.Weekday) * day
		to += int(w.To.Weekday) * day
	}
	if from < to {
		return now >= from && now < to
	}
	return now >= from || now < to
}

// TestWhoeverLooksAtTheWallIsRight compares random windows with what clocks show, at
// random moments and around each switch: what they show is frozen, and more is only
// on the days on which clocks are set.
func TestWhoeverLooksAtTheWallIsRight(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	names := []string{"Europe/Berlin", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kolkata", "America/Santiago", "Pacific/Chatham", "UTC"}
	frozen := 0
	for range 20000 {
		z := zone(t, names[r.IntN(len(names))])
		w := daily(r.IntN(day), r.IntN(day))
		if r.IntN(2) == 0 {
			w = weekly(time.Weekday(r.IntN(7)), r.IntN(day), time.Weekday(r.IntN(7)), r.IntN(day))
		}
		if w.From == w.To || w.Every == deploy.Weekly && w.From.Weekday == w.To.Weekday && w.To.Minute < w.From.Minute {
			continue
		}
		at := time.Unix(1767225600+r.Int64N(2*365*86400), 0).In(z)
		if _, set := at.ZoneBounds(); !set.IsZero() && r.IntN(2) == 0 {
			at = set.Add(time.Duration(r.IntN(8*3600)-4*3600) * time.Second).In(z)
		}
		to, in := within(&w, at, z)
		if in {
			frozen++
		}
		_, before := at.Add(-26 * time.Hour).Zone()
		_, after := at.Add(26 * time.Hour).Zone()
		switch {
		case shown(w, at) && !in:
			t.Fatalf("%s: %+v shows at %s, and is open", z, w, at)
		case in && !shown(w, at) && before == after:
			t.Fatalf("%s: %+v does not show at %s, and is frozen until %s", z, w, at, to)
		case in && !to.After(at):
			t.Fatalf("%s: %+v is frozen at %s until %s", z, w, at, to)
		}
	}
	if frozen < 5000 {
		t.Errorf("only %d moments were frozen", frozen)
	}
}
