package pipeline

import (
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/event"
	"ferry/plugins/match"
	"ferry/plugins/rows"
	"ferry/plugins/sink"
)

// TestALetterIsKeptWhateverItHolds: a delivery that JSON has no word for is given up as
// any other, and all of it is there when somebody asks.
func TestALetterIsKeptWhateverItHolds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	c := &courier{now: func() time.Time { return now }}
	far := time.Date(12026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, d := range map[string]sink.Delivery{
		"whole":  {ID: "i", Title: "t", At: now, Event: json.RawMessage(`{"a":1}`)},
		"broken": {ID: "i", Title: "t", At: now, Event: json.RawMessage(`{"a":`)},
		"far":    {ID: "i", Title: "t", At: far, Event: json.RawMessage(`{"a":1}`)},
		"both":   {ID: "i", Title: "t", At: far, Event: json.RawMessage("\x00")},
	} {
		r := c.dead(&want{sink: "s", order: "o", place: "p"}, wanted{Delivery: d, Since: now}, errors.New("refused"), 3)
		w, got, err := decodeWant(deadRow, rows.Row{Key: r.Key, Value: r.Value})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		event := string(got.Delivery.Event)
		if name != "whole" {
			var text string
			if err := json.Unmarshal(got.Delivery.Event, &text); err != nil {
				t.Errorf("%s: its event is no text: %s", name, event)
			}
			event = text
		}
		said := got.Why == "refused" || name != "whole" && strings.HasPrefix(got.Why, "refused; it cannot be encoded as it is: ")
		if w.sink != "s" || got.Tries != 3 || !got.Died.Equal(now) || got.Delivery.Title != "t" || event != string(d.Event) || !said {
			t.Errorf("%s: %+v", name, got)
		}
		if d.At.Equal(far) && !strings.Contains(got.Delivery.Text, "12026-01-01") {
			t.Errorf("%s: when it was is lost: %+v", name, got.Delivery)
		}
	}
}

// TestWhatIsHeldWaits: a sink that says that it tried nothing is asked again in a moment
// and not at once, and that was no try.
func TestWhatIsHeldWaits(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	c := newCourier("ops", Integration{Name: "mail"}, nil, func() time.Time { return now }, slog.New(slog.DiscardHandler))
	c.add("o", theOne, 0, time.Time{})
	for range 5 {
		turns, _ := c.ready()
		if len(turns) != 1 || turns[0].tries != 0 {
			t.Fatalf("ready: %+v", turns)
		}
		turns[0].err = sink.ErrHeld
		c.settled(turns[0])
		turns, next := c.ready()
		if len(turns) != 0 || next.Sub(now) <= 0 || next.Sub(now) > time.Second {
			t.Fatalf("ready at once: %+v, next in %s", turns, next.Sub(now))
		}
		now = next
	}
}

// TestADigestLooksForItsIncidents: of one whose digest tells of it nothing is awaited.
func TestADigestLooksForItsIncidents(t *testing.T) {
	t.Parallel()
	for digest, waits := range map[string]bool{"": true, "d": false} {
		one := &Trouble{Incident: event.Incident{State: event.Firing, Digest: digest}, Timing: Timing{GroupInterval: time.Minute}}
		one.await(hidden{inhibited: true, silenced: true}, time.Unix(0, 0))
		if one.Held != waits || one.Due.IsZero() == waits {
			t.Errorf("in digest %q: held %v, due %s", digest, one.Held, one.Due)
		}
	}
}

// TestWhatIsPastIsOver: of something that people only missed nobody said that it was
// resolved.
func TestWhatIsPastIsOver(t *testing.T) {
	t.Parallel()
	past, over, fires := event.Problem{Past: true}, event.Problem{Event: event.Event{Resolved: true}}, event.Problem{}
	for want, problems := range map[event.State][]event.Problem{event.Expired: {past, past}, event.Resolved: {past, over}, event.Firing: {past, over, fires}} {
		one := &Trouble{Incident: event.Incident{State: event.Firing, Problems: problems}}
		if one.settle(time.Unix(0, 0)); one.State != want {
			t.Errorf("it is %s, want %s", one.State, want)
		}
	}
}

