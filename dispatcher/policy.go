package dispatcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// People tells who somebody is and who is in a group, as the chat system says now,
// within minutes, or as chat.AskedAnew wants it: an answer that may be out of date is
// an error, Unavailable if it may pass.
type People interface {
	Person(ctx context.Context, id chat.UserID) (chat.Person, error)
	Members(ctx context.Context, group chat.GroupID) ([]chat.UserID, error)
}

// Holds are what people keep as it is. Of returns those on a target.
type Holds interface {
	Of(ctx context.Context, t deploy.Target) ([]deploy.Hold, error)
}

// Approvals are what people said to the plan of a job. Of returns all of them, the
// oldest first.
type Approvals interface {
	Of(ctx context.Context, job string) ([]deploy.Approval, error)
}

// Witnesses tell the facts of a decision. Approvals may be nil: then nothing is
// approved. Now has a default.
type Witnesses struct {
	People    People
	Holds     Holds
	Approvals Approvals
	Now       func() time.Time
}

// Policy gathers the facts of a decision and lets gate.Decide decide, by the latest
// rules. What cannot be learned stops what depends on it.
type Policy struct {
	rules   atomic.Pointer[gate.Rules]
	partial atomic.Bool // see Await
	Witnesses
}

// NewPolicy returns a policy of rules.
func NewPolicy(r gate.Rules, w Witnesses) *Policy {
	p := &Policy{Witnesses: w}
	if p.Now == nil {
		p.Now = time.Now
	}
	p.rules.Store(&r)
	return p
}

// Set replaces the rules; decisions from then on are by the new ones.
func (p *Policy) Set(r gate.Rules) {
	p.rules.Store(&r)
	p.partial.Store(false)
}

// Await says that some of the people whom the rules name are not known yet: until Set
// nobody is denied for good what these may.
func (p *Policy) Await() { p.partial.Store(true) }

// Allow returns nil if a command may begin, else a fault with every reason why not.
// Approvals are not asked for before there is a plan.
func (p *Policy) Allow(ctx context.Context, cmd chat.Command, targets []deploy.Target) error {
	rules := p.rules.Load()
	if !slices.Contains(rules.Changes, cmd.Verb) {
		return nil // the bot listens to no one but members
	}
	f := factsOf(cmd, targets)
	f.Version = deploy.Version(cmd.Args.Version)
	_, err := p.decide(ctx, rules, &f)
	return err
}

// May returns nil if somebody's roles let them use a verb on targets, whatever
// freezes, holds and approvals say.
func (p *Policy) May(ctx context.Context, user chat.UserID, verb chat.Verb, targets []deploy.Target) error {
	rules := *p.rules.Load()
	rules.Gated = nil
	_, err := p.decide(ctx, &rules, &gate.Facts{Who: chat.Person{ID: user}, Verb: verb, Targets: targets})
	return err
}

// Pass decides again, at the moment of a commit, with the plan that would be
// committed for a job, for all targets of it. The error is as Allow's; with the code
// deploy.NeedsApproval nothing is missing but approvals of this plan.
func (p *Policy) Pass(ctx context.Context, cmd chat.Command, plan deploy.Plan, job string) (deploy.Leave, error) {
	f := factsOf(cmd, targetsOf(plan))
	f.Plan = planOf(plan)
	if !plan.Change.Unpin { // no version comes by that: the one that is there stays
		f.Version = plan.Change.Version
	}
	if p.Approvals != nil && job != "" {
		given, err := p.Approvals.Of(ctx, job)
		if err != nil {
			return deploy.Leave{}, fmt.Errorf("read the approvals of job %s: %w", job, err)
		}
		for _, a := range given {
			f.Approvals = append(f.Approvals, gate.Voice{Approval: a})
		}
	}
	rules := p.rules.Load()
	leave, err := p.decide(ctx, rules, &f)
	if err == nil { // what lets it pass has to be so now
		f.Holds = nil
		leave, err = p.decide(chat.AskedAnew(ctx, chat.Asking{Since: p.Now()}), rules, &f)
	}
	if !f.At.IsZero() { // else the facts were not learned
		n := rules.Next(&f)
		leave.Next, leave.Freeze, leave.Frozen = n.At, n.Freeze, n.Says
	}
	return leave, err
}

// MayApprove returns nil if what somebody says to a plan that another command asked
// for would count, else a fault.
func (p *Policy) MayApprove(ctx context.Context, asked chat.Command, plan deploy.Plan, user chat.UserID) error {
	rules := p.rules.Load()
	f := factsOf(asked, targetsOf(plan))
	f.Plan, f.At = planOf(plan), p.Now()
	who, unknown, err := p.person(chat.AskedAnew(ctx, chat.Asking{Since: f.At}), rules, user)
	switch {
	case err != nil:
		return err
	case rules.MayApprove(&f, &who):
		return nil
	case user == asked.User:
		return fault.New(fault.Denied, "you asked for it: somebody else has to approve it", "")
	}
	return blamed(fault.New(fault.Denied, "you are not among those who approve it", "nothing was done"), unknown)
}

