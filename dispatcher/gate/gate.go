// Package gate decides whether somebody may do something: a pure function of the
// rules and of who asks for what, where, when and with which plan. It has no clock,
// asks nobody and remembers nothing, so that the same facts always get the same
// verdict: at admission, in a dry run, and again at the moment of a commit.
//
//	person    full members of a workspace that ferry listens to       (chat.Person)
//	role      who may use which commands on which targets             (role.go)
//	freeze    times at which nothing may change                       (freeze.go)
//	hold      targets that somebody keeps as they are                 (hold.go)
//	approval  what others have to agree to, plan by plan              (approval.go)
//
// A verdict has every reason, not the first one, each with what would help. Nothing
// is open because something is not known: a person without a role, a group whose
// members could not be read, an approval of another plan count for nothing.
//
// What ferry takes back by itself (Facts.Cause) has its authority from the rule that
// says so: it needs no role and no approval, passes freezes, and stops at holds.
//
// Freezes, holds and approvals can be passed by those whose role says so, with a
// reason (break-glass); who somebody is and what their role lets them do cannot.
// The verdict tells what was passed, for the record.
package gate

import (
	"slices"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// Kind is one of the gates.
type Kind string

// The gates. People name Freeze, Hold and Approval in commands, by these words.
const (
	Person   Kind = "person"
	Role     Kind = "role"
	Freeze   Kind = "freeze"
	Hold     Kind = "hold"
	Approval Kind = "approval"
)

// People are users and members of user groups, by their identifiers.
type People struct {
	Users  []chat.UserID
	Groups []chat.GroupID
}

func (p *People) have(who *chat.Person) bool {
	if who.ID == "" {
		return false
	}
	if slices.Contains(p.Users, who.ID) {
		return true
	}
	for _, g := range p.Groups {
		if slices.Contains(who.Groups, g) {
			return true
		}
	}
	return false
}

// Rules are all that is configured of a decision.
type Rules struct {
	// Admins may do everything, and pass every gate with a reason.
	Admins People
	Roles  []Grant
	// Changes are the verbs that need a role; all others are open to everybody who
	// is listened to. Gated are those of them before which freezes, holds and
	// approvals stand.
	Changes, Gated []chat.Verb
	Freezes        []Calendar
	Approvals      []Quorum
}

// Groups are the user groups that the rules name, each once.
func (r *Rules) Groups() []chat.GroupID {
	var out []chat.GroupID
	add := func(p *People) {
		for _, g := range p.Groups {
			if !slices.Contains(out, g) {
				out = append(out, g)
			}
		}
	}
	add(&r.Admins)
	for i := range r.Roles {
		add(&r.Roles[i].People)
	}
	for i := range r.Approvals {
		add(&r.Approvals[i].From)
	}
	return out
}

// Facts are all that a decision depends on besides the rules.
type Facts struct {
	Who     chat.Person
	Verb    chat.Verb
	Targets []deploy.Target
	// Version is the one that would come to the targets; empty if none would.
	Version deploy.Version
	At      time.Time
	// Plan is what would be committed; the zero value before there is one. Without
	// it nothing can be approved, and approvals are not asked for.
	Plan Plan
	// Approvals are those given to this job so far, whatever the plan.
	Approvals []Voice
	// Holds are those on the targets; those that ran out may be among them.
	Holds []deploy.Hold
	Glass Glass
	// Cause is the job for whose sake ferry takes something back by itself, on the
	// authority of a rule; empty for what a person asks for.
	Cause string
}

// Plan is what matters of a plan.
type Plan struct {
	Hash string
	// Touched are the targets that it changes, with those of Facts or without.
	Touched []deploy.Target
}

// Glass is what somebody wants to pass, and why.
type Glass struct {
	Gates  []Kind
	Reason string
}

// Reason is why something may not be done, or what had to be passed for it.
type Reason struct {
	Kind   Kind
	Target deploy.Target
	// Says is what stands in the way. Of Freeze, Hold and Approval it goes on after
	// the name of the target, or "it". Help is what would help, a sentence a line.
	Says, Help string
	// Name is what the freeze, the rule of approvals, or the hold's owner is called.
	Name string
	// Until is when it ends by itself; zero if it does not, or nobody knows.
	Until time.Time
	// Passable: whoever asks could pass it with a reason. Tried: they wanted to.
	Passable, Tried bool
}

// Verdict is every reason against something; none if it may be done.
type Verdict struct {
	Reasons []Reason
	// Passed are the reasons that did not count because the glass was broken.
	Passed []Reason
}

// Allowed reports whether nothing stands in the way.
func (v *Verdict) Allowed() bool { return len(v.Reasons) == 0 }

// Waits reports whether nothing stands in the way but approvals that may still be
// given.
func (v *Verdict) Waits() bool {
	for i := range v.Reasons {
		if v.Reasons[i].Kind != Approval || v.Reasons[i].Name == "" {
			return false
		}
	}
	return !v.Allowed()
}

// Decide holds the facts against the rules.
func Decide(r *Rules, f *Facts) Verdict {
	var v Verdict
	if says, help := f.Who.Barred(); says != "" && f.Cause == "" {
		v.Reasons = append(v.Reasons, Reason{Kind: Person, Says: says, Help: help})
	}
	if !slices.Contains(r.Changes, f.Verb) {
		return v
	}
	if f.Cause == "" {
		v.roles(r, f)
	}
	if !slices.Contains(r.Gated, f.Verb) {
		return v
	}
	for i := range len(f.Targets) + len(f.Plan.Touched) {
		if t, fresh := f.target(i); fresh {
			v.freezes(r, f, t)
			v.holds(r, f, t)
		}
	}
	if f.Cause == "" {
		v.approvals(r, f)
	}
	return v
}

// target is the i-th of those asked for and those that the plan touches; fresh is
// false if it came before.
func (f *Facts) target(i int) (t *deploy.Target, fresh bool) {
	if i < len(f.Targets) {
		return &f.Targets[i], !slices.Contains(f.Targets[:i], f.Targets[i])
	}
	i -= len(f.Targets)
	t = &f.Plan.Touched[i]
	return t, !slices.Contains(f.Targets, *t) && !slices.Contains(f.Plan.Touched[:i], *t)
}

// shut notes a gate that is closed, unless whoever asks may pass it and does. What
// ferry takes back by itself passes freezes, which is told, and nothing else: a hold
// is somebody's word about this very target.
func (v *Verdict) shut(r *Rules, f *Facts, reason Reason) {
	switch {
	case f.Cause != "" && reason.Kind == Freeze:
		v.Passed = append(v.Passed, reason)
		return
	case f.Cause != "":
		v.Reasons = append(v.Reasons, reason)
		return
	}
	reason.Tried = slices.Contains(f.Glass.Gates, reason.Kind)
	reason.Passable = r.passes(f, reason.Kind, &reason.Target)
	if reason.Tried && reason.Passable && f.Glass.Reason != "" {
		v.Passed = append(v.Passed, reason)
		return
	}
	v.Reasons = append(v.Reasons, reason)
}
