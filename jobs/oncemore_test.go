package jobs

import (
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// TestWhatWroteOverARollbackIsTakenBackOnce: an automation pushes once more while the
// commit that suspends it is on its way. There is a second rollback, and no third.
func TestWhatWroteOverARollbackIsTakenBackOnce(t *testing.T) {
	const again = "ImageUpdateAutomation flux-system/images had begun to write before it was suspended.\nferry goes back to `6.5.3`, the last version seen healthy there: job f2."
	for name, c := range map[string]struct {
		suspended []deploy.Automation
		second    deploy.Holding // what becomes of the second one; none if there is none
		amended   int
	}{
		"an automation, once":  {[]deploy.Automation{images}, deploy.Holds, 1},
		"an automation, twice": {[]deploy.Automation{images}, deploy.Replaced, 0},
		"somebody":             {nil, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, b, f, a := crashing(t, deploy.Retreat{Mode: deploy.RetreatAuto, Suspend: true})
				if _, err := b.run(); !fault.Is(err, fault.Failed) {
					t.Fatal(err)
				}
				w.plan.From, w.plan.Suspended = "6.5.4", c.suspended
				w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
				w.holding = deploy.Replaced
				m, err := b.back(f)
				if said := strings.Contains(strings.Join(m.Lines, "\n"), again); !fault.Is(err, fault.Superseded) || said != (c.second != "") {
					t.Fatalf("the first ended with %v and says %q", err, m.Lines)
				}
				jobs := 1
				if c.second != "" {
					jobs, w.holding = 2, c.second
					b.cmd, b.job = f.cmds[1], f.made[1]
					if m, err = b.run(); (err == nil) != (c.amended > 0) || err == nil && m.Title != "podinfo `6.5.3` is back on prod and healthy" {
						t.Errorf("the second ended with %v and says %q", err, m.Title)
					}
				}
				if len(f.made) != jobs || len(b.held()) != 1 || len(a.jobs) != c.amended {
					t.Errorf("jobs %+v, holds %+v, amended %v", f.cmds, b.held(), a.jobs)
				}
			})
		})
	}
}
