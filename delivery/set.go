package delivery

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"ferry/delivery/flux"
	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// maxLookups is how many versions of a set are looked up at the same time.
const maxLookups = 8

// PlanSet makes several changes concrete against the branch's head, each on top of
// those before it that could be planned, and proves each by itself. Nothing is
// written. One that cannot be planned stops no other: why stands in its place. The
// error is of reading what all of them need.
func (d *Delivery) PlanSet(ctx context.Context, changes []deploy.Change, declared []deploy.Declared) ([]deploy.Tried, error) {
	head, err := d.repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	w, err := d.at(ctx, head, declared)
	if err != nil {
		return nil, err
	}
	all, err := d.compose(ctx, w, head, changes, d.lookAll(ctx, changes, declared), declared)
	if err != nil {
		return nil, err
	}
	return all.tried, nil
}

// ApplySet plans several changes as PlanSet does, hands the plans to onPlans, and
// commits them on exactly the head they were planned on, as one commit of one job:
// by.Job and by.Wave are how it is found again. If one of them cannot be planned
// there is no commit. A moved head, a lost answer and later plans that differ from
// the first ones are as with Apply. If Git holds all of it already there is no
// commit, and its SHA is empty.
func (d *Delivery) ApplySet(ctx context.Context, changes []deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlans func([]deploy.Plan) error,
) ([]deploy.Plan, deploy.Commit, error) {
	s := &setIntent{changes: changes, declared: declared, by: by, onPlans: onPlans, looked: d.lookAll(ctx, changes, declared())}
	s.began = d.now()
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, deploy.Commit{}, ctx.Err()
	}
	defer func() { <-d.turn }()
	for {
		made, err := d.attemptSet(ctx, s)
		switch {
		case err == nil:
			return s.plans, made, nil
		case ctx.Err() != nil:
			return s.plans, deploy.Commit{}, ctx.Err()
		}
		if s.tries++; !s.again(err) || s.tries >= maxTries {
			return s.plans, deploy.Commit{}, err
		}
		d.log.Debug("commit of a set tried again", "job", by.Job, "wave", by.Wave, "try", s.tries, "lost", s.lost, "error", err)
		s.pause(ctx)
	}
}

// FindWave looks on the branch for one of the commits of a job that makes several.
func (d *Delivery) FindWave(ctx context.Context, job string, n int, since time.Time) (deploy.Commit, bool, error) {
	made, ok, err := d.repo.Find(ctx, TrailerWave, wave(job, n), since)
	if err != nil || !ok {
		return deploy.Commit{}, false, err
	}
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At}, true, nil
}

// wave names one of the commits of a job, none for 0.
func wave(job string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%s/%d", line(job), n)
}

// setIntent is a set on its way into one commit. What it shares with an intent is how
// often and when it is tried.
type setIntent struct {
	intent
	changes  []deploy.Change
	declared func() []deploy.Declared
	by       deploy.Authorship
	onPlans  func([]deploy.Plan) error
	looked   []*looked
	plans    []deploy.Plan // the first ones, which are held against all later ones
}

// lookAll asks a registry for the versions of all changes, some at a time.
func (d *Delivery) lookAll(ctx context.Context, changes []deploy.Change, declared []deploy.Declared) []*looked {
	out := make([]*looked, len(changes))
	var asking sync.WaitGroup
	free := make(chan struct{}, maxLookups)
	for i, c := range changes {
		free <- struct{}{}
		asking.Go(func() {
			defer func() { <-free }()
			out[i] = d.look(ctx, c, declared)
		})
	}
	asking.Wait()
	return out
}

// composed are changes planned one on top of the other.
type composed struct {
	tried []deploy.Tried
	files map[string][]byte
}

// compose plans changes on a world, with what can be known ahead of them. If in the end
// that is not what is rendered, it plans without. The error is one that is not about a
// change.
func (d *Delivery) compose(ctx context.Context, base *flux.World, head forge.Head, changes []deploy.Change, l []*looked, declared []deploy.Declared) (*composed, error) {
	ahead, err := d.lookAhead(ctx, base, changes, l)
	if ctx.Err() != nil || fault.Is(err, fault.Unavailable) {
		return nil, err
	}
	if err != nil {
		ahead = nil // whose fault it is shows change by change
	}
	out, after, err := d.stack(ctx, base, head, changes, l, declared, ahead)
	if err != nil || len(ahead) == 0 {
		return out, err
	}
	right, err := d.asForeseen(ctx, base, after, out.files)
	if err != nil || right {
		return out, err
	}
	d.log.Warn("a set is not what was foreseen of it, and is planned change by change", "base", head.SHA, "changes", len(changes))
	out, _, err = d.stack(ctx, base, head, changes, l, declared, nil)
	return out, err
}

