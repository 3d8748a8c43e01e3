package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// pulls stands in for the way through pull requests of a world.
type pulls struct {
	*world
	pull   bool
	why    string
	late   bool // the way is told only once a commit was refused
	opened int
	looks  []time.Time
	// state is what the pull request shows at each look.
	state     func(look int) deploy.Proposal
	renew     func(deploy.Proposal, deploy.Plan) (deploy.Plan, deploy.Proposal, error)
	withdrawn []string
	merged    bool // before it could be withdrawn
}

const pullURL = "https://git.example/pull/12"

var (
	openPull  = deploy.Proposal{Number: 12, URL: pullURL, Branch: "ferry/prod/podinfo-j1", State: deploy.ProposalOpen, Waits: "it waits for approval or for checks"}
	mergePull = deploy.Proposal{
		Number: 12, URL: pullURL, State: deploy.ProposalMerged, MergedBy: "ana",
		Merged: deploy.Commit{SHA: "fade00112233", URL: "https://git.example/commit/fade", Merged: true},
	}
)

func (w *pulls) Way(context.Context, deploy.Cluster) (bool, string, error) {
	if w.late && w.refuse != nil && !w.pull {
		w.pull = true // as seen from now on
		return false, "", nil
	}
	return w.pull, w.why, nil
}

func (w *pulls) Propose(_ context.Context, c deploy.Change, _ func() []deploy.Declared, _ deploy.Authorship, onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Proposal, error) {
	p := w.plan
	p.Change = c
	if err := onPlan(p); err != nil || p.Already {
		return p, deploy.Proposal{}, err
	}
	w.opened++
	out := openPull
	out.Warnings = []string{`the label "x" could not be set: no`}
	return p, out, nil
}

func (w *pulls) Renew(_ context.Context, p deploy.Proposal, first deploy.Plan, _ func() []deploy.Declared, _ deploy.Authorship) (deploy.Plan, deploy.Proposal, error) {
	if w.renew == nil {
		return first, p, nil
	}
	return w.renew(p, first)
}

func (w *pulls) FindProposal(context.Context, string, time.Time) (deploy.Proposal, bool, error) {
	return openPull, w.opened > 0, nil
}

func (w *pulls) Proposal(context.Context, int) (deploy.Proposal, error) {
	w.looks = append(w.looks, time.Now())
	return w.state(len(w.looks) - 1), nil
}

func (w *pulls) Withdraw(_ context.Context, n int, comment string) error {
	if w.merged {
		w.state = func(int) deploy.Proposal { return mergePull }
		return fault.Newf(fault.Already, "merged")
	}
	w.withdrawn = append(w.withdrawn, fmt.Sprintf("#%d %s", n, comment))
	return nil
}

// newPulls is a bench whose pull request is as state says.
func newPulls(t *testing.T, state func(look int) deploy.Proposal) (*pulls, *bench) {
	t.Helper()
	w := &pulls{world: newWorld(), pull: true, state: state}
	w.world.show = func(int) *deploy.Observation { return at(arrivedImage()) }
	b := newBench(t, w.world)
	b.options.Proposer, b.options.Proposals = w, w
	b.job.Queues = []string{"prod/apps/podinfo"}
	return w, b
}

func stays(int) deploy.Proposal { return openPull }

func at3(look int) deploy.Proposal {
	if look < 3 {
		return openPull
	}
	return mergePull
}

func texts(m chat.Message) string {
	var out []string
	for _, s := range m.Steps {
		out = append(out, string(s.State)+" "+s.Text)
	}
	return strings.Join(append(out, m.Lines...), "\n")
}

func TestAPullRequestFollowedHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newPulls(t, at3)
		w.why = "ruleset main wants one"
		var while string
		w.state = func(look int) deploy.Proposal {
			if look == 2 {
				while = texts(w.put["job/j1/status"])
				if b.parked != 2 || b.job.Step != stepMerge || b.job.Note != "pull request #12: it waits for approval or for checks" {
					t.Errorf("while it waits the row is %+v", b.job)
				}
			}
			p := at3(look)
			p.Merged.At = time.Now().Add(-4 * time.Second) // ferry looks only now and then
			return p
		}
		m, err := b.run()
		if err != nil || m.Title != "podinfo `6.5.4` is healthy on prod" || m.Lines[0] != "It was `6.5.3`; 4.0 s from merge to healthy." {
			t.Fatalf("closing = %+v, %v", m, err)
		}
		if len(m.Links) != 2 || m.Links[0].URL != pullURL || m.Links[1].Text != "commit fade001" {
			t.Errorf("links = %+v", m.Links)
		}
		if want := "done `apps/prod/kustomization.yaml` line 7\n" +
			"done Pull request #12: ruleset main wants one\n" +
			"running It waits for approval or for checks\n" +
			"waiting Flux applies it\nwaiting The workloads roll out\n" +
			`The label "x" could not be set: no.`; while != want {
			t.Errorf("while it waits:\n%s", while)
		}
		if got := texts(w.put["job/j1/status"]); !strings.Contains(got, "done Merged by ana as fade001\n") || strings.Contains(got, "running") {
			t.Errorf("in the end:\n%s", got)
		}
		if len(w.commits) != 0 || w.opened != 1 || b.job.Note != "" {
			t.Errorf("%d commits, %d pull requests, row %+v", len(w.commits), w.opened, b.job)
		}
		if r := b.records()[0]; r.Commit != "fade00112233" || !r.Healthy {
			t.Errorf("record = %+v", r)
		}
	})
}

// TestPausesGrow counts what a day of waiting costs, and how it ends.
func TestPausesGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newPulls(t, stays)
		began := time.Now()
		_, err := b.run()
		e, _ := errors.AsType[*fault.Error](err)
		if e == nil || e.Kind != fault.Expired || e.Says != "nobody merged pull request #12 within 24 h" ||
			e.Help != "it stays open: whoever merges it still brings `6.5.4` to prod, but ferry does not follow it\nclose it if nobody wants it any more" {
			t.Errorf("ended with %+v", e)
		}
		if took := time.Since(began); took < 24*time.Hour || took > 24*time.Hour+time.Minute {
			t.Errorf("after %s", took)
		}
		first, last := w.looks[1].Sub(w.looks[0]), w.looks[20].Sub(w.looks[19])
		if first != 10*time.Second || last < time.Minute || last > time.Minute || len(w.looks) > 1500 {
			t.Errorf("%d looks, the first pause %s, a later one %s", len(w.looks), first, last)
		}
		if len(w.withdrawn) > 0 {
			t.Errorf("it was closed: %q", w.withdrawn)
		}
	})
}

// TestTheLastLookIsAtTheDeadline has a merge in the last second.
func TestTheLastLookIsAtTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, b := newPulls(t, func(int) deploy.Proposal {
			if time.Since(began) >= 97*time.Second {
				return mergePull
			}
			return openPull
		})
		b.options.Merge = 98 * time.Second
		if m, err := b.run(); err != nil || m.Tone != chat.Done || time.Since(began) > 100*time.Second {
			t.Errorf("ended with %+v, %v after %s", m, err, time.Since(began))
		}
	})
}

