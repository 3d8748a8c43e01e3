package delivery_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestWhatWaitsTogetherIsOneCommit counts what 50 promotions cost when they are
// asked for while one is being committed.
func TestWhatWaitsTogetherIsOneCommit(t *testing.T) {
	t.Parallel()
	const n = 51
	r := newRig(t, race(n))
	if _, err := r.Plan(t.Context(), want("x/app0", "2.0.0", "prod", "apps", false), unseen("prod")); err != nil {
		t.Fatal(explain(err))
	}
	r.requests.Store(0)
	started, rest := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	apply := func(i int, onPlan func(deploy.Plan) error) {
		group.Go(func() {
			change := want(fmt.Sprintf("x/app%d", i), "2.0.0", "prod", "apps", false)
			by := deploy.Authorship{Job: fmt.Sprintf("job%d", i), Command: "promote", Requester: "U1"}
			p, made, err := r.Apply(t.Context(), change, func() []deploy.Declared { return unseen("prod") }, by, onPlan)
			if err != nil || made.SHA == "" || p.From != "1.0.0" {
				t.Errorf("app%d: %v, commit %s, from %s", i, err, made.SHA, p.From)
			}
		})
	}
	apply(0, func(deploy.Plan) error { close(started); <-rest; return nil })
	<-started
	for i := range n - 1 {
		apply(i+1, nil)
	}
	for r.Waiting() < n {
		runtime.Gosched() // they only have to queue
	}
	close(rest)
	group.Wait()
	log, err := r.repo.Log("main")
	if err != nil {
		t.Fatal(err)
	}
	if len(log) != 3 {
		t.Fatalf("%d commits, want the seed's, one alone and one for 50", len(log))
	}
	message := log[0].Message
	if !strings.HasPrefix(message, "promote 50 apps on prod\n") || strings.Count(message, "Ferry-Job: ") != 50 || !strings.Contains(message, "\nFerry-Job: job7\nFerry-App: x/app7\n") {
		t.Errorf("message:\n%s", message)
	}
	per := float64(r.requests.Load()) / n
	t.Logf("%.2f counted requests per promotion", per)
	if per >= 0.2 {
		t.Errorf("%.2f counted requests per promotion, want less than 0.2", per)
	}
	for _, job := range []string{"job0", "job1", "job50"} {
		if _, ok, err := r.Find(t.Context(), job, time.Now().Add(-time.Hour)); err != nil || !ok {
			t.Errorf("%s is not found: %v", job, err)
		}
	}
}

// TestTwoWantOneField is for promotions of one app to different versions, asked
// at once: one wins, the other is told both sides, whether one process has both
// or two race.
func TestTwoWantOneField(t *testing.T) {
	t.Parallel()
	for name, sameProcess := range map[string]bool{"one process": true, "two processes": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, archive(t, "fleet.txtar"))
			other := r
			if !sameProcess {
				other = sibling(t, r)
			}
			both := make(chan struct{}, 2)
			meet := func(ctx context.Context) func(deploy.Plan) error {
				return func(deploy.Plan) error {
					if both <- struct{}{}; sameProcess {
						return nil
					}
					for len(both) < 2 && ctx.Err() == nil { // both have planned on the same head
						continue
					}
					return nil
				}
			}
			errs := make([]error, 2)
			var group sync.WaitGroup
			for i, d := range []*rig{r, other} {
				group.Go(func() {
					change := want("podinfo/podinfo", fmt.Sprintf("7.0.%d", i), "prod", "apps", false)
					by := deploy.Authorship{Job: fmt.Sprintf("j%d", i), Command: "promote", Requester: "U1"}
					_, _, errs[i] = d.Apply(t.Context(), change, fleet, by, meet(t.Context()))
				})
			}
			group.Wait()
			file, err := r.repo.ReadFile("main", "apps/prod/kustomization.yaml")
			if err != nil {
				t.Fatal(err)
			}
			lost := 0
			for i, err := range errs {
				if err == nil {
					continue
				}
				lost++
				if !fault.Is(err, fault.Refused) || !strings.Contains(explain(err), fmt.Sprintf("7.0.%d", 1-i)) || !strings.Contains(explain(err), fmt.Sprintf("7.0.%d", i)) {
					t.Errorf("%s does not name both sides", explain(err))
				}
				if !strings.Contains(file, fmt.Sprintf("newTag: 7.0.%d", 1-i)) {
					t.Errorf("the winner's version is not there:\n%s", file)
				}
			}
			if !sameProcess && lost != 1 {
				t.Errorf("%d were told no, want one: %v", lost, errs)
			}
			if lost > 1 {
				t.Errorf("both were told no: %v", errs)
			}
		})
	}
}
