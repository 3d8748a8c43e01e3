package delivery

import (
	"context"
	"errors"
	"slices"

	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// Wanted tells which versions the head of the branch holds for the apps of the
// clusters that declare something. It renders what changed since the last time,
// looks where versions show, and not from where in Git they come: that costs
// nothing beside a plan.
func (d *Delivery) Wanted(ctx context.Context, declared []deploy.Declared) ([]deploy.Wanted, error) {
	head, err := d.repo.Head(ctx)
	if err != nil {
		return nil, err
	}
	w, err := d.at(ctx, head, declared)
	if err != nil {
		return nil, err
	}
	var out []deploy.Wanted
	for _, c := range declared {
		for _, item := range apps(w, c.Cluster) {
			want := deploy.Wanted{Target: item.Target, Object: item.Object}
			s, err := d.stage(ctx, w, deploy.Change{Target: item.Target, Owner: item.Owner})
			if err == nil {
				err = d.showing(s, &want)
			}
			if f, ok := errors.AsType[*fault.Error](err); ok {
				want.Why = f.Says
			} else if err != nil {
				return nil, err
			}
			out = append(out, want)
		}
	}
	return out, nil
}

// showing lists the versions that an app's fields show.
func (e *engine) showing(s *scene, want *deploy.Wanted) error {
	own, more, err := e.pick(s)
	if err != nil {
		return err
	}
	for _, f := range append(slices.Clone(own), more...) {
		v := deploy.WantedVersion{Field: f.kind, Version: deploy.Version(f.version), Ranged: f.ranged}
		if !slices.Contains(want.Versions, v) {
			want.Versions = append(want.Versions, v)
		}
	}
	return nil
}
