package jobs

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Approvals keeps what people said to the plans of jobs. Added is false if the same
// person spoke to that plan before; else what the audit trail is to know of it is
// written with it.
type Approvals interface {
	Add(ctx context.Context, a deploy.Approval, told ...job.Entry) (added bool, err error)
	// Of returns the approvals of a job, whatever the plan.
	Of(ctx context.Context, job string) ([]deploy.Approval, error)
}

var approveSyntax = chat.Syntax{
	Verb:     "approve",
	Form:     "<job>",
	Summary:  "agree to the plan of a job that waits for approval",
	Details:  []string{"It counts if you are among those who approve, did not ask for it yourself, and the plan stays as it is."},
	Examples: []string{"approve k3f9q"},
}

var rejectSyntax = chat.Syntax{
	Verb:     "reject",
	Form:     "<job> because <reason>",
	Summary:  "end a job that waits for approval, with a reason",
	Examples: []string{"reject k3f9q because the migration is not done"},
}

// stepApproval is where a change waits for people to agree to its plan. In between
// the job is parked: somebody's word wakes it.
const stepApproval job.Step = "waiting for approval"

// granted delivers the change, and waits for approvals wherever nothing else is
// missing. What was approved is planned again: if it became another plan, it asks
// again.
func (r *change) granted(ctx context.Context) error {
	for {
		if r.job.Step == stepApproval {
			if err := r.agreed(ctx); err != nil {
				return err
			}
		}
		err := r.deliver(ctx)
		e, ok := errors.AsType[*fault.Error](err)
		if !ok || e.Code != deploy.NeedsApproval || r.Approvals == nil {
			return err
		}
		r.row.Asked = r.Now()
		if err := r.step(ctx, stepApproval); err != nil {
			return err
		}
	}
}

// agreed returns nil if the plan of the row is approved, and parks the job while it
// is not. It ends if somebody rejects it, if another gate closes, if another job
// wants the target, or at the deadline. What a freeze ends does not go on by itself
// after it: whoever asked decides anew, when somebody looks.
func (r *change) agreed(ctx context.Context) error {
	leave, err := r.Gate.Pass(ctx, r.cmd, r.row.Plan, string(r.job.ID))
	e, _ := errors.AsType[*fault.Error](err)
	if fault.Is(err, fault.Unavailable) {
		return err
	}
	if e == nil || e.Code != deploy.NeedsApproval {
		r.judged(leave, err)
		r.row.Approvers = leave.Approvers
		return r.over(ctx, waited(err))
	}
	deadline := r.row.Asked.Add(r.Approve)
	if !r.Now().Before(deadline) {
		return r.over(ctx, fault.Newf(fault.Expired, "nobody approved it within %s", span(r.Approve)).
			WithHelp("nothing was changed\nask again if it is still wanted"))
	}
	by, err := r.behind(ctx)
	if err != nil {
		return err
	}
	if by != nil {
		return r.over(ctx, fault.Newf(fault.Superseded, "this gave way to job %s", by.ID).
			WithHelp("nothing was changed by this one\nwhile it waited for approval, somebody asked to: %s", by.Title))
	}
	until := "It waits until " + deadline.UTC().Format("Mon 2006-01-02 15:04") + " UTC."
	if leave.Frozen != "" && !leave.Freeze.After(deadline) {
		until = sentence("it waits until " + leave.Frozen)
	}
	if err := r.ask(ctx, e, until); err != nil {
		return err
	}
	if next := leave.Next; !next.IsZero() && next.Before(deadline) {
		deadline = next
	}
	return &job.Park{Until: deadline}
}

// waited says of what closed in the meantime that it found the change waiting.
func waited(err error) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok {
		return err
	}
	return e.WithHelp("%s", strings.TrimSpace("nothing was changed: this waited for approval until now\n"+e.Help))
}

