// Package verdict compares what ferry left behind with what people asked for: its
// state file, which nobody has open (state.go), and what stands in Slack and in Git
// (said.go). It serves the emulated worlds of playground/chaos and the real clusters of
// e2e alike.
package verdict

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"ferry/internal/deploy"
	"ferry/internal/job"
)

// State is what ferry left in its file.
type State struct {
	Jobs    []job.Job
	Records []deploy.Record
	Holds   []deploy.Hold
	Entries []job.Entry
	// Silences are the matchers of those in force, Placed how many there ever were; Off
	// are the channels that are not told; Dead are the labels of what was given up;
	// Begun are lines that have not ended.
	Silences []string
	Placed   int
	Off      []string
	Dead     []map[string]string
	Begun    []string
	// Pending are envelopes not decided, Unsent are messages not sent, Undelivered are
	// those of alerts that no sink has.
	Pending, Unsent, Undelivered int
}

// Calm reports whether nothing is under way.
func (s *State) Calm() bool {
	return s.Pending == 0 && s.Unsent == 0 && s.Undelivered == 0 && !slices.ContainsFunc(s.Jobs, func(j job.Job) bool { return !j.Ended() })
}

// Read reads a state file that nobody has open: each value stands behind the eight
// bytes of its revision.
func Read(file string) (*State, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the state file: %w", err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	s := new(State)
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("rows")).ForEach(func(k, v []byte) error {
			key, value := string(k), v[8:]
			switch {
			case strings.HasPrefix(key, "job/row/"):
				s.Jobs = append(s.Jobs, job.Job{})
				return json.Unmarshal(value, &s.Jobs[len(s.Jobs)-1])
			case strings.HasPrefix(key, "history/row/"):
				s.Records = append(s.Records, deploy.Record{})
				return json.Unmarshal(value, &s.Records[len(s.Records)-1])
			case strings.HasPrefix(key, "hold/row/"):
				s.Holds = append(s.Holds, deploy.Hold{})
				return json.Unmarshal(value, &s.Holds[len(s.Holds)-1])
			case strings.HasPrefix(key, "audit/row/"):
				s.Entries = append(s.Entries, job.Entry{})
				return json.Unmarshal(value, &s.Entries[len(s.Entries)-1])
			case strings.HasPrefix(key, "journal/pending/"):
				s.Pending++
			case strings.HasPrefix(key, "outbox/open/"):
				s.Unsent++
			case strings.HasPrefix(key, "event/want/"):
				s.Undelivered++
			}
			return s.deeds(key, value)
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the state file: %w", err)
	}
	return s, nil
}

// Of returns the jobs of a thread, the oldest first.
func (s *State) Of(channel, root string) (out []job.Job, err error) {
	for _, j := range s.Jobs {
		var request struct {
			Thread struct{ Channel, Root string }
		}
		if err := json.Unmarshal(j.Request, &request); err != nil {
			return nil, fmt.Errorf("decode the request of job %s: %w", j.ID, err)
		}
		if request.Thread.Channel == channel && request.Thread.Root == root && root != "" {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b job.Job) int { return a.Created.Compare(b.Created) })
	return out, nil
}

// Recorded is an error unless the history has one record of a job on a target, or
// as many as want says, and it tells how the job ended.
func (s *State) Recorded(j job.Job, t deploy.Target, v deploy.Version, want func(n int) int) error {
	n := 0
	for _, r := range s.Records {
		if r.Job != string(j.ID) || r.Command != j.Verb || r.Target.Cluster != t.Cluster || r.Target.App.Name != t.App.Name {
			continue
		}
		n++
		if r.Version != v || r.Outcome != string(j.Outcome) {
			return fmt.Errorf("job %s: the history says %s %s, the job %s %s", j.ID, r.Version, r.Outcome, v, j.Outcome)
		}
	}
	if w := want(n); n != w {
		return fmt.Errorf("job %s has %d records of %s, want %d", j.ID, n, t, w)
	}
	return nil
}
