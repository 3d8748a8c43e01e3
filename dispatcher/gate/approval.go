package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// Quorum is a rule of approvals: so many of these people have to agree.
type Quorum struct {
	Name string
	Scope
	From People
	// Needs is how many; less than one counts as one.
	Needs int
	// Expires is how long an approval counts; zero for as long as the plan stands.
	Expires time.Duration
}

// Voice is an approval with who gave it, as they are known now, not then: somebody
// who has left the group since has no voice any more.
type Voice struct {
	deploy.Approval
	Who chat.Person
}

// approvals notes the rules that are not met. The plan is one thing: whoever
// approves approves all of it.
func (v *Verdict) approvals(r *Rules, f *Facts) {
	if f.Plan.Hash == "" {
		return
	}
	for i := range r.Approvals {
		q := &r.Approvals[i]
		if t := q.over(f); t != nil {
			v.quorum(r, f, q, t)
		}
	}
}

// over is the first target for which a rule wants approval, nil if there is none.
func (q *Quorum) over(f *Facts) *deploy.Target {
	if !q.about(f.Verb) {
		return nil
	}
	for i := range len(f.Targets) + len(f.Plan.Touched) {
		if t, fresh := f.target(i); fresh && q.covers(t) {
			return t
		}
	}
	return nil
}

// quorum counts. Whoever asked has no voice, and nobody has two.
func (v *Verdict) quorum(r *Rules, f *Facts, q *Quorum, t *deploy.Target) {
	given, needs := 0, max(1, q.Needs)
	for i := range f.Approvals {
		a := &f.Approvals[i]
		if !f.counts(q, a) || spokeBefore(f, q, i) {
			continue
		}
		if a.Rejected {
			v.shut(r, f, Reason{
				Kind: Approval, Target: *t, // without a name: there is nothing to wait for
				Says: fmt.Sprintf("was rejected by %s: %s", cmp.Or(a.Name, a.By), a.Reason),
			})
			return
		}
		given++
	}
	if given >= needs {
		return
	}
	who := "approvals"
	if needs == 1 {
		who = "approval"
	}
	reason := Reason{
		Kind: Approval, Target: *t, Name: q.Name,
		Says: fmt.Sprintf("needs %d %s of `%s` and has %d", needs, who, q.Name, given),
		Help: "whoever asks does not count, and an approval is of one plan alone",
	}
	v.shut(r, f, reason)
}

// counts reports whether an approval is worth anything for this plan, now.
func (f *Facts) counts(q *Quorum, a *Voice) bool {
	if barred, _ := a.Who.Barred(); barred != "" {
		return false
	}
	return a.Plan == f.Plan.Hash && a.By == string(a.Who.ID) && a.Who.ID != f.Who.ID && q.From.have(&a.Who) &&
		!a.At.After(f.At) && (q.Expires <= 0 || f.At.Before(a.At.Add(q.Expires)))
}

// spokeBefore reports whether an earlier approval of the same person counts.
func spokeBefore(f *Facts, q *Quorum, i int) bool {
	for j := range f.Approvals[:i] {
		if a := &f.Approvals[j]; a.Who.ID == f.Approvals[i].Who.ID && f.counts(q, a) && (!f.Approvals[i].Rejected || a.Rejected) {
			return true
		}
	}
	return false
}

// Approvers are those whose approval of the plan counts for a rule that is about it,
// by their IDs, each once, the oldest approval first.
func (r *Rules) Approvers(f *Facts) []string {
	var out []string
	for i := range f.Approvals {
		a := &f.Approvals[i]
		if a.Rejected || slices.Contains(out, a.By) {
			continue
		}
		if slices.ContainsFunc(r.Approvals, func(q Quorum) bool { return q.over(f) != nil && f.counts(&q, a) && !spokeBefore(f, &q, i) }) {
			out = append(out, a.By)
		}
	}
	return out
}

// MayApprove reports whether somebody's approval of the plan would count, for any of
// the rules that are about it.
func (r *Rules) MayApprove(f *Facts, who *chat.Person) bool {
	v := Voice{Approval: deploy.Approval{Plan: f.Plan.Hash, By: string(who.ID), At: f.At}, Who: *who}
	return slices.ContainsFunc(r.Approvals, func(q Quorum) bool { return q.over(f) != nil && f.counts(&q, &v) })
}
