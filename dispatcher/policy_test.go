package dispatcher

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"ferry/dispatcher/gate"
	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

func target(cluster, ns, app string) deploy.Target {
	return deploy.Target{Cluster: deploy.Cluster(cluster), App: deploy.App{Namespace: ns, Name: app}}
}

// witnesses say what a test wants them to.
type witnesses struct {
	people    map[chat.UserID]chat.Person // others are plain members
	groups    map[chat.GroupID][]chat.UserID
	silent    error // of People
	deaf      map[chat.GroupID]error
	held      []deploy.Hold
	approvals []deploy.Approval
	now       time.Time
}

func newWitnesses() *witnesses {
	return &witnesses{now: time.Date(2026, 11, 18, 12, 0, 0, 0, time.UTC)}
}

func (w *witnesses) all() Witnesses {
	return Witnesses{People: w, Holds: holdsOf{w}, Approvals: approvalsOf{w}, Now: func() time.Time { return w.now }}
}

func (w *witnesses) Person(_ context.Context, id chat.UserID) (chat.Person, error) {
	if p, ok := w.people[id]; ok {
		return p, w.silent
	}
	return chat.Person{ID: id, Team: "T1"}, w.silent
}

func (w *witnesses) Members(_ context.Context, g chat.GroupID) ([]chat.UserID, error) {
	return w.groups[g], w.deaf[g]
}

type holdsOf struct{ *witnesses }

func (h holdsOf) Of(_ context.Context, t deploy.Target) ([]deploy.Hold, error) {
	return slices.DeleteFunc(slices.Clone(h.held), func(h deploy.Hold) bool { return h.Target != t }), nil
}

type approvalsOf struct{ *witnesses }

func (a approvalsOf) Of(_ context.Context, job string) ([]deploy.Approval, error) {
	return slices.DeleteFunc(slices.Clone(a.approvals), func(a deploy.Approval) bool { return a.Job != job }), nil
}

// rules let the members of S-devs promote, with the approval of one of S-leads.
func rules() gate.Rules {
	verbs := []chat.Verb{"promote"}
	return gate.Rules{
		Admins: gate.People{Users: []chat.UserID{"U-admin"}}, Changes: append(verbs, "hold"), Gated: verbs,
		Roles: []gate.Grant{{
			Name: "devs", People: gate.People{Groups: []chat.GroupID{"S-devs"}}, Passes: []gate.Kind{gate.Freeze},
			Scope: gate.Scope{Commands: []string{"promote"}, Clusters: []string{"prod"}},
		}},
		Approvals: []gate.Quorum{{Name: "leads", From: gate.People{Groups: []chat.GroupID{"S-leads"}}, Needs: 1, Scope: gate.Scope{Clusters: []string{"prod"}}}},
	}
}

func podinfo() deploy.Plan {
	t := target("prod", "apps", "podinfo")
	return deploy.Plan{Change: deploy.Change{Target: t, Version: "2"}, Hash: "h1", Affected: []deploy.Affected{{Cluster: "prod"}}}
}

func promotion(user chat.UserID) chat.Command {
	return chat.Command{Key: "k", Verb: "promote", User: user, Args: chat.Args{App: "podinfo", Version: "2", Cluster: "prod"}}
}

