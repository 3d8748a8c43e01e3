package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
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
	// refusals stand in the way of a target's plan; moved changes its hash, once it
	// was shown; broken are the targets that never become healthy, drained those that
	// have no pod which is ready, and no failure.
	refusals map[deploy.Target]deploy.Tried
	moved    map[deploy.Target]bool
	broken   map[deploy.Target]bool
	drained  map[deploy.Target]bool
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
	f := &flotilla{world: w, waves: map[string]deploy.Commit{}, refusals: map[deploy.Target]deploy.Tried{}, moved: map[deploy.Target]bool{}, broken: map[deploy.Target]bool{}, drained: map[deploy.Target]bool{}}
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
		if f.drained[target] {
			o.Workloads[0].Ready, o.Workloads[0].Available = 0, 0
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

func decodeRow(t *testing.T, j *job.Job, row *setRow) {
	t.Helper()
	if err := json.Unmarshal(j.Data, row); err != nil {
		t.Fatal(err)
	}
}
