package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// flotilla is a world of apps on stage, where all are new, and on three others. It
// commits sets as delivery does: each wave of a job once.
type flotilla struct {
	*world
	mu    sync.Mutex
	waves map[string]deploy.Commit // job/wave → its commit
	sets  [][]deploy.Change        // what each commit held
	asked []deploy.Plan
	// refusals stand in the way of a target's plan; moved changes its hash, once it
	// was shown; broken are the targets that never become healthy.
	refusals map[deploy.Target]deploy.Tried
	moved    map[deploy.Target]bool
	broken   map[deploy.Target]bool
	looks    int
}

func at2(cluster, app string) deploy.Target {
	return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: "apps", Name: app}}
}

func (f *flotilla) planOf(c deploy.Change) deploy.Plan {
	p := deploy.Plan{Change: c, Base: "ba5e", From: "1.0.0", Hash: "h-" + c.Target.String() + string(c.Version), Diff: "-1.0.0"}
	if f.moved[c.Target] {
		p.Hash += "-moved"
	}
	p.Site = imageSite
	p.Site.Value = c.Target.App.Name + ":" + string(c.Version)
	for _, t := range c.With {
		p.Parts = append(p.Parts, deploy.Part{Target: t, From: "1.0.0", Site: deploy.Site{Field: deploy.FieldImage, Value: t.App.Name + ":" + string(c.Version)}})
	}
	return p
}

func (f *flotilla) PlanSet(_ context.Context, changes []deploy.Change, _ []deploy.Declared) ([]deploy.Tried, error) {
	var out []deploy.Tried
	for _, c := range changes {
		one := deploy.Tried{Plan: f.planOf(c)}
		if r, refused := f.refusals[c.Target]; refused && len(c.With) != len(r.Plan.Sharing) || refused && len(r.Plan.Sharing) == 0 {
			one.Err, one.Plan.Sharing = r.Err, r.Plan.Sharing
		}
		out = append(out, one)
	}
	return out, nil
}

