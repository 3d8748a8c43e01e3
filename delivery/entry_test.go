package delivery_test

import (
	"testing"

	"ferry/delivery"
	"ferry/internal/fault"
)

// TestUnknownCluster: a cluster that never answered and that the repository does
// not tell of keeps every change from being safe; the refusal says what to do.
func TestUnknownCluster(t *testing.T) {
	t.Parallel()
	r := newRig(t, repo(map[string]string{
		"clusters/prod/apps.yaml": flux("apps", "path: apps"), "apps/web.yaml": workload("web", "reg.example/web:1.0.0"),
	}))
	_, err := r.Plan(t.Context(), want("x/web", "1.0.1", "prod", "apps", false), unseen("prod", "stage"))
	f := asFault(err)
	if f == nil || f.Kind != fault.Refused || f.Code != delivery.Unreadable ||
		f.Says != "nothing can be changed safely: what stage applies is not known, and so not what it shares with others" ||
		f.Help != "it has not answered since ferry started, and `clusters/stage` or `stage` of the repository has no Kustomizations of it\n"+
			"wait until it answers, or name its folder in the configuration (`clusters.stage.path`); take it out there if it is gone" {
		t.Errorf("%s", explainOrNil(err))
	}
}
