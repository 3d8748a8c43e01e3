package storage_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/storage"
)

// TestHoldsAndApprovalsAreTold once each, with what they write, and not where
// nothing was written.
func TestHoldsAndApprovalsAreTold(t *testing.T) {
	t.Parallel()
	db, now := open(t), noon
	clock := func() time.Time { return now }
	trail := storage.NewTrail(db, clock)
	holds, approvals := storage.NewHolds(db, clock).Audited(trail), storage.NewApprovals(db).Audited(trail)
	podinfo := heldApp("prod", "podinfo")
	told := func(d job.Deed, key string) job.Entry { return job.Entry{Deed: d, Key: key, By: "U1"} }
	place := func(by, key string, until time.Time) error {
		h := deploy.Hold{Target: podinfo, By: by, Reason: "r", Key: key, At: now, Until: until}
		return holds.Place(t.Context(), h, told(job.Held, key))
	}
	release := func(key string) (ended []deploy.Hold, again bool) {
		t.Helper()
		ended, again, err := holds.Release(t.Context(), podinfo, told(job.Released, key))
		if err != nil {
			t.Error(err)
		}
		return ended, again
	}
	release("r0") // nothing is held
	for range 2 {
		if err := place("U1", "h1", time.Time{}); err != nil {
			t.Error(err)
		}
	}
	if place("U2", "h2", time.Time{}) == nil {
		t.Error("it is held by two")
	}
	release("r1")
	release("r2")
	if err := place("U1", "h3", now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if ended, again := release("r1"); !again || len(ended) > 0 { // told again, after a crash
		t.Errorf("a release that is done again: %v, %+v", again, ended)
	}
	if left, err := holds.Of(t.Context(), podinfo); err != nil || len(left) != 1 {
		t.Errorf("what was held since is %+v, %v", left, err)
	}
	if ended, again := release("r2"); again || len(ended) != 1 { // it found nothing the first time
		t.Errorf("another release: %v, %+v", again, ended)
	}
	if err := place("U1", "h4", now.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	now = now.Add(2 * time.Hour)
	release("r3") // it had run out
	for i, want := range []bool{true, false} {
		a := deploy.Approval{Job: "j1", Plan: "h", By: "U2", At: now}
		if added, err := approvals.Add(t.Context(), a, told(job.Approved, fmt.Sprint("a", i))); err != nil || added != want {
			t.Errorf("approval %d: %v, %v", i, added, err)
		}
	}
	var got []string
	if err := trail.Each(t.Context(), func(e job.Entry) bool { got = append(got, string(e.Deed)+" "+e.Key); return true }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"held h1", "released r1", "held h3", "released r2", "held h4", "approved a0"}; !slices.Equal(got, want) {
		t.Errorf("the trail says %q, want %q", got, want)
	}
	if r, err := storage.Check(t.Context(), db); err != nil || len(r.Problems) > 0 || r.Rows["approval/row"] != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := db.Commit(t.Context(), storage.Txn{Put: []storage.Put{{Key: "hold/row/x", Value: []byte("{")}, {Key: "approval/row/x", Value: []byte("[]")}}}); err != nil {
		t.Fatal(err)
	}
	if r, err := storage.Check(t.Context(), db); err != nil || len(r.Problems) != 2 {
		t.Errorf("two rows are damaged: %+v, %v", r, err)
	}
}

// TestManyHoldsAreReleasedAtOnce, more than fit into a transaction, and told once.
func TestManyHoldsAreReleasedAtOnce(t *testing.T) {
	t.Parallel()
	for _, many := range []int{45, 46, 90, 120} {
		db := open(t)
		clock := func() time.Time { return noon }
		trail := storage.NewTrail(db, clock)
		holds, podinfo := storage.NewHolds(db, clock).Audited(trail), heldApp("prod", "podinfo")
		for i := range many {
			if err := holds.Place(t.Context(), deploy.Hold{Target: podinfo, Version: deploy.Version(fmt.Sprint("v", i)), By: "ferry", Key: fmt.Sprint("j", i), At: noon}); err != nil {
				t.Fatal(err)
			}
		}
		ended, again, err := holds.Release(t.Context(), podinfo, job.Entry{Deed: job.Released, Key: "r"})
		if err != nil || again || len(ended) != many {
			t.Errorf("of %d holds %d were released: %v", many, len(ended), err)
		}
		left, err := holds.Of(t.Context(), podinfo)
		told := 0
		if terr := trail.Each(t.Context(), func(job.Entry) bool { told++; return true }); err != nil || terr != nil || len(left) != 0 || told != 1 {
			t.Errorf("%d are left, told %d times: %v, %v", len(left), told, err, terr)
		}
	}
}

// TestApprovalsGoWithTheirJob, and no others.
func TestApprovalsGoWithTheirJob(t *testing.T) {
	t.Parallel()
	db, now := open(t), noon
	jobs, approvals := storage.NewJobs(db), storage.NewApprovals(db)
	old, young := &job.Job{Key: "a", Created: now, Updated: now, Outcome: job.Done}, &job.Job{Key: "b", Created: now.Add(90 * time.Hour), Updated: now.Add(90 * time.Hour), Outcome: job.Done}
	for _, j := range []*job.Job{old, young} {
		if _, err := jobs.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"U1", "U2"} {
			if _, err := approvals.Add(t.Context(), deploy.Approval{Job: string(j.ID), Plan: "h", By: by}); err != nil {
				t.Fatal(err)
			}
		}
	}
	r := storage.NewRetention(db, storage.Keep{Jobs: storage.Limit{Age: time.Hour}}, func() time.Time { return now.Add(91 * time.Hour) }, nil)
	if n, err := r.Sweep(t.Context()); err != nil || n != 1 {
		t.Fatalf("%d forgotten, %v", n, err)
	}
	for j, want := range map[*job.Job]int{old: 0, young: 2} {
		if said, err := approvals.Of(t.Context(), string(j.ID)); err != nil || len(said) != want {
			t.Errorf("job %s has %d approvals, %v", j.ID, len(said), err)
		}
	}
}
