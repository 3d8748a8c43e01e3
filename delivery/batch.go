package delivery

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// How often a commit is tried. A branch that others push to all the time costs
// tries; one whose head is served stale costs time.
const (
	maxTries = 60
	maxLost  = 4
	freeTrys = 5 // tries on a head that did move are not delayed so often
	// maxBatch is how many changes become one commit.
	maxBatch = 50
)

// intent is a change that waits to be committed. Its fields are the leader's,
// whoever that is at the time, until done is closed.
type intent struct {
	ctx      context.Context //nolint:containedctx // that of the one who waits for it
	change   deploy.Change
	declared func() []deploy.Declared
	by       deploy.Authorship
	onPlan   func(deploy.Plan) error
	began    time.Time
	done     chan struct{}

	looked *looked // what a registry says of the version
	first  *deploy.Plan
	tries  int
	lost   int    // commits whose answer was lost
	unsure bool   // one of them may have happened
	base   string // of the last try
	stale  bool   // the last try was on the same base as the one before

	plan   deploy.Plan
	commit deploy.Commit
	err    error
}

func (in *intent) finish(p deploy.Plan, c deploy.Commit, err error) {
	in.plan, in.commit, in.err = p, c, err
	close(in.done)
}

func (in *intent) finished() bool {
	select {
	case <-in.done:
		return true
	default:
		return false
	}
}

// wait puts an intent into the queue.
func (d *Delivery) wait(in *intent) {
	d.known.Lock()
	defer d.known.Unlock()
	d.waiting = append(d.waiting, in)
}

// leave takes an intent out of the queue.
func (d *Delivery) leave(in *intent) {
	d.known.Lock()
	defer d.known.Unlock()
	d.waiting = slices.DeleteFunc(d.waiting, func(w *intent) bool { return w == in })
}

// take returns the next intents; they stay in the queue until they are finished,
// so that another leader goes on with them if this one gives up.
func (d *Delivery) take() []*intent {
	d.known.Lock()
	defer d.known.Unlock()
	d.waiting = slices.DeleteFunc(d.waiting, func(in *intent) bool { return in.finished() || in.ctx.Err() != nil })
	limit := maxBatch
	if d.o.CommitEach {
		limit = 1
	}
	return slices.Clone(d.waiting[:min(len(d.waiting), limit)])
}

// round plans what waits and commits it once. Whoever holds the turn calls it.
func (d *Delivery) round(ctx context.Context) {
	batch := d.take()
	if len(batch) == 0 {
		return
	}
	err := d.attempt(ctx, batch)
	if ctx.Err() != nil {
		return // the next one to get the turn goes on
	}
	var slowest *intent
	for _, in := range batch {
		if in.finished() {
			continue
		}
		if in.tries++; err != nil && (!in.again(err) || in.tries >= maxTries) {
			in.finish(in.plan, deploy.Commit{}, err)
			continue
		}
		if slowest == nil || in.tries > slowest.tries {
			slowest = in
		}
	}
	if slowest != nil && err != nil {
		d.log.Debug("commit tried again", "job", slowest.by.Job, "try", slowest.tries, "lost", slowest.lost, "error", err)
		slowest.pause(ctx)
	}
}

// attempt plans and commits once. The error is of the commit, or of reading what
// it is to be made on; intents that fail by themselves are finished with theirs.
func (d *Delivery) attempt(ctx context.Context, batch []*intent) error {
	batch, err := d.lookFor(ctx, batch)
	if err != nil || len(batch) == 0 {
		return err
	}
	head, err := d.repo.Head(ctx)
	if err != nil {
		return err
	}
	base, err := d.at(ctx, head, batch[0].declared())
	if err != nil {
		return err
	}
	ready, err := d.prepare(ctx, base, head, batch)
	if err != nil {
		return err
	}
	planned, files := ready.planned, ready.files
	if len(planned) == 0 {
		return nil
	}
	if len(files) > 0 {
		m := d.message(planned)
		made, err := d.repo.Commit(ctx, forge.NewCommit{On: head.SHA, Headline: m.subject, Body: m.body(), Files: files, Modes: modesOf(base.Files().Tree, files), Job: planned[0].by.Job})
		if err != nil {
			d.noteDemand(err)
			for _, in := range planned {
				in.unsure = in.unsure || fault.Is(err, fault.Unavailable) || ctx.Err() != nil
			}
			return err
		}
		d.learn(base, made, files)
		for _, in := range planned {
			in.commit = deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At, Site: in.plan.Site}
		}
	}
	for _, in := range planned {
		if in.plan.Already {
			in.commit = deploy.Commit{}
		}
		in.finish(in.plan, in.commit, nil)
	}
	d.ready = nil
	return nil
}

// learn remembers the tree that a commit made, so that nobody has to list it.
func (d *Delivery) learn(base *flux.World, made forge.Made, files map[string][]byte) {
	for _, data := range files {
		if data != nil {
			d.blobs.Add(data)
		}
	}
	if made.Tree != "" {
		d.keepTree(made.Tree, base.Files().Tree.With(made.SHA, files))
	}
}

// lookFor finds the commits of intents whose answer was lost, and returns the
// others.
func (d *Delivery) lookFor(ctx context.Context, batch []*intent) ([]*intent, error) {
	var rest []*intent
	for _, in := range batch {
		if !in.unsure {
			rest = append(rest, in)
			continue
		}
		found, ok, err := d.Find(ctx, in.by.Job, in.began)
		if err != nil {
			return nil, err
		}
		if !ok {
			rest = append(rest, in)
			continue
		}
		found.Site = in.first.Site
		in.finish(*in.first, found, nil)
	}
	return rest, nil
}

