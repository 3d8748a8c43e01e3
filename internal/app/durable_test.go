package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"ferry/plugins/api"
	"ferry/storage/bolt"
)

// TestWhatIsAcknowledgedIsDurable: an incoming webhook is answered once its event is
// written, and until somebody writes it is not.
func TestWhatIsAcknowledgedIsDurable(t *testing.T) {
	c, err := alertsOf(t, alertConfig)
	if err != nil {
		t.Fatal(err)
	}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	a, err := newAlerts(t.Context(), c, alertNeeds{kv: db, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	e := api.Event{ID: "1", Kind: "Pod", Name: "x", Reason: "R", Title: "told", At: time.Now()}
	soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := a.events().keep(soon, "hook", e); err == nil {
		t.Error("it was acknowledged before anything was written")
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.services()[0].run(ctx) }()
	e.ID = "2"
	if err := a.events().keep(ctx, "hook", e); err != nil {
		t.Error(err)
	}
	if err := a.events().keep(ctx, "strange", e); err == nil {
		t.Error("an event of a binding that there is not is stored")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
