package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// approvalRow is the key of an approval: + job/hash of the plan/user.
const approvalRow = "approval/row/"

// Approvals stores what people said to the plans of jobs. Nobody speaks twice to
// the same plan: the first word counts.
type Approvals struct {
	kv    KV
	trail *Trail // nil for none
}

// NewApprovals returns the approvals in a store.
func NewApprovals(kv KV) *Approvals { return &Approvals{kv: kv} }

// Audited returns the approvals with a trail: what is told of one is written with it.
func (s *Approvals) Audited(t *Trail) *Approvals { return &Approvals{kv: s.kv, trail: t} }

// Add stores an approval; added is false if the same person spoke to that plan
// before.
func (s *Approvals) Add(ctx context.Context, a deploy.Approval, told ...job.Entry) (added bool, err error) {
	row, err := json.Marshal(a)
	if err != nil {
		return false, fmt.Errorf("encode approval of job %s: %w", a.Job, err)
	}
	key := approvalRow + a.Job + "/" + a.Plan + "/" + a.By
	_, err = s.trail.also(ctx, s.kv, Txn{If: []Compare{{Key: key}}, Put: []Put{{Key: key, Value: row}}}, told)
	if errors.Is(err, ErrConflict) {
		return false, nil
	}
	return err == nil, err
}

// Of returns the approvals of a job, whatever the plan, the oldest first.
func (s *Approvals) Of(ctx context.Context, job string) ([]deploy.Approval, error) {
	var out []deploy.Approval
	const page = 100
	for prefix, after := approvalRow+job+"/", ""; ; {
		entries, err := s.kv.Scan(ctx, Scan{Prefix: prefix, After: after, Limit: page})
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			var a deploy.Approval
			if err := json.Unmarshal(e.Value, &a); err != nil {
				return nil, fmt.Errorf("decode approval %s: %w", e.Key, err)
			}
			out = append(out, a)
		}
		if len(entries) < page {
			slices.SortStableFunc(out, func(a, b deploy.Approval) int { return a.At.Compare(b.At) })
			return out, nil
		}
		after = entries[len(entries)-1].Key
	}
}
