package storage

import (
	"context"
	"encoding/json"
	"fmt"

	"ferry/internal/chat"
	"ferry/internal/job"
)

// Audited returns the jobs with a trail: that one was made, what its handler
// tells with a Save, and how it ended, is written with the row.
func (s *Jobs) Audited(t *Trail) *Jobs { return &Jobs{kv: s.kv, trail: t} }

// write commits a row of a job, and what there is to tell of it.
func (s *Jobs) write(ctx context.Context, t Txn, entries ...job.Entry) (uint64, error) {
	return s.trail.also(ctx, s.kv, t, entries)
}

// also commits a transaction of a typed store, and what there is to tell of it if
// the store has a trail.
func (t *Trail) also(ctx context.Context, kv KV, txn Txn, entries []job.Entry) (uint64, error) {
	if t == nil {
		return kv.Commit(ctx, txn)
	}
	return t.commit(ctx, txn, entries)
}

// knows reports whether one of the entries was written before, by its key. Without a
// trail nobody knows.
func (t *Trail) knows(ctx context.Context, entries []job.Entry) (bool, error) {
	for _, e := range entries {
		if t == nil || e.Key == "" {
			continue
		}
		if _, there, err := t.kv.Get(ctx, auditOnce+e.Key); err != nil || there {
			return there, err
		}
	}
	return false, nil
}

// Told returns what was written with a key, if anything was.
func (t *Trail) Told(ctx context.Context, key string) (e job.Entry, ok bool, err error) {
	once, ok, err := t.kv.Get(ctx, auditOnce+key)
	if err != nil || !ok {
		return e, false, err
	}
	row, ok, err := t.kv.Get(ctx, string(once.Value))
	if err != nil || !ok {
		return e, false, err
	}
	if err := json.Unmarshal(row.Value, &e); err != nil {
		return e, false, fmt.Errorf("decode %s: %w", row.Key, err)
	}
	return e, true, nil
}

// accepted tells that a command became a job: what was asked, by whom and where.
func accepted(j *job.Job) job.Entry {
	e := job.Entry{Deed: job.Accepted, Job: j.ID, Targets: j.Queues, Says: j.Title, At: j.Created}
	var cmd chat.Command
	if json.Unmarshal(j.Request, &cmd) == nil { // a job that ferry made itself has none
		e.By, e.Team, e.Channel, e.Command = string(cmd.User), string(cmd.Thread.Team), string(cmd.Thread.Channel), cmd.Text
	}
	return e
}

// told are the entries of a Save.
func told(j *job.Job) []job.Entry {
	out := append([]job.Entry(nil), j.Told...)
	for i := range out {
		out[i].Job = j.ID
	}
	if !j.Ended() {
		return out
	}
	return append(out, job.Entry{
		Deed: job.Ended, Key: fmt.Sprintf("%s/%s/%d", j.ID, j.Outcome, j.Attempts),
		Job: j.ID, Targets: j.Queues, Outcome: j.Outcome, Says: j.Note, At: j.Updated,
	})
}
