package storage_test

import (
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/storage"
)

// TestARebuiltHistoryKnowsNoHealth adds what Git tells, twice, to a history that
// has seen some of it.
func TestARebuiltHistoryKnowsNoHealth(t *testing.T) {
	t.Parallel()
	db := open(t)
	h := storage.NewHistory(db)
	prod := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "n", Name: "a"}}
	live := []deploy.Record{
		{Target: prod, Version: "1", Job: "j1", Command: "seen", Commit: "base", At: noon, Healthy: true},
		{Target: prod, Version: "2", Job: "j2", Command: "promote", Commit: "c2", At: noon.Add(time.Minute), Healthy: true},
	}
	for i := range live {
		if err := h.Append(t.Context(), &live[i]); err != nil {
			t.Fatal(err)
		}
	}
	git := []deploy.Record{ // Git says it another way, and that it was healthy is a lie
		{Target: prod, Version: "2", Job: "j2", Command: "rollback", Commit: "c2", At: noon, Healthy: true},
		{Target: prod, Version: "1", Job: "j1", Command: "promote", Commit: "c1", At: noon.Add(-time.Hour), Healthy: true},
		{Target: prod, Version: "1", Job: "j0", Command: "promote", Commit: "c0", At: noon.Add(-time.Hour)}, // in the same second
	}
	for run, want := range [][2]int{{2, 1}, {0, 3}} {
		b, err := h.Rebuild(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range git {
			if err := b.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if b.Added != want[0] || b.Known != want[1] {
			t.Errorf("run %d: %d added, %d known", run, b.Added, b.Known)
		}
	}
	got := ""
	if err := h.Of(t.Context(), prod, func(r deploy.Record) bool {
		got += r.Job + " " + r.Command + " "
		if r.FromGit == r.Healthy {
			t.Errorf("%+v", r)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if got != "j2 promote j1 seen j0 promote j1 promote " {
		t.Errorf("history: %s", got)
	}
	sound(t, db)
}
