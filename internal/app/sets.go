package app

import (
	"context"
	"time"

	"ferry/internal/config"
	"ferry/internal/deploy"
	"ferry/jobs"
)

// eachPlan is how many changes of a set get as much time as one alone.
const eachPlan = 25

// wavesOf are the waves of the configuration, cluster by cluster.
func wavesOf(c *config.Config) []jobs.Waves {
	var all []deploy.Cluster
	for _, one := range c.Clusters {
		all = append(all, one.Name)
	}
	var out []jobs.Waves
	for i := range c.Waves {
		out = append(out, jobs.Waves{Name: c.Waves[i].Name, Groups: c.Waves[i].Groups(all), Soak: c.Waves[i].Soak})
	}
	return out
}

// PlanSet implements jobs.Sets.
func (p prompt) PlanSet(ctx context.Context, changes []deploy.Change, declared []deploy.Declared) ([]deploy.Tried, error) {
	p.within *= time.Duration(1 + len(changes)/eachPlan)
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	out, err := p.Delivery.PlanSet(timed, changes, declared)
	return out, p.late(ctx, timed, err, "planning")
}

// ApplySet implements jobs.Sets.
func (p prompt) ApplySet(ctx context.Context, changes []deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlans func([]deploy.Plan) error,
) ([]deploy.Plan, deploy.Commit, error) {
	p.within *= time.Duration(1 + len(changes)/eachPlan)
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	plans, commit, err := p.Delivery.ApplySet(timed, changes, declared, by, onPlans)
	return plans, commit, p.late(ctx, timed, err, "planning and committing")
}
