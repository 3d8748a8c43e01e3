package dispatcher

import (
	"errors"
	"slices"
	"testing"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestWhatIsPromotedAlongIsGatedToo, at the commit as at admission: one fact is about
// the second of two targets alone.
func TestWhatIsPromotedAlongIsGatedToo(t *testing.T) {
	t.Parallel()
	with := target("stage", "backend", "worker")
	for name, c := range map[string]struct {
		change func(*gate.Rules, *witnesses, *chat.Command, *deploy.Plan)
		kind   fault.Kind // empty: it may
		code   string
		passed string
	}{
		"nothing stands in the way": {},
		"no role there": {change: func(r *gate.Rules, _ *witnesses, _ *chat.Command, _ *deploy.Plan) {
			r.Roles[0].Clusters = []string{"prod"}
		}, kind: fault.Denied},
		"a hold": {change: func(_ *gate.Rules, w *witnesses, _ *chat.Command, _ *deploy.Plan) {
			w.held = []deploy.Hold{{Target: with, By: "U-x", Reason: "because"}}
		}, kind: fault.Refused},
		"a hold of the version": {change: func(_ *gate.Rules, w *witnesses, _ *chat.Command, _ *deploy.Plan) {
			w.held = []deploy.Hold{{Target: with, Version: "2", By: "U-x", Reason: "because"}}
		}, kind: fault.Refused},
		"a hold of a version that does not come, but stays": {change: func(_ *gate.Rules, w *witnesses, _ *chat.Command, p *deploy.Plan) {
			w.held = []deploy.Hold{{Target: with, Version: "2", By: "U-x", Reason: "because"}}
			p.Change.Unpin = true
		}},
		"a freeze": {change: func(r *gate.Rules, _ *witnesses, _ *chat.Command, _ *deploy.Plan) {
			r.Freezes = []gate.Calendar{always("stage")}
		}, kind: fault.Refused},
		"a freeze that is passed": {change: func(r *gate.Rules, _ *witnesses, cmd *chat.Command, _ *deploy.Plan) {
			r.Freezes = []gate.Calendar{always("stage")}
			cmd.Args.Gate, cmd.Args.Reason = "freeze", "it burns"
		}, passed: "worker on stage is frozen by `always`"},
		"an approval": {change: func(r *gate.Rules, _ *witnesses, _ *chat.Command, _ *deploy.Plan) {
			r.Approvals[0].Clusters = []string{"stage"}
		}, kind: fault.Refused, code: deploy.NeedsApproval},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, r, cmd, plan := newWitnesses(), rules(), promotion("U-dev"), podinfo()
			w.groups = map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}, "S-leads": {"U-lead"}}
			r.Roles[0].Clusters, r.Approvals[0].Clusters = []string{"prod", "stage"}, []string{"nowhere"}
			plan.Change.With, plan.Affected = []deploy.Target{with}, append(plan.Affected, deploy.Affected{Cluster: "stage"})
			if c.change != nil {
				c.change(&r, w, &cmd, &plan)
			}
			leave, err := NewPolicy(r, w.all()).Pass(t.Context(), cmd, plan, "j1")
			e, _ := errors.AsType[*fault.Error](err)
			if fault.KindOf(err) != c.kind || e != nil && e.Code != c.code {
				t.Errorf("%v, want %q with the code %q", err, c.kind, c.code)
			}
			if (c.passed != "") != (len(leave.Passed) == 1) || c.passed != "" && leave.Passed[0][:len(c.passed)] != c.passed {
				t.Errorf("passed %q, want %q", leave.Passed, c.passed)
			}
		})
	}
}

// always is a freeze of a cluster that does not end.
func always(cluster string) gate.Calendar {
	return gate.Calendar{
		Name: "always", Zone: time.UTC, Scope: gate.Scope{Clusters: []string{cluster}},
		When: []deploy.Window{{Every: deploy.Daily, To: deploy.Edge{Minute: 24 * 60}}},
	}
}

// TestWhoApprovedIsTold, of this plan and with a voice alone.
func TestWhoApprovedIsTold(t *testing.T) {
	t.Parallel()
	w := newWitnesses()
	w.groups = map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}, "S-leads": {"U-lead", "U-two", "U-dev"}}
	for _, a := range []deploy.Approval{{By: "U-two", Plan: "h1"}, {By: "U-old", Plan: "h1"}, {By: "U-dev", Plan: "h1"}, {By: "U-lead", Plan: "h0"}, {By: "U-lead", Plan: "h1"}} {
		a.Job, a.At = "j1", w.now
		w.approvals = append(w.approvals, a)
	}
	leave, err := NewPolicy(rules(), w.all()).Pass(t.Context(), promotion("U-dev"), podinfo(), "j1")
	if err != nil || !slices.Equal(leave.Approvers, []string{"U-two", "U-lead"}) {
		t.Errorf("approved by %q, %v", leave.Approvers, err)
	}
}

// TestRolesAloneSayWhoMay, for what is offered and for cancelling.
func TestRolesAloneSayWhoMay(t *testing.T) {
	t.Parallel()
	w, r := newWitnesses(), rules()
	w.groups = map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}}
	on := []deploy.Target{target("prod", "apps", "podinfo")}
	w.held = []deploy.Hold{{Target: on[0], By: "U-x", Reason: "because"}}
	r.Freezes = []gate.Calendar{always("prod")}
	p := NewPolicy(r, w.all())
	if err := p.May(t.Context(), "U-dev", "promote", on); err != nil {
		t.Errorf("while it is held and frozen: %v", err)
	}
	if err := p.Allow(t.Context(), promotion("U-dev"), on); !fault.Is(err, fault.Refused) {
		t.Errorf("a promotion is admitted all the same: %v", err)
	}
	if err := p.May(t.Context(), "U-else", "promote", on); !fault.Is(err, fault.Denied) {
		t.Errorf("somebody without a role: %v", err)
	}
}
