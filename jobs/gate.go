package jobs

import (
	"context"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
)

// Gate decides whether a plan may be committed now.
type Gate interface {
	// Pass returns nil if it may, else a fault with every reason why not; the code
	// deploy.NeedsApproval says that only approvals are missing. passed are the
	// closed gates that the command's reason opened, a sentence each. It has no
	// effect. job may be empty: then nobody has approved it.
	Pass(ctx context.Context, cmd chat.Command, p deploy.Plan, job string) (passed []string, err error)
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
	if r.Gate == nil || p.Already {
		return nil
	}
	passed, err := r.Gate.Pass(ctx, r.cmd, p, string(r.job.ID))
	if err != nil {
		r.view.planned(p) // it is not the plan that was wrong
		return err
	}
	r.row.Glass = glass{}
	if len(passed) > 0 {
		r.row.Glass = glass{Reason: string(r.cmd.Args.Reason), Passed: passed}
	}
	r.view.glass = r.row.Glass.lines()
	return nil
}

// lines announce what was passed and why.
func (g glass) lines() []string {
	if len(g.Passed) == 0 {
		return nil
	}
	out := []string{"*Break-glass*: " + sentence(flat(g.Reason))}
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