func TestHowPullRequestsEnd(t *testing.T) {
	closed := openPull
	closed.State = deploy.ProposalClosed
	for _, c := range []struct {
		name  string
		set   func(*pulls)
		kind  fault.Kind
		says  string
		help  string
		close int
	}{
		{
			"closed by somebody", func(w *pulls) { w.state = func(int) deploy.Proposal { return closed } }, fault.Refused,
			"somebody closed pull request #12 without merging it", "nothing was changed\nask again if it is still wanted", 0,
		},
		{
			"closed by ana", func(w *pulls) {
				w.state = func(int) deploy.Proposal {
					by := closed
					by.ClosedBy = "ana"
					return by
				}
			}, fault.Refused, "ana closed pull request #12 without merging it", "nothing was changed\nask again if it is still wanted", 0,
		},
		{"became another change", func(w *pulls) {
			w.renew = func(p deploy.Proposal, first deploy.Plan) (deploy.Plan, deploy.Proposal, error) {
				return first, p, fault.New(fault.Refused, "podinfo on prod was changed by somebody else meanwhile", "both sides").WithCode(deploy.Conflict)
			}
		}, fault.Refused, "podinfo on prod was changed by somebody else meanwhile", "nothing was changed\nboth sides", 0},
		{"is in Git already", func(w *pulls) {
			w.apps["prod"][0].Images[0].Tag = "6.5.4"
			w.renew = func(p deploy.Proposal, first deploy.Plan) (deploy.Plan, deploy.Proposal, error) {
				first.Already, first.Edits = true, nil
				return first, p, nil
			}
		}, fault.Already, "podinfo is already at `6.5.4` on prod", "nothing was changed: Git holds it, and it is healthy there", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, b := newPulls(t, stays)
				c.set(w)
				_, err := b.run()
				e, _ := errors.AsType[*fault.Error](err)
				if e == nil || e.Kind != c.kind || e.Says != c.says || e.Help != c.help || len(w.withdrawn) != c.close {
					t.Errorf("ended with %+v, closed %q", e, w.withdrawn)
				}
				if recs := b.records(); c.kind == fault.Refused && (len(recs) != 2 || recs[0].Outcome != "refused" || recs[0].Reason != c.says || recs[0].Commit != "") {
					t.Errorf("records = %+v", recs)
				}
				if s := w.put["job/j1/status"]; !s.Final || (c.kind == fault.Refused && !strings.Contains(texts(s), "failed Not merged")) {
					t.Errorf("status = %+v", s)
				}
			})
		})
	}
}

// TestWhatStandsInTheWayIsTold has a branch on which nothing can be proven for a
// while, and a merge in the moment of renewing.
func TestWhatStandsInTheWayIsTold(t *testing.T) {
	for _, e := range []*fault.Error{fault.Newf(fault.Refused, "apps of prod cannot be rendered"), fault.Newf(fault.Already, "merged")} {
		synctest.Test(t, func(t *testing.T) {
			w, b := newPulls(t, at3)
			told := ""
			w.renew = func(p deploy.Proposal, first deploy.Plan) (deploy.Plan, deploy.Proposal, error) {
				told = texts(w.put["job/j1/status"])
				return first, p, e
			}
			if _, err := b.run(); err != nil {
				t.Fatal(err)
			}
			want := "running It waits for approval or for checks; ferry cannot renew it on the branch as it is now: apps of prod cannot be rendered\n"
			if e.Kind == fault.Refused && !strings.Contains(told, want) {
				t.Errorf("told:\n%s", told)
			}
		})
	}
}

// TestACommitRefusedForARuleIsProposed is for rules that the token may not read.
func TestACommitRefusedForARuleIsProposed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, b := newPulls(t, at3)
		w.pull, w.late, w.why = false, true, "the branch main is protected"
		w.refuse = fault.New(fault.Refused, "the branch main is protected", "")
		if _, err := b.run(); err != nil || w.opened != 1 {
			t.Errorf("ended with %v, %d opened", err, w.opened)
		}
		w, b = newPulls(t, stays)
		w.pull, w.refuse = false, fault.New(fault.Refused, "stage shares it", "")
		if _, err := b.run(); !fault.Is(err, fault.Refused) || w.opened != 0 {
			t.Errorf("another refusal: %v, %d opened", err, w.opened)
		}
	})
}

