package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"ferry/internal/deploy"
	"ferry/internal/job"
	"ferry/playground/chaos/point"
	"ferry/playground/chaos/verdict"
	"ferry/playground/cluster/apiserver"
	"ferry/playground/slack"
)

// judge compares everything that can be seen of an episode with what was asked.
func (w *world) judge(ctx context.Context, commands []*command, s *verdict.State, old int) error {
	var errs []error
	outcome := map[*command]string{}
	for _, c := range commands {
		how, err := w.one(c, s, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("%q in %s, thread %s (%s, delivered %d times): %w", c.text, c.channel, c.root.get(), c.kind, c.copies+1, err))
		}
		outcome[c] = how
		w.account.ended(c, how)
	}
	for _, c := range commands {
		if c.mate != nil {
			errs = append(errs, c.rivalry(outcome))
		}
	}
	w.learn(commands, outcome)
	return errors.Join(append(errs, w.runs(ctx))...)
}

// rivalry judges a pair. Which of them comes first nobody can promise: what Slack
// delivers again is behind what it delivered meanwhile. The one that came later is
// the one that counts.
func (c *command) rivalry(outcome map[*command]string) error {
	if c.made.Before(c.mate.made) || outcome[c] == "done" || outcome[c] == "" {
		return nil
	}
	return fmt.Errorf("%q came after %q and is %s", c.text, c.mate.text, outcome[c])
}

// one judges a command; it returns how it ended.
func (w *world) one(c *command, s *verdict.State, old int) (string, error) {
	if c.kind == elseKind {
		return "answered elsewhere", nil
	}
	if c.spared.Load() {
		return "not needed", nil
	}
	said, err := w.said(c)
	if err != nil {
		return "", err
	}
	if c.lost && c.root.get() == "" {
		return "lost and said so", nil
	}
	a := aftermathOf(said)
	if err := c.thread(a).Check(verdict.Count(said)); err != nil {
		return "", err
	}
	if !c.work() {
		return "answered", errors.Join(c.told(said), c.released(s), c.done(s), w.ran(c, said))
	}
	jobs, err := s.Of(c.channel, c.root.get())
	if err != nil {
		return "", err
	}
	jobs, own, err := apart(jobs)
	if want := c.thread(aftermath{}).Jobs; err != nil || len(jobs) != want {
		return "", errors.Join(err, fmt.Errorf("%d jobs, want %d", len(jobs), want))
	}
	j := jobs[0]
	if c.click() {
		j = jobs[1]
	}
	c.made, c.fell = j.Created, a.fell > 0
	if !slices.Contains(c.ends, string(j.Outcome)) {
		return "", fmt.Errorf("job %s ended as %s (%s), want one of %v", j.ID, j.Outcome, j.Note, c.ends)
	}
	return string(j.Outcome), errors.Join(w.inGit(c, j, old), c.inHistory(j, s, a), w.after(c, j, own, a, s))
}

// told is an error if no answer says what it has to.
func (c *command) told(said []slack.Message) error {
	all := slices.Collect(answers(said))
	if !strings.Contains(strings.ToLower(strings.Join(all, "\n")), strings.ToLower(c.tells)) {
		return fmt.Errorf("it was answered %q, which does not say that it %q", all, c.tells)
	}
	return nil
}

// answers are what was answered, with what stands below the first lines.
func answers(said []slack.Message) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, m := range said {
			switch what := point.KindOf(string(m.Metadata)); {
			case what != "answer" && what != "waiting" && (what != "output" || !strings.Contains(textOf(m), verdict.Took)):
			case !yield(textOf(m)):
				return
			}
		}
	}
}

// inGit counts what a job did there.
func (w *world) inGit(c *command, j job.Job, old int) error {
	messages, err := verdict.Commits(w.repo().Dir(), branch, string(j.ID))
	if err != nil {
		return err
	}
	commits, pulls := len(messages), 0
	c.landed = commits > 0
	for _, message := range messages {
		if err := c.worded(message); err != nil {
			return fmt.Errorf("the commit of job %s: %w:\n%s", j.ID, err, message)
		}
	}
	for _, p := range w.repo().Pulls()[old:] {
		if !verdict.Carries(p.Body, verdict.Trailer(string(j.ID))) {
			continue
		}
		if pulls++; p.State == "open" && j.Outcome == job.Cancelled {
			return fmt.Errorf("job %s is cancelled, and its pull request #%d is open", j.ID, p.Number)
		}
	}
	wantCommits, wantPulls := 1, 0
	switch {
	case c.questions > 0 && j.Outcome != job.Done: // it came to nothing before it was delivered
		wantCommits = 0
	case c.proposed():
		wantPulls = 1
		if j.Outcome != job.Done {
			wantCommits = 0
		}
		if j.Outcome == job.Cancelled || j.Outcome == job.Superseded {
			wantPulls = min(pulls, 1) // it may have been told before there was one
		}
	case c.set():
		wantCommits = c.waved()
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

// worded is an error if a commit does not say what it has to.
func (c *command) worded(message string) error {
	for _, t := range c.with {
		if c.set() {
			break // each is a change of its own
		}
		if with := fmt.Sprintf("Ferry-With: %s/%s/%s", t.cluster, space, t.app); !verdict.Carries(message, with) {
			return fmt.Errorf("it does not say %q", with)
		}
	}
	for _, one := range c.chain {
		if named := approvers(message); one.waits == "approval" && !strings.Contains(named, one.by) {
			return fmt.Errorf("it does not name %s, who approved", one.by)
		}
	}
	if glass := c.kind == glassKind || c.kind == despiteKind; glass != strings.Contains(message, "Ferry-Break-Glass: ") {
		return errors.New("it tells wrongly of what was passed")
	}
	return nil
}

// approvers is the line of a commit that tells who approved it.
func approvers(message string) string {
	_, named, _ := strings.Cut(message, "Ferry-Approved-By: ")
	named, _, _ = strings.Cut(named, "\n")
	return named
}

// inHistory counts the records of a job: one of each target, if it came so far that
// there is something to tell.
func (c *command) inHistory(j job.Job, s *verdict.State, a aftermath) error {
	for _, t := range c.targets() {
		j, began := c.recorded(j, t, a)
		err := s.Recorded(j, deploy.Target{Cluster: deploy.Cluster(t.cluster), App: deploy.App{Name: t.app}}, deploy.Version(c.wantOn(t)), func(n int) int {
			switch {
			case c.proposed() && j.Outcome != job.Done:
				return n // whether a change that never was is recorded is not judged here
			case !c.landed || !began:
				return 0
			}
			return 1
		})
		if err != nil {
			return err
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
