package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"ferry/internal/chat"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Planner makes plans and nothing else.
type Planner interface {
	Plan(ctx context.Context, c deploy.Change, declared []deploy.Declared) (deploy.Plan, error)
}

// Preview implements the dispatcher's Preview.
func (p promote) Preview(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	asked := cmd
	cmd, one, err := p.ordinary(ctx, cmd, nil)
	if err != nil {
		return chat.Message{}, err
	}
	if isSet(cmd) && !one {
		return p.previewSet(ctx, cmd)
	}
	if one {
		if err := p.asWanted(ctx, asked, deploy.Version(cmd.Args.Version)); err != nil {
			return chat.Message{}, err
		}
	}
	want, err := p.want(cmd)
	if err != nil {
		return chat.Message{}, err
	}
	return p.preview(ctx, cmd, want)
}

// Preview implements the dispatcher's Preview.
func (r rollback) Preview(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	want, err := r.want(ctx, cmd)
	if err != nil {
		return chat.Message{}, err
	}
	return r.preview(ctx, cmd, want)
}

// Preview implements the dispatcher's Preview.
func (u unpin) Preview(ctx context.Context, cmd chat.Command) (chat.Message, error) {
	want, err := u.want(cmd)
	if err != nil {
		return chat.Message{}, err
	}
	return u.preview(ctx, cmd, want)
}

// preview shows what a change would do, and every gate that would stop it now.
func (c changer) preview(ctx context.Context, cmd chat.Command, want deploy.Change) (chat.Message, error) {
	plan, err := c.Planner.Plan(ctx, want, c.Fleet.Declared())
	if err != nil {
		return chat.Message{}, (&change{changer: c, cmd: cmd, row: changeRow{Change: want}}).offerAll(ctx, plan, err)
	}
	t := want.Target
	m := chat.Message{Tone: chat.Info, Footer: "dry run: nothing was changed"}
	if plan.Already {
		m.Title = fmt.Sprintf("Git holds `%s` of %s for %s already", want.Version, t.App.Name, places(want))
		return m, nil
	}
	m.Title = fmt.Sprintf("%s would go from `%s` to `%s` on %s", t.App.Name, plan.From, want.Version, places(want))
	if want.Unpin {
		m.Title = fmt.Sprintf("The pin of %s on %s would go, and it would stay at `%s`", t.App.Name, t.Cluster, plan.From)
	}
	m.Lines = append(slices.Clone(plan.Warnings), "Rendered for every cluster, this changes "+changed(plan)+" and nothing else.")
	pull, why, err := c.ways(ctx, want)
	if err != nil {
		return chat.Message{}, err
	}
	if pull {
		m.Lines = append(m.Lines, sentence(strings.TrimSuffix("It would be a pull request: "+why, ": ")))
	}
	if err := c.gates(ctx, cmd, plan, &m); err != nil {
		return chat.Message{}, err
	}
	m.Code = &chat.Code{Lang: "diff", Text: trimmed(plan.Diff)}
	return m, nil
}

// gates adds what the gates say. That they are closed is no failure of a dry run.
func (c changer) gates(ctx context.Context, cmd chat.Command, plan deploy.Plan, m *chat.Message) error {
	if c.Gate == nil {
		return nil
	}
	leave, err := c.Gate.Pass(ctx, cmd, plan, "")
	e, ok := errors.AsType[*fault.Error](err)
	switch {
	case err == nil && len(leave.Passed) == 0:
		m.Lines = append(m.Lines, "No gate would stop you now.")
	case err == nil:
		m.Lines = append(m.Lines, glass{Reason: string(cmd.Args.Reason), Passed: leave.Passed}.lines()...)
	case ok && (e.Kind == fault.Denied || e.Kind == fault.Refused):
		m.Title += ", but not now"
		if e.Kind == fault.Denied {
			m.Title = strings.TrimSuffix(m.Title, ", but not now") + ", but not by you"
		}
		m.Lines = append(m.Lines, sentence(e.Says))
		for line := range strings.Lines(e.Help) {
			m.Lines = append(m.Lines, sentence(strings.TrimSpace(line)))
		}
	default:
		return err
	}
	return nil
}

// changed names the objects that a plan changes.
func changed(p deploy.Plan) string {
	var names []string
	for _, a := range p.Affected {
		if name := fmt.Sprintf("%s on %s", a.Object, a.Cluster); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	const most = 5
	if more := len(names) - most; more > 0 {
		names = append(names[:most], fmt.Sprintf("%d more", more))
	}
	if len(names) == 0 {
		return "no object"
	}
	return spoken(names)
}

// trimmed is as much of a diff as people read in a chat.
func trimmed(diff string) string {
	const most = 60
	lines := strings.Split(strings.TrimRight(diff, "\n"), "\n")
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("… and %d lines more", more))
	}
	return strings.Join(lines, "\n")
}