// TestALateWord: what happened before something was over, and comes after, hides no end.
func TestALateWord(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	over := event.Problem{Event: event.Event{About: "a", At: now, Resolved: true}, Seen: 1, Known: true}
	one := &Trouble{Incident: event.Incident{State: event.Resolved, Problems: []event.Problem{over}}, index: map[event.About]int{"a": 0}}
	one.add(&Route{}, &event.Event{About: "a", At: now.Add(-time.Second), Moment: true}, true, now)
	if p := one.Problems[0]; p.Past || !p.Resolved || one.State != event.Resolved || one.Dirty {
		t.Errorf("%+v is %s", p, one.State)
	}
}

// TestWhatIsHiddenHasNoOrder: incidents that began at one time come back from the store in
// another order, and nothing of that is news.
func TestWhatIsHiddenHasNoOrder(t *testing.T) {
	t.Parallel()
	hides := func(ids ...string) string {
		g, all := &stormDigest{}, []hidden{}
		for _, id := range ids {
			g.members, all = append(g.members, &Trouble{Incident: event.Incident{ID: id}}), append(all, hidden{places: []int{0}, inhibited: id != "c", silenced: id == "c"})
		}
		return g.hides(all)
	}
	if one := hides("a", "b", "c"); one != hides("c", "b", "a") || one == hides("a", "b") || one == "" {
		t.Errorf("it is %s, %s backwards, %s without one", one, hides("c", "b", "a"), hides("a", "b"))
	}
}

// TestOwnTroubleInhibitsUntilItEnds: others count for as long as something is heard of
// them, and ferry says when its own are over.
func TestOwnTroubleInhibitsUntilItEnds(t *testing.T) {
	t.Parallel()
	for source, still := range map[string]bool{event.Ferry: true, "events": false} {
		synctest.Test(t, func(t *testing.T) {
			kind := func(s string) match.Matchers {
				ms, err := match.Parse("kind=" + s)
				if err != nil {
					t.Fatal(err)
				}
				return ms
			}
			began := time.Now()
			f := firing{Event: event.Event{About: "a", Source: source, Kind: "Plugin", At: began}}
			time.Sleep(49 * time.Hour)
			in := NewInhibitor([]InhibitRule{{Source: kind("Plugin"), Target: kind("Sink")}}, 24*time.Hour)
			in.restore(&f)
			lapsed := in.lapse(time.Now())
			mutes, forgets := in.Mutes(&event.Event{Kind: "Sink"}), in.forgets(&f, time.Now())
			if mutes != still || lapsed == still || forgets == still {
				t.Errorf("%s: after two days it mutes: %v, lapsed: %v, is forgotten: %v", source, mutes, lapsed, forgets)
			}
			in.Observe(&event.Event{About: "a", Resolved: true}, time.Now())
			if f.Over = time.Now(); in.Mutes(&event.Event{Kind: "Sink"}) || !in.forgets(&f, time.Now().Add(time.Second)) {
				t.Errorf("%s: it inhibits when it is over", source)
			}
		})
	}
}

// TestWhatGoesOnOfMany: of what is kept by name alone it is known, too, and what is over
// begins anew.
func TestWhatGoesOnOfMany(t *testing.T) {
	t.Parallel()
	began := time.Unix(1000, 0)
	problems := []event.Problem{
		{Event: event.Event{About: "over", At: began, Resolved: true}, Seen: 1},
		{Event: event.Event{About: "fires", At: began}, Seen: 1},
		{Event: event.Event{About: "past", At: began}, Seen: 1, Past: true},
	}
	for about, count := range map[event.About]int{"fires": 4, "rest": 4, "over": 5, "past": 5, "new": 5} {
		one := &Trouble{
			Incident: event.Incident{State: event.Firing, Count: 4, Problems: slices.Clone(problems)}, Rest: []uint64{short("rest")},
			index: map[event.About]int{"over": 0, "fires": 1, "past": 2},
		}
		now := began.Add(time.Hour)
		if changed := one.add(&Route{}, &event.Event{About: about, At: now, Still: true}, false, now); !changed || one.Count != count || one.Dirty != (count > 4) || !one.Changed.Equal(now) {
			t.Errorf("%s: count %d, to be told: %v, heard of at %s; want %d", about, one.Count, one.Dirty, one.Changed, count)
		}
	}
	expired := &Trouble{Incident: event.Incident{State: event.Expired, Count: 1, Problems: slices.Clone(problems[1:2])}, index: map[event.About]int{"fires": 0}}
	if expired.add(&Route{}, &event.Event{About: "fires", At: began.Add(time.Hour), Still: true}, false, began); expired.State != event.Firing || !expired.Dirty {
		t.Errorf("what was taken for over is %s, to be told: %v", expired.State, expired.Dirty)
	}
}
