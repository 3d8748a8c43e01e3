package jobs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// Gate decides whether a plan may be committed now.
type Gate interface {
	// Pass returns nil if it may, else a fault with every reason why not; the code
	// deploy.NeedsApproval says that only approvals are missing. It has no effect.
	// job may be empty: then nobody has approved it.
	Pass(ctx context.Context, cmd chat.Command, p deploy.Plan, job string) (deploy.Leave, error)
	// MayApprove returns nil if what somebody says to a plan that another command
	// asked for would count, else a fault.
	MayApprove(ctx context.Context, asked chat.Command, p deploy.Plan, user chat.UserID) error
}

// glass is the reason for which closed gates were passed, and which they were.
type glass struct {
	Reason string   `json:"reason"`
	Passed []string `json:"passed"`
}

// pass asks the gate at the moment of a commit. A plan that changes nothing needs
// no leave.
func (r *change) pass(ctx context.Context, p deploy.Plan) error {
	if err := r.ours(p); err != nil {
		return err
	}
	if r.Gate == nil || p.Already {
		return nil
	}
	leave, err := r.Gate.Pass(ctx, r.cmd, p, string(r.job.ID))
	if e, ok := errors.AsType[*fault.Error](err); err == nil || ok && e.Kind != fault.Unavailable && e.Code != deploy.NeedsApproval {
		r.judged(leave, err)
	}
	if err != nil {
		r.view.planned(p) // it is not the plan that was wrong
		return err
	}
	named := r.row.Approvers // by the commit that is about to be made
	if r.row.Approvers = leave.Approvers; slices.ContainsFunc(named, func(id string) bool { return !slices.Contains(leave.Approvers, id) }) {
		if err := r.step(ctx, r.job.Step); err != nil { // the next attempt names those who are left
			return err
		}
		return fault.New(fault.Unavailable, "who approved this has changed just now", "")
	}
	r.row.Glass = glass{}
	if len(leave.Passed) > 0 {
		r.row.Glass = glass{Reason: string(r.cmd.Args.Reason), Passed: leave.Passed}
	}
	r.view.glass = r.row.Glass.lines()
	return nil
}

// judged tells the audit trail, with the next save, what the gates said.
func (r *change) judged(leave deploy.Leave, err error) {
	says := "nothing stands in the way"
	if e, ok := errors.AsType[*fault.Error](err); ok {
		says = e.Says
	}
	if len(leave.Passed) > 0 {
		says = fmt.Sprintf("break-glass, because %s: %s", r.cmd.Args.Reason, strings.Join(leave.Passed, "; "))
		if r.cmd.Cause != "" {
			says = fmt.Sprintf("by the rule for what does not last, for job %s: %s", r.cmd.Cause, strings.Join(leave.Passed, "; "))
		}
	}
	e := r.entry(job.Judged)
	e.Says, e.Key = says, fmt.Sprintf("%s/judged/%s/%x", r.job.ID, r.row.Plan.Hash, sha256.Sum256([]byte(says)))
	r.job.Told = append(r.job.Told, e)
}

// lines announce what was passed and why.
func (g glass) lines() []string {
	if len(g.Passed) == 0 {
		return nil
	}
	var out []string
	if g.Reason != "" { // else ferry passed them by itself
		out = append(out, "*Break-glass*: "+sentence(flat(g.Reason)))
	}
	for _, p := range g.Passed {
		out = append(out, strings.TrimSuffix("It passed although "+p, ".")+".")
	}
	return out
}

// announced adds to a closing message what was passed for it.
func (g glass) announced(m chat.Message) chat.Message {
	if m.Title != "" {
		m.Lines = append(m.Lines, g.lines()...)
	}
	return m
}

// flat keeps what somebody wrote from looking like more than words.
func flat(s string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("`", "'", "*", "·").Replace(s)), " ")
}

// despite is the reason for the record in Git: what was said in the command, also
// if in the end no gate was closed.
func despite(a chat.Args) string {
	if a.Gate == "" {
		return ""
	}
	return string(a.Gate) + ": " + string(a.Reason)
}

// endings are how a command ends that is tried, or passes a gate, with a space
// before it; empty for most.
func endings(a chat.Args) (out string) {
	if a.Mode != "" {
		out += " " + string(a.Mode)
	}
	if a.Gate != "" {
		out += fmt.Sprintf(" despite %s because %s", a.Gate, a.Reason)
	}
	return out
}

// alike gives the commands that are named instead of one that was refused its
// endings: what was to be tried is not offered as something to do.
func alike(err error, a chat.Args) error {
	e, ok := errors.AsType[*fault.Error](err)
	if !ok || endings(a) == "" {
		return err
	}
	var choices []string
	for _, c := range e.Choices {
		verb, _, _ := strings.Cut(c, " ")
		if slices.Contains([]chat.Verb{promoteSyntax.Verb, rollbackSyntax.Verb, unpinSyntax.Verb}, chat.Verb(verb)) {
			c += endings(a)
		}
		choices = append(choices, c)
	}
	return e.WithChoices(choices...)
}
