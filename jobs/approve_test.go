package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

var unapproved = fault.New(fault.Refused, "you may not promote podinfo on prod now: it needs 1 approval of `leads` and has 0", "").WithCode(deploy.NeedsApproval)

// given collects approvals and refuses a second one of the same person.
type given map[string]deploy.Approval

func (g given) Add(_ context.Context, a deploy.Approval, _ ...job.Entry) (bool, error) {
	key := a.Job + a.Plan + a.By
	_, twice := g[key]
	if !twice {
		g[key] = a
	}
	return !twice, nil
}

func (g given) Of(_ context.Context, id string) (out []deploy.Approval, err error) {
	for _, a := range g {
		if a.Job == id {
			out = append(out, a)
		}
	}
	return out, nil
}

// quorum is a gate that wants one approval of the very plan.
type quorum struct {
	keeper
	given given
}

func (q *quorum) Pass(ctx context.Context, cmd chat.Command, p deploy.Plan, job string) (leave deploy.Leave, err error) {
	if _, err := q.keeper.Pass(ctx, cmd, p, job); err != nil {
		return leave, err
	}
	for _, a := range q.given {
		switch {
		case a.Job != job || a.Plan != p.Hash:
		case a.Rejected:
			return leave, fault.New(fault.Refused, "it was rejected by "+a.By+": "+a.Reason, "")
		default:
			leave.Approvers = append(leave.Approvers, a.By)
		}
	}
	if len(leave.Approvers) == 0 {
		return leave, unapproved
	}
	slices.Sort(leave.Approvers)
	return leave, nil
}

// newApproving is a bench that needs an approval. Its rows are real.
func newApproving(t *testing.T) (*bench, *quorum) {
	t.Helper()
	w := newWorld()
	w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
	b, q := newBench(t, w), &quorum{given: given{}}
	b.options.Gate, b.options.Approvals = q, q.given
	b.options.Nudge = func(context.Context, job.ID) error { b.nudged++; return nil }
	request, err := json.Marshal(b.cmd)
	if err != nil {
		t.Fatal(err)
	}
	b.job = &job.Job{Key: "k", Title: "Promote podinfo", Request: request, Queues: []string{"prod/apps/podinfo"}, Created: time.Now()}
	b.create(b.job)
	return b, q
}

func (b *bench) create(j *job.Job) {
	b.t.Helper()
	if _, err := b.options.Rows.(interface {
		Create(ctx context.Context, j *job.Job) (bool, error)
	}).Create(b.t.Context(), j); err != nil {
		b.t.Fatal(err)
	}
}

// carry runs the job with a save that is durable, as the dispatcher does: each time
// it is parked something happens, and after the last of that its time comes.
func (b *bench) carry(meanwhile ...func()) (chat.Message, error) {
	rows := b.options.Rows.(interface {
		Save(ctx context.Context, j *job.Job) error
	})
	for {
		m, err := b.command("promote").Work.Run(b.t.Context(), b.cmd, b.job, func(ctx context.Context) error {
			b.told = append(b.told, b.job.Told...)
			return rows.Save(ctx, b.job)
		})
		park, parks := errors.AsType[*job.Park](err)
		if !parks {
			b.told = append(b.told, b.job.Told...)
			return m, err
		}
		if b.job.Step != stepApproval || b.job.Note != "it needs 1 approval of `leads` and has 0" {
			b.t.Errorf("parked at %q, %q", b.job.Step, b.job.Note)
		}
		if len(meanwhile) == 0 {
			time.Sleep(time.Until(park.Until))
			continue
		}
		meanwhile[0]()
		meanwhile = meanwhile[1:]
	}
}

// say says something to the job in the name of somebody.
func (b *bench) say(verb chat.Verb, user chat.UserID) (chat.Message, error) {
	b.words++
	return b.sayAgain(verb, user)
}

// sayAgain decides the latest word once more.
func (b *bench) sayAgain(verb chat.Verb, user chat.UserID) (chat.Message, error) {
	cmd := chat.Command{Key: fmt.Sprintf("c%d", b.words), Verb: verb, User: user, Args: chat.Args{Job: chat.Word(b.job.ID), Reason: "not *now*"}}
	return b.command(verb).Deed.Do(b.t.Context(), cmd)
}

func (b *bench) questions() (open, over int) {
	for key, m := range b.put {
		if strings.Contains(key, "/approval/") {
			if len(m.Buttons) > 0 {
				open++
			} else {
				over++
			}
		}
	}
	return open, over
}

