package outbox_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/bot/bottest"
	"ferry/bot/outbox"
	"ferry/internal/chat"
	"ferry/internal/fault"
)

func TestAButtonPressedTwiceRunsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		m := final("failed")
		m.Buttons = []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}}
		put(t, b, "a|b", m)
		synctest.Wait()
		p := c.Posts()[0]
		click := outbox.Click{Operation: p.States[0].Operations[0], Channel: "C1", TS: p.TS, Press: "1", By: "U1"}
		for range 2 { // delivered twice
			got, err := b.Take(t.Context(), click)
			if want := (outbox.Pressed{Command: "rollback podinfo on prod", Thread: thread, Origin: chat.Origin{Key: "a|b"}}); err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("take = %+v, %v", got, err)
			}
		}
		second := click
		second.Press, second.By = "2", "U2"
		if _, err := b.Take(t.Context(), second); !fault.Is(err, fault.Already) {
			t.Errorf("the second press: %v, want Already", err)
		}
		if err := b.Release(t.Context(), click.Operation); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Take(t.Context(), second); err != nil {
			t.Errorf("after a release: %v", err)
		}
		if err := b.Settle(t.Context(), second.Operation); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		p = c.Posts()[0]
		last := p.States[len(p.States)-1]
		if want := (outbox.Asked{Command: "rollback podinfo on prod", By: "U2"}); len(last.Buttons) != 0 || len(last.Asked) != 1 || last.Asked[0] != want {
			t.Errorf("shown %+v", last)
		}
		for _, forged := range []outbox.Click{
			{Operation: "", Channel: "C1", TS: p.TS},
			{Operation: "nosuch|0|abc", Channel: "C1", TS: p.TS},
			{Operation: click.Operation, Channel: "C2", TS: p.TS, Press: "2"},
			{Operation: click.Operation, Channel: "C1", TS: "9.9", Press: "2"},
			{Operation: strings.Replace(click.Operation, "|0|", "|1|", 1), Channel: "C1", TS: p.TS, Press: "2"},
			{Operation: click.Operation + "0", Channel: "C1", TS: p.TS, Press: "2"},
		} {
			if _, err := b.Take(t.Context(), forged); !fault.Is(err, fault.NotFound) {
				t.Errorf("%+v: %v, want NotFound", forged, err)
			}
		}
	})
}

// TestAButtonPressedBeforeItsMessageIsKnown is for the moment in which the chat
// shows a message and its timestamp is still on the way.
func TestAButtonPressedBeforeItsMessageIsKnown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		c := &bottest.Chat{After: func(what, _ string) error {
			if what == "post" {
				<-answer
			}
			return nil
		}}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		m := final("failed")
		m.Buttons = []chat.Button{{Label: "Roll back", Command: "rollback podinfo on prod"}}
		put(t, b, "a|b", m)
		synctest.Wait()
		p := c.Posts()[0]
		click := outbox.Click{Operation: p.States[0].Operations[0], Channel: "C1", TS: p.TS, Press: "1", By: "U1"}
		if _, err := b.Take(t.Context(), click); !fault.Is(err, fault.Unavailable) {
			t.Errorf("before the answer: %v, want Unavailable", err)
		}
		close(answer)
		synctest.Wait()
		if got, err := b.Take(t.Context(), click); err != nil || got.Command != "rollback podinfo on prod" {
			t.Errorf("after the answer: %+v, %v", got, err)
		}
	})
}

// TestAPressStaysTakenWhenItsButtonGoes: what a press asked for may take the button
// away before the press is settled, and then it is decided once more.
func TestAPressStaysTakenWhenItsButtonGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &bottest.Chat{}
		b, stop := start(t, outbox.Options{Store: &bottest.Outbox{}, Chat: c})
		defer stop()
		m := final("waits for approval")
		m.Buttons = []chat.Button{{Label: "Approve", Command: "approve k3f9q"}}
		put(t, b, "a|b", m)
		synctest.Wait()
		p := c.Posts()[0]
		click := outbox.Click{Operation: p.States[0].Operations[0], Channel: "C1", TS: p.TS, Press: "1", By: "U1"}
		if _, err := b.Take(t.Context(), click); err != nil {
			t.Fatal(err)
		}
		put(t, b, "a|b", final("approved"))
		if got, err := b.Take(t.Context(), click); err != nil || !reflect.DeepEqual(got, outbox.Pressed{Command: "approve k3f9q", Thread: thread, Origin: chat.Origin{Key: "a|b"}}) {
			t.Errorf("delivered again: %+v, %v", got, err)
		}
		other := click
		other.Press = "2"
		if _, err := b.Take(t.Context(), other); !fault.Is(err, fault.NotFound) {
			t.Errorf("a press of what is gone: %v", err)
		}
	})
}
