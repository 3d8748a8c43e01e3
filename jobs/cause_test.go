package jobs

import (
	"encoding/json"
	"testing"
	"testing/synctest"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// TestWhatASetHasCommitted is what the waves brought that are in Git, each with its
// commit, and nothing of those that are not.
func TestWhatASetHasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		if all := CausesOf(&x.saved); len(all) != 0 {
			t.Errorf("before it is confirmed: %+v", all)
		}
		x.confirm()
		_, err = x.goes()
		parkedUntil(t, err)
		all := CausesOf(&x.saved)
		if len(all) != fleetApps {
			t.Fatalf("%+v", all)
		}
		if c := all[1]; len(c.Targets) != 1 || c.Targets[0] != at2("prod-ca", "app1") || c.Job != x.saved.ID || c.From != "1.0.0" || c.To != "2.0.0" || c.URL != "https://git.example/j1/1" {
			t.Errorf("%+v", c)
		}
	})
}

// TestWhatAWatchedJobHasCommitted is that job's, and what Git held already nobody's.
func TestWhatAWatchedJobHasCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSoaked(t, deploy.RetreatOffer, nil)
		all := CausesOf(s.job)
		if len(all) != 1 || all[0].Job != "j1" || all[0].To != "6.5.4" {
			t.Errorf("%+v", all)
		}
		data, err := json.Marshal(changeRow{Plan: deploy.Plan{Already: true}, Commit: deploy.Commit{SHA: "c0ffee"}})
		if all := CausesOf(&job.Job{ID: "j2", Data: data}); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}
