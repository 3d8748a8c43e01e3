package jobs

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// TestDeedsAreWrittenDown: who held, released, approved and rejected what, and why.
func TestDeedsAreWrittenDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := newApproving(t)
		db, err := bolt.Open(filepath.Join(t.TempDir(), "trail.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		trail := storage.NewTrail(db, time.Now)
		b.options.Holds, b.options.Approvals = storage.NewHolds(db, time.Now).Audited(trail), storage.NewApprovals(db).Audited(trail)
		do := func(key, text string, a chat.Args) {
			t.Helper()
			verb, _, _ := strings.Cut(text, " ")
			cmd := chat.Command{Key: key, Verb: chat.Verb(verb), User: chat.UserID("U" + key), Text: text, Thread: chat.Thread{Team: "T1", Channel: "C1"}, Args: a}
			if _, err := b.command(cmd.Verb).Deed.Do(t.Context(), cmd); err != nil {
				t.Errorf("%s: %v", text, err)
			}
		}
		podinfo := chat.Args{App: "podinfo", Cluster: "prod", Duration: "1h", Reason: "we *measure*"}
		do("k1", "hold podinfo", podinfo)
		do("k2", "release podinfo", podinfo)
		_, err = b.carry(func() {
			do("k3", "approve it", chat.Args{Job: chat.Word(b.job.ID)})
			b.plan.Hash, q.refuse = "h2", unapproved
		}, func() {
			do("k4", "reject it", chat.Args{Job: chat.Word(b.job.ID), Reason: "not now"})
			q.refuse = frozen
		})
		if err == nil {
			t.Error("it was not rejected")
		}
		var got []string
		if err := trail.Each(t.Context(), func(e job.Entry) bool {
			if !strings.HasPrefix(e.By, "Uk") || e.Team != "T1" || e.Channel != "C1" || e.Command == "" || e.Key == "" {
				t.Errorf("entry %+v", e)
			}
			ours := e.Job == b.job.ID
			if ours != (e.Plan != "") {
				t.Errorf("entry %+v", e)
			}
			got = append(got, strings.Join([]string{string(e.Deed), strings.Join(e.Targets, " "), e.Says}, " | "))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"held | prod/apps/podinfo | until 2000-01-01 01:00 UTC: we ·measure·", "released | prod/apps/podinfo | we ·measure·",
			"approved | prod/apps/podinfo | Promote podinfo", "rejected | prod/apps/podinfo | not now",
		}
		if !slices.Equal(got, want) {
			t.Errorf("the trail says\n%s", strings.Join(got, "\n"))
		}
	})
}
