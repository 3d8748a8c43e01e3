package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// A set is a promotion of several apps, or of one to several clusters. It is one job:
// it plans everything, shows the plan, and waits until somebody confirms it. Then it
// goes from wave to wave: one commit each, followed until all of it is healthy, which
// it has to stay for a while before the next one begins. A wave that fails ends it.
//
//	set.go        what a command asks for, and the row
//	setpick.go    which apps are in it, and why others are not
//	setsource.go  what is taken from where it runs
//	setplan.go    the plans, in waves
//	setask.go     the confirmation, and the gates
//	setrun.go     the waves
//	setfollow.go  what becomes of one
//	setknown.go   what is known of its targets, and remembered
//	setafter.go   what follows from its end
//	setshow.go    how all of it looks

// Sets plans and commits several changes as one; see delivery.
type Sets interface {
	// PlanSet plans each on top of those before it, and tells of each what stands in
	// its way.
	PlanSet(ctx context.Context, changes []deploy.Change, declared []deploy.Declared) ([]deploy.Tried, error)
	// ApplySet commits all of them once, or none. With nothing to change the commit
	// has no SHA.
	ApplySet(ctx context.Context, changes []deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
		onPlans func([]deploy.Plan) error) ([]deploy.Plan, deploy.Commit, error)
	// FindWave looks for one of the commits of a job, made since then.
	FindWave(ctx context.Context, job string, wave int, since time.Time) (c deploy.Commit, ok bool, err error)
}

// Waves are groups of clusters that get a set one after the other, each after the one
// before was healthy for as long as Soak.
type Waves struct {
	Name   string
	Groups [][]deploy.Cluster
	Soak   time.Duration
}

// The steps of a set beside those of a change: stepCommit and stepFollow are those of
// the wave at hand, and so is stepApproval.
const (
	stepConfirm job.Step = "waiting to be confirmed"
	stepStay    job.Step = "watching that it stays healthy"
	stepAccount job.Step = "ending"
)

// mostAsking is how long whoever asks for a set waits to hear whether its clusters want
// pull requests. That is known already, but for once in some minutes.
const mostAsking = 2 * time.Second

// mostMoves bounds a set, and mostWhy what is kept of why one failed: its plans and
// what became of them have to fit into a row.
const (
	mostMoves = 400
	mostWhy   = 600
)

// setRow is a set's part of its job's row.
type setRow struct {
	Began time.Time `json:"began"`
	// Hash covers all plans: it is what is confirmed.
	Hash  string    `json:"hash"`
	Waves []wave    `json:"waves,omitempty"`
	Left  []leftOut `json:"left,omitempty"`
	// At is the wave at hand.
	At int `json:"at"`
	// Asked is since when people are asked to confirm or approve. Confirmed names who
	// confirmed it, where that is not who asked for it.
	Asked     time.Time `json:"asked,omitzero"`
	Confirmed string    `json:"confirmed,omitempty"`
	// Change and Plan stand for all of the wave that waits for approval, in the
	// places in which those of a change do; Question is the message that asks.
	Change    deploy.Change `json:"change,omitzero"`
	Plan      deploy.Plan   `json:"plan,omitzero"`
	Question  string        `json:"question,omitempty"`
	Approvers []string      `json:"approvers,omitempty"`
	Glass     glass         `json:"glass,omitzero"`
}

// wave is one commit of a set and what became of it.
type wave struct {
	Clusters []deploy.Cluster `json:"clusters"`
	Soak     time.Duration    `json:"soak,omitempty"`
	Moves    []move           `json:"moves"`
	Commit   deploy.Commit    `json:"commit,omitzero"`
	// Followed is when it was committed, Healthy when all of it was healthy.
	// Seen is when all that is told of it in Ends was seen.
	Followed time.Time `json:"followed,omitzero"`
	Seen     time.Time `json:"seen,omitzero"`
	Healthy  time.Time `json:"healthy,omitzero"`
}