// ask shows the plan and what is missing; equal messages cost nothing. A button is
// heard once, so that each who is missing gets a message with one of their own, and
// so does a plan that is asked for again. until is how long there is time.
func (r *change) ask(ctx context.Context, missing *fault.Error, until string) error {
	if err := r.show(ctx, func(p *progress) {
		p.planned(r.row.Plan)
		p.state = "Waits for approval"
		p.set(atCommit, chat.StepRunning, p.state)
	}); err != nil {
		return err
	}
	id, c := string(r.job.ID), r.row.Change
	why := lacking(missing)
	r.job.Note = why
	r.row.Question = fmt.Sprintf("job/%s/approval/%x", id, sha256.Sum256([]byte(r.row.Plan.Hash+"\n"+why)))[:len("job//approval/")+len(id)+12]
	r.judged(deploy.Leave{}, missing)
	if err := r.step(ctx, stepApproval); err != nil {
		return err
	}
	what := fmt.Sprintf("%s from `%s` to `%s` on %s", c.Target.App.Name, r.row.Plan.From, c.Version, places(c))
	if c.Unpin {
		what = fmt.Sprintf("Unpinning %s on %s", c.Target.App.Name, c.Target.Cluster)
	}
	return r.Replier.Put(ctx, r.cmd.Thread, r.row.Question, chat.Message{
		Tone: chat.Progress, Title: what + " waits for approval",
		Lines: []string{sentence(why), until, fmt.Sprintf("`reject %s because …` ends it.", id)},
		Code:  &chat.Code{Lang: "diff", Text: trimmed(r.row.Plan.Diff)}, Footer: "job " + id, By: r.cmd.User,
		Buttons: []chat.Button{{Label: "Approve", Command: "approve " + id, Confirm: fmt.Sprintf("This approves %s.", strings.ReplaceAll(r.subject(), "`", ""))}},
	})
}

// lacking is what a plan still needs, on one line.
func lacking(missing *fault.Error) string {
	if _, why, one := strings.Cut(missing.Says, ": "); one {
		return why
	}
	var all []string
	for line := range strings.Lines(missing.Help) {
		if why, listed := strings.CutPrefix(strings.TrimSpace(line), "• "); listed {
			all = append(all, why)
		}
	}
	return strings.Join(all, "; ")
}

// subject names what is to be approved.
func (r *change) subject() string {
	c := r.row.Change
	if c.Unpin {
		return fmt.Sprintf("that %s on %s is unpinned", c.Target.App.Name, c.Target.Cluster)
	}
	return fmt.Sprintf("%s `%s` on %s", c.Target.App.Name, c.Version, places(c))
}

// over takes the buttons off the question and goes on, or ends with the error.
func (r *change) over(ctx context.Context, err error) error {
	key := r.row.Question
	r.row.Question, r.job.Note, r.view.state = "", "", ""
	r.view.planned(r.row.Plan)
	r.view.set(atCommit, "", "")
	if key == "" {
		return err
	}
	m := chat.Message{Tone: chat.Done, Title: "Approved: " + r.subject(), Footer: "job " + string(r.job.ID), By: r.cmd.User, Final: true}
	if err != nil {
		m.Tone, m.Title = toneOf(err), "Not approved: "+r.subject()
	}
	return errors.Join(err, r.Replier.Put(ctx, r.cmd.Thread, key, m))
}

// approve and reject say something to the plan of a job that waits for it.
type (
	approve struct{ changer }
	reject  struct{ changer }
)

// Admit implements Deed. Who may is no matter of roles, but of the plan: Do asks.
func (a approve) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	return a.admitVoice(ctx, cmd)
}

// Admit implements Deed.
func (r reject) Admit(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	return r.admitVoice(ctx, cmd)
}

func (c changer) admitVoice(ctx context.Context, cmd chat.Command) (string, []deploy.Target, error) {
	_, row, _, err := c.waitingFor(ctx, cmd)
	return fmt.Sprintf("%s job %s", capital(string(cmd.Verb)), cmd.Args.Job), []deploy.Target{row.Change.Target}, err
}