// TestAPullRequestSurvivesACrash at its worst moments.
func TestAPullRequestSurvivesACrash(t *testing.T) {
	for _, step := range []job.Step{stepPropose, stepMerge} {
		synctest.Test(t, func(t *testing.T) {
			w, b := newPulls(t, at3)
			w.opened, w.pull = 1, false // the rule is gone, the pull request is not
			row := changeRow{Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan}
			if step == stepMerge {
				row.Proposal, row.Proposed = openPull, time.Now().Add(-25*time.Hour)
				w.state = func(int) deploy.Proposal { return mergePull } // while ferry was down, after the deadline
			}
			data, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			b.job.Step, b.job.Data = step, data
			if m, err := b.run(); err != nil || m.Tone != chat.Done {
				t.Errorf("%s: ended with %+v, %v", step, m, err)
			}
			if w.opened != 1 || len(w.commits) != 0 {
				t.Errorf("%s: %d pull requests, %d commits", step, w.opened, len(w.commits))
			}
		})
	}
}

// TestANewerChangeSupersedesOneThatWaits, unless that was merged meanwhile.
func TestANewerChangeSupersedesOneThatWaits(t *testing.T) {
	for _, merged := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w, b := newPulls(t, stays)
			w.merged = merged
			b.options.Rows = unfinished{
				{ID: "j0", Queues: b.job.Queues},
				b.job,
				{ID: "jx", Queues: []string{"stage/apps/podinfo"}, Title: "another target"},
				{ID: "j2", Queues: b.job.Queues, Title: "Promote podinfo to `6.5.5` on prod"},
			}
			_, err := b.run()
			if merged {
				if err != nil || len(w.withdrawn) > 0 {
					t.Errorf("merged: %v, closed %q", err, w.withdrawn)
				}
				return
			}
			e, _ := errors.AsType[*fault.Error](err)
			if e == nil || e.Kind != fault.Superseded || e.Says != "this gave way to job j2, and pull request #12 is closed" ||
				e.Help != "nothing was changed by this one\nwhile it waited to be merged, somebody asked to: Promote podinfo to `6.5.5` on prod" {
				t.Errorf("ended with %+v", e)
			}
			if len(w.withdrawn) != 1 || w.withdrawn[0] != "#12 Superseded by job j2: Promote podinfo to `6.5.5` on prod." {
				t.Errorf("closed %q", w.withdrawn)
			}
		})
	}
}

// TestWhoClosedItBeforeACrash is this job itself, for each of its reasons.
func TestWhoClosedItBeforeACrash(t *testing.T) {
	closed := openPull
	closed.State = deploy.ProposalClosed
	for kind, set := range map[fault.Kind]func(*pulls, *bench, *changeRow){
		fault.Superseded: func(_ *pulls, b *bench, _ *changeRow) {
			b.options.Rows = unfinished{b.job, {ID: "j2", Queues: b.job.Queues, Title: "another"}}
		},
		fault.Cancelled: func(_ *pulls, b *bench, _ *changeRow) { b.job.Cancel = &job.Cancel{By: "U2"} },
		fault.Already: func(w *pulls, _ *bench, row *changeRow) {
			held := w.plan
			held.Change, held.Already = row.Change, true
			w.apps["prod"][0].Images[0].Tag, row.Held = "6.5.4", &held
		},
		fault.Refused: func(*pulls, *bench, *changeRow) {},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, b := newPulls(t, func(int) deploy.Proposal { return closed })
			row := changeRow{
				Change: deploy.Change{Target: w.apps["prod"][0].Target, Version: "6.5.4"}, Plan: w.plan, Proposal: openPull, Proposed: time.Now(),
			}
			set(w, b, &row)
			data, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			b.job.Step, b.job.Data = stepMerge, data
			if _, err := b.run(); !fault.Is(err, kind) {
				t.Errorf("ended with %v, want %s", err, kind)
			}
		})
	}
}

// unfinished are rows of which only these are read.
type unfinished []*job.Job

func (u unfinished) Get(context.Context, job.ID) (*job.Job, error) { return nil, errors.New("none") }

func (u unfinished) ByKey(context.Context, string) (*job.Job, bool, error) {
	return nil, false, nil
}
func (u unfinished) Recent(context.Context, int) ([]*job.Job, error) { return nil, nil }
func (u unfinished) Unfinished(context.Context) ([]*job.Job, error)  { return u, nil }
