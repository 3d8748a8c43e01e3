package jobs

import (
	"context"
	"encoding/json"
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

// ruled is a flight with a rule for what does not last.
func ruled(t *testing.T, rule deploy.Retreat) (*flight, *following) {
	t.Helper()
	x, f := allProd(t), &following{}
	x.options.Retreat = func(deploy.Target) deploy.Retreat { return rule }
	x.options.Follower, x.options.Amender, x.options.Holds = f, &amends{}, x.holds
	return x, f
}

// sails confirms a set and runs it to its end.
func (x *flight) sails(t *testing.T) (said string, err error) {
	t.Helper()
	if err := x.admit(); err != nil {
		t.Fatal(err)
	}
	_, err = x.goes()
	parkedUntil(t, err)
	x.confirm()
	for {
		m, err := x.goes()
		if m.Title != "" || err == nil {
			return says(m), err
		}
		time.Sleep(time.Until(parkedUntil(t, err)))
	}
}

// TestWhatIsNotReadyBetweenWavesStaysUnlessItFailed: a node that is drained ends the
// set, and takes back nothing.
func TestWhatIsNotReadyBetweenWavesStaysUnlessItFailed(t *testing.T) {
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
			if err := x.admit(); err != nil {
				t.Fatal(err)
			}
			_, err := x.goes()
			parkedUntil(t, err)
			x.confirm()
			_, err = x.goes()
			time.Sleep(time.Until(parkedUntil(t, err)))
			x.drained[at2("prod-ca", "app1")], x.broken[at2("prod-ca", "app1")] = !fails, fails
			m, err := x.goes()
			if !fault.Is(err, fault.Failed) || len(x.sets) != 1 || len(f.made) == 1 != fails {
				t.Fatalf("%d commits, %d rollbacks: %s, %v", len(x.sets), len(f.made), says(m), err)
			}
			asks := "ferry does not go back by itself, because it is not ready, and nothing says that the version is to blame."
			if strings.Contains(says(m), asks) == fails || !fails && len(m.Buttons) != 1 {
				t.Errorf("%s", says(m))
			}
			if held, err := x.holds.All(t.Context()); err != nil || len(held) == 1 != fails {
				t.Errorf("%+v is held, %v", held, err)
			}
		})
	}
}

func undoOf(t *testing.T, j *job.Job) *undo {
	t.Helper()
	row, err := rowOf(j)
	if err != nil || row.Undo == nil {
		t.Fatalf("row of %s: %+v, %v", j.ID, row, err)
	}
	return row.Undo
}

// TestWhatFailsInASetGoesBack by a job for each, in the set's thread; the set stays
// failed where something of it stayed.
func TestWhatFailsInASetGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		x.broken[at2("prod-eu", "app2")], x.broken[at2("prod-us", "app2")] = true, true
		said, err := x.sails(t)
		if !fault.Is(err, fault.Failed) || !strings.HasPrefix(said, "Wave 2 of 2 failed: 3 of 4 apps are healthy on prod-eu and prod-us\n") {
			t.Fatalf("%v: %s", err, said)
		}
		if len(f.made) != 2 {
			t.Fatalf("%d jobs follow", len(f.made))
		}
		for i, cluster := range []string{"prod-eu", "prod-us"} {
			want := fmt.Sprintf("*app2 on %s*: ferry goes back to `1.0.0`, the last version seen healthy there: job f%d. `2.0.0` is held back on %s: `release app2 on %s because …` ends that.", cluster, i+1, cluster, cluster)
			if !strings.Contains(said, want) {
				t.Errorf("%q is not in\n%s", want, said)
			}
			cmd, u := f.cmds[i], undoOf(t, f.made[i])
			if cmd.Text != "rollback app2 on "+cluster+" to 1.0.0" || cmd.Thread != x.cmd.Thread || cmd.Cause != "j1" || f.made[i].After != "j1" || u.Job != "j1" || !u.Part {
				t.Errorf("%+v, %+v", cmd, u)
			}
		}
		if held := x.bench.held(); len(held) != 2 || held[0].Version != "2.0.0" {
			t.Errorf("held %+v", held)
		}
		if m, err := x.goes(); len(f.made) != 2 || says(m) != said || !fault.Is(err, fault.Failed) { // told again
			t.Errorf("%d jobs, %v", len(f.made), err)
		}
	})
}

// TestASetThatIsBackAsAWhole counts as rolled back, once all of it is.
func TestASetThatIsBackAsAWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		for i := range fleetApps {
			x.broken[at2("prod-ca", fmt.Sprintf("app%d", i))] = true
		}
		if said, err := x.sails(t); !fault.Is(err, fault.Failed) || len(f.made) != fleetApps {
			t.Fatalf("%d jobs, %v: %s", len(f.made), err, said)
		}
		for _, j := range f.made {
			if u := undoOf(t, j); u.Part || len(u.All) != fleetApps {
				t.Errorf("%+v", u)
			}
		}
	})
}