// stack plans changes one on top of the other.
func (d *Delivery) stack(ctx context.Context, base *flux.World, head forge.Head, changes []deploy.Change, l []*looked, declared []deploy.Declared, ahead map[int]*outlook) (*composed, *flux.World, error) {
	out, after := &composed{files: map[string][]byte{}}, base
	for i, c := range changes {
		plan, next, err := d.planWith(ctx, after, c, l[i], ahead[i])
		plan.Base, plan.Source = head.SHA, d.source(c, declared)
		if err == nil {
			err = committable(after.Files().Tree, plan.Files)
		}
		if err == nil {
			err = out.apart(plan)
		}
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case fault.Is(err, fault.Unavailable):
			return nil, nil, err
		case err == nil && !plan.Already:
			after = next
			maps.Copy(out.files, plan.Files)
		}
		out.tried = append(out.tried, deploy.Tried{Plan: plan, Err: err})
	}
	return out, after, nil
}

// apart refuses a change of a field that another one of the set writes, too.
func (c *composed) apart(p deploy.Plan) error {
	for _, other := range c.tried {
		same := other.Err == nil && other.Plan.Change.Target == p.Change.Target && other.Plan.Site.Object == p.Site.Object && other.Plan.Site.Path == p.Site.Path
		if same {
			return fault.Newf(fault.Invalid, "%s on %s is in the set twice", p.Change.Target.App, p.Change.Target.Cluster)
		}
	}
	return nil
}

// attemptSet plans and commits once.
func (d *Delivery) attemptSet(ctx context.Context, s *setIntent) (deploy.Commit, error) {
	if s.unsure {
		if found, ok, err := d.FindWave(ctx, s.by.Job, s.by.Wave, s.began); err != nil || ok {
			return found, err
		}
	}
	head, err := d.repo.Head(ctx)
	if err != nil {
		return deploy.Commit{}, err
	}
	base, err := d.at(ctx, head, s.declared())
	if err != nil {
		return deploy.Commit{}, err
	}
	all, err := d.compose(ctx, base, head, s.changes, s.looked, s.declared())
	if err != nil {
		return deploy.Commit{}, err
	}
	s.stale, s.base = s.base == head.SHA, head.SHA
	if err := s.agreeAll(all.tried); err != nil {
		return deploy.Commit{}, err
	}
	if len(all.files) == 0 {
		return deploy.Commit{}, nil
	}
	m := d.message(s.intents())
	made, err := d.repo.Commit(ctx, forge.NewCommit{On: head.SHA, Headline: m.subject, Body: m.body(), Files: all.files, Modes: modesOf(base.Files().Tree, all.files), Job: s.by.Job})
	if err != nil {
		d.noteDemand(err)
		s.unsure = s.unsure || fault.Is(err, fault.Unavailable) || ctx.Err() != nil
		return deploy.Commit{}, err
	}
	d.learn(base, made, all.files)
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At}, nil
}

// agreeAll shows the first plans, and holds later ones against them.
func (s *setIntent) agreeAll(tried []deploy.Tried) error {
	plans := make([]deploy.Plan, 0, len(tried))
	for _, t := range tried {
		if t.Err != nil {
			return named(t)
		}
		plans = append(plans, t.Plan)
	}
	if s.plans == nil {
		s.plans = plans
		if s.onPlans == nil {
			return nil
		}
		return s.onPlans(plans)
	}
	for i, p := range plans {
		in := intent{change: s.changes[i], first: &s.plans[i]}
		if err := in.agree(p, nil); err != nil {
			return err
		}
	}
	s.plans = plans
	return nil
}

// intents are the changes of which there is something to commit, for its message.
func (s *setIntent) intents() []*intent {
	var out []*intent
	for i, p := range s.plans {
		if !p.Already {
			out = append(out, &intent{change: s.changes[i], by: s.by, plan: p})
		}
	}
	return out
}

// named tells of which change an error is.
func named(t deploy.Tried) error {
	e, ok := errors.AsType[*fault.Error](t.Err)
	if !ok {
		return t.Err
	}
	out, of := *e, t.Plan.Change.Target
	out.Help = fmt.Sprintf("that is about %s on %s\n%s", of.App, of.Cluster, e.Help)
	out.Choices, out.Offers = nil, nil
	return &out
}
