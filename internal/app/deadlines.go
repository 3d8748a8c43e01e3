package app

import (
	"context"
	"errors"
	"time"

	"ferry/delivery"
	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/k8s"
)

// bounded is a fleet whose requests to Flux have a deadline.
type bounded struct {
	*k8s.Fleet
	within time.Duration
}

// Reconcile implements jobs.Cluster.
func (b bounded) Reconcile(ctx context.Context, c deploy.Cluster, o deploy.Owner, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, b.within)
	defer cancel()
	return b.Fleet.Reconcile(ctx, c, o, at)
}

// prompt is a delivery whose attempts have a deadline. What takes longer is
// tried again, as if GitHub had not answered.
type prompt struct {
	*delivery.Delivery
	within time.Duration
}

// Apply implements jobs.Delivery.
func (p prompt) Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Commit, error) {
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	plan, commit, err := p.Delivery.Apply(timed, c, declared, by, onPlan)
	if err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		err = fault.Newf(fault.Unavailable, "planning and committing took longer than %s", p.within).Because(err)
	}
	return plan, commit, err
}
