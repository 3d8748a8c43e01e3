package storage_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
)

func retention(kv storage.KV, keep storage.Keep, now time.Time) *storage.Retention {
	return storage.NewRetention(kv, keep, func() time.Time { return now }, slog.New(slog.DiscardHandler))
}

func swept(t *testing.T, kv storage.KV, keep storage.Keep, now time.Time) int {
	t.Helper()
	n, err := retention(kv, keep, now).Sweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sound(t, kv)
	return n
}

func left(t *testing.T, h *storage.History) string {
	t.Helper()
	var out []string
	if err := h.All(t.Context(), func(r deploy.Record) bool { out = append(out, r.Job); return true }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestRetentionKeepsTheWayBack writes a year of a target, and one of a target
// that nobody touched since.
func TestRetentionKeepsTheWayBack(t *testing.T) {
	t.Parallel()
	busy := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "n", Name: "busy"}}
	still := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "n", Name: "still"}}
	fill := func() (storage.KV, *storage.History) {
		db := open(t)
		h := storage.NewHistory(db)
		for day, r := range []deploy.Record{
			{Target: still, Version: "1", Job: "s1", Command: "seen", Healthy: true},
			{Target: still, Version: "1", Job: "s1again", Command: "rollback", Healthy: true},
			{Target: still, Version: "2", Job: "s2", Command: "promote", Healthy: true},
			{Target: still, Version: "3", Job: "s3", Command: "promote"}, // failed, and the newest
			{Target: busy, Version: "1", Job: "b1", Command: "promote", Healthy: true},
			{Target: busy, Version: "2", Job: "b2", Command: "promote", Healthy: true},
			{Target: busy, Version: "3", Job: "b3", Command: "promote"},
			{Target: busy, Version: "4", Job: "b4", Command: "promote"},
			{Target: busy, Version: "5", Job: "b5", Command: "promote"},
		} {
			r.At = noon.AddDate(0, 0, day)
			if err := h.Append(t.Context(), &r); err != nil {
				t.Fatal(err)
			}
		}
		return db, h
	}
	at := noon.AddDate(0, 0, 9)
	for name, c := range map[string]struct {
		limit storage.Limit
		now   time.Time
		want  string // newest first
	}{
		"no limit":       {storage.Limit{}, at, "b5 b4 b3 b2 b1 s3 s2 s1again s1"},
		"nothing is old": {storage.Limit{Age: 30 * 24 * time.Hour, Count: 9}, at, "b5 b4 b3 b2 b1 s3 s2 s1again s1"},
		"by age":         {storage.Limit{Age: 60 * time.Hour}, at, "b5 b4 b2 b1 s3 s2 s1again"},
		"by count":       {storage.Limit{Count: 2}, at, "b5 b4 b2 b1 s3 s2 s1again"},
		"all is old":     {storage.Limit{Age: time.Hour}, at.AddDate(1, 0, 0), "b5 b2 b1 s3 s2 s1again"},
	} {
		db, h := fill()
		gone := swept(t, db, storage.Keep{History: c.limit}, c.now)
		if got := left(t, h); got != c.want || gone != 9-len(strings.Fields(c.want)) {
			t.Errorf("%s: %d gone, %s is left, want %s", name, gone, got, c.want)
		}
		if again := swept(t, db, storage.Keep{History: c.limit}, c.now); again != 0 {
			t.Errorf("%s: a second sweep forgot %d more", name, again)
		}
	}
}

func TestRetentionOfJobs(t *testing.T) {
	t.Parallel()
	db := open(t)
	jobs := storage.NewJobs(db)
	for i := range 8 {
		j := &job.Job{Key: fmt.Sprint(i), Title: fmt.Sprint(i), Created: noon.AddDate(0, 0, i), Updated: noon.AddDate(0, 0, i)}
		if _, err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if i == 0 || i == 5 {
			continue // not over
		}
		j.Outcome = job.Done
		if err := jobs.Save(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	now := noon.AddDate(0, 0, 7).Add(time.Minute)
	swept(t, db, storage.Keep{Jobs: storage.Limit{Age: 5*24*time.Hour + time.Hour}}, now)
	recent, err := jobs.Recent(t.Context(), 20)
	if err != nil || titles(recent) != "7 6 5 4 3 2 0 " {
		t.Errorf("by age: %s, %v", titles(recent), err)
	}
	swept(t, db, storage.Keep{Jobs: storage.Limit{Count: 1}}, now) // the last two days stay
	if recent, err = jobs.Recent(t.Context(), 20); err != nil || titles(recent) != "7 6 5 0 " {
		t.Errorf("by count: %s, %v", titles(recent), err)
	}
	if _, known, err := jobs.ByKey(t.Context(), "6"); !known || err != nil {
		t.Errorf("the key of a job of yesterday is forgotten: %v", err)
	}
	if open, err := jobs.Unfinished(t.Context()); err != nil || titles(open) != "0 5 " {
		t.Errorf("unfinished: %s, %v", titles(open), err)
	}
}

// TestRetentionOfTheTrail goes on with the chain after all of it was forgotten
// that may be, and keeps to what one transaction takes.
func TestRetentionOfTheTrail(t *testing.T) {
	t.Parallel()
	db := open(t)
	trail := storage.NewTrail(db, func() time.Time { return noon })
	for i := range 250 {
		if err := trail.Add(t.Context(), job.Entry{Deed: job.Held, Key: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	keep := storage.Keep{Audit: storage.Limit{Age: time.Hour, Count: 100}}
	if n := swept(t, db, keep, noon); n != 150 {
		t.Errorf("%d forgotten by count, want 150", n)
	}
	if n := swept(t, db, keep, noon.Add(2*time.Hour)); n != 99 {
		t.Errorf("%d forgotten by age, want all but the last", n)
	}
	if err := trail.Add(t.Context(), job.Entry{Deed: job.Released}); err != nil {
		t.Fatal(err)
	}
	sound(t, db)
	if got := deeds(t, trail); got != "250 held ; 251 released " {
		t.Errorf("the trail is %s", got)
	}
}

func TestRetentionSweepsByItself(t *testing.T) {
	t.Parallel()
	db := open(t)
	trail := storage.NewTrail(db, func() time.Time { return noon })
	synctest.Test(t, func(t *testing.T) {
		for range 6 {
			if err := trail.Add(t.Context(), job.Entry{Deed: job.Held}); err != nil {
				t.Fatal(err)
			}
		}
		r := retention(db, storage.Keep{Audit: storage.Limit{Count: 2}}, noon)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(61 * time.Second)
		synctest.Wait()
		if got := deeds(t, trail); got != "5 held ; 6 held " {
			t.Errorf("the trail is %s", got)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
