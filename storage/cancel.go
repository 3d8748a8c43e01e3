package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"ferry/internal/fault"
	"ferry/internal/job"
)

// jobCancel + id → the wish that the job end. It is no part of the row, which
// belongs to whoever runs the job.
const jobCancel = "job/cancel/"

// RequestCancel notes that a job is to end; the first wish stays. A job that has
// ended is Already.
func (s *Jobs) RequestCancel(ctx context.Context, id job.ID, c job.Cancel) error {
	j, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	if j.Ended() {
		return fault.Newf(fault.Already, "job %s has ended: %s", id, j.Outcome).WithHelp("nothing was done\n`status %s` tells how it went", id)
	}
	if j.Cancel != nil {
		return nil
	}
	v, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode the end of job %s: %w", id, err)
	}
	if _, err := s.kv.Commit(ctx, Txn{Put: []Put{{Key: jobCancel + string(id), Value: v}}}); err != nil {
		return fmt.Errorf("cancel job %s: %w", id, err)
	}
	return nil
}

// cancelled adds the wish to a row, if there is one.
func (s *Jobs) cancelled(ctx context.Context, j *job.Job) error {
	e, ok, err := s.kv.Get(ctx, jobCancel+string(j.ID))
	if err != nil || !ok {
		return err
	}
	j.Cancel = new(job.Cancel)
	if err := json.Unmarshal(e.Value, j.Cancel); err != nil {
		return fmt.Errorf("decode the end of job %s: %w", j.ID, err)
	}
	return nil
}
