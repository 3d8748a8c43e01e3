package delivery_test

import (
	"slices"
	"strings"
	"testing"

	"ferry/internal/deploy"
)

// TestWantedIsWhatTheHeadHolds asks before and after a change, and counts what
// asking again costs.
func TestWantedIsWhatTheHeadHolds(t *testing.T) {
	r := newRig(t, archive(t, "fleet.txtar"))
	ask := func() map[string]string {
		t.Helper()
		all, err := r.Wanted(t.Context(), fleet())
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for _, w := range all {
			var v []string
			for _, one := range w.Versions {
				v = append(v, string(one.Field)+" "+string(one.Version))
			}
			if len(v) == 0 && w.Why == "" {
				t.Errorf("%s: neither a version nor a reason", w.Target)
			}
			out[w.Target.String()] = strings.Join(v, ", ")
		}
		return out
	}
	before := ask()
	if before["prod/podinfo/podinfo"] != "image 6.5.3" || len(before) < 6 {
		t.Fatalf("%v", before)
	}
	// It names the version that a plan would replace.
	for target, held := range before {
		cluster, app, _ := strings.Cut(target, "/")
		if held == "" || strings.Contains(held, ",") {
			continue
		}
		p, err := r.Plan(t.Context(), want(app, "99.0.0", cluster, "apps", false), unseen(deploy.Cluster(cluster)))
		if err == nil && !strings.HasSuffix(held, " "+string(p.From)) {
			t.Errorf("%s: Git holds %s, a plan replaces %s", target, held, p.From)
		}
	}
	if _, _, err := r.Apply(t.Context(), want("podinfo/podinfo", "6.5.4", "prod", "apps", false), fleet, asked, nil); err != nil {
		t.Fatal(explain(err))
	}
	after := ask()
	var changed []string
	for target := range after {
		if after[target] != before[target] {
			changed = append(changed, target+"="+after[target])
		}
	}
	if !slices.Equal(changed, []string{"prod/podinfo/podinfo=image 6.5.4"}) {
		t.Errorf("changed: %v", changed)
	}
	r.requests.Store(0)
	ask()
	if n := r.requests.Load(); n > 0 {
		t.Errorf("asking again costs %d requests", n)
	}
}
