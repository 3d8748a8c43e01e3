package storage_test

import (
	"testing"
	"time"

	"ferry/internal/job"
	"ferry/storage"
)

// TestRolledBackAmendsWhatHasEnded, once, and nothing else; the trail is told.
func TestRolledBackAmendsWhatHasEnded(t *testing.T) {
	t.Parallel()
	kv := open(t)
	trail := storage.NewTrail(kv, time.Now)
	s := storage.NewJobs(kv).Audited(trail)
	for _, c := range []struct {
		outcome job.Outcome
		first   bool
	}{{job.Failed, true}, {job.Expired, true}, {job.Done, true}, {job.Running, false}, {job.Cancelled, false}, {job.Superseded, false}, {job.Refused, false}} {
		j := &job.Job{Key: "k" + string(c.outcome), Created: time.Now(), Queues: []string{"prod/apps/podinfo"}}
		if _, err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
		if j.Outcome = c.outcome; c.outcome != job.Running {
			if err := s.Save(t.Context(), j); err != nil {
				t.Fatal(err)
			}
		}
		want := c.outcome
		if c.first {
			want = job.RolledBack
		}
		for n := range 2 {
			got, first, err := s.RolledBack(t.Context(), j.ID)
			if err != nil || first != (c.first && n == 0) || got.Outcome != want {
				t.Errorf("%q, time %d: %v, %v, %v", c.outcome, n+1, got, first, err)
			}
		}
		if stored, err := s.Get(t.Context(), j.ID); err != nil || stored.Outcome != want {
			t.Errorf("%q: stored %+v, %v", c.outcome, stored, err)
		}
	}
	told := 0
	if err := trail.Each(t.Context(), func(e job.Entry) bool {
		if e.Outcome == job.RolledBack {
			told++
		}
		return true
	}); err != nil || told != 3 {
		t.Errorf("%d entries tell of it, %v", told, err)
	}
	if _, first, err := s.RolledBack(t.Context(), "gone"); first || err != nil {
		t.Errorf("a job that was forgotten: %v, %v", first, err)
	}
}
