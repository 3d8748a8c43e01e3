package outbox_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
)

// asked is a message for one person with a menu.
func asked(title string) chat.Message {
	m := say(title)
	m.For = "U1"
	m.Controls = []chat.Control{{Kind: chat.OneOf, Label: "Verb", Command: "kc ", Options: []chat.Option{{Label: "get", Value: "get"}}}}
	return m
}

// TestAnAddressIsUsedAsLongAsItLasts: an edit of what one person sees goes where their
// last click said, and not when that is too old.
func TestAnAddressIsUsedAsLongAsItLasts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		put(t, b, "k", asked("first"))
		synctest.Wait()
		p := c.Posts()[0]
		click := outbox.Click{Channel: "C1", TS: "another", Press: "1", By: "U1", Via: "https://example.com/x"}
		use := outbox.Entry{Operation: p.States[0].ControlOperations[0], Values: []string{chat.Option{Value: "get"}.Token()}}
		if got, asks, err := b.Fill(t.Context(), click, use); err != nil || got.Command != "kc " || asks == nil || got.Origin.For != "U1" {
			t.Fatalf("%+v, %+v, %v", got, asks, err)
		}
		put(t, b, "k", asked("second"))
		time.Sleep(time.Minute)
		put(t, b, "k", asked("third"))
		time.Sleep(time.Hour)
		put(t, b, "k", asked("fourth"))
		time.Sleep(time.Minute)
		var via []string
		for _, s := range c.Posts()[0].States {
			via = append(via, s.Title+" "+s.Via)
		}
		want := []string{"first ", "second https://example.com/x", "third https://example.com/x", "fourth "}
		if len(via) != len(want) {
			t.Fatalf("shown %q", via)
		}
		for i := range want {
			if via[i] != want[i] {
				t.Errorf("shown %q, want %q", via[i], want[i])
			}
		}
	})
}

// TestWhatOnePersonSeesIsNotLookedFor after an answer that was lost: nobody finds it. It is
// shown again.
func TestWhatOnePersonSeesIsNotLookedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost := false
		c := &bottest.Chat{}
		c.After = func(what, _ string) error {
			if what == "post" && !lost {
				lost = true
				return errors.New("cut off")
			}
			return nil
		}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		put(t, b, "k", asked("first"))
		time.Sleep(time.Minute)
		if calls := c.Calls(); len(calls) != 2 || calls[0] != "post k" || calls[1] != "post k" {
			t.Errorf("calls %q", calls)
		}
	})
}