// move is a change within a wave, of one target or of those that share a version.
type move struct {
	Change deploy.Change  `json:"change"`
	Owners []deploy.Owner `json:"owners,omitempty"`
	// Plan is without its diffs.
	Plan deploy.Plan `json:"plan"`
	// Ends are what became of its targets, once that is known.
	Ends []fate `json:"ends,omitempty"`
}

// fate is what became of a target.
type fate struct {
	Outcome job.Outcome `json:"outcome,omitempty"` // empty while it is on its way
	Why     string      `json:"why,omitempty"`     // at most mostWhy
	// Unsure: it was healthy and is not ready, and nothing says that it failed. A node
	// may have been drained: that alone takes nothing back.
	Unsure bool `json:"unsure,omitempty"`
	// Unknown: ferry could not look. That takes nothing back either.
	Unknown bool `json:"unknown,omitempty"`
	// Fell is when it was seen that what had been healthy was so no longer.
	Fell time.Time `json:"fell,omitzero"`
}

// leftOut is a target that is not in a set.
type leftOut struct {
	Target deploy.Target `json:"target"`
	Why    string        `json:"why"`
	// Same: it is there already.
	Same bool `json:"same,omitempty"`
}

// isSet reports whether a command is about a set.
func isSet(cmd chat.Command) bool { return cmd.Args.Clusters != "" }

// targetClusters are the clusters that a command's patterns stand for, in the order
// in which ferry shows them; without the one that versions are taken from.
func targetClusters(f Fleet, cmd chat.Command) []deploy.Cluster {
	var out []deploy.Cluster
	for _, s := range f.Clusters() {
		if s.Name == deploy.Cluster(cmd.Args.From) {
			continue
		}
		if slices.ContainsFunc(strings.Split(string(cmd.Args.Clusters), ","), func(p string) bool {
			ok, _ := path.Match(p, string(s.Name))
			return ok
		}) {
			out = append(out, s.Name)
		}
	}
	return out
}

// ordinary turns a command about one app on one cluster into the promotion that it
// is. What runs on the cluster that it names is what it asks for. What has begun stays
// what it is, as its row says, whatever clusters there are by now.
func (p promote) ordinary(ctx context.Context, cmd chat.Command, j *job.Job) (chat.Command, bool, error) {
	if !isSet(cmd) || cmd.Args.App == "" {
		return cmd, false, nil
	}
	clusters := targetClusters(p.Fleet, cmd)
	var row struct {
		Change deploy.Change   `json:"change"`
		Waves  json.RawMessage `json:"waves"` // of a set
	}
	if j != nil && len(j.Data) > 0 {
		if err := json.Unmarshal(j.Data, &row); err != nil {
			return cmd, true, fmt.Errorf("decode row of job %s: %w", j.ID, err)
		}
		clusters = []deploy.Cluster{row.Change.Target.Cluster}
	}
	if row.Waves != nil || len(clusters) != 1 {
		return cmd, false, nil
	}
	version, field, app := deploy.Version(cmd.Args.Version), deploy.FieldKind(cmd.Args.Field), string(cmd.Args.App)
	if cmd.Args.From != "" {
		if version, field = row.Change.Version, row.Change.Field; version == "" {
			from, err := p.source(ctx, cmd)
			if err != nil {
				return cmd, true, err
			}
			version, field = from.Version, from.Field
		}
	}
	cmd.Args.Version, cmd.Args.Field, cmd.Args.Cluster = chat.Word(version), chat.Word(field), chat.Word(clusters[0])
	cmd.Args.From, cmd.Args.Clusters = "", ""
	cmd.Text = fmt.Sprintf("promote %s@%s %s to %s", app, version, field, clusters[0])
	if field == "" {
		cmd.Text = fmt.Sprintf("promote %s@%s to %s", app, version, clusters[0])
	}
	return cmd, true, nil
}