// waitingFor reads a job that waits for approval, or did when this command spoke to
// it: a command that is done again ends as it did before.
func (c changer) waitingFor(ctx context.Context, cmd chat.Command) (j *job.Job, row changeRow, asked chat.Command, err error) {
	if j, err = c.Rows.Get(ctx, job.ID(cmd.Args.Job)); err != nil {
		return nil, row, asked, err
	}
	spoken, err := c.spoken(ctx, cmd)
	if err != nil {
		return nil, row, asked, err
	}
	if !spoken && (j.Ended() || j.Step != stepApproval) {
		return nil, row, asked, fault.Newf(fault.Refused, "job %s does not wait for approval", j.ID).
			WithHelp("nothing was done\n`status %s` says how far it is", j.ID)
	}
	if err := errors.Join(json.Unmarshal(j.Data, &row), json.Unmarshal(j.Request, &asked)); err != nil {
		return nil, row, asked, fmt.Errorf("decode row of job %s: %w", j.ID, err)
	}
	return j, row, asked, nil
}

// spoken reports whether what this very command says was stored by an earlier try.
func (c changer) spoken(ctx context.Context, cmd chat.Command) (bool, error) {
	said, err := c.Approvals.Of(ctx, string(cmd.Args.Job))
	return slices.ContainsFunc(said, func(a deploy.Approval) bool {
		return cmd.Key != "" && a.Key == cmd.Key && a.By == string(cmd.User)
	}), err
}

// Do implements Deed.
func (a approve) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	return a.speak(ctx, cmd, deploy.Approval{}, "approved")
}

// Do implements Deed.
func (r reject) Do(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	return r.speak(ctx, cmd, deploy.Approval{Rejected: true, Reason: flat(string(cmd.Args.Reason))}, "rejected")
}

// speak stores what somebody says, if it counts. It is about the plan that the job
// shows now, and void for any other.
func (c changer) speak(ctx context.Context, cmd chat.Command, a deploy.Approval, did string) (chat.Message, error) {
	j, row, asked, err := c.waitingFor(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	m := chat.Message{Tone: chat.Done, Title: fmt.Sprintf("Job %s is %s by you", j.ID, did), Lines: []string{sentence(j.Title)}}
	if spoken, err := c.spoken(ctx, cmd); spoken || err != nil {
		return m, errors.Join(err, c.Nudge(ctx, j.ID))
	}
	if err := c.Gate.MayApprove(ctx, asked, row.Plan, cmd.User); err != nil {
		return chat.Message{}, err
	}
	name, _ := c.People.Author(ctx, cmd.User)
	a.Name = flat(name)
	a.Job, a.Plan, a.By, a.Key, a.At = string(j.ID), row.Plan.Hash, string(cmd.User), cmd.Key, c.Now()
	told := deed(cmd, job.Approved, j.Title, j.Queues...)
	told.Job, told.Plan = j.ID, a.Plan
	if a.Rejected {
		told.Deed, told.Says = job.Rejected, a.Reason
	}
	added, err := c.Approvals.Add(ctx, a, told)
	if err != nil {
		return chat.Message{}, err
	}
	if err := c.Nudge(ctx, j.ID); err != nil {
		return chat.Message{}, err
	}
	if !added {
		m.Tone, m.Title = chat.Info, fmt.Sprintf("You have spoken to this plan of job %s before", j.ID)
		m.Lines = []string{"Nobody counts twice: your first word stands."}
	}
	return m, nil
}

// wake lets what waits for approval to change a target look at its gates again.
func (c changer) wake(ctx context.Context, t deploy.Target) error {
	all, err := c.Rows.Unfinished(ctx)
	if err != nil {
		return err
	}
	for _, j := range all {
		if j.Step == stepApproval && slices.Contains(j.Queues, t.String()) {
			err = errors.Join(err, c.Nudge(ctx, j.ID))
		}
	}
	return err
}
