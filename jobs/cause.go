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

// CausesOf returns what a job has committed by now. Of a watch it is what the job
// committed that it follows.
func CausesOf(j *job.Job) []Cause {
	var row struct {
		changeRow
		Waves []wave `json:"waves"` // of a set, which has no commit of its own
	}
	if json.Unmarshal(j.Data, &row) != nil {
		return nil
	}
	id := j.ID
	if row.Soak != nil {
		id = j.After
	}
	var out []Cause
	add := func(c deploy.Change, p *deploy.Plan, commit deploy.Commit) {
		if commit.SHA != "" && !p.Already {
			out = append(out, Cause{Targets: append([]deploy.Target{c.Target}, c.With...), Job: id, From: p.From, To: c.Version, URL: commit.URL, At: commit.At})
		}
	}
	add(row.Change, &row.Plan, row.Commit)
	for i := range row.Waves {
		for k := range row.Waves[i].Moves {
			m := &row.Waves[i].Moves[k]
			add(m.Change, &m.Plan, row.Waves[i].Commit)
		}
	}
	return out
}
