package jobs

import (
	"path/filepath"
	"testing"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/storage"
	"ferry/storage/bolt"
)

// TestAReleaseIsDoneOnce however often its command is: what ferry did before it died
// it says again, and it ends no hold that somebody placed since.
func TestAReleaseIsDoneOnce(t *testing.T) {
	b, _, now := newHolding(t)
	db, err := bolt.Open(filepath.Join(t.TempDir(), "trail.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	held := storage.NewHolds(db, b.options.Now).Audited(storage.NewTrail(db, b.options.Now))
	b.options.Holds = held
	target := b.apps["prod"][0].Target
	release := func(key string) chat.Message {
		t.Helper()
		m, err := b.command("release").Deed.Do(t.Context(), chat.Command{Key: key, User: "U1", Verb: "release", Args: chat.Args{App: "podinfo", Cluster: "prod", Reason: "it is over"}})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	place := func(key string) {
		t.Helper()
		if err := held.Place(t.Context(), deploy.Hold{Target: target, By: "U9", Reason: "the migration", Key: key, At: *now}); err != nil {
			t.Fatal(err)
		}
	}
	place("k1")
	release("k2")
	place("k3")
	if m := release("k2"); m.Title != "podinfo is released on prod" || m.Tone != chat.Done || m.Lines[0] != "Released because: It is over." {
		t.Errorf("done again: %+v", m)
	}
	if left, err := held.All(t.Context()); err != nil || len(left) != 1 {
		t.Errorf("held are %+v, %v", left, err)
	}
	if m := release("k4"); m.Title != "podinfo is released on prod" {
		t.Errorf("another one: %+v", m)
	}
	if m := release("k5"); m.Title != "podinfo is not held on prod" {
		t.Errorf("where nothing is held: %+v", m)
	}
}
