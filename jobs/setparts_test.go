package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// TestWhatIsLeftOut is told of, and stops nothing else.
func TestWhatIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.bench.apps["stage"][1].Health, x.bench.apps["stage"][1].Reason = deploy.Degraded, "1 of 2 pods is ready"
		x.bench.apps["prod-us"] = x.bench.apps["prod-us"][:3]                                           // no app3
		x.bench.apps["prod-ca"][2].Images[0].Tag, x.bench.apps["prod-ca"][2].Version = "2.0.0", "2.0.0" // the same
		x.refusals[at2("prod-eu", "app0")] = deploy.Tried{Err: fault.Newf(fault.Refused, "app0 on prod-eu cannot be built")}
		x.options.Holds = heldBy{{Target: at2("prod-ca", "app0"), Name: "Bo", Reason: "the migration runs"}}
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		shown := says(x.bench.put["job/j1/status"])
		for _, want := range []string{
			"1 is the same already.", "*4 are left out*", "app1 on stage is degraded: 1 of 2 pods is ready", "app3 on prod-us is not there",
			"app0 on prod-eu is refused: app0 on prod-eu cannot be built", "app0 on prod-ca is held by Bo: the migration runs",
			"app2 | – | 1.0.0 → 2.0.0", "5 changes in 2 waves",
		} {
			if !strings.Contains(shown, want) {
				t.Errorf("%q is not in\n%s", want, shown)
			}
		}
	})
}

type heldBy []deploy.Hold

func (h heldBy) Place(context.Context, deploy.Hold, ...job.Entry) error { return nil }
func (h heldBy) Release(context.Context, deploy.Target, ...job.Entry) ([]deploy.Hold, bool, error) {
	return nil, false, nil
}
func (h heldBy) All(context.Context) ([]deploy.Hold, error) { return h, nil }

// TestThoseThatShareGoTogether where all of them are in one wave, and else are left
// out.
func TestThoseThatShareGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		shared := fault.Newf(fault.Refused, "it shares its version with others")
		share := func(cluster string, with ...deploy.Target) {
			x.refusals[at2(cluster, "app0")] = deploy.Tried{Plan: deploy.Plan{Sharing: with}, Err: shared}
		}
		share("prod-eu", at2("prod-us", "app0"))
		share("prod-us", at2("prod-eu", "app0"))
		x.refusals[at2("prod-ca", "app1")] = deploy.Tried{Plan: deploy.Plan{Sharing: []deploy.Target{at2("prod-us", "app1")}}, Err: shared}
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		var row setRow
		decodeRow(t, x.job, &row)
		if len(row.Waves) != 2 || len(row.Waves[0].Moves) != 3 || len(row.Waves[1].Moves) != 7 {
			t.Fatalf("%+v", row.Waves)
		}
		i := slices.IndexFunc(row.Waves[1].Moves, func(m move) bool { return len(m.Change.With) == 1 })
		if i < 0 || row.Waves[1].Moves[i].Change.With[0] != at2("prod-us", "app0") {
			t.Errorf("%+v", row.Waves[1].Moves)
		}
		if shown := says(x.bench.put["job/j1/status"]); !strings.Contains(shown, "app1 on prod-ca shares its version with prod-us, which would have to come along in the same wave") {
			t.Error(shown)
		}
	})
}

