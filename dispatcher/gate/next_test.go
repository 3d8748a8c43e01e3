package gate

import (
	"math/rand/v2"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// TestAFreezeBeginsWhenItIsFirstSeen holds random windows against the freezes
// themselves: nothing is frozen before the beginning, and at it everything is.
func TestAFreezeBeginsWhenItIsFirstSeen(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	names := []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Pacific/Chatham", "UTC"}
	seen := 0
	for range 5000 {
		z := zone(t, names[r.IntN(len(names))])
		w := daily(r.IntN(day), r.IntN(day))
		switch r.IntN(4) {
		case 0:
			w = weekly(time.Weekday(r.IntN(7)), r.IntN(day), time.Weekday(r.IntN(7)), r.IntN(day))
		case 1:
			w = yearly(time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(day), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(day))
		case 2:
			from := time.Unix(1767225600+r.Int64N(730*86400), 0).UTC().Truncate(time.Minute)
			w = once(from, from.Add(time.Duration(1+r.IntN(5000))*time.Minute))
		}
		sameDay := w.Every == deploy.Weekly && w.From.Weekday == w.To.Weekday || w.Every == deploy.Yearly && w.From.Month == w.To.Month && w.From.Day == w.To.Day
		if sameDay && w.To.Minute <= w.From.Minute {
			continue // none, as freezes see it
		}
		c := Calendar{Zone: z, When: []deploy.Window{w}}
		at := time.Unix(1767225600+r.Int64N(730*86400), 0)
		if _, frozen := c.frozen(at); frozen {
			continue
		}
		begins := c.begins(at)
		far := begins
		if begins.IsZero() {
			far = at.AddDate(3, 0, 0)
			if w.Every != deploy.Once {
				t.Fatalf("%+v in %s after %s: it never begins", w, z, at)
			}
		} else if _, frozen := c.frozen(begins); !frozen {
			t.Fatalf("%+v in %s after %s: at %s it is not frozen", w, z, at, begins)
		}
		seen++
		for range 40 {
			between := at.Add(time.Duration(r.Int64N(int64(far.Sub(at)))))
			if _, frozen := c.frozen(between); frozen {
				t.Fatalf("%+v in %s after %s: it is frozen at %s, before %s", w, z, at, between, begins)
			}
		}
		if _, frozen := c.frozen(far.Add(-time.Second)); frozen {
			t.Fatalf("%+v in %s after %s: it is frozen a second before %s", w, z, at, begins)
		}
	}
	if seen < 2000 {
		t.Errorf("%d windows that begin", seen)
	}
}

func TestWhatComesNext(t *testing.T) {
	rules, prod := house(t), target("prod", "apps", "podinfo")
	friday := time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC)
	const frozen = "Fri 2026-11-20 16:00 CET, when it is frozen by `weekend`"
	for _, c := range []struct {
		name   string
		change func(*Facts)
		at     time.Time
		freeze time.Time
		says   string
	}{
		{"a freeze", nil, friday, friday, frozen},
		{"an approval that expires before it", func(f *Facts) { f.Approvals = []Voice{lead("U-1", "h", midweek)} }, midweek.Add(23 * time.Hour), friday, frozen},
		{"an approval of another plan", func(f *Facts) { f.Approvals = []Voice{lead("U-1", "g", midweek)} }, friday, friday, frozen},
		{"on another cluster", func(f *Facts) { f.Targets[0].Cluster = "prod-eu" }, time.Time{}, time.Time{}, ""},
		{"which the plan touches", func(f *Facts) { f.Targets[0].Cluster, f.Plan.Touched = "prod-eu", []deploy.Target{prod} }, friday, friday, "Fri 2026-11-20 16:00 CET, when podinfo on prod is frozen by `weekend`"},
		{"of another command", func(f *Facts) { f.Verb = "rollback" }, time.Time{}, time.Time{}, ""},
		{"that somebody passes who may not", func(f *Facts) { f.Glass = Glass{Gates: []Kind{Freeze}, Reason: "it burns"} }, friday, friday, frozen},
		{"that somebody passes", func(f *Facts) {
			f.Who, f.Glass = chat.Person{ID: "U-admin"}, Glass{Gates: []Kind{Freeze}, Reason: "it burns"}
		}, time.Time{}, time.Time{}, ""},
		{"that somebody passes without a reason", func(f *Facts) { f.Who, f.Glass = chat.Person{ID: "U-admin"}, Glass{Gates: []Kind{Freeze}} }, friday, friday, frozen},
		{"within it the next one", func(f *Facts) { f.At = friday }, friday.AddDate(0, 0, 7), friday.AddDate(0, 0, 7), "Fri 2026-11-27 16:00 CET, when it is frozen by `weekend`"},
	} {
		f := Facts{Who: chat.Person{ID: "U-dev"}, Verb: "promote", Targets: []deploy.Target{prod}, At: midweek, Plan: Plan{Hash: "h"}}
		if c.change != nil {
			c.change(&f)
		}
		if n := rules.Next(&f); !n.At.Equal(c.at) || !n.Freeze.Equal(c.freeze) || n.Says != c.says {
			t.Errorf("%s: %+v, want %s, a freeze at %s, %q", c.name, n, c.at, c.freeze, c.says)
		}
	}
}
