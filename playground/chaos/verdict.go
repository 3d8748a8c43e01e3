package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	appsv1 "k8s.io/api/apps/v1"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/playground/cluster/apiserver"
)

// state is what ferry left in its file.
type state struct {
	jobs    []job.Job
	records []deploy.Record
	// pending are envelopes not decided, unsent are messages not sent.
	pending, unsent int
}

// calm reports whether nothing is under way.
func (s *state) calm() bool {
	return s.pending == 0 && s.unsent == 0 && !slices.ContainsFunc(s.jobs, func(j job.Job) bool { return !j.Ended() })
}

// readState reads a state file that nobody has open: each value stands behind the
// eight bytes of its revision.
func readState(file string) (*state, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return nil, fmt.Errorf("open the state file: %w", err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	s := new(state)
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("rows")).ForEach(func(k, v []byte) error {
			key, value := string(k), v[8:]
			switch {
			case strings.HasPrefix(key, "job/row/"):
				s.jobs = append(s.jobs, job.Job{})
				return json.Unmarshal(value, &s.jobs[len(s.jobs)-1])
			case strings.HasPrefix(key, "history/row/"):
				s.records = append(s.records, deploy.Record{})
				return json.Unmarshal(value, &s.records[len(s.records)-1])
			case strings.HasPrefix(key, "journal/pending/"):
				s.pending++
			case strings.HasPrefix(key, "outbox/open/"):
				s.unsent++
			}
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the state file: %w", err)
	}
	return s, nil
}

// of returns the jobs of a thread, the oldest first.
func (s *state) of(c *command) (out []job.Job, err error) {
	for _, j := range s.jobs {
		var request struct {
			Thread struct{ Channel, Root string }
		}
		if err := json.Unmarshal(j.Request, &request); err != nil {
			return nil, fmt.Errorf("decode the request of job %s: %w", j.ID, err)
		}
		if request.Thread.Channel == c.channel && request.Thread.Root == c.root && c.root != "" {
			out = append(out, j)
		}
	}
	slices.SortFunc(out, func(a, b job.Job) int { return a.Created.Compare(b.Created) })
	return out, nil
}

// judge compares everything that can be seen of an episode with what was asked.
func (w *world) judge(ctx context.Context, commands []*command, s *state, old int) error {
	var errs []error
	outcome := map[*command]string{}
	for _, c := range commands {
		how, err := w.one(c, s, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q in %s, thread %s (%s, delivered %d times): %w", c.text, c.channel, c.root, c.kind, c.copies+1, err))
		}
		outcome[c] = how
		w.tally.ended(string(c.kind), how, c.answered)
	}
	w.learn(commands, func(c *command) string { return outcome[c] })
	return errors.Join(append(errs, w.runs(ctx))...)
}

// one judges a command; it returns how it ended.
func (w *world) one(c *command, s *state, old int) (string, error) {
	if c.kind == elseKind {
		return "answered elsewhere", nil
	}
	said, err := w.said(c)
	if err != nil {
		return "", err
	}
	counts := count(said)
	if c.lost && c.root == "" {
		return "lost and said so", nil
	}
	if c.slash() {
		if counts["root"] != 1 {
			return "", fmt.Errorf("%d root messages, want 1", counts["root"])
		}
		delete(counts, "root")
	}
	thread := c
	if c.click() {
		thread = c.after // in which it stands too
	}
	if err := thread.check(counts); err != nil {
		return "", err
	}
	if !c.work() {
		return "answered", nil
	}
	jobs, err := s.of(c)
	if err != nil || len(jobs) != thread.jobs() {
		return "", errors.Join(err, fmt.Errorf("%d jobs, want %d", len(jobs), thread.jobs()))
	}
	j := jobs[0]
	if c.click() {
		j = jobs[1]
	}
	if !slices.Contains(c.outcomes(), string(j.Outcome)) {
		return "", fmt.Errorf("job %s ended as %s (%s), want one of %v", j.ID, j.Outcome, j.Note, c.outcomes())
	}
	return string(j.Outcome), errors.Join(w.inGit(c, j, old), inHistory(c, j, s))
}

// inGit counts what a job did there.
func (w *world) inGit(c *command, j job.Job, old int) error {
	trailer := "Ferry-Job: " + string(j.ID)
	carries := func(text, line string) bool { return slices.Contains(strings.Split(text, "\n"), line) }
	log, err := exec.Command("git", "--git-dir", w.repo().Dir(), "log", "--format=%B%x00", branch).Output()
	if err != nil {
		return fmt.Errorf("read the log: %w", err)
	}
	commits, pulls := 0, 0
	for message := range strings.SplitSeq(string(log), "\x00") {
		if !carries(message, trailer) {
			continue
		}
		commits++
		c.landed = true
		for _, t := range c.with {
			if with := fmt.Sprintf("Ferry-With: %s/%s/%s", t.cluster, space, t.app); !carries(message, with) {
				return fmt.Errorf("the commit of job %s does not say %q:\n%s", j.ID, with, message)
			}
		}
	}
	for _, p := range w.repo().Pulls()[old:] {
		if !carries(p.Body, trailer) {
			continue
		}
		if pulls++; p.State == "open" && j.Outcome == job.Cancelled {
			return fmt.Errorf("job %s is cancelled, and its pull request #%d is open", j.ID, p.Number)
		}
	}
	wantCommits, wantPulls := 1, 0
	switch {
	case c.proposed():
		wantPulls = 1
		if j.Outcome != job.Done {
			wantCommits = 0
		}
		if j.Outcome == job.Cancelled {
			wantPulls = min(pulls, 1) // it may have been told before there was one
		}
	case j.Outcome == job.Cancelled:
		wantCommits = min(commits, 1)
	case j.Outcome == job.Refused:
		wantCommits = 0
	}
	if commits != wantCommits || pulls != wantPulls {
		return fmt.Errorf("job %s has %d commits and %d pull requests, want %d and %d", j.ID, commits, pulls, wantCommits, wantPulls)
	}
	return nil
}

// inHistory counts the records of a job: one of each target, if it came so far
// that there is something to tell.
func inHistory(c *command, j job.Job, s *state) error {
	for _, t := range c.targets() {
		n := 0
		for _, r := range s.records {
			if r.Job != string(j.ID) || r.Command != j.Verb || string(r.Target.Cluster) != t.cluster || r.Target.App.Name != t.app {
				continue
			}
			n++
			if string(r.Version) != c.want || r.Outcome != string(j.Outcome) {
				return fmt.Errorf("job %s: the history says %s %s, the job %s %s", j.ID, r.Version, r.Outcome, c.want, j.Outcome)
			}
		}
		want := 1
		switch {
		case c.proposed() && j.Outcome != job.Done:
			want = n // whether a change that never was is recorded is not judged here
		case !c.landed:
			want = 0
		}
		if n != want {
			return fmt.Errorf("job %s has %d records of %s, want %d", j.ID, n, t, want)
		}
	}
	return nil
}

// runs compares what the clusters run with what was asked for last.
func (w *world) runs(ctx context.Context) error {
	for end := time.Now().Add(10 * time.Second); ; {
		err := w.amiss()
		if err == nil || time.Now().After(end) || !pause(ctx, glance) {
			return err
		}
	}
}

func (w *world) amiss() error {
	for t, v := range w.targets {
		if v.now == "" {
			continue
		}
		d := apiserver.In[appsv1.Deployment](w.clusters[t.cluster].Store(), "apps", "deployments").Get(apiserver.Key{Namespace: space, Name: t.app})
		if d == nil {
			return fmt.Errorf("%s does not run %s", t.cluster, t.app)
		}
		if got := d.Spec.Template.Spec.Containers[0].Image; got != image+t.app+":"+v.now {
			return fmt.Errorf("%s runs %s, want %s", t.cluster, got, v.now)
		}
	}
	return nil
}
