package storage_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) *bolt.DB {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func TestOneKeyMakesOneJob(t *testing.T) {
	t.Parallel()
	jobs := storage.NewJobs(open(t))
	first := &job.Job{Key: "T/C/1", Verb: "promote", Created: noon}
	if created, err := jobs.Create(t.Context(), first); err != nil || !created {
		t.Fatalf("create: %v, %v", created, err)
	}
	first.Step = "committing"
	if err := jobs.Save(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	again := &job.Job{Key: "T/C/1", Verb: "promote", Created: noon.Add(time.Second)}
	created, err := jobs.Create(t.Context(), again)
	if err != nil || created {
		t.Fatalf("create again: %v, %v", created, err)
	}
	if again.ID != first.ID || again.Step != "committing" || again.Revision != first.Revision {
		t.Errorf("the second is %+v, want the first one's row", again)
	}
}

func TestSaveIsACompareAndSwap(t *testing.T) {
	t.Parallel()
	jobs := storage.NewJobs(open(t))
	j := &job.Job{Key: "k", Created: noon}
	if _, err := jobs.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	other, err := jobs.Get(t.Context(), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	j.Note = "mine"
	if err := jobs.Save(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	other.Note = "theirs"
	if err := jobs.Save(t.Context(), other); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("save of an old row: %v, want ErrConflict", err)
	}
	if _, err := jobs.Get(t.Context(), "nosuch"); !fault.Is(err, fault.NotFound) {
		t.Errorf("get of an unknown job: %v, want NotFound", err)
	}
}

func TestUnfinishedAndRecent(t *testing.T) {
	t.Parallel()
	jobs := storage.NewJobs(open(t))
	for i := range 5 {
		j := &job.Job{Key: fmt.Sprint(i), Title: fmt.Sprint(i), Created: noon.Add(time.Duration(i) * time.Second)}
		if _, err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			j.Outcome = job.Done
			if err := jobs.Save(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
	}
	open, err := jobs.Unfinished(t.Context())
	if err != nil || titles(open) != "1 3 " {
		t.Errorf("unfinished = %q, %v; want 1 3", titles(open), err)
	}
	recent, err := jobs.Recent(t.Context(), 3)
	if err != nil || titles(recent) != "4 3 2 " {
		t.Errorf("recent = %q, %v; want 4 3 2", titles(recent), err)
	}
}

func titles(jobs []*job.Job) (s string) {
	for _, j := range jobs {
		s += j.Title + " "
	}
	return s
}

func TestHistoryIsAppendedOnceAndReadNewestFirst(t *testing.T) {
	t.Parallel()
	h := storage.NewHistory(open(t))
	prod := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "podinfo", Name: "podinfo"}}
	eu := deploy.Target{Cluster: "prod-eu", App: prod.App}
	for i, r := range []deploy.Record{
		{Target: prod, Version: "1", Job: "a", Command: "promote"},
		{Target: eu, Version: "2", Job: "b", Command: "promote"},
		{Target: prod, Version: "3", Job: "c", Command: "promote"},
		{Target: prod, Version: "3", Job: "c", Command: "promote"}, // a resumed job says it again
		{Target: eu, Version: "3", Job: "c", Command: "promote"},   // of several targets each has its own
		{Target: prod, Version: "1", Job: "d", Command: "rollback"},
	} {
		r.At = noon.Add(time.Duration(i/3) * time.Second) // some at the very same moment
		if err := h.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	var of, all string
	if err := h.Of(t.Context(), prod, func(r deploy.Record) bool { of += r.Job + " "; return true }); err != nil {
		t.Fatal(err)
	}
	if of != "d c a " {
		t.Errorf("history of prod = %q, want d c a", of)
	}
	of = ""
	if err := h.Of(t.Context(), eu, func(r deploy.Record) bool { of += r.Job + " "; return true }); err != nil || of != "c b " {
		t.Errorf("history of prod-eu = %q, %v, want c b", of, err)
	}
	if err := h.All(t.Context(), func(r deploy.Record) bool { all += r.Job + " "; return r.Job != "c" }); err != nil {
		t.Fatal(err)
	}
	if all != "d c " {
		t.Errorf("history until c = %q, want d c", all)
	}
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	h := storage.NewHistory(open(t))
	target := deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "a", Name: "b"}}
	const n = 150
	for i := range n {
		r := deploy.Record{Target: target, Version: "1", Job: fmt.Sprint(i), At: noon.Add(time.Duration(i))}
		if err := h.Append(t.Context(), &r); err != nil {
			t.Fatal(err)
		}
	}
	next := n - 1
	err := h.Of(t.Context(), target, func(r deploy.Record) bool {
		if r.Job != fmt.Sprint(next) {
			t.Errorf("record %s, want %d", r.Job, next)
		}
		next--
		return true
	})
	if err != nil || next != -1 {
		t.Errorf("read down to %d, %v; want all", next, err)
	}
}
