package storage_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/job"
	"ferry/storage"
)

func deeds(t *testing.T, trail *storage.Trail) string {
	t.Helper()
	var out []string
	if err := trail.Each(t.Context(), func(e job.Entry) bool {
		out = append(out, fmt.Sprintf("%d %s %s", e.Seq, e.Deed, e.Says))
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "; ")
}

func sound(t *testing.T, kv storage.KV) {
	t.Helper()
	if r, err := storage.Check(t.Context(), kv); err != nil || len(r.Problems) > 0 {
		t.Errorf("check: %v, %v", r.Problems, err)
	}
}

func entryKey(seq int) string { return fmt.Sprintf("audit/row/%016x", seq) }

func TestTheTrailOfAJob(t *testing.T) {
	t.Parallel()
	db := open(t)
	trail := storage.NewTrail(db, func() time.Time { return noon })
	jobs := storage.NewJobs(db).Audited(trail)
	j := &job.Job{
		Key: "k", Title: "Promote it", Created: noon, Queues: []string{"prod/a/b"},
		Request: []byte(`{"user":"U1","text":"promote it","thread":{"team":"T1","channel":"C1"}}`),
	}
	for range 2 { // the same command makes one job, and is told once
		again := *j
		if _, err := jobs.Create(t.Context(), &again); err != nil {
			t.Fatal(err)
		}
		*j = again
	}
	j.Told = []job.Entry{{Deed: job.Planned, Key: "p", Plan: "abc"}, {Deed: job.Planned, Key: "p", Plan: "abc"}}
	if err := jobs.Save(t.Context(), j); err != nil || j.Told != nil {
		t.Fatalf("%v, %v is left", err, j.Told)
	}
	old := *j
	j.Told = []job.Entry{{Deed: job.Planned, Key: "p"}, {Deed: job.Committed, Commit: "c1"}} // a resumed job says it again
	if err := jobs.Save(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	old.Told = []job.Entry{{Deed: job.Committed, Commit: "c2"}}
	if err := jobs.Save(t.Context(), &old); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("save of an old row: %v", err)
	}
	j.Outcome, j.Note = job.Done, "it is healthy"
	if err := jobs.Save(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	sound(t, db)
	if got := deeds(t, trail); got != "1 accepted Promote it; 2 planned ; 3 committed ; 4 ended it is healthy" {
		t.Errorf("the trail is %s", got)
	}
	if err := trail.Each(t.Context(), func(e job.Entry) bool {
		if e.Job != j.ID || e.At != noon && e.Deed != job.Ended {
			t.Errorf("%+v", e)
		}
		if e.Deed == job.Accepted && (e.By != "U1" || e.Team != "T1" || e.Channel != "C1" || e.Command != "promote it" || len(e.Targets) != 1) {
			t.Errorf("%+v", e)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
}

func TestTheTrailOfManyAtOnceIsOneChain(t *testing.T) {
	t.Parallel()
	db := open(t)
	var wg sync.WaitGroup
	for w := range 4 { // trails of their own race as those of several processes would
		trail := storage.NewTrail(db, time.Now)
		wg.Go(func() {
			for i := range 15 {
				if err := trail.Add(t.Context(), job.Entry{Deed: job.Held, Says: fmt.Sprint(w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	sound(t, db)
	if got := deeds(t, storage.NewTrail(db, time.Now)); !strings.Contains(got, "60 held") {
		t.Errorf("the trail is %s", got)
	}
}

// TestTamperingIsSeen changes, takes out and cuts off what was written.
func TestTamperingIsSeen(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		txn  storage.Txn
		says string
	}{
		"nothing":   {storage.Txn{}, ""},
		"changed":   {storage.Txn{Put: []storage.Put{{Key: entryKey(2), Value: []byte(`{"seq":2,"deed":"held","says":"forged"}`)}}}, "entry 2 of the audit trail was changed"},
		"replaced":  {storage.Txn{Put: []storage.Put{{Key: entryKey(2), Value: forged()}}}, "entries 1 and 2 of the audit trail do not follow each other"},
		"taken out": {storage.Txn{Delete: []string{entryKey(2)}}, "missing from the audit trail between 1 and 3"},
		"cut off":   {storage.Txn{Delete: []string{entryKey(3)}}, "missing from the end of the audit trail: it ends at 2, not at 3"},
		"all":       {storage.Txn{Delete: []string{entryKey(1), entryKey(2), entryKey(3)}}, "missing from the end"},
		"the start": {storage.Txn{Delete: []string{entryKey(1)}}, ""}, // as retention does
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := open(t)
			trail := storage.NewTrail(db, time.Now)
			for range 3 {
				if err := trail.Add(t.Context(), job.Entry{Deed: job.Held, Says: "a\xffb"}); err != nil { // no valid text
					t.Fatal(err)
				}
			}
			if _, err := db.Commit(t.Context(), c.txn); err != nil {
				t.Fatal(err)
			}
			r, err := storage.Check(t.Context(), db)
			if says := strings.Join(r.Problems, "; "); err != nil || c.says == "" && says != "" || !strings.Contains(says, c.says) {
				t.Errorf("says %q, %v; want %q", says, err, c.says)
			}
		})
	}
}

// forged is an entry 2 with a hash that is its own.
func forged() []byte {
	e := job.Entry{Seq: 2, Deed: job.Held, Says: "forged", Prev: "none"}
	row, _ := json.Marshal(e)
	sum := sha256.Sum256(row)
	e.Hash = hex.EncodeToString(sum[:])
	row, _ = json.Marshal(e)
	return row
}
