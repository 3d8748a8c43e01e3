package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"ferry/internal/job"
)

// Kinds of what can be exported.
const (
	KindAudit   = "audit"
	KindHistory = "history"
	KindJobs    = "jobs"
)

// Kinds lists them.
func Kinds() []string { return []string{KindAudit, KindHistory, KindJobs} }

// Export calls fn with the rows of a kind since a time, the oldest first, as they
// are stored: JSON on one line. Entries of the audit trail are in the order in
// which they were written, records in that of their end, jobs of their request.
func Export(ctx context.Context, kv KV, kind string, since time.Time, fn func(row []byte) error) error {
	switch kind {
	case KindAudit:
		return scan(ctx, kv, auditRow, func(e Entry) (bool, error) {
			var told job.Entry
			if err := json.Unmarshal(e.Value, &told); err != nil {
				return false, fmt.Errorf("decode %s: %w", e.Key, err)
			}
			if told.At.Before(since) {
				return true, nil
			}
			return true, fn(e.Value)
		})
	case KindHistory:
		return indexed(ctx, kv, historyAll, since, "", fn)
	case KindJobs:
		return indexed(ctx, kv, jobAll, since, jobRow, fn)
	}
	return fmt.Errorf("there is no kind %q", kind)
}

// indexed reads the rows of an index by time; what the index holds are keys, or
// what follows row in them.
func indexed(ctx context.Context, kv KV, index string, since time.Time, row string, fn func(row []byte) error) error {
	from := ""
	if !since.IsZero() {
		from = index + stamp(since)
	}
	return scan(ctx, kv, index, func(e Entry) (bool, error) {
		if e.Key < from {
			return true, nil
		}
		stored, ok, err := kv.Get(ctx, row+string(e.Value))
		if err != nil || !ok {
			return err == nil, err
		}
		return true, fn(stored.Value)
	})
}
