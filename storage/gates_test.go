package storage_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/storage"
)

func heldApp(cluster, name string) deploy.Target {
	return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: "apps", Name: name}}
}

func TestHoldsArePlacedAndReleased(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	s := storage.NewHolds(open(t), func() time.Time { return now })
	podinfo, other := heldApp("prod", "podinfo"), heldApp("prod", "podinfo2")
	place := func(want string, h deploy.Hold) {
		t.Helper()
		err := s.Place(t.Context(), h)
		if got := fault.KindOf(err); string(got) != want {
			t.Errorf("place %+v: %v, want %q", h, err, want)
		}
	}
	of := func(target deploy.Target) (keys string) {
		t.Helper()
		all, err := s.Of(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range all {
			keys += h.Key + " "
		}
		return strings.TrimSpace(keys)
	}
	place("", deploy.Hold{Target: podinfo, By: "U1", Name: "Ann", Reason: "a", Key: "k1", At: now, Until: now.Add(time.Hour)})
	place("", deploy.Hold{Target: podinfo, By: "U1", Reason: "changed in the meantime", Key: "k1", At: now}) // told again
	if all, err := s.Of(t.Context(), podinfo); err != nil || len(all) != 1 || all[0].Reason != "a" || !all[0].Until.Equal(now.Add(time.Hour)) {
		t.Errorf("held: %+v, %v", all, err)
	}
	place("already", deploy.Hold{Target: podinfo, By: "U2", Reason: "mine", Key: "k2", At: now})
	place("", deploy.Hold{Target: podinfo, Version: "6.5.5", By: "ferry", Reason: "bad", Key: "k3", At: now})
	place("", deploy.Hold{Target: other, By: "U2", Reason: "b", Key: "k4", At: now})
	place("", deploy.Hold{Target: podinfo, By: "U1", Reason: "longer", Key: "k5", At: now, Until: now.Add(2 * time.Hour)})
	if got := of(podinfo); got != "k5 k3" {
		t.Errorf("held: %s", got)
	}
	if all, err := s.All(t.Context()); err != nil || len(all) != 3 {
		t.Errorf("all: %+v, %v", all, err)
	}
	now = now.Add(2 * time.Hour)
	if got := of(podinfo); got != "k3" {
		t.Errorf("after two hours: %s", got)
	}
	place("", deploy.Hold{Target: podinfo, By: "U2", Reason: "mine", Key: "k6", At: now}) // what ran out stands in nobody's way
	ended, _, err := s.Release(t.Context(), podinfo)
	if err != nil || len(ended) != 2 || of(podinfo) != "" || of(other) != "k4" {
		t.Errorf("released %+v, %v; left %q and %q", ended, err, of(podinfo), of(other))
	}
	if ended, _, err = s.Release(t.Context(), podinfo); err != nil || len(ended) > 0 {
		t.Errorf("released again: %+v, %v", ended, err)
	}
}

// TestOneOfManyHolds lets many people hold the same at once.
func TestOneOfManyHolds(t *testing.T) {
	t.Parallel()
	s := storage.NewHolds(open(t), time.Now)
	var all sync.WaitGroup
	var mu sync.Mutex
	placed := 0
	for _, by := range strings.Split("abcdefgh", "") {
		all.Go(func() {
			err := s.Place(t.Context(), deploy.Hold{Target: heldApp("prod", "podinfo"), By: by, Key: by})
			if err != nil && !fault.Is(err, fault.Already) {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				placed++
			}
		})
	}
	all.Wait()
	if placed != 1 {
		t.Errorf("%d of them hold it", placed)
	}
}

func TestNobodySpeaksTwiceToAPlan(t *testing.T) {
	t.Parallel()
	s, now := storage.NewApprovals(open(t)), time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for i, c := range []struct {
		job, plan, by string
		added         bool
	}{
		{"j1", "h", "U2", true}, {"j1", "h", "U1", true}, {"j1", "h", "U2", false}, {"j1", "g", "U2", true}, {"j2", "h", "U2", true}, {"j1", "h", "U22", true}, {"j12", "h", "U2", true},
	} {
		added, err := s.Add(t.Context(), deploy.Approval{Job: c.job, Plan: c.plan, By: c.by, At: now.Add(time.Duration(i) * time.Second)})
		if err != nil || added != c.added {
			t.Errorf("%+v: added %v, %v", c, added, err)
		}
	}
	given, err := s.Of(t.Context(), "j1")
	var who []string
	for _, a := range given {
		who = append(who, a.Plan+a.By)
	}
	if err != nil || !slices.Equal(who, []string{"hU2", "hU1", "gU2", "hU22"}) {
		t.Errorf("given to j1: %v, %v", who, err)
	}
}