// TestPartOfAJobDoesNotAmendIt, however much of what was lost is back.
func TestPartOfAJobDoesNotAmendIt(t *testing.T) {
	b, a := newBench(t, newWorld()), &amends{}
	b.options.Amender = a
	target := at2("prod", "podinfo")
	if err := b.history.Append(t.Context(), &deploy.Record{Target: target, Job: "j2", Undoes: "j1", Healthy: true, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []bool{true, false} {
		r := &change{changer: changer{b.options.withDefaults()}, row: changeRow{Undo: &undo{Job: "j1", All: []deploy.Target{target}, Part: part}}}
		if err := r.undone(t.Context()); err != nil || (len(a.jobs) == 0) != part {
			t.Errorf("part %v: amended %v, %v", part, a.jobs, err)
		}
	}
}

// TestASetIsWatched target by target, each from when it was healthy, as the rule says;
// what falls over then does not make the set one that went back.
func TestASetIsWatched(t *testing.T) {
	for soak, want := range map[time.Duration]struct {
		watches int
		line    string
	}{
		0:                {0, ""},
		5 * time.Minute:  {8, "ferry watches what is healthy for another 5 min."}, // the first wave was watched for 10
		30 * time.Minute: {12, "ferry watches what is healthy for another 30 min."},
	} {
		synctest.Test(t, func(t *testing.T) {
			x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto, Soak: soak})
			said, err := x.sails(t)
			if err != nil || len(f.made) != want.watches || strings.Contains(said, "ferry watches") != (want.line != "") || !strings.Contains(said, want.line) {
				t.Fatalf("%s: %d watches, %v: %s", soak, len(f.made), err, said)
			}
			for i, j := range f.made {
				var row changeRow
				if err := json.Unmarshal(j.Data, &row); err != nil {
					t.Fatal(err)
				}
				since := time.Since(row.Soak.Healthy)
				first := row.Change.Target.Cluster == "prod-ca"
				if f.cmds[i].Verb != soakVerb || f.cmds[i].Cause != "j1" || row.Commit.SHA == "" || row.Plan.Site.Value == "" || !row.Soak.Part ||
					row.Soak.Until.Sub(row.Soak.Healthy) != soak || first != (since == 10*time.Minute) || !first && since != 0 {
					t.Errorf("%+v: %+v, healthy %s ago", f.cmds[i], row.Soak, since)
				}
			}
			if _, err := x.goes(); err != nil || len(f.made) != want.watches { // told again
				t.Errorf("%d watches, %v", len(f.made), err)
			}
		})
	}
}

// TestWhatIsHealthyInAFailedSetIsWatched, and what failed is not.
func TestWhatIsHealthyInAFailedSetIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatOffer, Soak: time.Hour})
		x.broken[at2("prod-ca", "app2")] = true
		said, err := x.sails(t)
		if !fault.Is(err, fault.Failed) || len(f.made) != 3 || !strings.Contains(said, "ferry watches what is healthy for another 60 min.") {
			t.Fatalf("%d watches, %v: %s", len(f.made), err, said)
		}
		for _, cmd := range f.cmds {
			if cmd.Args.App == "apps/app2" {
				t.Error("what failed is watched")
			}
		}
	})
}

// TestAWatchOfASetGoesBackInPart: what fell over is taken back, and the set counts as
// what it was.
func TestAWatchOfASetGoesBackInPart(t *testing.T) {
	for _, part := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			s := newSoaked(t, deploy.RetreatAuto, []event{sec(60, pods(2, 1, 2), pod("CrashLoopBackOff"))})
			row, err := rowOf(s.job)
			if err != nil {
				t.Fatal(err)
			}
			row.Soak.Part = part
			if s.job.Data, err = json.Marshal(row); err != nil {
				t.Fatal(err)
			}
			if _, err := s.run(t.Context()); !fault.Is(err, fault.Failed) || len(s.made.made) != 1 {
				t.Fatalf("%d jobs, %v", len(s.made.made), err)
			}
			if u := undoOf(t, s.made.made[0]); u.Part != part || u.Job != "j1" {
				t.Errorf("%+v", u)
			}
		})
	}
}

// lately are jobs, the newest first.
type lately struct {
	Rows
	all []*job.Job
}

func (l lately) Recent(_ context.Context, n int) ([]*job.Job, error) {
	return l.all[:min(n, len(l.all))], nil
}
func (l lately) Unfinished(context.Context) ([]*job.Job, error) { return nil, nil }

// TestManyWatchesAreALineOfStatus, so that other jobs are still seen.
func TestManyWatchesAreALineOfStatus(t *testing.T) {
	b, l := newBench(t, newWorld()), lately{}
	for i := range 120 {
		j := &job.Job{ID: job.ID(fmt.Sprintf("w%d", i)), Verb: string(soakVerb), Title: fmt.Sprintf("Watch app%d", i), After: "j1", Step: stepSoak, Note: "healthy; watched until 12:00 UTC"}
		if i >= 100 {
			j.Outcome = job.Superseded
		}
		l.all = append(l.all, j)
	}
	l.all = append(l.all, &job.Job{ID: "j1", Verb: "promote", Title: "Promote 120 apps", Outcome: job.Done})
	b.options.Rows = l
	m, err := b.command("status").Query.Answer(t.Context(), chat.Command{Verb: "status"})
	if err != nil || len(m.Table.Rows) != 3 || m.Title != "Nothing is under way" {
		t.Fatalf("%v: %s", err, says(m))
	}
	for i, want := range []string{"Watch app0 and 99 more", "Watch app100 and 19 more", "Promote 120 apps"} {
		if m.Table.Rows[i][1] != want {
			t.Errorf("line %d says %q, want %q", i, m.Table.Rows[i][1], want)
		}
	}
}
