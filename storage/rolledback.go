package storage

import (
	"context"
	"errors"

	"ferry/internal/fault"
	"ferry/internal/job"
)

// RolledBack amends a job that has ended: what it brought was taken back since, and
// what was there before is healthy. A job that never got as far, or is amended
// already, stays as it is; first reports whether it was amended now.
func (s *Jobs) RolledBack(ctx context.Context, id job.ID) (j *job.Job, first bool, err error) {
	for {
		j, err := s.Get(ctx, id)
		if err != nil {
			if fault.Is(err, fault.NotFound) { // it was forgotten
				err = nil
			}
			return nil, false, err
		}
		switch j.Outcome {
		case job.Done, job.Failed, job.Expired:
		default:
			return j, false, nil
		}
		j.Outcome = job.RolledBack
		if err := s.Save(ctx, j); !errors.Is(err, ErrConflict) {
			return j, err == nil, err
		}
	}
}
