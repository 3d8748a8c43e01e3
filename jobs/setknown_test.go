package jobs

import (
	"context"
	"encoding/json"
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

// mortal counts what is stored, in rows and in the history, and dies around one of it.
type mortal struct {
	History
	die     context.CancelFunc
	n, kill int
}

// stores does a write, unless the process dies before it; it may die after it.
func (m *mortal) stores(ctx context.Context, write func() error) error {
	if m.n++; m.n == m.kill {
		m.die()
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := write(); err != nil {
		return err
	}
	if m.n == m.kill-1 {
		m.die()
	}
	return ctx.Err()
}

func (m *mortal) Append(ctx context.Context, r *deploy.Record) error {
	return m.stores(ctx, func() error { return m.History.Append(ctx, r) })
}

// TestHistoryAndRowOfASetAgree wherever ferry dies, and whatever the clusters show
// when it is back: what was ill is well then, and the other way round. With a wish to
// cancel, too, which comes while the wave is judged.
func TestHistoryAndRowOfASetAgree(t *testing.T) {
	for _, falls := range []bool{false, true} {
		for _, wish := range []bool{false, true} {
			for kill, over := 2, false; !over && !t.Failed(); kill++ {
				synctest.Test(t, func(t *testing.T) { over = diesAt(t, kill, falls, wish) })
				if over && kill < 12 {
					t.Errorf("only %d writes", kill)
				}
			}
		}
	}
}

// diesAt runs a set that dies at a write, once; over means that there are fewer.
func diesAt(t *testing.T, kill int, falls, wish bool) (over bool) {
	t.Helper()
	x := allProd(t)
	ill, well := at2("prod-ca", "app2"), at2("prod-ca", "app1")
	x.broken[ill] = !falls
	if err := x.admit(); err != nil {
		t.Fatal(err)
	}
	m := &mortal{History: x.history, kill: kill}
	x.options.History = m
	var alive *job.Job // the row as the process has it, which may not be what is stored
	asked := false
	for range 40 {
		j := x.saved
		if alive != nil {
			j = *alive
		}
		ctx, die := context.WithCancel(t.Context())
		m.die = die
		said, err := x.command("promote").Work.Run(ctx, x.cmd, &j, func(ctx context.Context) error {
			if judged := falls && j.Step == stepAccount || !falls && j.Step == stepFollow && strings.Contains(string(j.Data), `"ends"`); wish && judged && !asked && j.Cancel == nil {
				asked = true
				return job.ErrCancelled
			}
			return m.stores(ctx, func() error { x.saved = j; return nil })
		})
		died := ctx.Err() != nil
		die()
		alive = nil
		switch park, parks := errors.AsType[*job.Park](err); {
		case errors.Is(err, job.ErrCancelled) && !died: // as the dispatcher does
			j.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			alive = &j
		case died && m.n >= kill-1:
			if asked {
				x.saved.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			}
			if !x.broken[well] {
				x.broken[ill], x.broken[well] = false, true
			}
		case parks && x.saved.Step == stepConfirm:
			x.job = &x.saved
			x.confirm()
		case parks:
			time.Sleep(time.Until(park.Until))
			if falls && !x.broken[well] {
				x.broken[ill] = true
			}
		default:
			x.agree(t, kill, said)
			return m.n < kill
		}
	}
	t.Errorf("killed at write %d it never ends", kill)
	return true
}

// agree compares what is said of each target with what is recorded of it last.
func (x *flight) agree(t *testing.T, kill int, said chat.Message) {
	t.Helper()
	if said.Table == nil { // it was cancelled before anything was changed
		return
	}
	last := map[deploy.Target]deploy.Record{}
	for _, r := range x.records() { // the newest first
		if _, there := last[r.Target]; !there && r.Command != seen {
			last[r.Target] = r
		}
	}
	for _, row := range said.Table.Rows {
		for i, state := range row[2:] {
			target := at2(said.Table.Columns[2+i], row[0])
			r, there := last[target]
			want := state
			if state == "on its way" {
				want = "failed"
				if r.Outcome == string(job.Cancelled) {
					want = "cancelled"
				}
			}
			if there == (state == untouched) || there && ending(job.Outcome(r.Outcome)) != want {
				t.Errorf("killed at write %d: %s is said to be %q, and is recorded as %+v\n%s", kill, target, state, r, says(said))
			}
		}
	}
}

// TestTheErrorOfOneHidesNobody: what could not be looked at is told as that, beside
// what failed and what is healthy, and nothing is taken back for it.
func TestTheErrorOfOneHidesNobody(t *testing.T) {
	for name, trouble := range map[string]error{
		"GitHub did not answer":                  fault.Newf(fault.Unavailable, "GitHub did not answer"),
		"context deadline exceeded":              context.DeadlineExceeded,
		"something went wrong inside ferry":      errors.New("a broken row"),
		"there is no cluster prod-eu any longer": fault.Newf(fault.NotFound, "there is no cluster prod-eu any longer"),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
				x.options.Waves = nil
				bad, lost := at2("prod-ca", "app1"), at2("prod-eu", "app2")
				x.broken[bad] = true
				x.options.Cluster = &blindOn{Cluster: x.options.Cluster, target: lost, err: trouble, until: time.Now().Add(time.Hour)}
				said, err := x.sails(t)
				if !fault.Is(err, fault.Failed) || !strings.HasPrefix(said, "2 of 4 apps are healthy on prod-ca, prod-eu and prod-us\n") {
					t.Fatalf("%v: %s", err, said)
				}
				why := name
				if name == "context deadline exceeded" {
					why = "something went wrong inside ferry"
				}
				for _, want := range []string{
					"*app1 on prod-ca*: ferry goes back to `1.0.0`", "*app2 on prod-eu* (`2.0.0`): How it is doing is not known: " + why,
					"*app2 on prod-eu*: Git still holds `2.0.0`. ferry does not go back by itself, because how it is doing is not known.",
					"app0 | 2.0.0 | healthy | healthy | healthy", "app2 | 2.0.0 | healthy | not known | healthy",
				} {
					if !strings.Contains(said, want) {
						t.Errorf("%q is not in\n%s", want, said)
					}
				}
				if len(f.made) != 1 || f.cmds[0].Args.Cluster != "prod-ca" {
					t.Errorf("asked for %+v", f.cmds)
				}
				done := 0
				for _, r := range x.records() {
					if r.Command == "promote" && r.Healthy {
						done++
					}
					if r.Command == "promote" && r.Target == lost && (r.Healthy || r.Outcome != string(job.Expired)) {
						t.Errorf("recorded %+v", r)
					}
				}
				if done != 10 {
					t.Errorf("%d are recorded as healthy", done)
				}
			})
		})
	}
}