// TestWhatBecameAnotherPlan is not committed.
func TestWhatBecameAnotherPlan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, wave := range []int{1, 2} {
			x := allProd(t)
			if err := x.admit(); err != nil {
				t.Fatal(err)
			}
			_, _ = x.goes()
			x.confirm()
			if wave == 2 {
				_, err := x.goes()
				time.Sleep(time.Until(parkedUntil(t, err)))
			}
			x.moved[at2("prod-ca", "app1")], x.moved[at2("prod-eu", "app1")] = true, true
			m, err := x.goes()
			e, _ := errors.AsType[*fault.Error](err)
			switch {
			case !fault.Is(err, fault.Refused) || len(x.sets) != wave-1:
				t.Errorf("wave %d: %d commits, %s, %v", wave, len(x.sets), says(m), err)
			case wave == 1 && (m.Title != "" || !strings.Contains(e.Help, "nothing was changed") || !strings.Contains(e.Says, "app1 on prod-ca is not the one that was shown")):
				t.Errorf("%+v", e)
			case wave == 2 && (m.Title != "It ended after 1 of 2 waves, prod-eu and prod-us are untouched" || !strings.Contains(says(m), "The plan of app1 on prod-eu is not the one that was shown.")):
				t.Errorf("%s", says(m))
			}
		}
	})
}

// TestACancelledSet ends between waves, with the account.
func TestACancelledSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, between := range []bool{false, true} {
			x := allProd(t)
			if err := x.admit(); err != nil {
				t.Fatal(err)
			}
			_, err := x.goes()
			if between {
				x.confirm()
				_, err = x.goes()
			}
			parkedUntil(t, err)
			x.job.Cancel = &job.Cancel{By: "U2", At: time.Now()}
			m, err := x.goes()
			want := "This was cancelled before anything happened"
			if between {
				want = "It was cancelled after 1 of 2 waves, prod-eu and prod-us are untouched"
			}
			if !fault.Is(err, fault.Cancelled) || m.Title != want || m.By != "U2" || between && !strings.Contains(says(m), "healthy, 4 changes") {
				t.Errorf("%s, %v", says(m), err)
			}
		}
	})
}

// TestNobodyConfirms ends at the deadline, or for somebody else.
func TestNobodyConfirms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		time.Sleep(time.Until(parkedUntil(t, err)))
		_, err = x.goes()
		if e, _ := errors.AsType[*fault.Error](err); !fault.Is(err, fault.Expired) || e.Says != "nobody confirmed it within 24 h" || len(x.sets) != 0 {
			t.Errorf("%v", err)
		}
		if status := x.bench.put["job/j1/status"]; !status.Final || len(status.Buttons) != 0 {
			t.Errorf("%+v", status)
		}
	})
}

// TestOneAppOnOneCluster is the ordinary promotion, of what runs there when it begins.
func TestOneAppOnOneCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newFlight(t, "promote app1 from stage to prod-eu", chat.Args{App: "app1", From: "stage", Clusters: "prod-eu"})
		x.bench.plan.From, x.bench.plan.Site.Value = "1.0.0", "app1:2.0.0"
		x.bench.commits = nil
		if err := x.admit(); err != nil || x.job.Title != "Promote app1 to `2.0.0` on prod-eu" || len(x.job.Queues) != 1 {
			t.Fatalf("%q, %v", x.job.Title, err)
		}
		m, err := x.goes()
		if err != nil || m.Title != "app1 `2.0.0` is healthy on prod-eu" || len(x.bench.commits) != 1 || len(x.sets) != 0 {
			t.Errorf("%s, %v", says(m), err)
		}
		x.bench.apps["stage"][1].Health = deploy.Degraded
		if again, err := x.goes(); err != nil || again.Title != m.Title || len(x.bench.commits) != 1 {
			t.Errorf("again: %s, %v", says(again), err)
		}
		x.job.Data = nil
		if _, err := x.goes(); !fault.Is(err, fault.Refused) {
			t.Errorf("of what is not healthy: %v", err)
		}
	})
}

