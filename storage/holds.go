package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/fault"
	"ferry/internal/job"
)

// holdRow is the key of a hold: + cluster/namespace/name/ and the version that is
// held back, if it is only that.
const holdRow = "hold/row/"

// releasePage is how many holds one transaction ends, with what is told of it.
const releasePage = (MaxOps - 10) / 2

// Holds stores what is kept as it is: of each target one hold, and one of each
// version that is held back there. They are few, and read before each commit.
type Holds struct {
	kv    KV
	now   func() time.Time
	trail *Trail // nil for none
}

// NewHolds returns the holds in a store.
func NewHolds(kv KV, now func() time.Time) *Holds { return &Holds{kv: kv, now: now} }

// Audited returns the holds with a trail: what is told of a write is written with it.
func (s *Holds) Audited(t *Trail) *Holds { return &Holds{kv: s.kv, now: s.now, trail: t} }

func holdKey(h *deploy.Hold) string {
	return holdRow + h.Target.String() + "/" + string(h.Version)
}

// Place stores a hold. It replaces one of the same owner and one that ran out; one
// of somebody else stands, and the error is Already and says whose it is. Placed
// again by the same command it stays as it is. What is told of it is written if it
// is, and once.
func (s *Holds) Place(ctx context.Context, h deploy.Hold, told ...job.Entry) error {
	row, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("encode hold of %s: %w", h.Target, err)
	}
	for key := holdKey(&h); ; {
		e, there, err := s.kv.Get(ctx, key)
		if err != nil {
			return err
		}
		if there {
			old, err := decodeHold(e)
			switch {
			case err != nil:
				return err
			case old.Key == h.Key:
				return nil
			case old.By != h.By && !old.Over(s.now()):
				return fault.Newf(fault.Already, "%s is held on %s already", h.Target.App.Name, h.Target.Cluster).
					WithHelp("by %s: %s\n`release %s on %s` ends that hold", orID(old), old.Reason, h.Target.App, h.Target.Cluster)
			}
		}
		_, err = s.trail.also(ctx, s.kv, Txn{If: []Compare{{Key: key, Revision: e.Revision}}, Put: []Put{{Key: key, Value: row}}}, told)
		if !errors.Is(err, ErrConflict) {
			return err
		}
	}
}

func orID(h deploy.Hold) string {
	if h.Name != "" {
		return h.Name
	}
	return h.By
}

// Release removes all holds on a target and returns those that were in force. What
// is told of it is written if there was one. If the trail knows by its key that this
// was done before, again is true, and whatever is held since then stays.
func (s *Holds) Release(ctx context.Context, t deploy.Target, told ...job.Entry) (ended []deploy.Hold, again bool, err error) {
	if again, err = s.trail.knows(ctx, told); again || err != nil {
		return nil, again, err
	}
	for {
		entries, err := s.kv.Scan(ctx, Scan{Prefix: holdRow + t.String() + "/", Limit: releasePage + 1})
		if err != nil {
			return ended, false, err
		}
		more := len(entries) > releasePage
		var txn Txn
		var out []deploy.Hold
		for _, e := range entries[:min(len(entries), releasePage)] {
			h, err := decodeHold(e)
			if err != nil {
				return ended, false, err
			}
			if !h.Over(s.now()) {
				out = append(out, h)
			}
			txn.If, txn.Delete = append(txn.If, Compare{Key: e.Key, Revision: e.Revision}), append(txn.Delete, e.Key)
		}
		if len(entries) == 0 {
			return ended, false, nil
		}
		tell := told // with the last of them
		if more || len(ended)+len(out) == 0 {
			tell = nil // or they had run out
		}
		_, err = s.trail.also(ctx, s.kv, txn, tell)
		switch {
		case errors.Is(err, ErrConflict):
			continue
		case err == nil:
			ended = append(ended, out...)
		}
		if err != nil || !more {
			return ended, false, err
		}
	}
}

// Of returns the holds on a target that are in force.
func (s *Holds) Of(ctx context.Context, t deploy.Target) (out []deploy.Hold, err error) {
	err = s.each(ctx, holdRow+t.String()+"/", func(h deploy.Hold) { out = append(out, h) })
	return out, err
}

// All returns all holds that are in force, by cluster, namespace and name.
func (s *Holds) All(ctx context.Context) (out []deploy.Hold, err error) {
	err = s.each(ctx, holdRow, func(h deploy.Hold) { out = append(out, h) })
	return out, err
}

func (s *Holds) each(ctx context.Context, prefix string, fn func(deploy.Hold)) error {
	const page = 100
	for after := ""; ; {
		entries, err := s.kv.Scan(ctx, Scan{Prefix: prefix, After: after, Limit: page})
		if err != nil {
			return err
		}
		for _, e := range entries {
			h, err := decodeHold(e)
			if err != nil {
				return err
			}
			if !h.Over(s.now()) {
				fn(h)
			}
		}
		if len(entries) < page {
			return nil
		}
		after = entries[len(entries)-1].Key
	}
}

func decodeHold(e Entry) (h deploy.Hold, err error) {
	if err := json.Unmarshal(e.Value, &h); err != nil {
		return h, fmt.Errorf("decode hold %s: %w", e.Key, err)
	}
	return h, nil
}
