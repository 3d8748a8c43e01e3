package delivery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ferry/internal/deploy"
)

// The trailers of a commit. TrailerJob is how a commit is found again.
const (
	TrailerJob       = "Ferry-Job"
	TrailerApp       = "Ferry-App"
	TrailerCluster   = "Ferry-Cluster"
	TrailerFrom      = "Ferry-From"
	TrailerVersion   = "Ferry-Version"
	TrailerRequester = "Ferry-Requester"
	TrailerGlass     = "Ferry-Break-Glass"
)

// Apply plans a change, hands the plan to onPlan, and commits it on exactly the
// head it was planned on. Changes that wait at the same time become one commit.
// If the head moved, the change is planned again on the new one; as long as
// intent, values and blast radius stay the same (the plan's hash) that is the
// same plan, and onPlan is not called again. If they do not, the error is
// Refused and names both sides.
//
// If the answer to a commit is lost, the commit is looked for by its job before
// anything is tried again: it is made at most once. declared is asked before
// each plan. With plan.Already there is no commit.
func (d *Delivery) Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Commit, error) {
	in := &intent{looked: d.look(ctx, c, declared()), ctx: ctx, change: c, declared: declared, by: by, onPlan: onPlan, began: d.now(), done: make(chan struct{})}
	d.wait(in)
	select {
	case <-in.done:
		return in.plan, in.commit, in.err
	case <-ctx.Done():
		d.leave(in)
		return in.plan, deploy.Commit{}, ctx.Err()
	case d.turn <- struct{}{}:
	}
	defer func() { <-d.turn }()
	for !in.finished() {
		if ctx.Err() != nil {
			d.leave(in)
			return in.plan, deploy.Commit{}, ctx.Err()
		}
		d.round(ctx)
	}
	return in.plan, in.commit, in.err
}

func (d *Delivery) now() time.Time {
	if d.o.Repository.Clock != nil {
		return d.o.Repository.Clock()
	}
	return time.Now()
}

// Find looks on the branch for the commit of a job, made since a time.
func (d *Delivery) Find(ctx context.Context, job string, since time.Time) (deploy.Commit, bool, error) {
	made, ok, err := d.repo.Find(ctx, TrailerJob, line(job), since)
	if err != nil || !ok {
		return deploy.Commit{}, false, err
	}
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At}, true, nil
}

// message writes the subject and body of a commit for some changes. No value can
// add a line: what people and clusters give goes through line.
func message(all []*intent) (headline, body string) {
	headline = subject(all)
	if len(headline) > 120 {
		headline = headline[:120]
	}
	var blocks []string
	for _, in := range all {
		blocks = append(blocks, block(in.plan, in.by))
	}
	return headline, strings.Join(blocks, "\n")
}

func subject(all []*intent) string {
	first := all[0]
	verb := line(first.by.Command)
	if verb == "" {
		verb = "promote"
	}
	if len(all) == 1 {
		t := first.change.Target
		return fmt.Sprintf("%s %s to %s on %s", verb, line(t.App.Name), line(string(first.change.Version)), line(string(t.Cluster)))
	}
	var clusters []string
	for _, in := range all {
		if c := line(string(in.change.Target.Cluster)); !slices.Contains(clusters, c) {
			clusters = append(clusters, c)
		}
	}
	slices.Sort(clusters)
	return fmt.Sprintf("promote %d apps on %s", len(all), strings.Join(clusters, ", "))
}

// block is one change's part of a message: what becomes what, then its trailers.
func block(p deploy.Plan, by deploy.Authorship) (body string) {
	t := p.Change.Target
	for _, e := range p.Edits {
		if e.Before == "" {
			body += fmt.Sprintf("%s:%d: a pin for %s\n", line(e.File), e.Line, line(string(t.Cluster)))
			continue
		}
		body += fmt.Sprintf("%s:%d: %s becomes %s\n", line(e.File), e.Line, line(e.Before), line(e.After))
	}
	body += "\n"
	for _, trailer := range [][2]string{
		{TrailerJob, by.Job},
		{TrailerApp, t.App.String()},
		{TrailerCluster, string(t.Cluster)},
		{TrailerFrom, string(p.From)},
		{TrailerVersion, string(p.Change.Version)},
		{TrailerRequester, strings.TrimSpace(by.Requester + " " + by.Name)},
		{TrailerGlass, by.Glass},
	} {
		if v := line(trailer[1]); v != "" {
			body += trailer[0] + ": " + v + "\n"
		}
	}
	if name, email := person(by.Name), person(by.Email); name != "" && email != "" {
		body += fmt.Sprintf("Co-authored-by: %s <%s>\n", name, email)
	}
	return body
}