// TestWhatHasBegunStaysWhatItIs: one promotion, or a set, whatever clusters there are
// after a restart.
func TestWhatHasBegunStaysWhatItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newFlight(t, "promote app1 from stage to *-eu", chat.Args{App: "app1", From: "stage", Clusters: "*-eu"})
		x.bench.plan.From, x.bench.plan.Site.Value = "1.0.0", "app1:2.0.0"
		x.bench.commits = nil
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		m, err := x.goes()
		x.bench.states = append(x.bench.states, deploy.ClusterState{Name: "test-eu", Synced: true})
		if again, aerr := x.goes(); err != nil || aerr != nil || again.Title != m.Title || len(x.bench.commits) != 1 {
			t.Errorf("one: %s, %v", says(again), aerr)
		}
		x = newFlight(t, "promote app1 from stage to prod-*", chat.Args{App: "app1", From: "stage", Clusters: "prod-*"})
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err = x.goes()
		until := parkedUntil(t, err)
		x.bench.states = x.bench.states[:2]
		if _, err := x.goes(); !parkedUntil(t, err).Equal(until) {
			t.Errorf("a set: %v", err)
		}
	})
}

// TestWhatASetRefuses before there is a job.
func TestWhatASetRefuses(t *testing.T) {
	all := chat.Args{From: "stage", Clusters: "prod-*"}
	for name, c := range map[string]struct {
		args   chat.Args
		change func(*flight)
		kind   fault.Kind
		says   string
	}{
		"only itself":        {args: chat.Args{From: "stage", Clusters: "stage"}, kind: fault.Invalid, says: "names no cluster but the one that the versions come from"},
		"a stale source":     {args: all, change: func(x *flight) { x.bench.states[0].Stale = true }, kind: fault.Stale, says: "stage does not answer"},
		"a stale target":     {args: all, change: func(x *flight) { x.bench.states[2].Stale = true }, kind: fault.Stale, says: "prod-eu does not answer"},
		"an unknown app":     {args: chat.Args{App: "app9", From: "stage", Clusters: "prod-*"}, kind: fault.NotFound, says: "there is no app app9 on stage"},
		"one that is ill":    {args: chat.Args{App: "app1", From: "stage", Clusters: "prod-*"}, change: func(x *flight) { x.bench.apps["stage"][1].Health = deploy.Progressing }, kind: fault.Refused, says: "app1 on stage is progressing"},
		"nothing to be done": {args: all, change: func(x *flight) { x.bench.apps["stage"] = x.bench.apps["prod-us"] }, kind: fault.Already, says: "everything is the same already"},
		"no app there":       {args: chat.Args{App: "app9", Version: "2.0.0", Clusters: "prod-eu,prod-us"}, kind: fault.NotFound, says: "there is no app app9 on prod-eu"},
		"where it is not":    {args: chat.Args{App: "app9", Version: "2.0.0", Clusters: "prod-*"}, kind: fault.Refused, says: "nothing of that can be promoted"},
	} {
		x := newFlight(t, "promote", c.args)
		if c.change != nil {
			c.change(x)
		}
		err := x.admit()
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Kind != c.kind || !strings.Contains(e.Says, c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// heldInGit is what Git wants of stage.
type heldInGit []deploy.Wanted

func (w heldInGit) Wanted(context.Context, []deploy.Declared) ([]deploy.Wanted, error) { return w, nil }

// TestWhatGitWantsAtTheSource leaves out what runs there and is not what Git says.
func TestWhatGitWantsAtTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		want := func(app string, versions ...deploy.WantedVersion) deploy.Wanted {
			return deploy.Wanted{Target: at2("stage", app), Versions: versions, Why: "it is encrypted"}
		}
		x.options.Git = heldInGit{
			want("app0", deploy.WantedVersion{Field: deploy.FieldImage, Version: "2.0.0"}),
			want("app1", deploy.WantedVersion{Field: deploy.FieldImage, Version: "2.1.0"}),
			want("app2"),
		}
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		shown := says(x.bench.put["job/j1/status"])
		for _, want := range []string{
			"3 changes in 2 waves", "app1 on prod-ca runs `2.0.0` on stage, where Git wants `2.1.0`", "app2 on prod-ca has no version in Git for stage that ferry can read: it is encrypted",
			"app3 on prod-us is not in Git as it runs on stage", "Promote 1 app from stage to prod-ca, prod-eu and prod-us",
		} {
			if !strings.Contains(shown, want) {
				t.Errorf("%q is not in\n%s", want, shown)
			}
		}
	})
}