// prepared are intents that are planned one on top of the other.
type prepared struct {
	base, after *flux.World
	planned     []*intent
	files       map[string][]byte
}

// prepare plans a batch on a head. What was planned on an earlier head stands if
// nothing that any cluster renders, and no file that is edited, changed since:
// then only what came meanwhile is to be planned.
func (d *Delivery) prepare(ctx context.Context, base *flux.World, head forge.Head, batch []*intent) (*prepared, error) {
	p := d.ready
	if p == nil || !p.stands(base, batch) {
		p = &prepared{base: base, after: base, files: map[string][]byte{}}
	} else if p.base != base {
		f := base.Files()
		f.Overlay = p.files
		after, err := d.flux.Next(ctx, p.after, f, p.base.Files().Tree.Changes(f.Tree))
		if err != nil {
			return nil, err
		}
		p.base, p.after = base, after
		for _, in := range p.planned {
			in.stale, in.base = false, head.SHA
			in.plan.Base = head.SHA
		}
	}
	d.ready = p
	for _, in := range batch {
		if !slices.Contains(p.planned, in) && in.ctx.Err() == nil {
			d.prepareOne(ctx, p, head, in)
		}
		if ctx.Err() != nil {
			d.ready = nil
			return nil, ctx.Err()
		}
	}
	return p, nil
}

// stands reports whether plans made on another world hold on this one as well,
// and are all still wanted.
func (p *prepared) stands(base *flux.World, batch []*intent) bool {
	for _, in := range p.planned {
		if !slices.Contains(batch, in) || in.ctx.Err() != nil {
			return false
		}
	}
	for _, c := range base.Clusters() {
		if !base.Unchanged(p.base, c) {
			return false
		}
	}
	for file := range p.files {
		now, there := base.Files().Tree.Entry(file)
		then, was := p.base.Files().Tree.Entry(file)
		if there != was || now != then {
			return false
		}
	}
	return len(base.Clusters()) == len(p.base.Clusters())
}

// prepareOne plans one more intent. One that cannot be planned, or that nothing
// is to be done for, is finished.
func (d *Delivery) prepareOne(ctx context.Context, p *prepared, head forge.Head, in *intent) {
	plan, after, err := d.plan(ctx, p.after, in.change, in.looked)
	plan.Base, plan.Source = head.SHA, d.source(in.change, in.declared())
	if err == nil {
		err = committable(p.after.Files().Tree, plan.Files)
	}
	if err == nil {
		err = in.agree(plan, p.planned)
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		in.finish(plan, deploy.Commit{}, err)
		return
	case plan.Already && p.after == p.base:
		in.finish(plan, deploy.Commit{}, nil)
		return
	}
	in.stale, in.base, in.plan = in.base == plan.Base, plan.Base, plan
	p.after = after
	for file, data := range plan.Files {
		p.files[file] = data
	}
	p.planned = append(p.planned, in)
}

// agree shows the first plan, and holds later ones against it. before are the
// intents that go into the same commit: two of them never write one field.
func (in *intent) agree(plan deploy.Plan, before []*intent) error {
	for _, other := range before {
		same := other.change.Target == in.change.Target && other.plan.Site.Object == plan.Site.Object && other.plan.Site.Path == plan.Site.Path
		if same && other.change.Version != in.change.Version {
			return in.conflict(other.plan.From, other.change.Version)
		}
	}
	if in.first == nil {
		in.first = &plan
		if in.onPlan == nil {
			return nil
		}
		return in.onPlan(plan)
	}
	if plan.Hash == in.first.Hash || (plan.Already && plan.Site == in.first.Site) {
		return nil
	}
	return in.conflict(in.first.From, plan.From)
}

func (in *intent) conflict(had, has deploy.Version) *fault.Error {
	t := in.change.Target
	if in.change.Unpin {
		return fault.Newf(fault.Refused, "the pin of %s on %s was changed by somebody else meanwhile", t.App.Name, t.Cluster).
			WithHelp("Git had `%s` there, now it has `%s`\nnothing was changed: look at the branch and ask again", had, has).WithCode(Conflict)
	}
	return fault.Newf(fault.Refused, "%s on %s was changed by somebody else meanwhile", t.App.Name, t.Cluster).
		WithHelp("Git had `%s`, now it has `%s`\nferry wanted `%s` and did nothing: look at the branch and ask again", had, has, in.change.Version).WithCode(Conflict)
}

// again reports whether an error is worth another try.
func (in *intent) again(err error) bool {
	switch {
	case fault.Is(err, fault.Moved):
		return true
	case fault.Is(err, fault.Unavailable) && in.unsure:
		in.lost++
		return in.lost <= maxLost
	}
	return false
}

// pause waits before another try: not at all while the branch really moves, so
// that a busy branch does not starve us; growing while GitHub serves an old
// head or does not answer.
func (in *intent) pause(ctx context.Context) {
	if in.lost == 0 && !in.stale && in.tries <= freeTrys {
		return
	}
	d := min(100*time.Millisecond<<min(in.tries, 6), 3*time.Second)
	if in.lost == 0 && !in.stale {
		d = 50 * time.Millisecond
	}
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Waiting returns how many changes wait to be committed, the one at hand
// included.
func (d *Delivery) Waiting() int {
	d.known.Lock()
	defer d.known.Unlock()
	return len(d.waiting)
}
