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

// briefly bounds what a rollback's commit waits for: what was not suspended on its
// cluster by then is so once Flux has applied the commit.
const briefly = 3 * time.Second

// SuspendAutomation implements jobs.Suspender.
func (b bounded) SuspendAutomation(ctx context.Context, c deploy.Cluster, ref deploy.Ref, job string) error {
	ctx, cancel := context.WithTimeout(ctx, min(b.within, briefly))
	defer cancel()
	return b.Fleet.SuspendAutomation(ctx, c, ref, job)
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
	return plan, commit, p.late(ctx, timed, err, "planning and committing")
}

// Plan implements jobs.Planner.
func (p prompt) Plan(ctx context.Context, c deploy.Change, declared []deploy.Declared) (deploy.Plan, error) {
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	plan, err := p.Delivery.Plan(timed, c, declared)
	return plan, p.late(ctx, timed, err, "proving")
}

// Propose implements jobs.Proposer.
func (p prompt) Propose(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Proposal, error) {
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	plan, made, err := p.Delivery.Propose(timed, c, declared, by, onPlan)
	return plan, made, p.late(ctx, timed, err, "planning and proposing")
}

// Wanted implements jobs.Wanted.
func (p prompt) Wanted(ctx context.Context, declared []deploy.Declared) ([]deploy.Wanted, error) {
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	out, err := p.Delivery.Wanted(timed, declared)
	return out, p.late(ctx, timed, err, "reading Git")
}

// Renew implements jobs.Proposer.
func (p prompt) Renew(ctx context.Context, old deploy.Proposal, first deploy.Plan, declared func() []deploy.Declared, by deploy.Authorship) (deploy.Plan, deploy.Proposal, error) {
	timed, cancel := context.WithTimeout(ctx, p.within)
	defer cancel()
	plan, made, err := p.Delivery.Renew(timed, old, first, declared, by)
	return plan, made, p.late(ctx, timed, err, "planning and proposing")
}

// late makes an error that came of the deadline one that may pass.
func (p prompt) late(ctx, timed context.Context, err error, what string) error {
	if err != nil && errors.Is(timed.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
		return fault.Newf(fault.Unavailable, "%s took longer than %s", what, p.within).Because(err)
	}
	return err
}