// TestPullRequestsAreNoSet refuses at once, and where that is not known yet before
// anything is planned.
func TestPullRequestsAreNoSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Proposer = onlyUS{}
		if err := x.admit(); !fault.Is(err, fault.Refused) || !strings.Contains(err.Error(), "changes of prod-us are pull requests, which a set cannot be") {
			t.Errorf("admitted: %v", err)
		}
		for _, why := range []error{fault.New(fault.Unavailable, "GitHub does not answer", ""), nil} { // nil never answers
			x.options.Proposer, x.job.Queues = mute{err: why}, nil
			asked := time.Now()
			if err := x.admit(); err != nil || time.Since(asked) > mostAsking {
				t.Fatalf("after %s: %v", time.Since(asked), err)
			}
		}
		x.options.Proposer = onlyUS{}
		_, err := x.goes()
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Says != "changes of prod-us are pull requests, which a set cannot be" || !strings.HasPrefix(e.Help, "a ruleset wants one\nnothing was changed\n") {
			t.Errorf("%+v", err)
		}
		if status := x.bench.put["job/j1/status"]; !status.Final || status.Tone != chat.Refused {
			t.Errorf("%+v", status)
		}
	})
}

type onlyUS struct{ Proposer }

func (onlyUS) Way(_ context.Context, c deploy.Cluster) (bool, string, error) {
	return c == "prod-us", "a ruleset wants one", nil
}

type mute struct {
	Proposer
	err error
}

func (m mute) Way(ctx context.Context, _ deploy.Cluster) (bool, string, error) {
	if m.err == nil {
		<-ctx.Done()
		return false, "", ctx.Err()
	}
	return false, "", m.err
}

// follows makes the rollbacks that ferry gives itself.
type follows struct{ asked []chat.Command }

func (f *follows) Follow(_ context.Context, cmd chat.Command, after job.ID, _ json.RawMessage) (*job.Job, error) {
	f.asked = append(f.asked, cmd)
	return &job.Job{ID: "back" + job.ID(cmd.Args.Cluster), After: after}, nil
}

// TestWhatFailedGoesBackByItself where the policy says so, and nothing else does.
func TestWhatFailedGoesBackByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := allProd(t)
		x.options.Waves = nil // all at once
		back := &follows{}
		x.options.Follower = back
		x.options.Retreat = func(t deploy.Target) deploy.Retreat {
			if t.Cluster == "prod-eu" {
				return deploy.Retreat{Mode: deploy.RetreatAuto}
			}
			return deploy.Retreat{Mode: deploy.RetreatOffer}
		}
		x.broken[at2("prod-eu", "app1")], x.broken[at2("prod-us", "app1")] = true, true
		if err := x.admit(); err != nil {
			t.Fatal(err)
		}
		_, err := x.goes()
		parkedUntil(t, err)
		x.confirm()
		m, err := x.goes()
		if !fault.Is(err, fault.Failed) || m.Title != "3 of 4 apps are healthy on prod-ca, prod-eu and prod-us" || len(x.sets) != 1 {
			t.Fatalf("%d commits, %s, %v", len(x.sets), says(m), err)
		}
		if len(back.asked) != 1 || back.asked[0].Args.Cluster != "prod-eu" || back.asked[0].Args.Version != "1.0.0" {
			t.Errorf("asked for %+v", back.asked)
		}
		if !strings.Contains(says(m), "ferry goes back to `1.0.0`, the last version seen healthy there: job backprod-eu.") || len(m.Buttons) != 1 || m.Buttons[0].Command != "rollback app1 on prod-us to 1.0.0" {
			t.Errorf("%s\n%+v", says(m), m.Buttons)
		}
	})
}
