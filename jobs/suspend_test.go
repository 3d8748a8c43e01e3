package jobs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// suspender notes what it is asked to suspend, and how far things were by then.
type suspender struct {
	asked  []string
	refuse error
	at     func() string
}

func (s *suspender) SuspendAutomation(_ context.Context, c deploy.Cluster, ref deploy.Ref, job string) error {
	s.asked = append(s.asked, strings.Join([]string{string(c), ref.String(), "for", job, s.at()}, " "))
	return s.refuse
}

var images = deploy.Automation{
	Ref: deploy.Ref{Kind: "ImageUpdateAutomation", Namespace: "flux-system", Name: "images"}, Cluster: "prod",
	Policy: deploy.Ref{Kind: "ImagePolicy", Namespace: "flux-system", Name: "podinfo"}, At: deploy.Place{File: "clusters/prod/images.yaml", Line: 9},
}

// TestWhatWouldUndoARollbackIsSuspended on its cluster, after the row says so and
// before the commit; what cannot be holds nothing up.
func TestWhatWouldUndoARollbackIsSuspended(t *testing.T) {
	const suspended = "ImageUpdateAutomation flux-system/images on prod is suspended, since it would undo this; `suspend: false` in `clusters/prod/images.yaml` line 9 resumes it."
	for name, c := range map[string]struct {
		rule   deploy.Retreat
		refuse error
		asked  int
		line   string
	}{
		"suspend":              {rule: deploy.Retreat{Mode: deploy.RetreatAuto, Suspend: true}, asked: 1, line: suspended},
		"suspend, not at once": {rule: deploy.Retreat{Mode: deploy.RetreatAuto, Suspend: true}, refuse: fault.New(fault.Denied, "may not patch", ""), asked: 1, line: suspended},
		"warn": {
			rule: deploy.Retreat{Mode: deploy.RetreatAuto},
			line: "ImageUpdateAutomation flux-system/images is in charge of this version and *will undo it*: suspend it, or let `podinfo` select another version.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, b, f, _ := crashing(t, c.rule)
				if _, err := b.run(); !fault.Is(err, fault.Failed) {
					t.Fatal(err)
				}
				w.plan.From, w.plan.Automation = "6.5.4", []deploy.Automation{images}
				if c.rule.Suspend {
					done := images
					done.Suspended = true
					w.plan.Suspended = []deploy.Automation{done}
				}
				w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
				commits, saved := len(w.commits), ""
				s := &suspender{refuse: c.refuse, at: func() string {
					if len(w.commits) != commits {
						return "too late"
					}
					return "at " + saved
				}}
				b.options.Suspender = s
				b.cmd, b.job = f.cmds[0], f.made[0]
				var told []string
				m, err := b.command("rollback").Work.Run(t.Context(), b.cmd, b.job, func(context.Context) error {
					for _, e := range b.job.Told {
						told = append(told, string(e.Deed))
					}
					saved, b.job.Told = string(b.job.Step), nil
					return nil
				})
				if err != nil || !slices.Contains(m.Lines, c.line) {
					t.Errorf("%v, %q", err, m.Lines)
				}
				if len(s.asked) != c.asked || c.asked > 0 && s.asked[0] != "prod ImageUpdateAutomation flux-system/images for f1 at committing" {
					t.Errorf("asked %q", s.asked)
				}
				if slices.Contains(told, string(job.Suspended)) != c.rule.Suspend {
					t.Errorf("told %q", told)
				}
				var row changeRow
				if err := json.Unmarshal(b.job.Data, &row); err != nil || row.Change.Suspend != c.rule.Suspend {
					t.Errorf("%+v, %v", row.Change, err)
				}
			})
		})
	}
}