// TestWhatChangesBetweenTheClickAndTheCommitCounts lets a promotion be admitted and
// approved, and changes one fact before the commit: none of them may come through.
func TestWhatChangesBetweenTheClickAndTheCommitCounts(t *testing.T) {
	t.Parallel()
	passed := deploy.Approval{Job: "j1", Plan: "h1", By: "U-lead", At: newWitnesses().now}
	for name, c := range map[string]struct {
		change func(*witnesses, *Policy, *chat.Command, *deploy.Plan)
		kind   fault.Kind // empty: it may
		code   string
	}{
		"nothing":                   {},
		"another job's approval":    {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.approvals[0].Job = "j0" }, fault.Refused, deploy.NeedsApproval},
		"the plan":                  {func(_ *witnesses, _ *Policy, _ *chat.Command, p *deploy.Plan) { p.Hash = "h2" }, fault.Refused, deploy.NeedsApproval},
		"the lead leaves the group": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.groups["S-leads"] = nil }, fault.Refused, deploy.NeedsApproval},
		"the lead is deactivated": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) {
			w.people["U-lead"] = chat.Person{ID: "U-lead", Deleted: true}
		}, fault.Refused, deploy.NeedsApproval},
		"the lead is of elsewhere": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) {
			w.people["U-lead"] = chat.Person{ID: "U-lead", Team: "T9", Foreign: true}
		}, fault.Refused, deploy.NeedsApproval},
		"the approver asked for it": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) {
			w.approvals[0].By = "U-dev"
			w.groups["S-leads"] = []chat.UserID{"U-dev"}
		}, fault.Refused, deploy.NeedsApproval},
		"the asker leaves the group": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.groups["S-devs"] = nil }, fault.Denied, ""},
		"the asker becomes a guest": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) {
			w.people["U-dev"] = chat.Person{ID: "U-dev", Guest: true}
		}, fault.Denied, ""},
		"the rules": {func(_ *witnesses, p *Policy, _ *chat.Command, _ *deploy.Plan) { r := rules(); r.Roles = nil; p.Set(r) }, fault.Denied, ""},
		"the asker says which groups they are in": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) {
			w.groups["S-devs"], w.people["U-dev"] = nil, chat.Person{ID: "U-dev", Groups: []chat.GroupID{"S-devs"}}
		}, fault.Denied, ""},
		"a hold": {func(w *witnesses, _ *Policy, _ *chat.Command, p *deploy.Plan) {
			w.held = []deploy.Hold{{Target: p.Change.Target, By: "U-x", Reason: "because"}}
		}, fault.Refused, ""},
		"a hold, which the asker may not pass": {func(w *witnesses, _ *Policy, cmd *chat.Command, p *deploy.Plan) {
			w.held = []deploy.Hold{{Target: p.Change.Target, By: "U-x", Reason: "because"}}
			cmd.Args.Gate, cmd.Args.Reason = "freeze,hold", "please"
		}, fault.Refused, ""},
		"the plan touches another cluster": {func(_ *witnesses, _ *Policy, _ *chat.Command, p *deploy.Plan) {
			p.Affected = append(p.Affected, deploy.Affected{Cluster: "prod-eu"})
		}, fault.Denied, ""},
		"Slack falls silent":          {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.silent = errors.New("no route") }, fault.Unavailable, ""},
		"a group cannot be read now":  {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.lose("S-devs", fault.Unavailable) }, fault.Unavailable, ""},
		"the leads cannot be read":    {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.lose("S-leads", fault.Unavailable) }, fault.Unavailable, ""},
		"a group cannot be read ever": {func(w *witnesses, _ *Policy, _ *chat.Command, _ *deploy.Plan) { w.lose("S-devs", fault.Refused) }, fault.Denied, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWitnesses()
			w.people = map[chat.UserID]chat.Person{}
			w.groups = map[chat.GroupID][]chat.UserID{"S-devs": {"U-dev"}, "S-leads": {"U-lead"}}
			w.approvals = []deploy.Approval{passed}
			p, cmd, plan := NewPolicy(rules(), w.all()), promotion("U-dev"), podinfo()
			if err := p.Allow(t.Context(), cmd, []deploy.Target{plan.Change.Target}); err != nil {
				t.Fatalf("not admitted: %v", err)
			}
			if c.change != nil {
				c.change(w, p, &cmd, &plan)
			}
			opened, err := p.Pass(t.Context(), cmd, plan, "j1")
			e, _ := errors.AsType[*fault.Error](err)
			if fault.KindOf(err) != c.kind || e != nil && e.Code != c.code || len(opened.Passed) > 0 {
				t.Errorf("%+v, opened %v; want %q with the code %q", err, opened, c.kind, c.code)
			}
		})
	}
}

