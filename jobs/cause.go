package jobs

import (
	"encoding/json"
	"time"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// Cause is a change, as what follows from it may be told.
type Cause struct {
	Targets  []deploy.Target
	Job      job.ID
	From, To deploy.Version
	URL      string // of the commit
	At       time.Time
}

// CauseOf returns what a job has committed by now; ok is false if that is nothing.
func CauseOf(j *job.Job) (c Cause, ok bool) {
	var r changeRow
	if json.Unmarshal(j.Data, &r) != nil || r.Commit.SHA == "" || r.Plan.Already {
		return c, false
	}
	return Cause{
		Targets: append([]deploy.Target{r.Change.Target}, r.Change.With...), Job: j.ID, From: r.Plan.From, To: r.Change.Version,
		URL: r.Commit.URL, At: r.Commit.At,
	}, true
}
