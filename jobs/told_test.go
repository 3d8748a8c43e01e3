package jobs

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"ferry/internal/deploy"
)

// TestTheTrailIsTold demands that plan and commit are told with the saves that
// make them durable, whose at least one is before the commit.
func TestTheTrailIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		already bool
		want    string
	}{
		"a change":        {false, "committing: planned h  6.5.3 → 6.5.4, following: committed h c0ffee00112233 6.5.3 → 6.5.4, ending: "},
		"Git had it then": {true, "committing: planned h  Git holds 6.5.4 already, following: , ending: "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.plan.Already = c.already
				w.show = func(int) *deploy.Observation { return at(arrivedImage()) }
				b := newBench(t, w)
				var told []string
				_, err := b.command("promote").Work.Run(t.Context(), b.cmd, b.job, func(context.Context) error {
					line := string(b.job.Step) + ": "
					for _, e := range b.job.Told {
						line += fmt.Sprintf("%s %s %s %s", e.Deed, e.Plan, e.Commit, e.Says)
						if e.By != "U1" || strings.Join(e.Targets, " ") != "prod/apps/podinfo" {
							t.Errorf("%+v", e)
						}
					}
					told, b.job.Told = append(told, line), nil
					return nil
				})
				if got := strings.Join(told, ", "); err != nil || got != c.want {
					t.Errorf("%v\n%s", err, got)
				}
			})
		})
	}
}