func TestAChangeWaitsUntilItsPlanIsApproved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newApproving(t)
		m, err := b.carry(func() {
			if open, over := b.questions(); open != 1 || over != 0 || len(b.commits) != 0 {
				t.Errorf("while it waits: %d open questions, %d over, %d commits", open, over, len(b.commits))
			}
			if s := b.put["job/"+string(b.job.ID)+"/status"]; s.Steps[1].Text != "Waits for approval" || s.Steps[1].State != chat.StepRunning {
				t.Errorf("status %+v", s)
			}
			if m, err := b.say("approve", "U2"); err != nil || !strings.HasSuffix(m.Title, "is approved by you") || b.nudged != 1 {
				t.Errorf("approve: %+v, %v, woken %d times", m, err, b.nudged)
			}
			if m, err := b.say("reject", "U2"); err != nil || !strings.HasPrefix(m.Title, "You have spoken to this plan") {
				t.Errorf("a second word: %+v, %v", m, err)
			}
			b.plan.Hash = "h2" // a push changes the plan between approval and commit
		}, func() {
			if open, over := b.questions(); open != 1 || over != 1 {
				t.Errorf("asked again: %d open questions, %d over", open, over)
			}
			for _, who := range []chat.UserID{"U2", "U3"} {
				if _, err := b.say("approve", who); err != nil {
					t.Errorf("approve the new plan: %v", err)
				}
			}
		})
		if err != nil || m.Tone != chat.Done || len(b.commits) != 1 || b.job.Note != "" {
			t.Fatalf("closing %+v, %v; %d commits, note %q", m, err, len(b.commits), b.job.Note)
		}
		if open, over := b.questions(); open != 0 || over != 2 {
			t.Errorf("in the end: %d open questions, %d over", open, over)
		}
		if r := b.records()[0]; !slices.Equal(r.Approvers, []string{"U2", "U3"}) || len(b.by.Approvers) != 2 || b.by.Approvers[1] != "U3 Ada" {
			t.Errorf("approved by %q, the commit says %q", r.Approvers, b.by.Approvers)
		}
		if _, err := b.say("approve", "U3"); !fault.Is(err, fault.Refused) {
			t.Errorf("approve what waits for nothing: %v", err)
		}
		var judged []string
		for _, e := range b.told {
			if e.Deed == job.Judged {
				judged = append(judged, e.Plan+": "+e.Says)
			}
		}
		if want := []string{"h: " + unapproved.Says, "h: nothing stands in the way", "h2: " + unapproved.Says, "h2: nothing stands in the way"}; !slices.Equal(slices.Compact(judged), want) {
			t.Errorf("the trail says %q", judged)
		}
	})
}

func TestWhatEndsTheWaitForApproval(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*bench, *quorum)
		kind   fault.Kind
		says   string
		after  time.Duration // 0: at once
	}{
		"a rejection":     {func(b *bench, _ *quorum) { _, _ = b.say("reject", "U2") }, fault.Refused, "it was rejected by U2: not ·now·", 0},
		"a freeze":        {func(_ *bench, q *quorum) { q.refuse = frozen }, fault.Refused, frozen.Says, 0},
		"its deadline":    {nil, fault.Expired, "nobody approved it within 60 min", time.Hour},
		"Slack is silent": {func(_ *bench, q *quorum) { q.refuse = fault.Newf(fault.Unavailable, "no answer") }, fault.Unavailable, "no answer", 0},
		"another job there": {func(b *bench, _ *quorum) {
			b.create(&job.Job{Key: "k2", Queues: b.job.Queues, Created: time.Now().Add(time.Second)})
		}, fault.Superseded, "this gave way to job ", 0},
		"somebody cancels it": {
			func(b *bench, _ *quorum) { b.job.Cancel = &job.Cancel{By: "U2", At: time.Now()} }, fault.Cancelled,
			"this was cancelled before anything happened", 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, q := newApproving(t)
				b.options.Approve = time.Hour
				began := time.Now()
				var meanwhile []func()
				if c.change != nil {
					meanwhile = append(meanwhile, func() { c.change(b, q) })
				}
				_, err := b.carry(meanwhile...)
				e, _ := errors.AsType[*fault.Error](err)
				if e == nil || e.Kind != c.kind || !strings.HasPrefix(e.Says, c.says) || len(b.commits) != 0 || time.Since(began) != c.after {
					t.Errorf("ended with %+v after %s, %d commits", err, time.Since(began), len(b.commits))
				}
				if open, over := b.questions(); c.kind != fault.Unavailable && (open != 0 || over != 1) {
					t.Errorf("%d open questions, %d over", open, over)
				}
			})
		})
	}
}

// TestAJobThatComesBackAsksNoSecondTime: another process finds the question.
func TestAJobThatComesBackAsksNoSecondTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newApproving(t)
		m, err := b.carry(func() {
			stored, err := b.options.Rows.Get(t.Context(), b.job.ID)
			if err != nil {
				t.Fatal(err)
			}
			b.job = stored
		}, func() {
			if open, over := b.questions(); open != 1 || over != 0 {
				t.Errorf("%d open questions, %d over", open, over)
			}
			_, _ = b.say("approve", "U2")
		})
		if open, over := b.questions(); err != nil || m.Tone != chat.Done || open != 0 || over != 1 {
			t.Errorf("closing %+v, %v; %d open questions, %d over", m, err, open, over)
		}
	})
}