// TestWhatWasSeenSinceIsOnItsWay: what did not answer for a moment, and does since, is
// no more than on its way when another one fails.
func TestWhatWasSeenSinceIsOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves = nil
		slow := at2("prod-eu", "app2")
		x.broken[at2("prod-ca", "app1")], x.drained[slow] = true, true
		x.options.Cluster = &blindOn{Cluster: x.options.Cluster, target: slow, err: fault.Newf(fault.Unavailable, "GitHub did not answer"), until: time.Now().Add(4 * time.Second)}
		said, err := x.sails(t)
		if !fault.Is(err, fault.Failed) || !strings.Contains(said, "\napp2 | 2.0.0 | healthy | on its way | healthy") {
			t.Errorf("%v: %s", err, said)
		}
	})
}

// blindOn cannot look at one target for a time.
type blindOn struct {
	Cluster
	target deploy.Target
	err    error
	until  time.Time
	asked  int
}

func (b *blindOn) Observe(ctx context.Context, t deploy.Target, o deploy.Owner, s deploy.Site, fn func(deploy.Observation) bool) error {
	if t == b.target && time.Now().Before(b.until) {
		b.asked++
		return b.err
	}
	return b.Cluster.Observe(ctx, t, o, s, fn)
}

// TestWhatDoesNotAnswerIsAskedAgain while the others of its wave are followed, and the
// status tells why one is not known.
func TestWhatDoesNotAnswerIsAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves = nil
		blind := &blindOn{Cluster: x.options.Cluster, target: at2("prod-eu", "app2"), err: fault.Newf(fault.Unavailable, "GitHub did not answer"), until: time.Now().Add(20 * time.Second)}
		x.options.Cluster = blind
		var shown []string
		x.bench.watch = func(m chat.Message) { shown = append(shown, says(m)) }
		said, err := x.sails(t)
		if err != nil || !strings.HasPrefix(said, "4 apps are healthy") || blind.asked < 3 || blind.asked > 8 {
			t.Fatalf("asked %d times: %v: %s", blind.asked, err, said)
		}
		if all := strings.Join(shown, "\n"); !strings.Contains(all, "11 of 12 healthy") || !strings.Contains(all, "app2 on prod-eu: GitHub did not answer; ferry goes on trying") {
			t.Errorf("shown\n%s", all)
		}
	})
}