// lose makes a group unreadable, with no members.
func (w *witnesses) lose(g chat.GroupID, kind fault.Kind) {
	w.groups[g], w.deaf = nil, map[chat.GroupID]error{g: fault.Newf(kind, "cannot tell")}
}

// TestAdmissionAsksForNoApproval, because there is no plan yet.
func TestAdmissionAsksForNoApproval(t *testing.T) {
	t.Parallel()
	w := newWitnesses()
	p, plan := NewPolicy(rules(), w.all()), podinfo()
	if err := p.Allow(t.Context(), promotion("U-admin"), []deploy.Target{plan.Change.Target}); err != nil {
		t.Errorf("not admitted: %v", err)
	}
	if _, err := p.Pass(t.Context(), promotion("U-admin"), plan, "j1"); fault.KindOf(err) != fault.Refused {
		t.Errorf("an admin needs no approval: %v", err)
	}
	cmd := promotion("U-admin")
	cmd.Args.Gate, cmd.Args.Reason = "approval", "the leads are asleep"
	opened, err := p.Pass(t.Context(), cmd, plan, "j1")
	if err != nil || len(opened.Passed) != 1 || opened.Passed[0] != "it needs 1 approval of `leads` and has 0" {
		t.Errorf("opened %q, %v", opened.Passed, err)
	}
}

// TestWhoMayApprove asks before anything is stored.
func TestWhoMayApprove(t *testing.T) {
	t.Parallel()
	w := newWitnesses()
	w.groups = map[chat.GroupID][]chat.UserID{"S-leads": {"U-lead", "U-dev", "U-guest"}}
	w.people = map[chat.UserID]chat.Person{"U-guest": {ID: "U-guest", Guest: true}}
	p := NewPolicy(rules(), w.all())
	for user, want := range map[chat.UserID]string{
		"U-lead": "", "U-dev": "you asked for it: somebody else has to approve it", "U-guest": "you are not among those who approve it", "U-admin": "you are not among those who approve it",
	} {
		err := p.MayApprove(t.Context(), promotion("U-dev"), podinfo(), user)
		if e, _ := errors.AsType[*fault.Error](err); (err == nil) != (want == "") || e != nil && (e.Says != want || e.Kind != fault.Denied) {
			t.Errorf("%s: %v, want %q", user, err, want)
		}
	}
	elsewhere := podinfo()
	elsewhere.Change.Target.Cluster, elsewhere.Affected = "stage", nil
	if err := p.MayApprove(t.Context(), promotion("U-dev"), elsewhere, "U-lead"); !fault.Is(err, fault.Denied) {
		t.Errorf("where no approval is wanted: %v", err)
	}
}

// TestAVersionHeldBackStopsThatVersionAlone holds version 2.
func TestAVersionHeldBackStopsThatVersionAlone(t *testing.T) {
	t.Parallel()
	w, t0 := newWitnesses(), target("prod", "apps", "podinfo")
	w.held = []deploy.Hold{{Target: t0, Version: "2", By: "ferry", Reason: "it was rolled back"}}
	p := NewPolicy(rules(), w.all())
	for version, allowed := range map[chat.Word]bool{"2": false, "3": true} {
		cmd := promotion("U-admin")
		cmd.Args.Version = version
		if err := p.Allow(t.Context(), cmd, []deploy.Target{t0}); (err == nil) != allowed {
			t.Errorf("%s: %v, want allowed %v", version, err, allowed)
		}
	}
}

