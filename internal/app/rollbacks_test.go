package app

import (
	"testing"
	"time"

	"ferry/internal/config"
	"ferry/internal/deploy"
)

func TestTheFirstRuleOfRollbacksCounts(t *testing.T) {
	t.Parallel()
	rule := retreats(&config.Config{Rollbacks: []config.Rollback{
		{Name: "web", Clusters: []string{"prod*"}, Apps: []string{"web"}, OnFailure: "off", Automation: "warn"},
		{Name: "prod", Clusters: []string{"prod*"}, Namespaces: []string{"apps"}, OnFailure: "auto", Soak: time.Minute, Automation: "suspend"},
	}})
	for _, c := range []struct {
		cluster, namespace, name string
		want                     deploy.Retreat
	}{
		{"prod-eu", "apps", "web", deploy.Retreat{Mode: deploy.RetreatOff}},
		{"prod", "apps", "podinfo", deploy.Retreat{Mode: deploy.RetreatAuto, Soak: time.Minute, Suspend: true}},
		{"prod", "other", "podinfo", deploy.Retreat{Mode: deploy.RetreatOffer}},
		{"stage", "apps", "web", deploy.Retreat{Mode: deploy.RetreatOffer}},
	} {
		target := deploy.Target{Cluster: deploy.Cluster(c.cluster), App: deploy.App{Namespace: c.namespace, Name: c.name}}
		if got := rule(target); got != c.want {
			t.Errorf("%s: %+v, want %+v", target, got, c.want)
		}
	}
}
