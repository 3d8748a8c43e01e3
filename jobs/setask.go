package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Voices reads what people said to the plans of a job.
type Voices interface {
	Of(ctx context.Context, job string) ([]deploy.Approval, error)
}

var confirmSyntax = chat.Syntax{
	Verb:    "confirm",
	Form:    "<job>",
	Summary: "begin a promotion of several apps or clusters whose plan was shown",
	Details: []string{
		"Whoever asked for it may, and whoever may ask for the same.",
		"It is about the plan that was shown: what became another plan meanwhile is not committed.",
	},
	Examples: []string{"confirm k3f9q"},
}

// confirm begins a set.
type confirm struct{ changer }

// confirmed is how a confirmation of a plan is stored: beside approvals, and never
// taken for one.
func confirmed(hash string) string { return "confirmed/" + hash }

// Admit implements Deed. It needs no role of its own: Do asks for that of the job.
func (c confirm) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	j, _, err := c.waits(ctx, cmd)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("Confirm job %s", j.ID), targetsOf(j), nil
}

// waits reads a set that waits to be confirmed, or did when this command confirmed it.
func (c confirm) waits(ctx context.Context, cmd chat.Command) (*job.Job, setRow, error) {
	var row setRow
	j, err := c.Rows.Get(ctx, job.ID(cmd.Args.Job))
	if err != nil {
		return nil, row, err
	}
	spoken, err := c.spoken(ctx, cmd)
	if err != nil {
		return nil, row, err
	}
	if !spoken && (j.Ended() || j.Step != stepConfirm) {
		return nil, row, fault.Newf(fault.Refused, "job %s does not wait to be confirmed", j.ID).
			WithHelp("nothing was done\n`status %s` says how far it is", j.ID)
	}
	if err := json.Unmarshal(j.Data, &row); err != nil {
		return nil, row, fmt.Errorf("decode row of job %s: %w", j.ID, err)
	}
	return j, row, nil
}

// Do implements Deed.
func (c confirm) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	j, row, err := c.waits(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Done, Title: fmt.Sprintf("Job %s is confirmed by you", j.ID), Lines: []string{sentence(j.Title)}}
	if cmd.Press != "" { // the plan that has the button shows who pressed it, and goes on
		m = chat.Message{}
	}
	if spoken, err := c.spoken(ctx, cmd); spoken || err != nil {
		return m, errors.Join(err, c.Nudge(ctx, j.ID))
	}
	asked, err := requestOf(j)
	if err != nil {
		return chat.Message{}, err
	}
	if asked.User != cmd.User {
		if err := c.Rights.Allow(ctx, cmd.User, chat.Verb(j.Verb), targetsOf(j)); err != nil {
			return chat.Message{}, err
		}
	}
	name, _ := c.People.Author(ctx, cmd.User)
	a := deploy.Approval{Job: string(j.ID), Plan: confirmed(row.Hash), By: string(cmd.User), Name: flat(name), Key: cmd.Key, At: c.Now()}
	told := deed(cmd, job.Confirmed, j.Title, j.Queues...)
	told.Job, told.Plan = j.ID, row.Hash
	added, err := c.Approvals.Add(ctx, a, told)
	if err != nil {
		return chat.Message{}, err
	}
	if !added && cmd.Press == "" {
		m.Tone, m.Title = chat.Info, fmt.Sprintf("You have confirmed job %s before", j.ID)
	}
	return m, c.Nudge(ctx, j.ID)
}

// confirmed returns nil once somebody confirmed the plan that is shown, and parks the
// job while nobody did.
func (s *setRun) confirmed(ctx context.Context) error {
	said, err := s.Voices.Of(ctx, string(s.job.ID))
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(said, func(a deploy.Approval) bool { return a.Plan == confirmed(s.row.Hash) }); i >= 0 {
		if s.job.Note = ""; said[i].By != string(s.cmd.User) {
			s.row.Confirmed = cmp.Or(said[i].Name, said[i].By)
		}
		return nil
	}
	return s.wait(ctx, "nobody confirmed it within %s", time.Time{}, func() error {
		s.job.Note = "waits to be confirmed"
		return s.show(ctx, func(v *setView) { v.asks = true })
	})
}

// wait parks the job until somebody says something, or until next, if there is such a
// time, and ends it at the deadline or if another job wants one of its targets.
func (s *setRun) wait(ctx context.Context, late string, next time.Time, ask func() error) error {
	deadline := s.row.Asked.Add(s.Approve)
	if !s.Now().Before(deadline) {
		return fault.Newf(fault.Expired, late, span(s.Approve)).WithHelp("ask again if it is still wanted")
	}
	by, err := (&change{changer: s.changer, job: s.job}).behind(ctx)
	if err != nil {
		return err
	}
	if by != nil {
		return fault.Newf(fault.Superseded, "this gave way to job %s", by.ID).
			WithHelp("while it waited, somebody asked to: %s", by.Title)
	}
	if err := ask(); err != nil {
		return err
	}
	if err := s.step(ctx, s.job.Step); err != nil {
		return err
	}
	if !next.IsZero() && next.Before(deadline) {
		deadline = next
	}
	return &job.Park{Until: deadline}
}

