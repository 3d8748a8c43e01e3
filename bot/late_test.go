package bot_test

import (
	"context"
	"testing"
	"time"

	"ferry/bot/bottest"
)

// TestWhatIsLate: after a long absence nobody is served what they asked for then, but
// of what was begun before it nobody says that nothing was done.
func TestWhatIsLate(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	asked := time.Now().Add(-2 * time.Hour)
	for key, raw := range map[string]string{
		"message/T1/C1/1.1": bottest.Say("E1", "U1", "1.1", "<@UFERRY> list"),
		"message/T1/C1/1.2": bottest.Say("E2", "U1", "1.2", "<@UFERRY> rollback podinfo on prod"),
	} {
		if _, err := h.journal.Append(t.Context(), key, asked, []byte(raw)); err != nil {
			t.Fatal(err)
		}
	}
	h.options.Begun = func(_ context.Context, did, command string) (bool, error) {
		return did == "message/T1/C1/1.2" && command == did, nil
	}
	h.start()
	h.decided(2)
	if got := h.handler.commands(); len(got) != 1 || got[0].Verb != "rollback" {
		t.Errorf("handled: %+v", got)
	}
	if m := h.said("ferry was away when this was asked, 2h0m0s ago"); m.Thread != "1.1" {
		t.Errorf("it was said in %s", m.Thread)
	}
}
