package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// TestASetGoesFromWaveToWave shows its plan first, commits once for each wave, and
// waits in between.
func TestASetGoesFromWaveToWave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		if err := x.admit(); err != nil || x.job.Title != "Promote 4 apps from stage to prod-ca, prod-eu and prod-us" || len(x.job.Queues) != 12 {
			t.Fatalf("%q, %d targets, %v", x.job.Title, len(x.job.Queues), err)
		}
		_, err := x.goes()
		if until := parkedUntil(t, err); !until.Equal(time.Now().Add(24*time.Hour)) || len(x.sets) != 0 {
			t.Fatalf("it waits until %s, with %d commits", until, len(x.sets))
		}
		shown := x.bench.put["job/j1/status"]
		for _, want := range []string{"12 changes in 2 waves, one commit each: prod-ca; then prod-eu and prod-us.", "Each wave has to stay healthy for 10 min", "Nothing has happened yet: `confirm j1` begins it.", "App | prod-ca | prod-eu, prod-us\napp0 | 1.0.0 → 2.0.0 | 1.0.0 → 2.0.0"} {
			if !strings.Contains(says(shown), want) {
				t.Errorf("%q is not in\n%s", want, says(shown))
			}
		}
		if len(shown.Buttons) != 2 || shown.Buttons[0].Label != "Promote 12" || shown.Buttons[0].Command != "confirm j1" || shown.Buttons[1].Command != "cancel j1" {
			t.Errorf("buttons %+v", shown.Buttons)
		}
		x.confirm()
		_, err = x.goes()
		until := parkedUntil(t, err)
		if !until.Equal(time.Now().Add(10*time.Minute)) || len(x.sets) != 1 || len(x.sets[0]) != 4 || x.bench.by.Wave != 1 {
			t.Fatalf("after the first wave: until %s, %d commits", until, len(x.sets))
		}
		if status := x.bench.put["job/j1/status"]; len(status.Buttons) != 0 || !strings.Contains(says(status), "running Wave 1 of 2: 4 changes on prod-ca: all healthy; watched until") || !strings.Contains(says(status), "waiting Wave 2 of 2: 8 changes on prod-eu and prod-us") {
			t.Errorf("between the waves it shows\n%s", says(status))
		}
		if _, err := x.goes(); !parkedUntil(t, err).Equal(until) { // woken early
			t.Error("it waits for another time")
		}
		time.Sleep(time.Until(until))
		looks := x.looks
		m, err := x.goes()
		if err != nil || m.Title != "4 apps are healthy on prod-ca, prod-eu and prod-us" || m.Tone != chat.Done || len(m.Links) != 2 {
			t.Fatalf("%s, %v", says(m), err)
		}
		if len(x.sets) != 2 || len(x.sets[1]) != 8 || x.looks-looks != 12 {
			t.Errorf("%d commits, %d looks", len(x.sets), x.looks-looks)
		}
		if status := x.bench.put["job/j1/status"]; !status.Final || status.Tone != chat.Done || strings.Count(says(status), "done Wave") != 2 {
			t.Errorf("it ends with\n%s", says(status))
		}
		done := map[deploy.Target]int{}
		for _, r := range x.records() {
			if r.Command == "promote" && r.Healthy && r.Version == "2.0.0" && r.From == "1.0.0" && r.Job == "j1" {
				done[r.Target]++
			}
		}
		if len(done) != 12 {
			t.Errorf("%d are recorded: %v", len(done), done)
		}
	})
}

// TestAFailedWaveEndsTheSet leaves what comes after it untouched, and tells what is
// where.
func TestAFailedWaveEndsTheSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves[0].Groups = [][]deploy.Cluster{{"prod-ca"}, {"prod-eu"}, {"prod-us"}}
		x.broken[at2("prod-eu", "app2")] = true
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		x.confirm()
		_, err = x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		m, err := x.goes()
		if !fault.Is(err, fault.Failed) || m.Title != "Wave 2 of 3 failed: 3 of 4 apps are healthy on prod-eu, prod-us is untouched" {
			t.Fatalf("%s, %v", says(m), err)
		}
		for _, want := range []string{
			"*app2 on prod-eu* (`2.0.0`): ", "Wave 1 of 3 (prod-ca): healthy, 4 changes.", "Wave 2 of 3 (prod-eu): 3 of 4 healthy; they stay.", "Untouched: prod-us.",
			"Git still holds `2.0.0`. The last version seen healthy there is `1.0.0`; `rollback app2 on prod-eu` brings it back.", "`retry j1` shows what is missing",
			"App | To | prod-ca | prod-eu | prod-us\napp2 | 2.0.0 | healthy | failed | untouched\napp0 | 2.0.0 | healthy | healthy | untouched",
		} {
			if !strings.Contains(says(m), want) {
				t.Errorf("%q is not in\n%s", want, says(m))
			}
		}
		if len(x.sets) != 2 || len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback app2 on prod-eu to 1.0.0" {
			t.Errorf("%d commits, buttons %+v", len(x.sets), m.Buttons)
		}
		if status := x.bench.put["job/j1/status"]; !status.Final || !strings.Contains(says(status), "failed Wave 2 of 3: 4 changes on prod-eu: 3 healthy, 1 not") || !strings.Contains(says(status), "skipped Wave 3 of 3") {
			t.Errorf("it ends with\n%s", says(status))
		}
		for _, r := range x.records() {
			if r.Target.Cluster == "prod-us" || r.Target == at2("prod-eu", "app2") && r.Command == "promote" && r.Outcome != string(job.Failed) {
				t.Errorf("recorded %+v", r)
			}
		}
	})
}