func (f *flotilla) ApplySet(_ context.Context, changes []deploy.Change, _ func() []deploy.Declared, by deploy.Authorship, onPlans func([]deploy.Plan) error) ([]deploy.Plan, deploy.Commit, error) {
	var plans []deploy.Plan
	for _, c := range changes {
		plans = append(plans, f.planOf(c))
	}
	if err := onPlans(plans); err != nil {
		return plans, deploy.Commit{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := fmt.Sprintf("%s/%d", by.Job, by.Wave)
	commit := deploy.Commit{SHA: fmt.Sprintf("%d%039d", by.Wave, len(f.sets)), URL: "https://git.example/" + key}
	f.sets, f.waves[key], f.by = append(f.sets, changes), commit, by
	return plans, commit, nil
}

func (f *flotilla) FindWave(_ context.Context, id string, n int, _ time.Time) (deploy.Commit, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.waves[fmt.Sprintf("%s/%d", id, n)]
	return c, ok, nil
}

func (f *flotilla) Reconcile(context.Context, deploy.Cluster, deploy.Owner, time.Time) error {
	return nil
}

func (f *flotilla) Put(ctx context.Context, thread chat.Thread, key string, m chat.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.world.Put(ctx, thread, key, m)
}

// flight is a set's job in a flotilla, run as the dispatcher does.
type flight struct {
	*bench
	*flotilla
	approvals *storage.Approvals
	saved     job.Job // as it was saved last
}

const fleetApps = 4

func newFlight(t *testing.T, text string, args chat.Args) *flight {
	t.Helper()
	w := newWorld()
	w.states, w.apps = nil, map[deploy.Cluster][]deploy.AppState{}
	for _, c := range []string{"stage", "prod-ca", "prod-eu", "prod-us"} {
		w.states = append(w.states, deploy.ClusterState{Name: deploy.Cluster(c), Synced: true})
		for i := range fleetApps {
			name, version := fmt.Sprintf("app%d", i), "1.0.0"
			if c == "stage" {
				version = "2.0.0"
			}
			w.apps[deploy.Cluster(c)] = append(w.apps[deploy.Cluster(c)], deploy.AppState{
				Target: at2(c, name), Version: deploy.Version(version), Field: deploy.FieldImage, Health: deploy.Healthy, Ready: 2, Desired: 2,
				Images: []deploy.Image{{Container: name, Repository: name, Tag: version}},
				Owner:  deploy.Owner{Kustomization: deploy.Ref{Kind: "Kustomization", Namespace: "flux-system", Name: "apps"}},
			})
		}
	}
	f := &flotilla{world: w, waves: map[string]deploy.Commit{}, refusals: map[deploy.Target]deploy.Tried{}, moved: map[deploy.Target]bool{}, broken: map[deploy.Target]bool{}}
	w.showOn = func(target deploy.Target, n int) *deploy.Observation {
		if n > 0 {
			return nil
		}
		o := arrivedImage()
		o.SiteValue = target.App.Name + ":2.0.0"
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.looks++; f.broken[target] {
			o.Workloads[0].Stuck, o.Workloads[0].Ready = "ProgressDeadlineExceeded", 0
		}
		return &o
	}
	x := &flight{bench: newBench(t, w), flotilla: f}
	db, err := bolt.Open(filepath.Join(t.TempDir(), "more.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	x.approvals = storage.NewApprovals(db)
	x.options.Sets, x.options.Voices, x.options.Approvals, x.options.Cluster, x.options.Replier = f, x.approvals, x.approvals, f, f
	x.options.Waves = []Waves{{Name: "production", Groups: [][]deploy.Cluster{{"prod-ca"}, {"prod-eu", "prod-us"}}, Soak: 10 * time.Minute}}
	x.cmd = chat.Command{Key: "k", User: "U1", Verb: "promote", Text: text, Args: args}
	return x
}

func allProd(t *testing.T) *flight {
	return newFlight(t, "promote all from stage to prod-*", chat.Args{From: "stage", Clusters: "prod-*"})
}

// admit takes the place of the dispatcher.
func (x *flight) admit() error {
	title, targets, err := x.command("promote").Work.Admit(x.t.Context(), x.cmd)
	if err != nil {
		return err
	}
	x.job.Title, x.job.Created = title, time.Now()
	for _, t := range targets {
		x.job.Queues = append(x.job.Queues, t.String())
	}
	x.saved = *x.job
	return nil
}

// goes runs the job until it is parked or over, as one process does.
func (x *flight) goes() (chat.Message, error) {
	return x.command("promote").Work.Run(x.t.Context(), x.cmd, x.job, func(context.Context) error { x.saved = *x.job; return nil })
}

func (x *flight) confirm() {
	x.t.Helper()
	var row setRow
	decodeRow(x.t, x.job, &row)
	if _, err := x.approvals.Add(x.t.Context(), deploy.Approval{Job: string(x.job.ID), Plan: confirmed(row.Hash), By: "U1", At: time.Now()}); err != nil {
		x.t.Fatal(err)
	}
}

func parkedUntil(t *testing.T, err error) time.Time {
	t.Helper()
	park, ok := errors.AsType[*job.Park](err)
	if !ok {
		t.Fatalf("it is not parked: %v", err)
	}
	return park.Until
}

func says(m chat.Message) string {
	out := m.Title + "\n" + strings.Join(m.Lines, "\n")
	for _, s := range m.Steps {
		out += "\n" + string(s.State) + " " + s.Text
	}
	if m.Table != nil {
		out += "\n" + strings.Join(m.Table.Columns, " | ")
		for _, r := range m.Table.Rows {
			out += "\n" + strings.Join(r, " | ")
		}
	}
	if m.Code != nil {
		out += "\n" + m.Code.Text
	}
	return out
}

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
		if !fault.Is(err, fault.Failed) || m.Title != "wave 2 of 3 failed: 3 of 4 apps are healthy on prod-eu, prod-us is untouched" {
			t.Fatalf("%s, %v", says(m), err)
		}
		for _, want := range []string{
			"*app2 on prod-eu* (`2.0.0`): ", "Wave 1 of 3 (prod-ca): all of 4 changes healthy.", "Wave 2 of 3 (prod-eu): 3 of 4 healthy; they stay.", "Prod-us is untouched.",
			"Git still holds `2.0.0`. The last version seen healthy there is `1.0.0`; `rollback app2 on prod-eu` brings it back.", "`retry j1` shows what is missing",
			"failed       app2 on prod-eu  1.0.0 → 2.0.0", "untouched    app3 on prod-us  1.0.0 → 2.0.0", "healthy      app0 on prod-ca  1.0.0 → 2.0.0",
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
		if !fault.Is(err, fault.Failed) || m.Title != "wave 1 of 2 failed: 3 of 4 apps are healthy on prod-ca, prod-eu and prod-us are untouched" || len(x.sets) != 1 || !strings.Contains(says(m), "It was healthy, and did not stay so.") {
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
				if !fault.Is(err, fault.Failed) || !strings.HasPrefix(m.Title, "wave 2 of 3 failed: 3 of 4") || len(x.sets) != 2 {
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
func (h heldBy) Release(context.Context, deploy.Target, ...job.Entry) ([]deploy.Hold, error) {
	return nil, nil
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
			case wave == 2 && (m.Title != "it ended after 1 of 2 waves, prod-eu and prod-us are untouched" || !strings.Contains(says(m), "The plan of app1 on prod-eu is not the one that was shown.")):
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
				want = "it ended after 1 of 2 waves, prod-eu and prod-us are untouched"
			}
			if !fault.Is(err, fault.Cancelled) || m.Title != want || m.By != "U2" || between && !strings.Contains(says(m), "all of 4 changes healthy") {
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

func decodeRow(t *testing.T, j *job.Job, row *setRow) {
	t.Helper()
	if err := json.Unmarshal(j.Data, row); err != nil {
		t.Fatal(err)
	}
}
