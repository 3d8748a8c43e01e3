package delivery

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"ferry/delivery/forge"
	"ferry/internal/deploy"
	"ferry/internal/fault"
)

// The trailers of a commit. TrailerJob is how a commit is found again.
const (
	TrailerJob       = "Ferry-Job"
	TrailerApp       = "Ferry-App"
	TrailerCluster   = "Ferry-Cluster"
	TrailerFrom      = "Ferry-From"
	TrailerVersion   = "Ferry-Version"
	TrailerRequester = "Ferry-Requester"
)

// How often a commit is tried. A branch that others push to all the time costs
// tries; one whose head is served stale costs time.
const (
	maxTries = 60
	maxLost  = 4
	freeTrys = 5 // tries on a head that did move are not delayed so often
)

// Apply plans a change, hands the plan to onPlan, and commits it on exactly the
// head it was planned on. If the head moved, the change is planned again on the
// new one; as long as intent, values and blast radius stay the same (the plan's
// hash) that is the same plan, and onPlan is not called again. If they do not,
// the error is Refused and names both sides.
//
// If the answer to a commit is lost, the commit is looked for by its job before
// anything is tried again: it is made at most once. declared is asked before
// each plan. With plan.Already there is no commit.
func (d *Delivery) Apply(ctx context.Context, c deploy.Change, declared func() []deploy.Declared, by deploy.Authorship,
	onPlan func(deploy.Plan) error,
) (deploy.Plan, deploy.Commit, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return deploy.Plan{}, deploy.Commit{}, ctx.Err()
	}
	defer func() { <-d.turn }()
	a := attempt{d: d, change: c, by: by, began: d.now()}
	for try := 0; ; try++ {
		plan, commit, err := a.once(ctx, declared, onPlan)
		if err == nil || !a.again(err) || try+1 >= maxTries {
			return plan, commit, err
		}
		d.log.Debug("commit tried again", "job", by.Job, "try", try+1, "lost", a.lost, "error", err)
		if err := a.pause(ctx, try); err != nil {
			return plan, commit, err
		}
	}
}

func (d *Delivery) now() time.Time {
	if d.o.Repository.Clock != nil {
		return d.o.Repository.Clock()
	}
	return time.Now()
}

// attempt is what the tries of one Apply know of each other.
type attempt struct {
	d      *Delivery
	change deploy.Change
	by     deploy.Authorship
	began  time.Time
	first  *deploy.Plan
	lost   int    // commits whose answer was lost
	unsure bool   // one of them may have happened
	base   string // of the last try
	stale  bool   // the last try was on the same base as the one before
}

// once plans and commits once.
func (a *attempt) once(ctx context.Context, declared func() []deploy.Declared, onPlan func(deploy.Plan) error) (deploy.Plan, deploy.Commit, error) {
	if a.unsure {
		found, ok, err := a.d.Find(ctx, a.by.Job, a.began)
		if err != nil {
			return *a.first, deploy.Commit{}, err
		}
		if ok {
			found.Site = a.first.Site
			return *a.first, found, nil
		}
	}
	plan, err := a.d.Plan(ctx, a.change, declared())
	if err != nil {
		return plan, deploy.Commit{}, err
	}
	a.stale = a.base == plan.Base
	a.base = plan.Base
	if err := a.agree(plan, onPlan); err != nil || plan.Already {
		return plan, deploy.Commit{}, err
	}
	commit, err := a.d.Commit(ctx, plan, a.by)
	if fault.Is(err, fault.Unavailable) {
		a.unsure = true
	}
	return plan, commit, err
}

// agree shows the first plan, and holds later ones against it.
func (a *attempt) agree(plan deploy.Plan, onPlan func(deploy.Plan) error) error {
	if a.first == nil {
		a.first = &plan
		if onPlan == nil {
			return nil
		}
		return onPlan(plan)
	}
	if plan.Hash == a.first.Hash || (plan.Already && plan.Site == a.first.Site) {
		return nil
	}
	t := a.change.Target
	return fault.Newf(fault.Refused, "%s on %s was changed by somebody else meanwhile: Git had `%s`, now it has `%s`",
		t.App.Name, t.Cluster, a.first.From, plan.From).
		WithHelp("ferry wanted `%s` and did nothing; look at the branch and ask again", a.change.Version)
}

// again reports whether an error is worth another try.
func (a *attempt) again(err error) bool {
	switch {
	case fault.Is(err, fault.Moved):
		return true
	case fault.Is(err, fault.Unavailable) && a.unsure:
		a.lost++
		return a.lost <= maxLost
	}
	return false
}

// pause waits before another try: not at all while the branch really moves, so
// that a busy branch does not starve us; growing while GitHub serves an old
// head or does not answer.
func (a *attempt) pause(ctx context.Context, try int) error {
	if a.lost == 0 && !a.stale && try < freeTrys {
		return ctx.Err()
	}
	d := min(100*time.Millisecond<<min(try, 6), 3*time.Second)
	if a.lost == 0 && !a.stale {
		d = 50 * time.Millisecond
	}
	timer := time.NewTimer(d/2 + rand.N(d/2+1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Commit commits a plan on its base. The error is Moved if the branch is not
// there any more; after Unavailable the commit may have been made.
func (d *Delivery) Commit(ctx context.Context, p deploy.Plan, by deploy.Authorship) (deploy.Commit, error) {
	if p.Already || len(p.Files) == 0 {
		return deploy.Commit{}, errors.New("commit: the plan has no files")
	}
	headline, body := message(p, by)
	made, err := d.repo.Commit(ctx, forge.NewCommit{On: p.Base, Headline: headline, Body: body, Files: p.Files, Job: by.Job})
	if err != nil {
		return deploy.Commit{}, err
	}
	for _, data := range p.Files {
		d.blobs.Add(data)
	}
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At, Site: p.Site}, nil
}

// Find looks on the branch for the commit of a job, made since a time.
func (d *Delivery) Find(ctx context.Context, job string, since time.Time) (deploy.Commit, bool, error) {
	made, ok, err := d.repo.Find(ctx, TrailerJob, line(job), since)
	if err != nil || !ok {
		return deploy.Commit{}, false, err
	}
	return deploy.Commit{SHA: made.SHA, URL: made.URL, At: made.At}, true, nil
}

// message writes a commit's subject and body. No value can add a line: what
// people and clusters give goes through line.
func message(p deploy.Plan, by deploy.Authorship) (headline, body string) {
	t := p.Change.Target
	verb := line(by.Command)
	if verb == "" {
		verb = "promote"
	}
	headline = fmt.Sprintf("%s %s to %s on %s", verb, line(t.App.Name), line(string(p.Change.Version)), line(string(t.Cluster)))
	if len(headline) > 120 {
		headline = headline[:120]
	}
	for _, e := range p.Edits {
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
	} {
		if v := line(trailer[1]); v != "" {
			body += trailer[0] + ": " + v + "\n"
		}
	}
	if name, email := person(by.Name), person(by.Email); name != "" && email != "" {
		body += fmt.Sprintf("Co-authored-by: %s <%s>\n", name, email)
	}
	return headline, body
}