// TestAWaveThatCannotBeLookedAtWaits with the next one, unless another of it fell over:
// then that one is told, and taken back alone.
func TestAWaveThatCannotBeLookedAtWaits(t *testing.T) {
	for _, falls := range []bool{false, true} {
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
			x.broken[at2("prod-ca", "app1")] = falls
			x.options.Cluster = &blindOn{Cluster: x.options.Cluster, target: at2("prod-ca", "app2"), err: fault.Newf(fault.Unavailable, "GitHub did not answer"), until: time.Now().Add(5 * time.Minute)}
			m, err := x.goes()
			if !falls {
				if !fault.Is(err, fault.Unavailable) || len(x.sets) != 1 {
					t.Fatalf("%d commits, %v: %s", len(x.sets), err, says(m))
				}
				time.Sleep(5 * time.Minute)
				if m, err = x.goes(); err != nil || len(x.sets) != 2 {
					t.Errorf("it does not go on: %v: %s", err, says(m))
				}
				return
			}
			if !fault.Is(err, fault.Failed) || len(x.sets) != 1 || len(f.made) != 1 || f.cmds[0].Args.App != "apps/app1" ||
				!strings.Contains(says(m), "*app2 on prod-ca* (`2.0.0`): It was healthy. How it is doing is not known: GitHub did not answer.") {
				t.Errorf("%d commits, %+v, %v: %s", len(x.sets), f.cmds, err, says(m))
			}
		})
	}
}

// TestTheRowOfTheLargestSetIsStored, with all that can be told of it.
func TestTheRowOfTheLargestSetIsStored(t *testing.T) {
	x := allProd(t)
	row := setRow{Hash: digest(nil)}
	for i := range mostMoves {
		at := at2("production-europe-west", fmt.Sprintf("a-service-with-a-name-%d", i))
		object := deploy.Ref{Kind: "Deployment", Namespace: at.App.Namespace, Name: at.App.Name}
		c := deploy.Change{Target: at, Version: "2.0.0-20260101.1", Field: deploy.FieldImage, Owner: deploy.Owner{Kustomization: object, Workloads: []deploy.Ref{object}}}
		m := move{Change: c, Plan: slim(deploy.Plan{
			Change: c, Base: strings.Repeat("b", 40), Hash: strings.Repeat("h", 64), From: "1.0.0-20260101.1", Site: imageSite,
			Diff: strings.Repeat("d", 5000), Affected: []deploy.Affected{{Cluster: at.Cluster, Object: object}},
		})}
		x := &follower{watcher: &watcher{last: judgement{verdict: failed, reason: strings.Repeat("why ", 5000), raw: strings.Repeat("word ", 5000)}}}
		m.Ends = []fate{x.fate(time.Minute)}
		row.Waves = append(row.Waves, wave{Clusters: []deploy.Cluster{at.Cluster}, Moves: []move{m}})
	}
	data, err := json.Marshal(row)
	if err != nil {
		t.Fatal(err)
	}
	j := &job.Job{Key: "k", Created: time.Now()}
	if _, err := x.rows.Create(t.Context(), j); err != nil {
		t.Fatal(err)
	}
	if j.Data = data; x.rows.Save(t.Context(), j) != nil {
		t.Errorf("a row of %d bytes is not stored", len(data))
	}
}