func factsOf(cmd chat.Command, targets []deploy.Target) gate.Facts {
	f := gate.Facts{Who: chat.Person{ID: cmd.User}, Verb: cmd.Verb, Targets: targets, Cause: cmd.Cause}
	if cmd.Args.Gate != "" {
		f.Glass.Reason = string(cmd.Args.Reason)
		for name := range strings.SplitSeq(string(cmd.Args.Gate), ",") {
			f.Glass.Gates = append(f.Glass.Gates, gate.Kind(name))
		}
	}
	return f
}

// targetsOf are all that a plan says it changes.
func targetsOf(p deploy.Plan) []deploy.Target {
	return slices.Concat([]deploy.Target{p.Change.Target}, p.Change.With)
}

// planOf is what the gates see of a plan: where it changes something on another
// cluster than it says, the rules of that one count, too.
func planOf(p deploy.Plan) gate.Plan {
	out, said := gate.Plan{Hash: p.Hash}, targetsOf(p)
	for _, a := range p.Affected {
		t := deploy.Target{Cluster: a.Cluster, App: p.Change.Target.App}
		there := slices.ContainsFunc(said, func(s deploy.Target) bool { return s.Cluster == t.Cluster })
		if !there && !slices.Contains(out.Touched, t) {
			out.Touched = append(out.Touched, t)
		}
	}
	return out
}

// decide learns what is missing of the facts.
func (p *Policy) decide(ctx context.Context, rules *gate.Rules, f *gate.Facts) (deploy.Leave, error) {
	var none deploy.Leave
	var unknown error
	if f.Cause == "" {
		who, lost, err := p.person(ctx, rules, f.Who.ID)
		if err != nil {
			return none, err
		}
		f.Who, unknown = who, lost
	}
	if asking, anew := chat.Asked(ctx); anew { // whoever approved must not be one who was among them a minute ago
		asking.Certain = true
		ctx = chat.AskedAnew(ctx, asking)
	}
	for i := range f.Approvals {
		a := &f.Approvals[i]
		var lost, err error
		if a.Who, lost, err = p.person(ctx, rules, chat.UserID(a.By)); err != nil {
			return none, err
		}
		unknown = errors.Join(unknown, lost)
	}
	for _, t := range slices.Concat(f.Targets, f.Plan.Touched) {
		held, err := p.Holds.Of(ctx, t)
		if err != nil {
			return none, fmt.Errorf("read the holds on %s: %w", t, err)
		}
		f.Holds = append(f.Holds, held...)
	}
	f.At = p.Now()
	v := gate.Decide(rules, f)
	return deploy.Leave{Passed: v.Despite(f), Approvers: rules.Approvers(f)}, blamed(v.Err(f), unknown)
}

// person tells who somebody is and in which of the groups of the rules. A group of
// which that cannot be learned counts as one that they are not in; unknown says why.
func (p *Policy) person(ctx context.Context, rules *gate.Rules, id chat.UserID) (who chat.Person, unknown, err error) {
	who, err = p.People.Person(ctx, id)
	if err != nil {
		return who, nil, fault.Newf(fault.Unavailable, "cannot tell who %s is: that could not be looked up", id).WithHelp("nothing was done").Because(err)
	}
	if p.partial.Load() {
		unknown = fault.Newf(fault.Unavailable, "who the people are that the configuration calls by name is not known yet")
	}
	who.Groups = nil
	for _, g := range rules.Groups() {
		members, err := p.People.Members(ctx, g)
		switch {
		case err != nil:
			unknown = errors.Join(unknown, fmt.Errorf("members of %s: %w", g, err))
		case slices.Contains(members, id):
			who.Groups = append(who.Groups, g)
		}
	}
	return who, unknown, nil
}

// blamed adds to a denial that it may be for want of what could not be learned. If
// that may pass, so may the denial.
func blamed(err, unknown error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || unknown == nil {
		return err
	}
	if fault.Is(unknown, fault.Unavailable) && (e.Kind == fault.Denied || e.Code == deploy.NeedsApproval) {
		return fault.New(fault.Unavailable, "cannot tell who is among those who may: that could not be looked up", "nothing was done").Because(unknown)
	}
	return e.WithHelp("%s", strings.TrimSpace(e.Help+"\nthe members of some groups could not be read, so that these give no rights: whoever runs ferry finds why in its log")).Because(unknown)
}
