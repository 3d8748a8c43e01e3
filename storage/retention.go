package storage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// Limit says how much of a kind is kept: what is younger than Age, and of that the
// newest Count. 0 means no limit.
type Limit struct {
	Age   time.Duration
	Count int
}

// Keep says how much is kept of each kind.
type Keep struct{ History, Jobs, Audit Limit }

// youngest is how old a job is at least that is forgotten, whatever the limits:
// a command that comes again must find the job that it made.
const youngest = 48 * time.Hour

// Retention forgets what is older or more than is to be kept. It never forgets a
// job that is not over, the newest record of a target, or what a rollback there
// could go back to: the newest records of the two versions that were seen healthy
// last.
type Retention struct {
	kv   KV
	keep Keep
	now  func() time.Time
	log  *slog.Logger
}

// NewRetention returns what keeps a store small.
func NewRetention(kv KV, keep Keep, now func() time.Time, log *slog.Logger) *Retention {
	return &Retention{kv: kv, keep: keep, now: now, log: log}
}

// Pauses of Run: before the first sweep, and between two.
const (
	firstSweep = time.Minute
	nextSweep  = time.Hour
)

// Run sweeps until ctx ends. A sweep that failed is tried again at the next time.
func (r *Retention) Run(ctx context.Context) error {
	for pause := firstSweep; ; pause = nextSweep {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil
		}
		n, err := r.Sweep(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop: the next start goes on
		case err != nil:
			r.log.Warn("old state could not be forgotten", "forgotten", n, "error", err)
		case n > 0:
			r.log.Info("old state was forgotten", "rows", n)
		}
	}
}

// Sweep forgets all that there is to forget, in small transactions, each of which
// takes a row with all its indexes. It returns how many records, jobs and entries
// those were.
func (r *Retention) Sweep(ctx context.Context) (forgotten int, err error) {
	for _, kind := range []struct {
		index  string
		limit  Limit
		age    func(Entry) (time.Time, error)
		forget func(context.Context, Entry) ([]string, error)
	}{
		{historyAll, r.keep.History, inKey(historyAll), r.record()},
		{jobAll, r.keep.Jobs, inKey(jobAll), r.job},
		{auditRow, r.keep.Audit, inEntry, r.entry},
	} {
		n, err := r.sweep(ctx, kind.index, kind.limit, kind.age, kind.forget)
		forgotten += n
		if err != nil {
			return forgotten, fmt.Errorf("forget what is old below %s: %w", kind.index, err)
		}
	}
	return forgotten, nil
}

// sweep goes through an index by age until what is there is to be kept. forget
// names the keys of a row, none if it stays all the same.
func (r *Retention) sweep(ctx context.Context, index string, keep Limit, age func(Entry) (time.Time, error),
	forget func(context.Context, Entry) ([]string, error),
) (forgotten int, err error) {
	surplus := 0
	if keep.Count > 0 {
		all, err := r.count(ctx, index)
		if err != nil {
			return 0, err
		}
		surplus = all - keep.Count
	}
	edge := time.Time{}
	if keep.Age > 0 {
		edge = r.now().Add(-keep.Age)
	}
	var t Txn
	flush := func() error {
		if len(t.Delete) == 0 {
			return nil
		}
		_, err := r.kv.Commit(ctx, t)
		t = Txn{}
		return err
	}
	at := 0
	err = scan(ctx, r.kv, index, func(e Entry) (bool, error) {
		at++
		if at > surplus {
			when, err := age(e)
			if err != nil || !when.Before(edge) {
				return false, err
			}
		}
		keys, err := forget(ctx, e)
		if err != nil || len(keys) == 0 {
			return err == nil, err
		}
		if len(t.Delete)+len(keys) > MaxOps {
			if err := flush(); err != nil {
				return false, err
			}
		}
		t.Delete = append(t.Delete, keys...)
		forgotten++
		return ctx.Err() == nil, ctx.Err()
	})
	return forgotten, errors.Join(err, flush())
}

func (r *Retention) count(ctx context.Context, prefix string) (n int, err error) {
	err = scan(ctx, r.kv, prefix, func(Entry) (bool, error) { n++; return true, nil })
	return n, err
}

