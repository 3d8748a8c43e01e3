package storage

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"ferry/internal/fault"
	"ferry/internal/job"
)

// Keys of the jobs store. Times are those of Created.
const (
	jobRow  = "job/row/"  // + id → the row
	jobKey  = "job/key/"  // + command key → id
	jobOpen = "job/open/" // + time/id → id, while the job has no outcome
	jobAll  = "job/all/"  // + time/id → id
)

// shortestID is how many characters a job's identifier has at least; a
// collision makes the later one longer.
const shortestID = 5

// Jobs stores the rows of jobs. Rows are written with compare-and-swap on their
// revision: of two processes that hold the same row only one can go on.
type Jobs struct {
	kv    KV
	trail *Trail // nil for none
}

// NewJobs returns the jobs in a store.
func NewJobs(kv KV) *Jobs { return &Jobs{kv: kv} }

// Create stores a new row and gives it its ID, which follows from its Key. If a
// row of that key exists already, created is false and j becomes that row.
func (s *Jobs) Create(ctx context.Context, j *job.Job) (created bool, err error) {
	for n := shortestID; n <= 16; n++ {
		j.ID = idOf(j.Key, n)
		err := s.insert(ctx, j)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrConflict) {
			return false, err
		}
		e, ok, err := s.kv.Get(ctx, jobKey+j.Key)
		if err != nil {
			return false, err
		}
		if ok {
			return false, s.load(ctx, job.ID(e.Value), j)
		}
	}
	return false, fmt.Errorf("create job for %q: no identifier is free", j.Key)
}

func (s *Jobs) insert(ctx context.Context, j *job.Job) error {
	row, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode job %s: %w", j.ID, err)
	}
	id, at := []byte(j.ID), stamp(j.Created)+"/"+string(j.ID)
	j.Revision, err = s.write(ctx, Txn{
		If: []Compare{{Key: jobKey + j.Key}, {Key: jobRow + string(j.ID)}},
		Put: []Put{
			{Key: jobRow + string(j.ID), Value: row},
			{Key: jobKey + j.Key, Value: id},
			{Key: jobOpen + at, Value: id},
			{Key: jobAll + at, Value: id},
		},
	}, accepted(j))
	return err
}

// Save writes a row that was created or read before. It returns ErrConflict if
// the stored row is not the one that was read. On success j has the new
// revision; a row with an outcome is no longer among the unfinished ones.
func (s *Jobs) Save(ctx context.Context, j *job.Job) error {
	row, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("encode job %s: %w", j.ID, err)
	}
	t := Txn{
		If:  []Compare{{Key: jobRow + string(j.ID), Revision: j.Revision}},
		Put: []Put{{Key: jobRow + string(j.ID), Value: row}},
	}
	if j.Ended() {
		t.Delete = []string{jobOpen + stamp(j.Created) + "/" + string(j.ID), jobCancel + string(j.ID)}
	}
	rev, err := s.write(ctx, t, told(j)...)
	if err != nil {
		return fmt.Errorf("save job %s: %w", j.ID, err)
	}
	j.Revision, j.Told = rev, nil
	return nil
}

// ByKey returns the row that a command's key made, if there is one.
func (s *Jobs) ByKey(ctx context.Context, key string) (j *job.Job, ok bool, err error) {
	e, ok, err := s.kv.Get(ctx, jobKey+key)
	if err != nil || !ok {
		return nil, false, err
	}
	j, err = s.Get(ctx, job.ID(e.Value))
	return j, err == nil, err
}

// Get returns the row of an ID, or a NotFound fault.
func (s *Jobs) Get(ctx context.Context, id job.ID) (*job.Job, error) {
	j := new(job.Job)
	if err := s.load(ctx, id, j); err != nil {
		return nil, err
	}
	return j, nil
}

func (s *Jobs) load(ctx context.Context, id job.ID, j *job.Job) error {
	e, ok, err := s.kv.Get(ctx, jobRow+string(id))
	if err != nil {
		return err
	}
	if !ok {
		return fault.Newf(fault.NotFound, "there is no job %s", id).WithHelp("`status` lists the latest jobs")
	}
	*j = job.Job{}
	if err := json.Unmarshal(e.Value, j); err != nil {
		return fmt.Errorf("decode job %s: %w", id, err)
	}
	j.Revision = e.Revision
	return s.cancelled(ctx, j)
}

// Unfinished returns all rows without an outcome, the oldest first.
func (s *Jobs) Unfinished(ctx context.Context) ([]*job.Job, error) {
	var out []*job.Job
	for after := ""; ; {
		page, err := s.kv.Scan(ctx, Scan{Prefix: jobOpen, After: after})
		if err != nil || len(page) == 0 {
			return out, err
		}
		jobs, err := s.rows(ctx, page)
		if err != nil {
			return nil, err
		}
		out, after = append(out, jobs...), page[len(page)-1].Key
	}
}

// Recent returns the latest n rows, the newest first.
func (s *Jobs) Recent(ctx context.Context, n int) ([]*job.Job, error) {
	page, err := s.kv.Scan(ctx, Scan{Prefix: jobAll, Limit: n, Reverse: true})
	if err != nil {
		return nil, err
	}
	return s.rows(ctx, page)
}

func (s *Jobs) rows(ctx context.Context, page []Entry) ([]*job.Job, error) {
	out := make([]*job.Job, 0, len(page))
	for _, e := range page {
		j, err := s.Get(ctx, job.ID(e.Value))
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
}

// idOf derives an identifier of n characters from a command's key.
func idOf(key string, n int) job.ID {
	sum := sha256.Sum256([]byte(key))
	return job.ID(strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:n]))
}

// stamp writes a time so that the order of strings is the order of times.
func stamp(t time.Time) string { return fmt.Sprintf("%016x", uint64(t.UnixNano())) }