// pass asks the gates about the wave at hand, at the moment of its commit: for all of
// its targets, version by version, and for approvals of the wave as a whole.
func (s *setRun) pass(ctx context.Context, w *wave, id string) (deploy.Leave, error) {
	var all deploy.Leave
	if s.Gate == nil {
		return all, nil
	}
	var errs []*fault.Error
	for _, v := range w.versions() {
		leave, err := s.Gate.Pass(ctx, s.cmd, w.of(v), id)
		e, ok := errors.AsType[*fault.Error](err)
		switch {
		case err != nil && (!ok || e.Kind == fault.Unavailable):
			return all, err
		case err != nil:
			if !slices.ContainsFunc(errs, func(o *fault.Error) bool { return o.Says == e.Says }) {
				errs = append(errs, e)
			}
		}
		if next := leave.Next; all.Next.IsZero() || !next.IsZero() && next.Before(all.Next) {
			all.Next = next
		}
		for _, p := range leave.Passed {
			if !slices.Contains(all.Passed, p) {
				all.Passed = append(all.Passed, p)
			}
		}
		for _, a := range leave.Approvers {
			if !slices.Contains(all.Approvers, a) {
				all.Approvers = append(all.Approvers, a)
			}
		}
	}
	return all, worstGate(errs)
}

// worstGate is one error for all: what cannot be waited for goes before what can.
func worstGate(errs []*fault.Error) error {
	if len(errs) == 0 {
		return nil
	}
	slices.SortStableFunc(errs, func(a, b *fault.Error) int {
		rank := map[bool]int{true: 1}
		return rank[a.Code == deploy.NeedsApproval] - rank[b.Code == deploy.NeedsApproval]
	})
	out := *errs[0]
	const most = 8
	for i, e := range errs[1:] {
		if e.Code == deploy.NeedsApproval {
			break
		}
		if i == most {
			out.Help += fmt.Sprintf("\n… and %d more", len(errs)-1-most)
			break
		}
		out.Help += "\n" + e.Says
	}
	return &out
}

// approved returns nil if nothing stands in the way of the wave at hand, and parks the
// job while approvals are missing.
func (s *setRun) approved(ctx context.Context) error {
	w := &s.row.Waves[s.row.At]
	leave, err := s.pass(ctx, w, string(s.job.ID))
	e, _ := errors.AsType[*fault.Error](err)
	if err == nil {
		s.row.Approvers, s.job.Note = leave.Approvers, ""
		return s.answered(ctx, nil)
	}
	if e == nil || e.Kind == fault.Unavailable {
		return err
	}
	if e.Code != deploy.NeedsApproval || s.Approvals == nil {
		return s.answered(ctx, err)
	}
	err = s.wait(ctx, "nobody approved it within %s", leave.Next, func() error { return s.askApproval(ctx, w, e) })
	if _, parks := errors.AsType[*job.Park](err); parks || fault.Is(err, fault.Unavailable) {
		return err
	}
	return s.answered(ctx, err)
}

// askApproval shows a wave and what it lacks. A button is heard once, so that each who
// is missing gets a message of their own.
func (s *setRun) askApproval(ctx context.Context, w *wave, missing *fault.Error) error {
	id, why := string(s.job.ID), lacking(missing)
	s.job.Note = why
	s.row.Question = fmt.Sprintf("job/%s/approval/%s", id, digest([]string{w.hash(), why})[:12])
	s.carrier(w).judged(deploy.Leave{}, missing)
	if err := s.show(ctx, func(*setView) {}); err != nil {
		return err
	}
	if err := s.step(ctx, stepApproval); err != nil {
		return err
	}
	return s.Replier.Put(ctx, s.cmd.Thread, s.row.Question, chat.Message{
		Tone: chat.Progress, Title: fmt.Sprintf("%s waits for approval: %s on %s", capital(s.wave(s.row.At)), count(len(w.targets()), "change"), spokenClusters(w.Clusters)),
		Lines: []string{sentence(why), fmt.Sprintf("`reject %s because …` ends it.", id)},
		Code:  &chat.Code{Text: s.listing(w)}, Footer: "job " + id, By: s.cmd.User,
		Buttons: []chat.Button{{Label: "Approve", Command: "approve " + id, Confirm: fmt.Sprintf("This approves %s on %s.", count(len(w.targets()), "change"), spokenClusters(w.Clusters))}},
	})
}

// answered takes the button off the question.
func (s *setRun) answered(ctx context.Context, err error) error {
	key := s.row.Question
	s.row.Question, s.row.Plan, s.row.Change = "", deploy.Plan{}, deploy.Change{}
	if key == "" {
		return err
	}
	w := &s.row.Waves[s.row.At]
	what := fmt.Sprintf("%s, %s on %s", s.wave(s.row.At), count(len(w.targets()), "change"), spokenClusters(w.Clusters))
	m := chat.Message{Tone: chat.Done, Title: "Approved: " + what, Footer: "job " + string(s.job.ID), By: s.cmd.User, Final: true}
	if err != nil {
		m.Tone, m.Title = toneOf(err), "Not approved: "+what
	}
	return errors.Join(err, s.Replier.Put(ctx, s.cmd.Thread, key, m))
}

func spokenClusters(all []deploy.Cluster) string {
	out := make([]string, len(all))
	for i, c := range all {
		out[i] = string(c)
	}
	return spoken(out)
}

// wave names one of several: "wave 2 of 3", or "it" where there is one.
func (s *setRun) wave(i int) string {
	if len(s.row.Waves) == 1 {
		return "it"
	}
	return strings.TrimSpace(fmt.Sprintf("wave %d of %d", i+1, len(s.row.Waves)))
}
