package jobs

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
	"ferry/storage"
	"ferry/storage/bolt"
)

// world stands in for the rooms behind the seams; its history is real.
type world struct {
	states []deploy.ClusterState
	apps   map[deploy.Cluster][]deploy.AppState

	// show is called with each observation's number; nil means that nothing
	// more happens until ctx ends.
	show func(n int) *deploy.Observation
	// showOn is show for what differs between targets.
	showOn func(t deploy.Target, n int) *deploy.Observation

	plan    deploy.Plan
	sharing []deploy.Target // of a plan that is refused
	refuse  error           // the plan
	deny    error           // the commit
	commits []deploy.Commit
	holding deploy.Holding

	put       map[string]chat.Message
	watch     func(chat.Message) // hears of each state of a status message
	statuses  []string
	authorIDs []chat.UserID
	by        deploy.Authorship // of the last commit
	nudges    int
}

func (w *world) Clusters() []deploy.ClusterState         { return w.states }
func (w *world) Apps(c deploy.Cluster) []deploy.AppState { return w.apps[c] }
func (w *world) Declared() []deploy.Declared             { return nil }
func (w *world) Reconcile(context.Context, deploy.Cluster, deploy.Owner, time.Time) error {
	w.nudges++
	return fault.Newf(fault.Denied, "may not patch")
}

func (w *world) Observe(ctx context.Context, t deploy.Target, _ deploy.Owner, _ deploy.Site, fn func(deploy.Observation) bool) error {
	for n := 0; ; n++ {
		var o *deploy.Observation
		if w.showOn != nil {
			o = w.showOn(t, n)
		} else {
			o = w.show(n)
		}
		if o == nil {
			<-ctx.Done()
			return ctx.Err()
		}
		if !fn(*o) {
			return nil
		}
	}
}

func (w *world) Apply(_ context.Context, c deploy.Change, _ func() []deploy.Declared, by deploy.Authorship, onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Commit, error) {
	if w.refuse != nil {
		return deploy.Plan{Sharing: w.sharing}, deploy.Commit{}, w.refuse
	}
	p := w.plan
	p.Change = c
	if c.Unpin {
		p.Change.Version = p.From
	}
	if err := onPlan(p); err != nil || w.deny != nil {
		return p, deploy.Commit{}, cmp.Or(err, w.deny)
	}
	if p.Already {
		return p, deploy.Commit{}, nil
	}
	commit := deploy.Commit{SHA: "c0ffee00112233", URL: "https://git.example/c0ffee", Site: p.Site}
	w.commits = append(w.commits, commit)
	w.authorIDs, w.by = append(w.authorIDs, chat.UserID(by.Requester)), by
	return p, commit, nil
}

func (w *world) Plan(_ context.Context, c deploy.Change, _ []deploy.Declared) (deploy.Plan, error) {
	if w.refuse != nil {
		return deploy.Plan{Sharing: w.sharing}, w.refuse
	}
	p := w.plan
	p.Change = c
	return p, nil
}

func (w *world) Find(context.Context, string, time.Time) (deploy.Commit, bool, error) {
	if len(w.commits) == 0 {
		return deploy.Commit{}, false, nil
	}
	return w.commits[0], true, nil
}

func (w *world) Holding(_ context.Context, _ deploy.Plan, _ deploy.Commit, revision string, _ []deploy.Declared) (deploy.Holding, error) {
	if revision == "main@sha1:old" {
		return deploy.NotYet, nil
	}
	return w.holding, nil
}

func (w *world) Put(_ context.Context, _ chat.Thread, key string, m chat.Message) error {
	if w.put == nil {
		w.put = map[string]chat.Message{}
	}
	w.put[key] = m
	if strings.HasSuffix(key, "/status") {
		w.statuses = append(w.statuses, string(m.Tone))
		if w.watch != nil {
			w.watch(m)
		}
	}
	return nil
}

func (w *world) Author(context.Context, chat.UserID) (string, string) {
	return "Ada", "ada@example.com"
}

func newWorld() *world {
	podinfo := deploy.AppState{
		Target:  deploy.Target{Cluster: "prod", App: deploy.App{Namespace: "apps", Name: "podinfo"}},
		Version: "6.5.3", Images: []deploy.Image{{Container: "podinfo", Repository: "podinfo", Tag: "6.5.3"}},
		Health: deploy.Healthy, Ready: 2, Desired: 2,
	}
	return &world{
		states: []deploy.ClusterState{{Name: "prod", Synced: true}, {Name: "stage", Synced: true}},
		apps:   map[deploy.Cluster][]deploy.AppState{"prod": {podinfo}},
		plan: deploy.Plan{
			Base: "ba5e", From: "6.5.3", Site: imageSite, Hash: "h",
			Edits: []deploy.Edit{{File: "apps/prod/kustomization.yaml", Line: 7, Before: "6.5.3", After: "6.5.4"}},
		},
		holding: deploy.Holds,
	}
}

// bench is one promotion in a world.
type bench struct {
	*world
	t       *testing.T
	options Options
	history *storage.History
	holds   *storage.Holds
	rows    *storage.Jobs
	cmd     chat.Command
	job     *job.Job
	parked  int
	words   int // about plans
	nudged  int
	told    []job.Entry
}

func newBench(t *testing.T, w *world) *bench {
	t.Helper()
	db, err := bolt.Open(filepath.Join(t.TempDir(), "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	h, rows := storage.NewHistory(db), storage.NewJobs(db)
	b := &bench{
		world: w, t: t, history: h, holds: storage.NewHolds(db, time.Now), rows: rows,
		options: Options{Fleet: w, Cluster: w, Delivery: w, History: h, Rows: rows, People: w, Replier: w, Rollout: time.Minute, Grace: 10 * time.Second},
		cmd: chat.Command{
			Key: "k", User: "U1", Verb: "promote", Text: "promote podinfo@6.5.4 to prod",
			Args: chat.Args{App: "podinfo", Version: "6.5.4", Cluster: "prod"},
		},
		job: &job.Job{ID: "j1", Title: "Promote podinfo"},
	}
	return b
}

func (b *bench) command(verb chat.Verb) Command {
	for _, c := range List(b.options) {
		if c.Syntax.Verb == verb {
			return c
		}
	}
	b.t.Fatalf("no command %s", verb)
	return Command{}
}

func (b *bench) run() (chat.Message, error) {
	for { // as the dispatcher does
		m, err := b.once(b.t.Context())
		park, ok := errors.AsType[*job.Park](err)
		if !ok {
			return m, err
		}
		b.parked++
		time.Sleep(time.Until(park.Until))
	}
}

func (b *bench) once(ctx context.Context) (chat.Message, error) {
	return b.command(b.cmd.Verb).Work.Run(ctx, b.cmd, b.job, func(context.Context) error { return nil })
}

func (b *bench) records() (out []deploy.Record) {
	b.t.Helper()
	if err := b.history.All(b.t.Context(), func(r deploy.Record) bool { out = append(out, r); return true }); err != nil {
		b.t.Fatal(err)
	}
	return out
}

func at(o deploy.Observation) *deploy.Observation { return &o }