// inKey reads the time in the key of an index.
func inKey(index string) func(Entry) (time.Time, error) {
	return func(e Entry) (time.Time, error) {
		hex, _, _ := strings.Cut(strings.TrimPrefix(e.Key, index), "/")
		var nanos uint64
		if _, err := fmt.Sscanf(hex, "%x", &nanos); err != nil {
			return time.Time{}, fmt.Errorf("read the time in %s: %w", e.Key, err)
		}
		return time.Unix(0, int64(nanos)), nil
	}
}

func inEntry(e Entry) (time.Time, error) {
	var told job.Entry
	if err := json.Unmarshal(e.Value, &told); err != nil {
		return time.Time{}, fmt.Errorf("decode %s: %w", e.Key, err)
	}
	return told.At, nil
}

// record names the keys of a record. It looks at each target once in a sweep.
func (r *Retention) record() func(context.Context, Entry) ([]string, error) {
	kept := map[deploy.Target]map[string]bool{}
	return func(ctx context.Context, e Entry) ([]string, error) {
		t, key := targetOf(e.Key), string(e.Value)
		if kept[t] == nil {
			worth, err := r.worth(ctx, t)
			if err != nil {
				return nil, err
			}
			kept[t] = worth
		}
		if kept[t][key] {
			return nil, nil
		}
		row, ok, err := r.kv.Get(ctx, key)
		if err != nil || !ok {
			return []string{e.Key}, err
		}
		var rec deploy.Record
		if err := json.Unmarshal(row.Value, &rec); err != nil {
			return nil, fmt.Errorf("decode record %s: %w", key, err)
		}
		keys := []string{e.Key, key}
		err = scan(ctx, r.kv, historyOnce+rec.Job+"/", func(once Entry) (bool, error) {
			if string(once.Value) == key {
				keys = append(keys, once.Key)
			}
			return true, nil
		})
		return keys, err
	}
}

// worth are the keys of the records of a target that are always kept.
func (r *Retention) worth(ctx context.Context, t deploy.Target) (map[string]bool, error) {
	keys, versions := map[string]bool{}, map[deploy.Version]bool{}
	changed := false
	err := NewHistory(r.kv).Of(ctx, t, func(rec deploy.Record) bool {
		change := rec.Command != "seen"
		if change && !changed || rec.Healthy && !versions[rec.Version] {
			keys[fmt.Sprintf("%s%s/%016x", historyRow, t, rec.ID)] = true
		}
		changed = changed || change
		if rec.Healthy {
			versions[rec.Version] = true
		}
		return len(versions) < 2 || !changed
	})
	return keys, err
}

// job names the keys of a job that is over.
func (r *Retention) job(ctx context.Context, e Entry) ([]string, error) {
	id := string(e.Value)
	row, ok, err := r.kv.Get(ctx, jobRow+id)
	if err != nil || !ok {
		return []string{e.Key}, err
	}
	var j job.Job
	if err := json.Unmarshal(row.Value, &j); err != nil {
		return nil, fmt.Errorf("decode job %s: %w", id, err)
	}
	if !j.Ended() || r.now().Sub(j.Updated) < youngest {
		return nil, nil
	}
	keys := []string{e.Key, jobRow + id, jobKey + j.Key, jobOpen + strings.TrimPrefix(e.Key, jobAll)}
	err = scan(ctx, r.kv, approvalRow+id+"/", func(said Entry) (bool, error) {
		keys = append(keys, said.Key)
		return true, nil
	})
	return keys, err
}

// entry names the keys of an entry of the audit trail; the latest stays, so that
// the chain has something to go on from.
func (r *Retention) entry(ctx context.Context, e Entry) ([]string, error) {
	var told job.Entry
	if err := json.Unmarshal(e.Value, &told); err != nil {
		return nil, fmt.Errorf("decode %s: %w", e.Key, err)
	}
	_, end, err := readHead(ctx, r.kv)
	if err != nil || told.Seq == end.Seq {
		return nil, err
	}
	keys := []string{e.Key}
	if told.Key != "" {
		keys = append(keys, auditOnce+told.Key)
	}
	return keys, nil
}