// TestAnApprovalThatDoesNotCountIsRefused before it is stored.
func TestAnApprovalThatDoesNotCountIsRefused(t *testing.T) {
	b, q := newApproving(t)
	row, err := json.Marshal(changeRow{Change: deploy.Change{Target: b.apps["prod"][0].Target, Version: "6.5.4"}, Plan: b.plan})
	if err != nil {
		t.Fatal(err)
	}
	b.job.Step, b.job.Data = stepApproval, row
	if err := b.options.Rows.(interface {
		Save(ctx context.Context, j *job.Job) error
	}).Save(t.Context(), b.job); err != nil {
		t.Fatal(err)
	}
	q.deny = fault.New(fault.Denied, "you are not among those who approve it", "")
	if _, err := b.say("approve", "U9"); !fault.Is(err, fault.Denied) || len(q.given) > 0 || q.asked[0] != "U1 h U9" {
		t.Errorf("%v, stored %v, asked %q", err, q.given, q.asked)
	}
}

// TestWhatIsLackingIsSaidOnOneLine, of one rule and of several.
func TestWhatIsLackingIsSaidOnOneLine(t *testing.T) {
	for want, e := range map[string]*fault.Error{
		"it needs 1 approval of `leads` and has 0": unapproved,
		"a on b needs 1 approval of `x` and has 0; a on c needs 2 approvals of `y` and has 1": fault.New(fault.Refused, "you may not promote 2 apps now, for 2 reasons",
			"• a on b needs 1 approval of `x` and has 0\nwhoever asks does not count\n• a on c needs 2 approvals of `y` and has 1"),
	} {
		if got := lacking(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestApprovalIsWaitedForAsLongAsItHas, however long Slack is silent meanwhile.
func TestApprovalIsWaitedForAsLongAsItHas(t *testing.T) {
	for asked, want := range map[time.Duration]bool{-23 * time.Hour: true, -25 * time.Hour: false} {
		r := &change{job: &job.Job{Step: stepApproval, Stuck: noon.Add(-2 * time.Hour)}, row: changeRow{Asked: noon.Add(asked)}}
		r.Options = Options{Now: func() time.Time { return noon }, Answer: time.Hour, Approve: 24 * time.Hour}
		err := error(fault.Newf(fault.Unavailable, "no answer"))
		if got := r.goesOn(&err); got != want {
			t.Errorf("asked %s ago: goes on %v, %v", -asked, got, err)
		}
	}
}

// TestACommitNamesNobodyWhoseWordCountsNoMore: a job that comes back at its commit
// takes another attempt for that, and no more.
func TestACommitNamesNobodyWhoseWordCountsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := newApproving(t)
		id := string(b.job.ID)
		q.given["U2"] = deploy.Approval{Job: id, Plan: "h", By: "U2"}
		row, err := json.Marshal(changeRow{
			Change: deploy.Change{Target: b.apps["prod"][0].Target, Version: "6.5.4"}, Plan: b.plan, Approvers: []string{"U2", "U3"},
		})
		if err != nil {
			t.Fatal(err)
		}
		b.job.Step, b.job.Data = stepCommit, row
		if _, err := b.carry(); !fault.Is(err, fault.Unavailable) || len(b.commits) != 0 {
			t.Fatalf("first attempt: %v, %d commits", err, len(b.commits))
		}
		if _, err := b.carry(); err != nil || len(b.commits) != 1 || !slices.Equal(b.by.Approvers, []string{"U2 Ada"}) {
			t.Errorf("second attempt: %v, %d commits, approved by %q", err, len(b.commits), b.by.Approvers)
		}
	})
}

// TestAnApprovalDoneAgainEndsAsBefore: a process may die between the word and the
// answer, and the job may be over when the next one decides the same command.
func TestAnApprovalDoneAgainEndsAsBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, q := newApproving(t)
		var first chat.Message
		if _, err := b.carry(func() { first, _ = b.say("approve", "U2") }); err != nil {
			t.Fatal(err)
		}
		again, err := b.sayAgain("approve", "U2")
		if err != nil || again.Title != first.Title || !strings.HasSuffix(first.Title, " is approved by you") || len(q.given) != 1 {
			t.Errorf("%q, done again %q, %v; %d given", first.Title, again.Title, err, len(q.given))
		}
		if _, err := b.say("approve", "U3"); !fault.Is(err, fault.Refused) {
			t.Errorf("another command after it: %v", err)
		}
	})
}