// TestWhatFallsOverWhileItSoaks fails its wave.
func TestWhatFallsOverWhileItSoaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, _ = x.goes()
		x.confirm()
		_, err := x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		x.broken[at2("prod-ca", "app1")] = true
		m, err := x.goes()
		if !fault.Is(err, fault.Failed) || m.Title != "Wave 1 of 2 failed: 3 of 4 apps are healthy on prod-ca, prod-eu and prod-us are untouched" || len(x.sets) != 1 || !strings.Contains(says(m), "It was healthy, and did not stay so.") {
			t.Errorf("%d commits, %s, %v", len(x.sets), says(m), err)
		}
		last, told := x.records(), false
		for _, r := range last {
			told = told || r.Command == string(fellOver) && r.Target == at2("prod-ca", "app1") && !r.Healthy
		}
		if !told {
			t.Errorf("it is not recorded that it fell over: %+v", last)
		}
	})
}

// TestASetIsResumedAnywhere kills the process before and after each save: each wave is
// committed once, whatever happens.
func TestASetIsResumedAnywhere(t *testing.T) {
	for kill := 1; ; kill++ {
		over := false
		synctest.Test(t, func(t *testing.T) {
			x := allProd(t)
			x.options.Waves[0].Groups = [][]deploy.Cluster{{"prod-ca"}, {"prod-eu"}, {"prod-us"}}
			x.broken[at2("prod-eu", "app2")] = true
			if err := x.admit(); err != nil {
				t.Fatal(err)
			}
			saves := 0
			for range 40 {
				j := x.saved
				ctx, die := context.WithCancel(t.Context())
				m, err := x.command("promote").Work.Run(ctx, x.cmd, &j, func(ctx context.Context) error {
					if saves++; saves == kill {
						die() // before it is stored
						return ctx.Err()
					}
					x.saved = j
					if saves == kill+1 {
						die() // after it
					}
					return ctx.Err()
				})
				died := ctx.Err() != nil
				die()
				if died {
					continue
				}
				if park, parks := errors.AsType[*job.Park](err); parks {
					if x.saved.Step == stepConfirm {
						x.job = &x.saved
						x.confirm()
					} else {
						time.Sleep(time.Until(park.Until))
					}
					continue
				}
				if !fault.Is(err, fault.Failed) || !strings.HasPrefix(m.Title, "Wave 2 of 3 failed: 3 of 4") || len(x.sets) != 2 {
					t.Errorf("killed at save %d: %d commits, %s, %v", kill, len(x.sets), says(m), err)
				}
				seen := map[string]int{}
				for _, r := range x.records() {
					seen[r.Target.String()+r.Command]++
				}
				for k, n := range seen {
					if n > 1 {
						t.Errorf("killed at save %d: %s is recorded %d times", kill, k, n)
					}
				}
				over = saves < kill
				return
			}
			t.Errorf("killed at save %d it never ends", kill)
			over = true
		})
		if over || t.Failed() {
			if kill < 6 {
				t.Errorf("only %d saves", kill)
			}
			return
		}
	}
}

// TestACommitBetweenItsEffectAndItsSave is found again, each wave by its own number.
func TestACommitBetweenItsEffectAndItsSave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, _ = x.goes()
		x.confirm()
		_, err := x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		ctx, die := context.WithCancel(t.Context())
		if _, err := x.command("promote").Work.Run(ctx, x.cmd, x.job, func(ctx context.Context) error {
			if x.job.Step == stepFollow { // the commit is made, and nobody knows
				die()
				return ctx.Err()
			}
			x.saved = *x.job
			return nil
		}); !errors.Is(err, context.Canceled) || len(x.sets) != 2 || x.saved.Step != stepCommit {
			t.Fatalf("%v, %d commits, at %s", err, len(x.sets), x.saved.Step)
		}
		again := x.saved
		x.job = &again
		m, err := x.goes()
		if err != nil || len(x.sets) != 2 || len(m.Links) != 2 || m.Links[0].URL == m.Links[1].URL {
			t.Errorf("%d commits, %+v, %v", len(x.sets), m.Links, err)
		}
	})
}

// TestTheAccountFitsIntoAMessage has room for what matters, however much failed.
func TestTheAccountFitsIntoAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves[0].Groups = [][]deploy.Cluster{{"prod-ca", "prod-eu"}, {"prod-us"}}
		for i := range fleetApps {
			x.broken[at2("prod-ca", fmt.Sprintf("app%d", i))], x.broken[at2("prod-eu", fmt.Sprintf("app%d", i))] = true, true
		}
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, _ = x.goes()
		x.confirm()
		m, err := x.goes()
		text := strings.Join(m.Lines, "\n")
		if !fault.Is(err, fault.Failed) || m.Title != "Wave 1 of 2 failed: 0 of 4 apps are healthy on prod-ca and prod-eu, prod-us is untouched" || len(text) > 2500 || len(m.Buttons) > 5 {
			t.Errorf("%d characters, %d buttons: %s, %v", len(text), len(m.Buttons), says(m), err)
		}
		if m.Buttons[1].Label != "Roll back app0 on prod-eu" || m.Buttons[1].Command != "rollback app0 on prod-eu to 1.0.0" {
			t.Errorf("a button says %q and does %q", m.Buttons[1].Label, m.Buttons[1].Command)
		}
		for _, want := range []string{"… and 2 more: the table below has them all.", "Wave 1 of 2 (prod-ca and prod-eu): none of 8 healthy.", "Untouched: prod-us.", "`retry j1`", "… and 2 more for which there is a way back", "app3 | 2.0.0 | failed | failed | untouched"} {
			if !strings.Contains(says(m), want) {
				t.Errorf("%q is not in\n%s", want, says(m))
			}
		}
	})
}
