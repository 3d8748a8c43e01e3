package storage_test

import (
	"strings"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
)

// TestCheckFindsEachKindOfDamage damages a sound store in one place each.
func TestCheckFindsEachKindOfDamage(t *testing.T) {
	t.Parallel()
	damage := func(prefix, says string, how func(e storage.Entry) storage.Txn) {
		t.Run(prefix+": "+says, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			fill(t, db)
			sound(t, db)
			e, err := db.Scan(t.Context(), storage.Scan{Prefix: prefix, Limit: 1})
			if err != nil || len(e) == 0 {
				t.Fatalf("there is no %s to damage: %v", prefix, err)
			}
			if _, err := db.Commit(t.Context(), how(e[0])); err != nil {
				t.Fatal(err)
			}
			r, err := storage.Check(t.Context(), db)
			if found := strings.Join(r.Problems, "; "); err != nil || !strings.Contains(found, says) {
				t.Errorf("found %q, %v; want %q", found, err, says)
			}
		})
	}
	gone := func(e storage.Entry) storage.Txn { return storage.Txn{Delete: []string{e.Key}} }
	set := func(v string) func(storage.Entry) storage.Txn {
		return func(e storage.Entry) storage.Txn {
			return storage.Txn{Put: []storage.Put{{Key: e.Key, Value: []byte(v)}}}
		}
	}
	damage("history/row/", "history/all/", gone)
	damage("history/row/", "cannot be decoded", set("{"))
	damage("history/row/", "holds the record of", set("{}"))
	damage("history/all/", "has no history/all/", gone)
	damage("job/row/", "has no job/row/", gone)
	damage("job/row/", "cannot be decoded", set("x"))
	damage("job/row/", "holds job other", set(`{"id":"other"}`))
	damage("job/key/", "has no job/key/", gone)
	damage("job/all/", "has no job/all/", gone)
	damage("job/open/", "has no job/open/", gone)
	damage("job/open/", "lists a job that has ended", func(e storage.Entry) storage.Txn {
		key := "job/row/" + string(e.Value)
		return storage.Txn{Put: []storage.Put{{Key: key, Value: []byte(`{"id":"` + string(e.Value) + `","outcome":"done"}`)}}}
	})
	damage("journal/pending/", "cannot be decoded", set("["))
	damage("outbox/row/", "outbox/open/k has no outbox/row/k", gone)
	damage("line/row/", "cannot be decoded", set("{"))
	damage("audit/row/", "cannot be decoded", set("{"))
}

// fill writes something of each kind.
func fill(t *testing.T, db storage.KV) {
	t.Helper()
	now := func() time.Time { return noon }
	jobs := storage.NewJobs(db).Audited(storage.NewTrail(db, now))
	if _, err := jobs.Create(t.Context(), &job.Job{Key: "k", Created: noon}); err != nil {
		t.Fatal(err)
	}
	r := deploy.Record{Target: deploy.Target{Cluster: "c", App: deploy.App{Namespace: "n", Name: "a"}}, Version: "1", Job: "j", At: noon, Command: "promote"}
	if err := storage.NewHistory(db).Append(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.NewJournal(db, now).Append(t.Context(), "e", noon, []byte("raw")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := storage.NewLines(db, now).Begin(t.Context(), "l", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := storage.NewOutbox(db, now).Save(t.Context(), "k", []byte("{}"), true); err != nil {
		t.Fatal(err)
	}
}