// Admit of a set.
func (c changer) admitSet(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	found, _, err := c.pick(ctx, cmd)
	if err != nil {
		return "", nil, err
	}
	soon, stop := context.WithTimeout(ctx, mostAsking)
	defer stop()
	if err := c.direct(soon, found); err != nil && soon.Err() == nil && !fault.Is(err, fault.Unavailable) {
		return "", nil, err // what is not known yet is asked again before anything is planned
	}
	var targets []deploy.Target
	for _, f := range found {
		targets = append(targets, f.Target)
	}
	if n := len(targets); n > mostMoves {
		return "", nil, fault.Newf(fault.Refused, "that is %d changes, and a set has %d at most", n, mostMoves).
			WithHelp("nothing was done\nname fewer clusters, or one app at a time")
	}
	return c.setTitle(cmd, targets, found[0].Version), targets, nil
}

// setTitle says in a line what a set does; one of a single app has one version.
func (c changer) setTitle(cmd chat.Command, targets []deploy.Target, v deploy.Version) string {
	apps := map[deploy.App]bool{}
	for _, t := range targets {
		apps[t.App] = true
	}
	var clusters []string
	for _, name := range targetClusters(c.Fleet, cmd) {
		if slices.ContainsFunc(targets, func(t deploy.Target) bool { return t.Cluster == name }) {
			clusters = append(clusters, string(name))
		}
	}
	where := spoken(clusters)
	switch {
	case cmd.Args.From == "":
		return fmt.Sprintf("Promote %s to `%s` on %s", targets[0].App.Name, v, where)
	case cmd.Args.App != "":
		return fmt.Sprintf("Promote %s `%s` from %s to %s", targets[0].App.Name, v, cmd.Args.From, where)
	}
	return fmt.Sprintf("Promote %s from %s to %s", count(len(apps), "app"), cmd.Args.From, where)
}

// runSet does a set, or goes on with it.
func (c changer) runSet(ctx context.Context, cmd chat.Command, j *job.Job, save func(context.Context) error) (chat.Message, error) {
	s := &setRun{changer: c, cmd: cmd, job: j, save: save}
	if len(j.Data) > 0 {
		if err := json.Unmarshal(j.Data, &s.row); err != nil {
			return chat.Message{}, fmt.Errorf("decode row of job %s: %w", j.ID, err)
		}
	}
	m, err := s.carry(ctx)
	if err == nil || ctx.Err() != nil || s.goesOn(&err) {
		return m, err
	}
	if m.Title == "" && s.touched() {
		m, err = s.account(ctx, err)
		if fault.Is(err, fault.Unavailable) {
			return chat.Message{}, err
		}
	}
	if e, ok := errors.AsType[*fault.Error](err); ok && m.Title == "" && toneOf(e) == chat.Refused && !strings.Contains(e.Help, "othing was") {
		err = e.WithHelp("%s", strings.TrimSpace("nothing was changed\n"+e.Help))
	}
	return m, errors.Join(err, s.show(ctx, func(v *setView) { v.ended(err) }))
}

// goesOn reports whether what ended an attempt is to be tried again: what does not
// answer, for as long as that may take.
func (s *setRun) goesOn(err *error) bool {
	if _, parks := errors.AsType[*job.Park](*err); parks || errors.Is(*err, job.ErrCancelled) {
		return true
	}
	if !fault.Is(*err, fault.Unavailable) {
		return false
	}
	now := s.Now()
	if s.job.Stuck.IsZero() {
		s.job.Stuck = now
	}
	until := s.job.Stuck.Add(s.Answer)
	if s.job.Step == stepFollow {
		until = s.row.Waves[s.row.At].Followed.Add(s.Rollout).Add(lastLook)
	}
	if now.Before(until) {
		return true
	}
	e, _ := errors.AsType[*fault.Error](*err)
	gone := fault.Newf(fault.Expired, "this was given up after %s: %s", span(now.Sub(s.job.Stuck)), e.Says).Because(*err)
	if s.job.Step == stepCommit {
		gone = gone.WithHelp("whether %s was committed is not known: the log of the repository tells, by `Ferry-Wave: %s/%d`", s.wave(s.row.At), s.job.ID, s.row.At+1)
	}
	*err = gone
	return false
}