func TestRulesAreReplaced(t *testing.T) {
	t.Parallel()
	p := NewPolicy(gate.Rules{Changes: []chat.Verb{"promote"}}, newWitnesses().all())
	on := []deploy.Target{target("prod", "a", "b")}
	if p.Allow(t.Context(), promotion("U1"), on) == nil {
		t.Error("U1 may without a rule")
	}
	p.Set(gate.Rules{Admins: gate.People{Users: []chat.UserID{"U1"}}, Changes: []chat.Verb{"promote"}})
	if err := p.Allow(t.Context(), promotion("U1"), on); err != nil {
		t.Errorf("U1: %v", err)
	}
	if p.Allow(t.Context(), promotion("U2"), on) == nil {
		t.Error("U2 is an admin")
	}
}

// deed is a Deed and a Preview made of functions.
type deed struct {
	work
	do func(chat.Command) (chat.Message, error)
}

func (d deed) Do(_ context.Context, cmd chat.Command) (chat.Message, error) { return d.do(cmd) }

func (d deed) Preview(_ context.Context, cmd chat.Command) (chat.Message, error) { return d.do(cmd) }

// TestADeedWaitsForNoTarget holds what a job is busy with.
func TestADeedWaitsForNoTarget(t *testing.T) {
	t.Parallel()
	busy, over := make(chan struct{}), make(chan struct{})
	done := 0
	h := build(t, statePath(t),
		Route{Verb: "promote", Work: work{admit: onApp, run: func(context.Context, chat.Command, *job.Job, func(context.Context) error) (chat.Message, error) {
			close(busy)
			<-over
			return chat.Message{Title: "promoted"}, nil
		}}},
		Route{Verb: "hold", Deed: deed{work{admit: onApp}, func(cmd chat.Command) (chat.Message, error) {
			if done++; cmd.Args.App == "silent" {
				return chat.Message{}, nil
			}
			return chat.Message{Title: "held"}, nil
		}}})
	h.Policy = NewPolicy(rules(), newWitnesses().all())
	h.start(t)
	cmd := command("p", "podinfo")
	cmd.User = "U-admin"
	h.handle(t, cmd)
	<-busy
	cmd = chat.Command{Key: "h", Verb: "hold", User: "U-admin", Args: chat.Args{App: "podinfo"}}
	h.handle(t, cmd)
	if m := h.replies.get("h/answer"); m.Title != "held" || !m.Final || m.By != "U-admin" || done != 1 {
		t.Errorf("answer %+v, done %d times", m, done)
	}
	cmd.Key, cmd.Args.App = "q", "silent"
	if h.handle(t, cmd); h.replies.get("q/answer").Title != "" || h.replies.get("q/answer").Final || done != 2 {
		t.Errorf("what is shown elsewhere is answered: %+v, done %d times", h.replies.get("q/answer"), done)
	}
	cmd.Key, cmd.User = "x", "U-other"
	if err := h.Handle(t.Context(), cmd); !fault.Is(err, fault.Denied) || done != 2 {
		t.Errorf("somebody without a role: %v, done %d times", err, done)
	}
	close(over)
	<-h.ended
	if rows, err := h.jobs.Recent(t.Context(), 10); err != nil || len(rows) != 1 {
		t.Errorf("%d rows, %v; want that of the promotion alone", len(rows), err)
	}
}

// TestADryRunMakesNoJob, and needs no role.
func TestADryRunMakesNoJob(t *testing.T) {
	t.Parallel()
	h := build(t, statePath(t), Route{Verb: "promote", Work: deed{work{}, func(chat.Command) (chat.Message, error) {
		return chat.Message{Title: "would be promoted"}, nil
	}}}, Route{Verb: "rollback", Work: work{}})
	h.Policy = NewPolicy(rules(), newWitnesses().all())
	cmd := command("d", "podinfo")
	cmd.Args.Mode = "--dry-run"
	h.handle(t, cmd)
	if m := h.replies.get("d/answer"); m.Title != "would be promoted" {
		t.Errorf("answer %+v", m)
	}
	cmd.Verb = "rollback"
	if err := h.Handle(t.Context(), cmd); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "without effect") {
		t.Errorf("what has no dry run: %v", err)
	}
	if rows, err := h.jobs.Recent(t.Context(), 10); err != nil || len(rows) > 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}