// TestWhatIsCertainDecides of several that go together: the one that failed is the
// reason, and not the one of which nothing is known.
func TestWhatIsCertainDecides(t *testing.T) {
	x, _ := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
	c := deploy.Change{Target: at2("prod-ca", "app1"), With: []deploy.Target{at2("prod-eu", "app1")}, Version: "2.0.0"}
	m := move{Change: c, Owners: make([]deploy.Owner, 1), Ends: []fate{{Outcome: job.Expired, Unknown: true, Why: "Not known."}, {Outcome: job.Failed, Why: "It crashes."}}}
	s := &setRun{changer: changer{x.options.withDefaults()}, cmd: x.cmd, job: &job.Job{ID: "j1"}, row: setRow{Waves: []wave{{Moves: []move{m}}}}}
	if all := s.losses(); len(all) != 1 || all[0].Asks != "" || all[0].Why != "On prod-eu: It crashes." {
		t.Errorf("%+v", all)
	}
	s.row.Waves[0].Moves[0].Ends[1] = fate{Outcome: job.Done}
	if all := s.losses(); len(all) != 1 || all[0].Asks != "how it is doing is not known" {
		t.Errorf("%+v", all)
	}
}

// TestAWishAfterTheEndComesTooLate: what is known to be healthy is not called cancelled,
// and is stored before that is said.
func TestAWishAfterTheEndComesTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves = nil
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		x.confirm()
		seen := func() bool { return x.job.Step == stepFollow && strings.Contains(string(x.job.Data), `"ends"`) }
		_, err = x.command("promote").Work.Run(t.Context(), x.cmd, x.job, func(context.Context) error {
			if seen() {
				return job.ErrCancelled
			}
			return nil
		})
		if !errors.Is(err, job.ErrCancelled) || !seen() {
			t.Fatalf("at %s: %v", x.job.Step, err)
		}
		x.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
		stored := 0
		m, err := x.command("promote").Work.Run(t.Context(), x.cmd, x.job, func(context.Context) error {
			if seen() {
				stored++
			}
			return nil
		})
		if err != nil || stored == 0 || !strings.HasPrefix(says(m), "4 apps are healthy on prod-ca, prod-eu and prod-us\n") {
			t.Errorf("stored %d times: %v: %s", stored, err, says(m))
		}
	})
}

// silentOn does not answer for one target.
type silentOn struct {
	Cluster
	target deploy.Target
}

func (m *silentOn) Observe(ctx context.Context, t deploy.Target, o deploy.Owner, s deploy.Site, fn func(deploy.Observation) bool) error {
	if t != m.target {
		return m.Cluster.Observe(ctx, t, o, s, fn)
	}
	fn(deploy.Observation{State: deploy.ClusterState{Stale: true, Reason: "refused"}})
	<-ctx.Done()
	return ctx.Err()
}

// TestAClusterThatDoesNotAnswerAtTheEnd, and does when the end is told, has shown
// nothing: that takes nothing back.
func TestAClusterThatDoesNotAnswerAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, f := ruled(t, deploy.Retreat{Mode: deploy.RetreatAuto})
		x.options.Waves = nil
		x.options.Cluster = &silentOn{x.options.Cluster, at2("prod-eu", "app2")}
		said, err := x.sails(t)
		if !fault.Is(err, fault.Expired) || len(f.made) > 0 {
			t.Errorf("%d rollbacks, %v", len(f.made), err)
		}
		for _, want := range []string{"ferry does not go back by itself, because how it is doing is not known", "app2 | 2.0.0 | healthy | not known | healthy"} {
			if !strings.Contains(said, want) {
				t.Errorf("%q is not in\n%s", want, said)
			}
		}
	})
}
